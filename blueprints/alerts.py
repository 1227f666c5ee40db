"""What staff must know of, until somebody has seen to it."""

from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import is_own_address
from rollcall.accounts.alerts import close_alert, list_open_alerts

pages = Blueprint("alerts", __name__, url_prefix="/alerts")


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """Show all that is open, the newest first."""
    return render_template(
        "alerts/index.html", open_alerts=list_open_alerts(current_actor().organisation_id)
    )


@pages.post("/<int:alert_id>/close")
@staff_only
def close(alert_id: int) -> ResponseReturnValue:
    """Close an alert, and lead back to the page on which it stood."""
    close_alert(current_actor(), alert_id)
    page = urlsplit(request.referrer or "")
    here = page.path + (f"?{page.query}" if page.query else "")
    return redirect(here if is_own_address(here) else url_for("alerts.index"))
