"""Who may use a route: each one declares it, and one guard in front of all enforces it.

    @pages.get("/staff")
    @allow(Role.ADMIN)
    def index() -> str: ...

A route without a declaration stops the start of the application.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Unauthorized

from blueprints.addresses import is_own_address
from blueprints.extensions import csrf
from blueprints.sessions import note_session_use, session_staff
from rollcall.accounts.tokens import find_token, note_token_use
from rollcall.actors import Actor, actor_for
from rollcall.errors import NotAllowed
from rollcall.models import Role, StaffMember

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Access:
    """Who may use a route: a logged-in role, a token with a scope, or (neither) anybody.

    `signed`: each request itself proves where it comes from, and the view checks that.
    """

    role: Role | None = None
    scope: str | None = None
    signed: bool = False


class UndeclaredRoute(RuntimeError):
    """A route does not declare who may use it: a mistake in the code."""


def public(view: View) -> View:
    """Let anybody use the route; a form sent to it still needs its CSRF token."""
    return _declare(view, Access())


def signed(view: View) -> View:
    """Let whoever proves it use the route, by a signature or secret that the view itself checks.

    Cookies and CSRF play no part, and the view reads the request: what gateways send is not
    always text, and must not be read before it is known to be theirs.
    """
    return _declare(view, Access(signed=True))


def allow(role: Role) -> Callable[[View], View]:
    """Let staff members use the route who have at least this role."""
    return lambda view: _declare(view, Access(role=role))


def staff_only(view: View) -> View:
    """Let every logged-in staff member use the route."""
    return _declare(view, Access(role=Role.STAFF))


def api_scope(scope: str) -> Callable[[View], View]:
    """Let programs use the route by a token with this scope; cookies and CSRF play no part."""
    return lambda view: _declare(view, Access(scope=scope))


def access_of(app: Flask, endpoint: str) -> Access:
    """Return what a route declares; raises UndeclaredRoute."""
    access = getattr(app.view_functions.get(endpoint), "access", None)
    if not isinstance(access, Access):
        raise UndeclaredRoute(f"{endpoint} does not declare who may use it: see blueprints.access")
    return access


def enforce_access(app: Flask) -> None:
    """Put the guard in front of every route; raises UndeclaredRoute for one without declaration."""
    _declare(app.view_functions["static"], Access())
    for rule in app.url_map.iter_rules():
        access_of(app, rule.endpoint)
    app.before_request(guard_request)


def guard_request() -> ResponseReturnValue | None:
    """Return nothing when the request may go on, else where to log in; raises what refuses it."""
    access = access_of(current_app, request.endpoint) if request.endpoint else None
    if access is not None and access.signed:
        return None
    _refuse_nul(request.path, *request.args.keys(), *request.args.values())
    if access is None:
        return None
    if access.scope is not None:
        g.actor = _actor_of_token(access.scope)
        return None
    if access.role is not None:
        staff = session_staff()
        if staff is None:
            return _ask_to_log_in()
        note_session_use()
        g.actor = actor_for(staff, "browser", request.remote_addr)
        g.actor.require(access.role)
    csrf.protect()
    _refuse_nul(*request.form.values())
    return None


def current_actor() -> Actor:
    """Return who acts in this request: the logged-in staff member, or the token's."""
    return g.actor


def require_scope(scope: str) -> None:
    """Raise NotAllowed unless the token of this request has one more scope than its route needs."""
    if scope not in g.scopes:
        raise NotAllowed(f"This token does not have the scope {scope}.")


def current_staff() -> StaffMember:
    """Return the staff member who is logged in, on a route that is for staff."""
    staff = session_staff()
    if staff is None:
        raise Unauthorized
    return staff


def _declare(view: View, access: Access) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def _refuse_nul(*texts: str) -> None:
    """Refuse the one character that PostgreSQL keeps in no text; no keyboard types it."""
    if any("\0" in text for text in texts):
        raise BadRequest("The request holds a character (NUL) that no text can have.")


def _actor_of_token(scope: str) -> Actor:
    kind, _, plain = request.headers.get("Authorization", "").partition(" ")
    token = find_token(plain.strip()) if kind.lower() == "bearer" else None
    if token is None:
        raise Unauthorized(
            "Send a valid API token as: Authorization: Bearer rc_...",
            www_authenticate=WWWAuthenticate("bearer"),
        )
    if scope not in token.scopes:
        raise NotAllowed(f"This token does not have the scope {scope}.")
    note_token_use(token.id)
    g.scopes = token.scopes
    return actor_for(token.staff, "api", request.remote_addr)


def _ask_to_log_in() -> ResponseReturnValue:
    """Lead to the log-in page and back; htmx would put a redirect's page into its fragment."""
    if "HX-Request" in request.headers:
        page = urlsplit(request.headers.get("HX-Current-URL", ""))
        wanted = page.path + (f"?{page.query}" if page.query else "")
        return "", 401, {"HX-Redirect": _log_in_url(wanted)}
    # After a form that was sent too late, its page: there it can be filled in and sent again.
    page = urlsplit(request.referrer or "").path if request.method == "POST" else ""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else page
    return redirect(_log_in_url(wanted))


def _log_in_url(wanted: str) -> str:
    return url_for("auth.log_in", next=wanted if is_own_address(wanted) else None)
