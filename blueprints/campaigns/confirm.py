"""The last look before a campaign is scheduled: who, what, when, how much, what could change."""

from collections.abc import Callable

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from blueprints.addresses import read_id
from blueprints.campaigns.event_news import news_of
from blueprints.campaigns.form import draft_of, values_of
from blueprints.campaigns.form_page import in_page_order, preview_context
from blueprints.campaigns.pages import pages
from blueprints.campaigns.trying_page import collision_context
from rollcall.audience.resolved import describe_audience
from rollcall.campaigns.draft_preview import preview_draft
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.guards import describe_limits, limits_for
from rollcall.campaigns.listing import campaign_zones
from rollcall.campaigns.scheduling import check_footer, schedule_campaign, send_campaign_now
from rollcall.campaigns.segment_base import find_segment_base
from rollcall.errors import InvalidInput
from rollcall.models import Campaign, CampaignState, Channel
from rollcall.wording import say_people


@pages.get("/<int:campaign_id>/confirm")
@staff_only
def confirm(campaign_id: int) -> ResponseReturnValue:
    """Show what scheduling the draft will do; another state has its own page."""
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    if campaign.state != CampaignState.DRAFT:
        return redirect(url_for("campaigns.show", campaign_id=campaign_id))
    return _confirm_page(campaign_id, {})


@pages.post("/<int:campaign_id>/schedule")
@staff_only
def schedule(campaign_id: int) -> ResponseReturnValue:
    """Freeze the list and put the campaign on the clock."""
    return _make_due(campaign_id, schedule_campaign, "Scheduled, with {} on its list.")


@pages.post("/<int:campaign_id>/send")
@staff_only
def send(campaign_id: int) -> ResponseReturnValue:
    """Freeze the list, or keep the one that is frozen, and let the campaign go out at once."""
    return _make_due(campaign_id, send_campaign_now, "On its way to {}.")


def _make_due(campaign_id: int, verb: Callable[..., int], told: str) -> ResponseReturnValue:
    version = read_id(request.form.get("version"))
    try:
        people = verb(current_actor(), campaign_id, version, real_email=_sends_real_email())
    except InvalidInput as error:
        return _confirm_page(campaign_id, error.fields), 422
    if find_campaign(current_actor().organisation_id, campaign_id).is_dry_run:
        told = "A dry run with {} on its list, none of whom is messaged."
    flash(told.format(say_people(people)), "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id))


def _sends_real_email() -> bool:
    return current_app.extensions["rollcall"].reaches_people(Channel.EMAIL)


def _footer_problems(campaign: Campaign) -> dict[str, str]:
    try:
        check_footer(campaign, _sends_real_email())
    except InvalidInput as error:
        return error.fields
    return {}


def _limits_sentence(campaign: Campaign) -> str:
    """Return beyond what it would stop, if whoever looks at it schedules it."""
    staff = current_staff()
    return describe_limits(
        limits_for(staff.rank, staff.organisation.guard_limits, campaign.guard_limits)
    )


def _confirm_page(campaign_id: int, errors: dict[str, str]) -> str:
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    organisation = current_staff().organisation
    values = values_of(campaign)
    preview = preview_draft(organisation, draft_of(values))
    criteria = preview.draft.criteria
    return render_template(
        "campaigns/confirm.html",
        campaign=campaign,
        event_news=news_of(campaign),
        criteria=criteria,
        segment_base=find_segment_base(campaign),
        audience_sentence=describe_audience(organisation.id, criteria),
        limits_sentence=_limits_sentence(campaign),
        zones=campaign_zones([campaign])[campaign.id],
        **collision_context(campaign),
        problems=in_page_order({**preview.problems, **_footer_problems(campaign), **errors}),
        **preview_context(values, preview),
    )
