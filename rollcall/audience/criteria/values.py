"""What targeting rules say, as values: whom an audience asks for, and whom it leaves out."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rollcall.models import Source

DEFAULT_WINDOW_HOURS = 72
MAX_WINDOW_HOURS = 24 * 365
MAX_PEOPLE = 100_000
MAX_EXCLUSIONS = 50
SCORES = {"r": "recency", "f": "frequency", "m": "monetary"}


@dataclass(frozen=True)
class ScoreRange:
    """The scores from `low` to `high` of one of recency, frequency, monetary; both included."""

    low: int
    high: int


class Reached(enum.StrEnum):
    """Which people of an earlier campaign an exclusion leaves out."""

    PLANNED = "planned"  # everybody on its list
    SENT = "sent"  # whoever was, or may have been, sent its message
    DELIVERED = "delivered"  # whose message was reported as delivered


@dataclass(frozen=True)
class SegmentChoice:
    """A segment: live, or one version of it, or (read only) one snapshot of that version.

    `staged` means the members that stand in `rollcall.audience.membership.staged_members`.
    """

    slug: str
    version: int | None = None
    snapshot: int | None = None
    staged: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the choice as it is stored; a version of None is the live one."""
        data: dict[str, Any] = {"slug": self.slug, "version": self.version}
        return data if self.snapshot is None else data | {"snapshot": self.snapshot}


@dataclass(frozen=True)
class CampaignChoice:
    """The people of an earlier campaign, or those whom its message reached."""

    id: int
    who: Reached = Reached.PLANNED

    def to_json(self) -> dict[str, Any]:
        """Return the choice as it is stored."""
        return {"id": self.id, "who": self.who.value}


@dataclass(frozen=True)
class Criteria:
    """Which people: each criterion that is given narrows the audience.

    `events` are slugs, any of them or at least `min_events`; `sources` limit which attendances
    count; `people` are hand-picked ids; `window_hours` is the anti-spam window, 0 for off.
    Whoever is excluded counts as matched and is left out by the funnel's first steps. Each
    field is held by one row of `rollcall.audience.criteria.table`, which says all else about it.
    """

    events: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    min_events: int | None = None
    recency: ScoreRange | None = None
    frequency: ScoreRange | None = None
    monetary: ScoreRange | None = None
    cities: tuple[str, ...] = ()
    people: tuple[int, ...] | None = None
    segment: SegmentChoice | None = None
    exclude_events: tuple[str, ...] = ()
    exclude_segments: tuple[SegmentChoice, ...] = ()
    exclude_campaigns: tuple[CampaignChoice, ...] = ()
    window_hours: int = DEFAULT_WINDOW_HOURS

    @property
    def recipient_mode(self) -> str:
        """Return what the audience is chosen by: `people`, `segment`, `events` or `filters`."""
        if self.people is not None:
            return "people"
        if self.segment is not None:
            return "segment"
        return "events" if self.events else "filters"

    @property
    def can_be_computed_again(self) -> bool:
        """Return whether these criteria can give other people later (C5)."""
        return bool(self.events) or (self.segment is not None and self.segment.snapshot is None)

    def with_segment(self, **changes: Any) -> "Criteria":
        """Return the same criteria with another version or snapshot of their segment."""
        return replace(self, segment=replace(self.segment, **changes)) if self.segment else self

    @property
    def scores(self) -> dict[str, ScoreRange]:
        """Return the ranges that are on, by the letter used in JSON."""
        found = {letter: getattr(self, name) for letter, name in SCORES.items()}
        return {letter: limits for letter, limits in found.items() if limits is not None}


@dataclass(frozen=True)
class Names:
    """What events and segments (by slug) and campaigns (by id) are called."""

    events: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    campaigns: Mapping[int, str] = field(default_factory=dict)

    def segment(self, choice: SegmentChoice) -> str:
        """Return what a segment is called, with its version where one is chosen."""
        name = self.segments.get(choice.slug, choice.slug)
        return f"{name} (version {choice.version})" if choice.version else name


def either(words: Sequence[str], most: int | None = None, last: str = "or") -> str:
    """Return the words as a choice: "a, b or c"; beyond `most` only the first few are named.

    `last` is the word before the last one.
    """
    if most is not None and len(words) > most:
        return f"{', '.join(words[: most - 1])} {last} {len(words) - most + 1} others"
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def say_range(limits: ScoreRange) -> str:
    """Return "3 to 5", or the one score that is meant."""
    return str(limits.low) if limits.low == limits.high else f"{limits.low} to {limits.high}"
