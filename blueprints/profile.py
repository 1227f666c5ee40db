"""One's own account: who one is, the password, where one is logged in."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from blueprints.sessions import session_id
from rollcall.accounts import sessions
from rollcall.accounts.passwords import check_same
from rollcall.accounts.sessions import say_browser
from rollcall.accounts.staff import change_own_password
from rollcall.errors import InvalidInput
from rollcall.wording import say_count

pages = Blueprint("profile", __name__, url_prefix="/profile")
pages.add_app_template_filter(say_browser, "browser")


@pages.get("")
@staff_only
def edit() -> ResponseReturnValue:
    """Show who is logged in, where, and the form for a new password."""
    return _page()


@pages.post("/password")
@staff_only
def change_password() -> ResponseReturnValue:
    """Change one's own password; this browser stays logged in, all others are logged out."""
    form = request.form
    present, password = form.get("present_password", ""), form.get("password", "")
    try:
        check_same(password, form.get("repeated", ""))
        change_own_password(current_actor(), present, password, session_id=session_id())
    except InvalidInput as error:
        return _page(error.fields), 422
    flash("Your password has been changed. Every other browser has been logged out.", "success")
    return redirect(url_for("profile.edit"))


@pages.post("/sessions/<int:session_id>/end")
@staff_only
def end_session(session_id: int) -> ResponseReturnValue:
    """Log oneself out of one browser."""
    sessions.end_own_session(current_actor(), session_id)
    flash("That browser is logged out.", "success")
    return redirect(url_for("profile.edit", _anchor="sessions"))


@pages.post("/sessions/end")
@staff_only
def end_others() -> ResponseReturnValue:
    """Log oneself out of every browser but this one."""
    ended = sessions.end_other_sessions(current_actor(), session_id())
    flash(f"{say_count(ended, 'other browser')} logged out.", "success")
    return redirect(url_for("profile.edit", _anchor="sessions"))


def _page(errors: dict[str, str] | None = None) -> str:
    staff = current_staff()
    return render_template(
        "staff/profile.html",
        staff=staff,
        sessions=sessions.list_sessions(staff.id),
        session_count=sessions.count_sessions(staff.id),
        session_id=session_id(),
        errors=errors or {},
    )
