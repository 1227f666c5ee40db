"""The front door and the health check."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import public, staff_only
from blueprints.navigation import NAVIGATION, visible_links
from rollcall.health import database_answers

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
    """Say whether the application and its database answer: 200, or 503."""
    if database_answers():
        return {"status": "ok", "database": "ok"}
    return {"status": "failing", "database": "unreachable"}, 503
