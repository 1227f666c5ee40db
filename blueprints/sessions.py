"""The browser's session: which staff member it belongs to, how it begins and ends."""

from flask import request, session
from flask_login import UserMixin, current_user, login_user, logout_user

from blueprints.addresses import read_id
from blueprints.extensions import login_manager
from rollcall.accounts import sessions
from rollcall.actors import actor_for
from rollcall.models import Organisation, Role, StaffMember


class SessionUser(UserMixin):
    """A staff member as Flask-Login wants them; the cookie holds their session's id and key."""

    def __init__(self, staff: StaffMember, session_id: int, key: str) -> None:
        self.staff = staff
        self.session_id = session_id
        self.key = key

    def get_id(self) -> str:
        """Return what the cookie holds."""
        return f"{self.session_id}.{self.key}"

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
    number, _, key = cookie_id.partition(".")
    session_id = read_id(number)
    found = sessions.find_session(session_id, key) if session_id is not None else None
    return SessionUser(found.staff, found.id, key) if found is not None else None


def begin_session(staff: StaffMember, *, keep: bool) -> None:
    """Log a staff member in; nothing of an earlier session stays, its CSRF token neither.

    `keep`: the session outlives the browser, for as long as the settings say.
    """
    end_session()
    begun = sessions.begin_session(staff.id, request.remote_addr, _browser_name())
    login_user(SessionUser(staff, begun.id, begun.key))
    session.permanent = keep


def end_session() -> None:
    """Log out, if anybody is logged in, and forget everything that the session held."""
    staff = session_staff()
    if staff is not None:
        sessions.log_out(actor_for(staff, "browser", request.remote_addr), session_id())
    logout_user()
    session.clear()


def note_session_use() -> None:
    """Keep that the logged-in browser was seen."""
    sessions.note_session_use(session_id(), request.remote_addr)


def session_staff() -> StaffMember | None:
    """Return the staff member who is logged in, or None."""
    return current_user.staff if current_user.is_authenticated else None


def session_id() -> int:
    """Return the id of the session of whoever is logged in."""
    return current_user.session_id


def _browser_name() -> str:
    return "".join(sign for sign in request.headers.get("User-Agent", "") if sign.isprintable())
