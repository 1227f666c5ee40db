"""An audience in words: the criteria with the names of the events, segments and campaigns."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, Names, describe_criteria
from rollcall.extensions import db
from rollcall.models import Campaign, Event, Segment


def describe_audience(organisation_id: int, criteria: Criteria) -> str:
    """Return whom the criteria choose as one English sentence without its full stop."""
    return describe_criteria(criteria, find_names(organisation_id, criteria))


def find_names(organisation_id: int, criteria: Criteria) -> Names:
    """Return what everything is called that the criteria name."""
    events = {*criteria.events, *criteria.exclude_events}
    chosen = [criteria.segment] if criteria.segment else []
    segments = {choice.slug for choice in (*chosen, *criteria.exclude_segments)}
    campaigns = {choice.id for choice in criteria.exclude_campaigns}
    return Names(
        events=_named(organisation_id, Event, Event.slug, events),
        segments=_named(organisation_id, Segment, Segment.slug, segments),
        campaigns=_named(organisation_id, Campaign, Campaign.id, campaigns),
    )


def _named(organisation_id: int, model: Any, key: Any, wanted: Collection[Any]) -> dict[Any, str]:
    if not wanted:
        return {}
    rows = db.session.execute(
        sa.select(key, model.name).where(model.organisation_id == organisation_id, key.in_(wanted))
    )
    return {row[0]: row[1] for row in rows}
