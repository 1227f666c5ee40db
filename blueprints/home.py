"""The front door and the health check."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import public, staff_only
from blueprints.navigation import NAVIGATION, visible_links
from rollcall.monitoring.health import database_answers, sending_is_held

pages = Blueprint("home", __name__)


@pages.get("/")
@staff_only
def index() -> ResponseReturnValue:
    """Lead to the first page of the navigation."""
    links = visible_links(NAVIGATION)
    return redirect(links[0].url if links else url_for("profile.edit"))


@pages.get("/healthz")
@public
def health() -> ResponseReturnValue:
    """Say whether the application and its database answer: 200, or 503.

    Sending that is held is no failure: a new start would not mend it, a person has to confirm.
    """
    if database_answers():
        sending = "held" if sending_is_held() else "free"
        return {"status": "ok", "database": "ok", "sending": sending}
    return {"status": "failing", "database": "unreachable"}, 503
