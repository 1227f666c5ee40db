"""Inviting staff: by a link that goes to their address, or that is shown once to pass on."""

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import allow, current_actor
from rollcall.accounts.invitations import (
    Invitation,
    invite_again,
    invite_staff,
    withdraw_invitation,
)
from rollcall.accounts.links import sends_mail
from rollcall.errors import InvalidInput
from rollcall.models import Role

pages = Blueprint("invitations", __name__, url_prefix="/staff")


@pages.get("/invite")
@allow(Role.ADMIN)
def new() -> ResponseReturnValue:
    """Show the form for an invitation."""
    return _form({"role": "staff"})


@pages.post("/invite")
@allow(Role.ADMIN)
def invite() -> ResponseReturnValue:
    """Invite somebody."""
    form = request.form
    try:
        invitation = invite_staff(
            current_actor(),
            form.get("email", ""),
            form.get("role", ""),
            name=form.get("name", ""),
            by_mail=_by_mail(),
        )
    except InvalidInput as error:
        return _form(form, error.fields), 422
    return _answer(invitation)


@pages.post("/<int:staff_id>/invite")
@allow(Role.ADMIN)
def again(staff_id: int) -> ResponseReturnValue:
    """Invite somebody once more; the earlier link is dead."""
    return _answer(invite_again(current_actor(), staff_id, by_mail=_by_mail()))


@pages.post("/<int:staff_id>/withdraw")
@allow(Role.ADMIN)
def withdraw(staff_id: int) -> ResponseReturnValue:
    """Take an invitation back."""
    email = withdraw_invitation(current_actor(), staff_id)
    flash(f"The invitation of {email} is withdrawn, and its link is dead.", "success")
    return redirect(url_for("staff.index"))


def _answer(invitation: Invitation) -> ResponseReturnValue:
    """Say that the mail goes out, or show the link: no redirect, as nothing keeps it."""
    if invitation.path is None:
        flash(f"An invitation goes to {invitation.email}.", "success")
        return redirect(url_for("staff.index"))
    link = current_app.extensions["rollcall"].public_url + invitation.path
    return render_template("staff/invited.html", email=invitation.email, link=link)


def _form(values: dict[str, str], errors: dict[str, str] | None = None) -> str:
    roles = [role for role in Role if current_actor().role.at_least(role)]
    return render_template(
        "staff/invite.html", roles=roles, values=values, errors=errors or {}, by_mail=_by_mail()
    )


def _by_mail() -> bool:
    return sends_mail(current_app.extensions["rollcall"])
