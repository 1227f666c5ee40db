"""Events that do not take place: cancelled, and opened again. Attendance stays as it is (C17)."""

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.campaigns.holds import (
    CANCELLED,
    REOPENED,
    EventChange,
    Holding,
    hold_campaigns,
    times_of,
)
from rollcall.errors import Conflict
from rollcall.events.records import find_event
from rollcall.extensions import write
from rollcall.models import Event
from rollcall.snapshots.capture import lock_row


def cancel_event(actor: Actor, event_id: int) -> Holding:
    """Mark an event as cancelled and hold its scheduled campaigns; returns which.

    Nobody's attendance changes: those people may have to be told. Raises Conflict where it is
    cancelled already.
    """
    find_event(actor.organisation_id, event_id)
    with write():
        event = lock_row(Event, event_id)
        if event.cancelled_at is not None:
            raise Conflict(f"“{event.name}” is cancelled already.")
        event.cancelled_at = clock.now()
        _record(actor, event, "event.cancel", CANCELLED)
        return hold_campaigns(actor, _change(event, CANCELLED))


def reopen_event(actor: Actor, event_id: int) -> Holding:
    """Let a cancelled event take place after all; returns which campaigns are still held for it.

    Nothing goes out by itself: what was held waits for its decision. Raises Conflict where the
    event is not cancelled.
    """
    find_event(actor.organisation_id, event_id)
    with write():
        event = lock_row(Event, event_id)
        if event.cancelled_at is None:
            raise Conflict(f"“{event.name}” is not cancelled.")
        event.cancelled_at = None
        _record(actor, event, "event.reopen", "open")
        return hold_campaigns(actor, _change(event, REOPENED))


def _change(event: Event, change: str) -> EventChange:
    times = times_of(event)
    return EventChange(event.id, event.slug, event.name, change, times, times)


def _record(actor: Actor, event: Event, action: str, becomes: str) -> None:
    was = CANCELLED if becomes == "open" else "open"
    record(actor, action, "event", event.id, before={"state": was}, after={"state": becomes})
