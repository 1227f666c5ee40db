"""What is set for the organisation."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import allow, current_actor, current_staff
from rollcall.accounts.settings import describe_settings, set_organisation
from rollcall.errors import InvalidInput
from rollcall.models import Role
from rollcall.walltime import known_timezones

pages = Blueprint("organisation", __name__, url_prefix="/settings")


@pages.get("")
@allow(Role.ADMIN)
def edit() -> ResponseReturnValue:
    """Show the settings."""
    return _page(describe_settings(current_staff().organisation))


@pages.post("")
@allow(Role.ADMIN)
def save() -> ResponseReturnValue:
    """Change the settings."""
    form = request.form
    try:
        set_organisation(
            current_actor(),
            name=form.get("name"),
            country=form.get("country"),
            timezone=form.get("timezone"),
            quiet_hours=form.get("quiet_hours"),
            address=form.get("postal_address"),
            rehearsals=form.get("rehearsals"),
        )
    except InvalidInput as error:
        values = {**describe_settings(current_staff().organisation), **form}
        return _page(values, error.fields), 422
    flash("Saved.", "success")
    return redirect(url_for("organisation.edit"))


def _page(values: dict[str, str], errors: dict[str, str] | None = None) -> str:
    return render_template(
        "organisation/edit.html",
        values=values,
        errors=errors or {},
        timezones=sorted(known_timezones()),
        may_set_quiet_hours=current_actor().role == Role.SUPER,
    )
