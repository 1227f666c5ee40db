"""What a rehearsal found, in sentences: one to read in a list, the others for who looks closer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from rollcall.audience.difference import AudienceChange
from rollcall.models import Channel, Reason
from rollcall.sending.last_look import LastLook
from rollcall.wording import say_change, say_count, say_number, say_people, say_reason, say_time

WITHIN_LIMITS = "within_limits"
REVIEW = "review"
ESTIMATE = "estimate"
STOPPED = "stopped"
FAILURE = "failure"
OUTCOMES = (WITHIN_LIMITS, REVIEW, ESTIMATE, STOPPED, FAILURE)


@dataclass(frozen=True)
class Rehearsed:
    """The list that would be sent to, and what would become of it.

    `people` is None where making the list failed, for the reason in `error`; with the frozen
    list in its place, `note` says why. `again` is whether the list was computed again at all.
    """

    change: AudienceChange | None
    again: bool = True
    joined: int = 0
    left_by_reason: Mapping[str, int] = field(default_factory=dict)
    cost: Decimal = Decimal(0)
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    note: str = ""
    error: str = ""
    look: LastLook = field(default_factory=LastLook)

    @property
    def people(self) -> int | None:
        """Return how many people would be on the list."""
        return self.change.final if self.change else None

    @property
    def left(self) -> int:
        """Return how many people of the estimate would be off the list."""
        return sum(self.left_by_reason.values())

    @property
    def outcome(self) -> str:
        """Return in a word what would happen, one of OUTCOMES."""
        if self.change is None:
            return FAILURE
        if self.blockers:
            return REVIEW
        if self.obstacles:
            return STOPPED
        return ESTIMATE if self.note else WITHIN_LIMITS


@dataclass(frozen=True)
class RehearsalSetting:
    """Of whom and when a rehearsal speaks: `zone` is the campaign's, `hours` its window."""

    frozen_at: datetime
    now: datetime
    zone: str
    channel: Channel
    hours: int


def say_rehearsed(found: Rehearsed, setting: RehearsalSetting) -> str:
    """Return in one paragraph what would happen, the most important first."""
    said = [_say_outcome(found, setting)]
    if found.obstacles and found.outcome != STOPPED:
        said.append(f"Also: {' '.join(found.obstacles)}")
    said += found.warnings
    if found.look.held_back and found.change is not None:
        said.append(_say_held(found.look, setting))
    if found.look.waiting and found.look.first_at is not None:
        first = say_time(found.look.first_at, setting.zone)
        said.append(
            f"{say_people(found.look.waiting)} would wait until quiet hours are over at theirs, "
            f"the first until {first}."
        )
    return " ".join(said)


def _say_outcome(found: Rehearsed, setting: RehearsalSetting) -> str:
    if found.change is None:
        return f"It would fail, and nobody would get it: {_end(found.error)}"
    if found.outcome == REVIEW:
        return f"Would stop for review: {' '.join(_begin_small(found.blockers))}"
    people = _say_people_since(found, setting)
    if found.outcome == STOPPED:
        return f"Would not go out: {' '.join(found.obstacles)} Its audience: {people}."
    if found.note:
        return f"{say_people(found.change.final)}, the frozen list. {found.note}" + (
            f" What went wrong: {_end(found.error)}" if found.error else ""
        )
    return f"{people}{', within limits' if found.again else ''}."


def _say_people_since(found: Rehearsed, setting: RehearsalSetting) -> str:
    assert found.change is not None
    people, since = say_people(found.change.final), say_since(setting)
    if not found.again:
        return f"{people}, the list as it was frozen {since}"
    if not found.joined and not found.left:
        return f"{people} (the same as {since})"
    if not found.change.absolute:
        return f"{people} (as many as {since}: {found.joined:,} joined, {found.left:,} left)"
    since = since.removeprefix("on ").removeprefix("at ")
    return f"{people} ({say_change(found.change.absolute, None)} since {since})"


def say_since(setting: RehearsalSetting) -> str:
    """Return when the list was frozen, as one would say it: "at 12:00", "on Friday"."""
    zone = ZoneInfo(setting.zone)
    frozen, now = setting.frozen_at.astimezone(zone), setting.now.astimezone(zone)
    if frozen.date() == now.date():
        return f"at {frozen:%H:%M}"
    if now.date() - frozen.date() < timedelta(days=7):
        return f"on {_WEEKDAYS[frozen.weekday()]}"
    day, _, _ = say_time(setting.frozen_at, setting.zone).partition(",")
    return f"on {day}"


_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def _say_held(look: LastLook, setting: RehearsalSetting) -> str:
    total = sum(look.held_back.values())
    reasons = ", ".join(
        f"{say_number(people)} {_say_why(reason, people, setting)}"
        for reason, people in sorted(look.held_back.items())
    )
    return f"{say_number(total)} of them would be held back: {reasons}."


def _say_why(reason: Reason, people: int, setting: RehearsalSetting) -> str:
    if reason is Reason.EXPIRED:
        return "would still wait when the last time for sending comes"
    return say_reason(reason.key, people, setting.channel, setting.hours)


def say_before(hours: int | None) -> str:
    """Return which rehearsal it was: "24 hours before", "By hand"."""
    return "By hand" if hours is None else f"{say_count(hours, 'hour')} before"


def _begin_small(sentences: tuple[str, ...]) -> list[str]:
    first, *others = sentences
    return [first[0].lower() + first[1:], *others]


def _end(text: str) -> str:
    text = text.strip() or "it gave no reason"
    return text if text[-1] in ".!?…" else f"{text}."
