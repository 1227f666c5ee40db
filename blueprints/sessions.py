"""The browser's session: which staff member it belongs to, how it begins and ends."""

from flask import session
from flask_login import UserMixin, current_user, login_user, logout_user

from blueprints.addresses import read_id
from blueprints.extensions import login_manager
from rollcall.models import Organisation, Role, StaffMember
from rollcall.organisations.login import find_session_staff


class SessionUser(UserMixin):
    """A staff member as Flask-Login wants them; the cookie holds their id and session key."""

    def __init__(self, staff: StaffMember) -> None:
        self.staff = staff

    def get_id(self) -> str:
        """Return what the cookie holds; a new session key makes it worthless."""
        return f"{self.staff.id}.{self.staff.session_key}"

    @property
    def name(self) -> str:
        return self.staff.name

    @property
    def email(self) -> str:
        return self.staff.email

    @property
    def role(self) -> Role:
        return self.staff.rank

    @property
    def organisation(self) -> Organisation:
        return self.staff.organisation


@login_manager.user_loader
def load_session_user(cookie_id: str) -> SessionUser | None:
    """Return the staff member of a cookie, or None when the session has ended."""
    number, _, session_key = cookie_id.partition(".")
    staff_id = read_id(number)
    staff = find_session_staff(staff_id, session_key) if staff_id is not None else None
    return SessionUser(staff) if staff is not None else None


def begin_session(staff: StaffMember, *, keep: bool) -> None:
    """Log a staff member in; nothing of an earlier session stays, its CSRF token neither.

    `keep`: the session outlives the browser, for as long as the settings say.
    """
    session.clear()
    login_user(SessionUser(staff))
    session.permanent = keep


def end_session() -> None:
    """Log out and forget everything that the session held."""
    logout_user()
    session.clear()


def session_staff() -> StaffMember | None:
    """Return the staff member who is logged in, or None."""
    return current_user.staff if current_user.is_authenticated else None
