"""What criteria name, as rows with foreign keys: events, segments and earlier campaigns.

Criteria are stored as text, for people and programs to read. Which campaigns an event, a segment
or another campaign concerns is asked of these rows, which are replaced in the transaction that
stores the text.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, criteria_from_text
from rollcall.extensions import db
from rollcall.models import (
    Campaign,
    CampaignEvent,
    CampaignExclusion,
    CampaignSegment,
    Event,
    Segment,
    SegmentVersionEvent,
)


def store_campaign_names(organisation_id: int, campaign_id: int, criteria_text: str | None) -> None:
    """Store what a campaign's criteria name, in place of what they named before.

    What the organisation does not have is left out. Joins the caller's transaction; raises
    InvalidInput for criteria that can't be read.
    """
    for table in (CampaignEvent, CampaignSegment, CampaignExclusion):
        db.session.execute(sa.delete(table).where(table.campaign_id == campaign_id))
    if criteria_text is None:
        return
    criteria = criteria_from_text(criteria_text)
    _store(CampaignEvent, _events(organisation_id, criteria), campaign_id=campaign_id)
    _store(CampaignSegment, _segments(organisation_id, criteria), campaign_id=campaign_id)
    _store(CampaignExclusion, _left_out(organisation_id, criteria), campaign_id=campaign_id)


def store_version_names(organisation_id: int, version_id: int, definition: str | None) -> None:
    """Store which events a segment's new version names; joins the caller's transaction."""
    if definition is not None:
        events = _events(organisation_id, criteria_from_text(definition))
        _store(SegmentVersionEvent, events, version_id=version_id)


def _store(table: type[Any], rows: Iterable[dict[str, Any]], **owner: int) -> None:
    values = [{**owner, **row} for row in rows]
    if values:
        db.session.execute(sa.insert(table), values)


def _events(organisation_id: int, criteria: Criteria) -> list[dict[str, Any]]:
    ids = _ids_by_slug(Event, organisation_id, {*criteria.events, *criteria.exclude_events})
    return [
        {"event_id": ids[slug], "excluded": excluded}
        for excluded, slugs in ((False, criteria.events), (True, criteria.exclude_events))
        for slug in dict.fromkeys(slugs)
        if slug in ids
    ]


def _segments(organisation_id: int, criteria: Criteria) -> list[dict[str, Any]]:
    chosen = [criteria.segment] if criteria.segment else []
    left_out = {choice.slug: choice for choice in criteria.exclude_segments}.values()
    choices = [(False, choice) for choice in chosen] + [(True, choice) for choice in left_out]
    ids = _ids_by_slug(Segment, organisation_id, {choice.slug for _, choice in choices})
    return [
        {
            "segment_id": ids[choice.slug],
            "excluded": excluded,
            "pinned": choice.version is not None,
        }
        for excluded, choice in choices
        if choice.slug in ids
    ]


def _left_out(organisation_id: int, criteria: Criteria) -> list[dict[str, Any]]:
    known = set(
        db.session.scalars(
            sa.select(Campaign.id).where(
                Campaign.organisation_id == organisation_id,
                Campaign.id.in_({choice.id for choice in criteria.exclude_campaigns}),
            )
        )
    )
    return [
        {"excluded_id": choice.id, "who": choice.who.value}
        for choice in criteria.exclude_campaigns
        if choice.id in known
    ]


def _ids_by_slug(
    model: type[Event] | type[Segment], organisation_id: int, slugs: set[str]
) -> dict[str, int]:
    if not slugs:
        return {}
    rows = db.session.execute(
        sa.select(model.slug, model.id).where(
            model.organisation_id == organisation_id, model.slug.in_(slugs)
        )
    )
    return {slug: row_id for slug, row_id in rows}  # noqa: C416 (typed rows)
