"""Events that are moved, cancelled or opened again, and the campaigns that this holds (C17).

Held are the scheduled campaigns whose criteria choose people by the event, or by a segment that
is made of this event alone: their message is likely to be about it. Not held are campaigns that
only leave the event's people out, and those on a segment of several events: these are about the
people, and what is said to them stays true whenever the event is. Attendance stays as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from rollcall import clock
from rollcall.accounts.notices import tell_author
from rollcall.actors import Actor, record
from rollcall.campaigns.states import change_state
from rollcall.errors import Conflict, InvalidInput
from rollcall.events.records import EventDraft, audited_event, event_values
from rollcall.extensions import db, write
from rollcall.lookups import find_event
from rollcall.models import (
    Campaign,
    CampaignEvent,
    CampaignState,
    Event,
    Segment,
    SegmentSnapshot,
    SegmentVersion,
    SegmentVersionEvent,
    StaffMember,
)
from rollcall.sql import lock_row
from rollcall.wording import say_time

MOVED, CANCELLED, REOPENED = "moved", "cancelled", "reopened"
GOING_OUT = (CampaignState.PREPARING, CampaignState.SENDING)


@dataclass(frozen=True)
class EventTimes:
    """When an event is, and by which clock."""

    starts_at: datetime
    ends_at: datetime
    timezone: str

    def to_json(self) -> dict[str, str]:
        """Return the times as they are kept with a campaign."""
        return {
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "timezone": self.timezone,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> "EventTimes":
        """Return the times that `to_json` wrote, or that an event's audit entry holds."""
        return cls(
            datetime.fromisoformat(data["starts_at"]),
            datetime.fromisoformat(data["ends_at"]),
            data["timezone"],
        )


@dataclass(frozen=True)
class EventChange:
    """What happened to an event: moved, cancelled or reopened, and when it is before and after."""

    event_id: int
    slug: str
    name: str
    change: str
    before: EventTimes
    after: EventTimes

    def to_json(self) -> dict[str, Any]:
        """Return the change as it is kept with a campaign and as the API gives it."""
        return {
            "event_id": self.event_id,
            "slug": self.slug,
            "name": self.name,
            "change": self.change,
            "from": self.before.to_json(),
            "to": self.after.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EventChange":
        """Return the change that `to_json` wrote."""
        before, after = EventTimes.from_json(data["from"]), EventTimes.from_json(data["to"])
        name, change = data["name"], data["change"]
        return cls(data["event_id"], data["slug"], name, change, before, after)

    def sentence(self, who: str) -> str:
        """Return what happened and by whom, without a full stop."""
        by = f" by {who}" if who else ""
        return f"“{self.name}” was {_say_change(self, by)}"


def times_of(event: Event) -> EventTimes:
    """Return when the event is."""
    return EventTimes(event.starts_at, event.ends_at, event.timezone)


def _say_change(change: EventChange, by: str) -> str:
    before, after = change.before, change.after
    if change.change == CANCELLED:
        return f"cancelled{by}"
    if change.change == REOPENED:
        return f"cancelled, and then opened again{by}"
    starts = say_time(after.starts_at, after.timezone)
    if before == after:
        return f"moved, and then put back to {starts}{by}"
    if before.starts_at == after.starts_at and before.timezone == after.timezone:
        ends = say_time(after.ends_at, after.timezone)
        return f"changed{by}: it ends {ends} instead of {say_time(before.ends_at, before.timezone)}"
    return f"moved from {say_time(before.starts_at, before.timezone)} to {starts}{by}"


@dataclass(frozen=True)
class Touched:
    """A campaign that an event's change concerns."""

    campaign_id: int
    name: str


@dataclass(frozen=True)
class Holding:
    """Which campaigns a change holds, and which are going out already, too late to be held."""

    held: tuple[Touched, ...] = ()
    going_out: tuple[Touched, ...] = ()

    def sentence(self) -> str:
        """Return what became of the event's campaigns; empty where there are none."""
        said = []
        if self.held:
            said.append(f"Held for a decision, so that nobody gets it yet: {_names(self.held)}.")
        if self.going_out:
            said.append(
                f"Going out already, and not held: {_names(self.going_out)}. Pause it if it must "
                "stop."
            )
        return " ".join(said)


def _names(campaigns: tuple[Touched, ...]) -> str:
    return ", ".join(f"“{campaign.name}”" for campaign in campaigns)


def find_holding(event: Event) -> Holding:
    """Return which campaigns a change of this event would hold now."""
    found = _find_on_event(event.id, (CampaignState.SCHEDULED, *GOING_OUT))
    return Holding(
        tuple(_touch(one) for one in found if one.state == CampaignState.SCHEDULED),
        tuple(_touch(one) for one in found if one.state in GOING_OUT),
    )


def hold_campaigns(actor: Actor, change: EventChange) -> Holding:
    """Hold the event's scheduled campaigns and tell their authors, in the open transaction.

    Those that wait for a decision over an event already are told of the new change. One that a
    process claims at this moment goes out.
    """
    db.session.flush()
    _outdate_drafts(change.event_id)
    organisation_id, who = actor.organisation_id, _name_of(actor)
    held = []
    if change.change != REOPENED:
        for campaign in _find_on_event(change.event_id, (CampaignState.SCHEDULED,)):
            touched = _touch(campaign)
            if _hold(actor, touched.campaign_id, change, who):
                held.append(touched)
    new = {touched.campaign_id for touched in held}
    for campaign in _find_held(organisation_id, change.event_id):
        if campaign.id not in new:
            touched, again = _touch(campaign), _join(campaign, change)
            if _hold(actor, touched.campaign_id, again, who):
                held.append(touched)
    going = _find_on_event(change.event_id, GOING_OUT)
    return Holding(tuple(held), tuple(map(_touch, going)))


def _outdate_drafts(event_id: int) -> None:
    """Let whoever has a draft of the event before their eyes look again before it is scheduled.

    One that is being scheduled at this moment is waited for, and is held then.
    """
    live = (
        sa.select(Segment.id)
        .join(SegmentVersion, SegmentVersion.segment_id == Segment.id)
        .where(
            SegmentVersion.version == Segment.version, SegmentVersion.id.in_(_versions_of(event_id))
        )
    )
    db.session.execute(
        sa.update(Campaign)
        .where(
            Campaign.state == CampaignState.DRAFT,
            sa.or_(Campaign.id.in_(_choosing(event_id)), Campaign.segment_id.in_(live)),
        )
        .values(version=Campaign.version + 1)
        .execution_options(synchronize_session=False)
    )
    db.session.expire_all()


def _hold(actor: Actor, campaign_id: int, change: EventChange, who: str) -> bool:
    sentence = change.sentence(who)
    values = {
        "held_for": change.to_json(),
        "state_note": f"{sentence}: {say_hold_choices(change)}.",
        "review_since": clock.now(),
    }
    noted = {"held_for": (None, change.to_json())}
    # Whether it is held already may change at this moment, by somebody's decision: what was
    # held when we looked is scheduled once that has been waited for.
    for action in ("hold", "hold_again", "hold"):
        try:
            change_state(actor, campaign_id, action, noted=noted, **values)
            break
        except Conflict:
            continue
    else:
        return False  # a process has begun to send it
    campaign = db.session.get_one(Campaign, campaign_id)
    tell_author(
        campaign,
        "held",
        f"held.{campaign.version}",
        f"“{campaign.name}” is held: {sentence}",
        f"{sentence}. “{campaign.name}” is for its people, so it waits until somebody decides: "
        f"{say_hold_choices(change)}. Undecided, nobody gets it.",
    )
    return True


def say_hold_choices(change: EventChange) -> str:
    """Return what can be decided of a campaign that the change holds."""
    if change.change == MOVED and change.before != change.after:
        return "keep the time, move with it, or cancel"
    return "keep the time, or cancel"


def _join(campaign: Campaign, change: EventChange) -> EventChange:
    """Return the change as seen from what the campaign was scheduled for."""
    before = EventTimes.from_json(campaign.held_for["from"])
    moved = before != change.after
    # Opened again at another time than before, it has been moved for whoever decides.
    what = MOVED if moved and change.change == REOPENED else change.change
    return replace(change, change=what, before=before)


def _name_of(actor: Actor) -> str:
    staff = db.session.get(StaffMember, actor.staff_id) if actor.staff_id else None
    return (staff.name or staff.email) if staff else ""


def _touch(campaign: Campaign) -> Touched:
    return Touched(campaign.id, campaign.name)


def _find_held(organisation_id: int, event_id: int) -> list[Campaign]:
    waiting = db.session.scalars(
        sa.select(Campaign)
        .where(
            Campaign.organisation_id == organisation_id,
            Campaign.state == CampaignState.NEEDS_REVIEW,
        )
        .order_by(Campaign.id)
    )
    return [one for one in waiting if one.held_for and one.held_for["event_id"] == event_id]


def _find_on_event(event_id: int, states: tuple[CampaignState, ...]) -> list[Campaign]:
    """Return the campaigns in these states whose people are chosen by the event, by their ids."""
    stood_on = SegmentSnapshot.id == Campaign.segment_snapshot_id
    return list(
        db.session.scalars(
            sa.select(Campaign)
            .outerjoin(SegmentSnapshot, stood_on)
            .where(
                Campaign.state.in_(states),
                sa.or_(
                    Campaign.id.in_(_choosing(event_id)),
                    SegmentSnapshot.version_id.in_(_versions_of(event_id)),
                ),
            )
            .order_by(Campaign.id)
        )
    )


def _choosing(event_id: int) -> sa.Select[int]:
    """Return the campaigns whose own criteria choose people by the event."""
    return sa.select(CampaignEvent.campaign_id).where(
        CampaignEvent.event_id == event_id, CampaignEvent.excluded.is_(False)
    )


def _versions_of(event_id: int) -> sa.Select[int]:
    """Return the versions of segments that are made of this event and of no other."""
    other = aliased(SegmentVersionEvent)
    return sa.select(SegmentVersionEvent.version_id).where(
        SegmentVersionEvent.event_id == event_id,
        SegmentVersionEvent.excluded.is_(False),
        ~sa.exists().where(
            other.version_id == SegmentVersionEvent.version_id,
            other.event_id != event_id,
            other.excluded.is_(False),
        ),
    )


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


def edit_event(actor: Actor, event_id: int, draft: EventDraft) -> Holding:
    """Replace what is known of an event, but never its slug: addresses and criteria name it.

    Where it is moved, its scheduled campaigns are held for a decision; returns which. Raises
    InvalidInput naming every field that is wrong, NotFound for an unknown id.
    """
    values = event_values(actor.organisation_id, draft)
    with write():
        find_event(actor.organisation_id, event_id)
        event = lock_row(Event, event_id)
        if draft.slug.strip() not in ("", event.slug):
            raise InvalidInput({"slug": f"The slug can't be changed; it stays {event.slug!r}."})
        before, was = audited_event(event), times_of(event)
        for name, value in values.items():
            setattr(event, name, value)
        after = audited_event(event)
        if after != before:
            record(actor, "event.edit", "event", event_id, before=before, after=after)
        if times_of(event) == was:
            return Holding()
        what = CANCELLED if event.cancelled_at else MOVED
        change = EventChange(event.id, event.slug, event.name, what, was, times_of(event))
        return hold_campaigns(actor, change)
