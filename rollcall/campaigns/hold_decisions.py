"""Decisions on a campaign that its event's change holds: keep the time, or move with the event.

What happened to the events is told beside them. Once the campaign's time has come without a
decision, those of any review are added: see `rollcall.sending.review`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import is_held
from rollcall.campaigns.event_holds import MOVED, EventChange, EventTimes
from rollcall.campaigns.states import change_state, check_allowed
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db, write
from rollcall.models import AuditEntry, Campaign, Event
from rollcall.walltime import resolve_wall_time
from rollcall.wording import say_time

HOLD_DECISIONS = ("keep", "move")


@dataclass(frozen=True)
class MovedTime:
    """When a campaign would go out if it moved with its event."""

    scheduled_at: datetime
    local_time: str
    not_after: datetime | None


@dataclass(frozen=True)
class EventHold:
    """A campaign that waits because its event changed, and what may be decided of it.

    `still_to_come` is whether its own time lies ahead; `moved` is None where it can't move
    along, for the reason in `why_not`.
    """

    change: EventChange
    still_to_come: bool
    moved: MovedTime | None
    why_not: str = ""


def find_hold_on(campaign: Campaign) -> EventHold | None:
    """Return what holds the campaign, or None where no change of an event does."""
    if not is_held(campaign):
        return None
    change = EventChange.from_json(campaign.held_for)
    due = campaign.scheduled_at
    still = due is not None and due > clock.now()
    try:
        return EventHold(change, still, move_with(campaign, change))
    except InvalidInput as error:
        return EventHold(change, still, None, error.fields["decision"])


def hold_json(campaign: Campaign) -> dict[str, Any] | None:
    """Return what holds the campaign as the API gives it, None where nothing does."""
    hold = find_hold_on(campaign)
    if hold is None:
        return None
    moved = hold.moved
    return hold.change.to_json() | {
        "moved": {
            "scheduled_at": moved.scheduled_at.isoformat(),
            "scheduled_local_time": moved.local_time,
            "not_after": _say(moved.not_after),
        }
        if moved
        else None
    }


def move_with(campaign: Campaign, change: EventChange) -> MovedTime:
    """Return the campaign's time moved by as much as the event, on the campaign's own clock.

    By as much as its start moved, else its end. Raises InvalidInput where there is no such
    time, or it has passed.
    """
    zone, typed = campaign.scheduled_timezone, campaign.scheduled_local_time
    difference = _difference(change, zone or "UTC")
    if change.change != MOVED or not difference:
        raise InvalidInput({"decision": "The event has no other time to move to: keep the time."})
    if campaign.final_at is not None:
        raise InvalidInput({"decision": "Its list has been computed for its time already."})
    if zone is None or typed is None or campaign.scheduled_at is None:
        raise InvalidInput({"decision": "It has no time of its own that could be moved."})
    local_time = (datetime.fromisoformat(typed) + difference).isoformat(timespec="minutes")
    try:
        moment = resolve_wall_time(local_time, zone, "earlier", field="decision")
    except InvalidInput as error:
        text = f"Moved with the event it has no time: {error.fields['decision']} Edit it instead."
        raise InvalidInput({"decision": text}) from error
    if moment <= clock.now():
        said = say_time(moment, zone)
        raise InvalidInput(
            {"decision": f"Moved with the event it would be due {said}, which has passed."}
        )
    return MovedTime(moment, local_time, _move_end(campaign, difference, moment))


def _difference(change: EventChange, zone: str) -> timedelta:
    """Return how far the event moved as a clock in the zone shows it."""

    def shown(moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    starts = shown(change.after.starts_at) - shown(change.before.starts_at)
    return starts or shown(change.after.ends_at) - shown(change.before.ends_at)


def _move_end(campaign: Campaign, difference: timedelta, moment: datetime) -> datetime | None:
    """Return the moved time after which nothing may go out."""
    if campaign.not_after is None:
        return None
    assert campaign.scheduled_timezone is not None
    assert campaign.scheduled_at is not None
    zone = ZoneInfo(campaign.scheduled_timezone)
    shown = campaign.not_after.astimezone(zone).replace(tzinfo=None) + difference
    try:
        moved = resolve_wall_time(shown.isoformat(), campaign.scheduled_timezone, "later")
    except InvalidInput:
        moved = moment  # a time that the clocks skip
    # It always leaves as much time for sending as it did, whatever the clocks do in between.
    return max(moved, moment + (campaign.not_after - campaign.scheduled_at))


def decide_hold(
    actor: Actor, campaign: Campaign, decision: str, version: int | None = None, reason: str = ""
) -> None:
    """Put a held campaign back on the clock with the list that was signed off (C17).

    "keep" leaves its time, "move" moves it with the event. Raises InvalidInput where that can't
    be chosen, Conflict where somebody else has decided, or its time has passed.
    """
    action = f"{decision}_time"
    check_allowed(actor, campaign, action, version)
    hold = find_hold_on(campaign)
    if hold is None:
        raise InvalidInput(
            {"decision": "No change of an event holds this: choose final, estimate or cancel."}
        )
    values = _kept(hold) if decision == "keep" else _moved(hold)
    version = campaign.version if version is None else version
    times = {name: (_say(getattr(campaign, name)), _say(value)) for name, value in values.items()}
    with write():
        change_state(
            actor,
            campaign.id,
            action,
            version=version,
            noted={"decision": (None, decision), "reason": (None, reason), **times},
            held_for=None,
            state_note="",
            review_since=None,
            **values,
        )


def _kept(hold: EventHold) -> dict[str, Any]:
    if not hold.still_to_come:
        raise Conflict(
            "Its time has passed while it was held: move it with the event, send it to one of "
            "its lists, or cancel it."
        )
    return {}


def _moved(hold: EventHold) -> dict[str, Any]:
    if hold.moved is None:
        raise InvalidInput({"decision": hold.why_not})
    return {
        "scheduled_at": hold.moved.scheduled_at,
        "scheduled_local_time": hold.moved.local_time,
        "not_after": hold.moved.not_after,
    }


def _say(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


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
