"""The simulator's outbox: what would have gone out, as phone screens and e-mails."""

from flask import Blueprint, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from rollcall.campaigns.drafts import find_campaign
from rollcall.sending.trial import list_outbox

pages = Blueprint("outbox", __name__, url_prefix="/outbox")


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """Show the simulated messages, the newest first, of one campaign or all."""
    organisation_id = current_actor().organisation_id
    campaign_id = read_id(request.args.get("campaign"))
    campaign = find_campaign(organisation_id, campaign_id) if campaign_id else None
    before = read_id(request.args.get("before"))
    page = list_outbox(
        current_app.extensions["rollcall"],
        organisation_id,
        campaign_id=campaign_id,
        before=before,
    )
    older = url_for("outbox.index", campaign=campaign_id, before=page.next_cursor)
    return render_template(
        "outbox/index.html",
        campaign=campaign,
        messages=page.rows,
        before=before,
        older_url=older if page.next_cursor else None,
    )
