"""What the results page shows, and where each of its numbers leads."""

from typing import Any

from flask import url_for

from rollcall.audience.criteria import campaign_criteria
from rollcall.campaigns.copies import preview_top_up
from rollcall.campaigns.document import campaign_document
from rollcall.campaigns.form_options import find_chosen_events
from rollcall.campaigns.results import campaign_results
from rollcall.charts import AudienceChart, Moment, draw_audience_pair
from rollcall.errors import InvalidInput
from rollcall.events.figures import CurvePoint, attendance_curve
from rollcall.explanations.causes import count_causes
from rollcall.models import AudienceSource, Campaign, Reason, RecipientState

OUTCOMES = ("sent", "delivered", "failed", "held_back", "in_doubt", "cancelled")


def results_context(campaign: Campaign) -> dict[str, Any]:
    """Return the figures of a campaign that is over, before and after."""
    document = campaign_document(campaign)
    results = campaign_results(campaign.id)
    curve = _curve(campaign)
    return {
        "meta": document["metadata"],
        "results": document["results"],
        "joined_by_source": dict(results.joined_by_source),
        "duplicates_prevented": _duplicates_prevented(campaign, results.held_by_reason),
        "outcomes": OUTCOMES,
        "urls": _urls(campaign.id),
        "estimate_source_urls": _source_urls(campaign.id, list="estimate"),
        "final_source_urls": _source_urls(campaign.id, list="final"),
        "joined_source_urls": _source_urls(campaign.id, change="joined"),
        "curve": curve,
        "charts": _charts(campaign, curve),
        "top_up": preview_top_up(campaign),
        "causes": count_causes(campaign),
    }


def _urls(campaign_id: int) -> dict[str, str]:
    def to(**filters: Any) -> str:
        return url_for("campaigns.recipients", campaign_id=campaign_id, **filters)

    urls = {name: to(list=name) for name in ("estimate", "final")}
    urls |= {name: to(change=name) for name in ("kept", "joined", "left")}
    urls |= {state.key: to(status=state.key) for state in RecipientState if state.key not in urls}
    urls[RecipientState.IN_DOUBT.key] = url_for("campaigns.doubts", campaign_id=campaign_id)
    for reason in Reason:
        urls[f"left:{reason.key}"] = to(change="left", reason=reason.key)
        urls[f"held_back:{reason.key}"] = to(status="held_back", reason=reason.key)
    return urls


def _source_urls(campaign_id: int, **filters: Any) -> dict[str, str]:
    return {
        source.key: url_for(
            "campaigns.recipients", campaign_id=campaign_id, source=source.key, **filters
        )
        for source in AudienceSource
    }


def _duplicates_prevented(campaign: Campaign, held_back: dict[str, int]) -> int:
    """Return how many more messages would have gone to an address that had this one already."""
    final = campaign.final_snapshot or {}
    left_out = final.get("funnel", {}).get(Reason.DUPLICATE_ADDRESS.key, 0)
    return left_out + held_back.get(Reason.DUPLICATE_ADDRESS.key, 0)


def _curve(campaign: Campaign) -> list[CurvePoint]:
    try:
        criteria = campaign_criteria(campaign)
    except InvalidInput:
        return []
    events = find_chosen_events(campaign.organisation_id, criteria.events)
    return attendance_curve(
        [event.id for event in events],
        sources=criteria.sources,
        until=campaign.final_at or campaign.completed_at,
    )


def _charts(
    campaign: Campaign, curve: list[CurvePoint]
) -> tuple[AudienceChart, AudienceChart] | None:
    """Return the audience over time, or None where no event tells how it grew."""
    if not curve:
        return None
    moments = []
    if campaign.frozen_at is not None and campaign.estimated_recipients is not None:
        moments.append(Moment(campaign.frozen_at, "Planned", campaign.estimated_recipients))
    if campaign.final_at is not None and campaign.actual_recipients is not None:
        sent = "Dry run" if campaign.is_dry_run else "Sent"
        moments.append(Moment(campaign.final_at, sent, campaign.actual_recipients))
    zone = campaign.scheduled_timezone or campaign.organisation.timezone
    return draw_audience_pair([(point.at, point.people) for point in curve], moments, zone=zone)
