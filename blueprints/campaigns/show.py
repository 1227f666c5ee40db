"""One campaign as it stands: planned, waiting for a decision, going out, or over."""

from typing import Any

from flask import current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.campaigns.event_news import news_of
from blueprints.campaigns.form_page import audience_url
from blueprints.campaigns.pages import pages
from blueprints.campaigns.rehearsals import rehearsal_context
from blueprints.campaigns.results import results_context
from blueprints.campaigns.review_page import review_context
from blueprints.campaigns.trying_page import trying_context
from rollcall import clock
from rollcall.audience.comparison import Comparison, compare_with_now
from rollcall.audience.criteria import Criteria, campaign_criteria
from rollcall.audience.preview import MessageText, preview_audience
from rollcall.audience.resolved import describe_audience
from rollcall.campaigns.document import describe_choices
from rollcall.campaigns.drafts import find_campaign, may_edit
from rollcall.campaigns.listing import campaign_zones
from rollcall.campaigns.results import sending_progress
from rollcall.campaigns.segment_base import SegmentBase, find_segment_base
from rollcall.campaigns.segment_versions import compare_with_adopting
from rollcall.errors import InvalidInput
from rollcall.models import Campaign, CampaignState, Channel, Reason
from rollcall.sending.doubts import count_doubts

GOING_OUT = (CampaignState.PREPARING, CampaignState.SENDING, CampaignState.PAUSED)
OVER = (CampaignState.COMPLETED, CampaignState.FAILED, CampaignState.CANCELLED)
WATCHED = (CampaignState.SCHEDULED, CampaignState.PREPARING, CampaignState.SENDING)
PLANNED = (CampaignState.SCHEDULED, CampaignState.NEEDS_REVIEW)
SOON_SECONDS = 120


@pages.get("/<int:campaign_id>")
@staff_only
def show(campaign_id: int) -> ResponseReturnValue:
    """Show the campaign."""
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    return render_template("campaigns/show.html", **_context(campaign))


@pages.get("/<int:campaign_id>/live")
@staff_only
def live(campaign_id: int) -> ResponseReturnValue:
    """Return the progress; once the state is another than the page shows, the whole campaign."""
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    if request.args.get("seen") == campaign.state:
        return render_template("campaigns/_progress.html", **_progress_context(campaign))
    page = render_template("campaigns/_campaign.html", **_context(campaign))
    return current_app.make_response(
        (page, {"HX-Retarget": "#campaign", "HX-Reswap": "outerHTML show:none"})
    )


def render_campaign(campaign: Campaign, phone: str, error: str) -> str:
    """Return the page with the form of a test as it was typed, and what is wrong with it."""
    context = {**_context(campaign), **trying_context(campaign, phone, error)}
    return render_template("campaigns/show.html", **context)


def render_refused_review(campaign: Campaign, reason: str, error: str) -> str:
    """Return the page with the decision's reason as it was typed, and what is wrong."""
    context = {**_context(campaign), "review_reason": reason, "review_error": error}
    return render_template("campaigns/show.html", **context)


def _context(campaign: Campaign) -> dict[str, Any]:
    criteria = _criteria(campaign)
    segment_base = find_segment_base(campaign)
    over = campaign.state in OVER
    if over:
        details = results_context(campaign)
    else:
        details = _planned_context(campaign) if campaign.state in PLANNED else {}
    if campaign.state == CampaignState.NEEDS_REVIEW:
        details |= review_context(campaign)
    return {
        "criteria": criteria,
        "audience_sentence": _describe(campaign, criteria),
        "segment_base": segment_base,
        "choices": describe_choices(campaign, segment_base),
        "adopting": _adopting(campaign, segment_base),
        "doubts": count_doubts(campaign.id),
        "sample": _sample(campaign, criteria) if not over else None,
        **_progress_context(campaign),
        **rehearsal_context(campaign),
        "event_news": news_of(campaign) if not over else [],
        "may_edit": may_edit(campaign),
        **trying_context(campaign),
        **details,
    }


def _adopting(campaign: Campaign, base: SegmentBase | None) -> Comparison | None:
    """Return what the segment's newer version would change, where that is to be decided."""
    if campaign.state != CampaignState.SCHEDULED or base is None or not base.is_behind:
        return None
    try:
        return compare_with_adopting(campaign)
    except InvalidInput:
        return None


def _progress_context(campaign: Campaign) -> dict[str, Any]:
    watched = campaign.state in WATCHED
    return {
        "campaign": campaign,
        "zones": campaign_zones([campaign])[campaign.id],
        "progress": sending_progress(campaign) if campaign.state in GOING_OUT else None,
        "every": _pace(campaign),
        "poll_url": (
            url_for("campaigns.live", campaign_id=campaign.id, seen=campaign.state)
            if watched
            else None
        ),
    }


def _pace(campaign: Campaign) -> str:
    if campaign.state != CampaignState.SCHEDULED or campaign.scheduled_at is None:
        return "1s"
    left = (campaign.scheduled_at - clock.now()).total_seconds()
    return "1s" if left < SOON_SECONDS else "15s"


def _planned_context(campaign: Campaign) -> dict[str, Any]:
    try:
        comparison = compare_with_now(campaign)
    except InvalidInput as error:
        return {"comparison": None, "comparison_error": str(error)}
    criteria = campaign_criteria(campaign)
    movers = url_for("campaigns.movers", campaign_id=campaign.id)
    return {
        "comparison": comparison,
        "joined_by_source": {
            source.key: people for source, people in comparison.joined_by_source.items()
        },
        "left_by_reason": {
            reason.key: people for reason, people in comparison.left_by_reason.items()
        },
        "left_urls": {
            reason.key: f"{movers}?change=left&reason={reason.key}"
            for reason in comparison.left_by_reason
        },
        "now_url": audience_url(criteria, campaign.channel, None, reason=Reason.REACHABLE.key),
    }


def _criteria(campaign: Campaign) -> Criteria | None:
    try:
        return campaign_criteria(campaign)
    except InvalidInput:
        return None


def _describe(campaign: Campaign, criteria: Criteria | None) -> str | None:
    if criteria is None:
        return None
    return describe_audience(campaign.organisation_id, criteria)


def _sample(campaign: Campaign, criteria: Criteria | None) -> Any:
    """Return somebody of today's audience with the message as they would read it, or None."""
    if criteria is None:
        return None
    text = MessageText(campaign.subject, campaign.message, campaign.link)
    try:
        preview = preview_audience(
            campaign.organisation_id, criteria, Channel(campaign.channel), None, text
        )
    except InvalidInput:
        return None
    return preview.samples[0] if preview.samples else None
