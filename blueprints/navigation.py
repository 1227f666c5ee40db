"""What stands around every page: the links of the menus, who is logged in, the clock."""

from functools import cache
from typing import Any, NamedTuple

from flask import Flask, current_app, request, url_for
from flask_login import current_user
from werkzeug.local import LocalProxy

from blueprints.access import access_of
from rollcall import clock
from rollcall.accounts.alerts import list_open_alerts
from rollcall.accounts.notices import count_unread
from rollcall.explanations.causes import say_cause
from rollcall.models import Alert, Organisation
from rollcall.people.inbox import count_undecided
from rollcall.sending.installation import ALERT_KEY as RESTORED
from rollcall.sending.installation import InstallationHold, find_hold
from rollcall.wording import FILTERS

NAVIGATION = (
    ("Campaigns", "campaigns.index"),
    ("Events", "events.index"),
    ("People", "people.index"),
    ("Segments", "segments.index"),
    ("Inbox", "inbox.index"),
    ("Imports", "imports.index"),
    ("Outbox", "outbox.index"),
)
ACCOUNT_NAVIGATION = (
    ("Your notices", "notices.index"),
    ("Your profile", "profile.edit"),
    ("Organisation settings", "organisation.edit"),
    ("Providers", "providers.index"),
    ("Staff", "staff.index"),
    ("API tokens", "tokens.index"),
    ("Audit trail", "audit.index"),
)
# Pages that belong to another part of the site.
PART_OF = {"invitations": "staff", "plans": "events"}


class Link(NamedTuple):
    """A link of a menu; `current` marks the part of the site that is being looked at.

    `waiting` is how much there waits for somebody, and `waits` what for.
    """

    label: str
    url: str
    current: bool
    waiting: int = 0
    waits: str = "to decide"


def register_page_context(app: Flask) -> None:
    """Give every template the filters, the clock and what the layout needs."""
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.filters["cause"] = say_cause
    app.jinja_env.globals["now"] = clock.now
    app.context_processor(_layout_context)


def visible_links(navigation: tuple[tuple[str, str], ...]) -> list[Link]:
    """Return the links that the logged-in staff member may follow."""
    if not current_user.is_authenticated:
        return []
    here = (request.endpoint or "").partition(".")[0]
    here = PART_OF.get(here, here)
    return [
        Link(
            label,
            url_for(endpoint),
            endpoint.partition(".")[0] == here,
            _waiting(endpoint),
            "not read" if endpoint == "notices.index" else "to decide",
        )
        for label, endpoint in navigation
        if _may_open(endpoint)
    ]


def _waiting(endpoint: str) -> int:
    if endpoint == "notices.index":
        return count_unread(current_user.staff.id)
    return count_undecided(current_user.organisation.id) if endpoint == "inbox.index" else 0


def _layout_context() -> dict[str, Any]:
    """Return what base.html shows; each is worked out only if a page asks for it.

    The page for an unexpected error asks for none of it, as the database may be what failed.
    """
    return {
        "current_user": current_user,
        "organisation": LocalProxy(_current_organisation),
        # Once a page: each menu stands there twice, and counts what waits.
        "navigation": LocalProxy(cache(lambda: visible_links(NAVIGATION))),
        "account_navigation": LocalProxy(cache(lambda: visible_links(ACCOUNT_NAVIGATION))),
        "held_sending": LocalProxy(_held_sending),
        "alerts": LocalProxy(_alerts),
        "log_out_url": url_for("auth.log_out"),
        "home_url": url_for("home.index"),
    }


def _current_organisation() -> Organisation | None:
    return current_user.organisation if current_user.is_authenticated else None


def _held_sending() -> InstallationHold | None:
    return find_hold() if current_user.is_authenticated else None


def _alerts() -> list[Alert]:
    """Return what is open; what the banner about held sending says stands there only."""
    if not current_user.is_authenticated:
        return []
    found = list_open_alerts(current_user.organisation.id)
    return [alert for alert in found if alert.key != RESTORED]


def _may_open(endpoint: str) -> bool:
    if endpoint not in current_app.view_functions:
        return False
    role = access_of(current_app, endpoint).role
    return role is not None and current_user.role.at_least(role)
