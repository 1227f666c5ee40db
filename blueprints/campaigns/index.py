"""All campaigns: what needs a decision, what is going out, what goes out next, what went out."""

from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from blueprints.campaigns.pages import pages
from rollcall import clock
from rollcall.audience.difference import audience_change
from rollcall.campaigns.form_options import has_anybody, has_events
from rollcall.campaigns.listing import (
    PAGE,
    Overview,
    campaign_zones,
    campaigns_overview,
    list_campaigns,
)
from rollcall.campaigns.results import sending_progress
from rollcall.models import CampaignState

OVER = (CampaignState.COMPLETED, CampaignState.FAILED, CampaignState.CANCELLED)
SOON_SECONDS = 120


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """Show the organisation's campaigns, those that need somebody first."""
    organisation_id = current_actor().organisation_id
    before = read_id(request.args.get("before"))
    context = _overview_context(organisation_id, before)
    return render_template(
        "campaigns/index.html",
        has_people=has_anybody(organisation_id),
        has_events=has_events(organisation_id),
        **context,
    )


@pages.get("/overview")
@staff_only
def overview() -> ResponseReturnValue:
    """Return the part of the page that follows what happens."""
    return render_template(
        "campaigns/_overview.html", **_overview_context(current_actor().organisation_id, None)
    )


def _overview_context(organisation_id: int, before: int | None) -> dict[str, Any]:
    groups = campaigns_overview(organisation_id)
    gone = list_campaigns(organisation_id, before=before, states=OVER, limit=PAGE + 1)
    return {
        "groups": groups,
        "gone": gone[:PAGE],
        "changes": {campaign.id: audience_change(campaign) for campaign in gone},
        "progress_of": {campaign.id: sending_progress(campaign) for campaign in groups.sending},
        "zones": campaign_zones([*groups.scheduled, *groups.decide, *groups.sending]),
        "before": before,
        "every": _pace(groups),
        "older_url": (
            url_for("campaigns.index", before=gone[PAGE - 1].id) if len(gone) > PAGE else None
        ),
    }


def _pace(groups: Overview) -> str:
    """Return how often to look again: often while something goes out or is about to."""
    now = clock.now()
    soon = any(
        campaign.scheduled_at and (campaign.scheduled_at - now).total_seconds() < SOON_SECONDS
        for campaign in groups.scheduled
    )
    return "2s" if groups.sending or soon else "30s"
