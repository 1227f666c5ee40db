"""One's own account."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from blueprints.sessions import begin_session
from rollcall.errors import InvalidInput
from rollcall.organisations.staff import change_own_password

pages = Blueprint("profile", __name__, url_prefix="/profile")


@pages.get("")
@staff_only
def edit() -> ResponseReturnValue:
    """Show who is logged in and the form for a new password."""
    return render_template("staff/profile.html", staff=current_staff(), errors={})


@pages.post("/password")
@staff_only
def change_password() -> ResponseReturnValue:
    """Change one's own password; this browser stays logged in, all others are logged out."""
    form = request.form
    try:
        _require_same(form.get("password", ""), form.get("repeated", ""))
        change_own_password(
            current_actor(), form.get("present_password", ""), form.get("password", "")
        )
    except InvalidInput as error:
        page = render_template("staff/profile.html", staff=current_staff(), errors=error.fields)
        return page, 422
    begin_session(current_staff(), keep=False)
    flash("Your password has been changed. Every other browser has been logged out.", "success")
    return redirect(url_for("profile.edit"))


def _require_same(password: str, repeated: str) -> None:
    if password != repeated:
        raise InvalidInput({"repeated": "The two new passwords differ. Type the same twice."})
