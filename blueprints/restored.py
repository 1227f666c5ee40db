"""After a backup was restored: what is held, and the word of a super that lets it go on."""

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import allow, current_actor, current_staff, staff_only
from rollcall.accounts.lookups import list_staff
from rollcall.campaigns.listing import campaigns_overview
from rollcall.models import Role
from rollcall.sending.installation import confirm_restored, find_hold

pages = Blueprint("restored", __name__, url_prefix="/restored")


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """Show what is held, why, and what follows when it is confirmed."""
    staff = current_staff()
    overview = campaigns_overview(staff.organisation_id)
    members = list_staff(staff.organisation_id)
    return render_template(
        "restored/index.html",
        hold=find_hold(),
        may_confirm=staff.rank == Role.SUPER,
        supers=[one for one in members if one.active and one.rank == Role.SUPER],
        stopped=overview.decide,
        scheduled=overview.scheduled,
    )


@pages.post("")
@allow(Role.SUPER)
def confirm() -> ResponseReturnValue:
    """Let messages go out again."""
    confirm_restored(current_actor(), current_app.extensions["rollcall"])
    flash("Messages may go out again. What was stopped waits for a decision on each.", "success")
    return redirect(url_for("campaigns.index"))
