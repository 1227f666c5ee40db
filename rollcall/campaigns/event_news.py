"""What happened to the events that a campaign's message is likely to be about."""

from datetime import datetime

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria
from rollcall.campaigns.holds import MOVED, EventChange, EventTimes
from rollcall.extensions import db
from rollcall.models import AuditEntry, Event


def list_event_news(
    organisation_id: int, criteria: Criteria | None, since: datetime | None = None
) -> list[str]:
    """Return in sentences which chosen events are cancelled, or were moved after `since`."""
    if criteria is None or not criteria.events:
        return []
    events = db.session.scalars(
        sa.select(Event)
        .where(Event.organisation_id == organisation_id, Event.slug.in_(criteria.events))
        .order_by(Event.starts_at, Event.id)
    )
    return [news for event in events if (news := _news_of(event, since))]


def _news_of(event: Event, since: datetime | None) -> str:
    if event.cancelled_at is not None:
        return f"“{event.name}” is cancelled."
    return _say_moved(event, since) if since is not None else ""


def _say_moved(event: Event, since: datetime) -> str:
    entries = db.session.scalars(
        sa.select(AuditEntry)
        .where(
            AuditEntry.organisation_id == event.organisation_id,
            AuditEntry.object_type == "event",
            AuditEntry.object_id == str(event.id),
            AuditEntry.action == "event.edit",
            AuditEntry.at > since,
        )
        .order_by(AuditEntry.id)
    ).all()
    if not entries or not entries[0].before:
        return ""
    before = EventTimes.from_json(entries[0].before)
    after = EventTimes(event.starts_at, event.ends_at, event.timezone)
    if before == after:
        return ""
    staff = entries[-1].staff
    change = EventChange(event.id, event.slug, event.name, MOVED, before, after)
    return f"{change.sentence((staff.name or staff.email) if staff else '')}, after this was saved."
