"""The targeting rules of an audience: read from JSON, written to JSON, said in English. No SQL."""

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rollcall.errors import InvalidInput
from rollcall.models import (
    Campaign,
    Source,
)

DEFAULT_WINDOW_HOURS = 72
MAX_WINDOW_HOURS = 24 * 365
MAX_PEOPLE = 100_000
SCORES = {"r": "recency", "f": "frequency", "m": "monetary"}
MAX_EXCLUSIONS = 50
KEYS = (
    *("events", "sources", "segment", "rfm_filters", "cities", "people"),
    *("exclude_events", "exclude_segments", "exclude_campaigns", "recent_message_hours"),
)


@dataclass(frozen=True)
class ScoreRange:
    """The scores from `low` to `high` of one of recency, frequency, monetary; both included."""

    low: int
    high: int


class Reached(enum.StrEnum):
    """Whom of an earlier campaign an exclusion means."""

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

    `events` are slugs, any of them; `sources` limit which attendances count; `people` are
    hand-picked ids; `window_hours` is the anti-spam window, 0 for off. Whoever is excluded
    counts as matched and is left out by the funnel's first steps.
    """

    events: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
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

    def check_chooses_somebody(self) -> None:
        """Raise InvalidInput where nothing is chosen: an empty form must not mean everybody."""
        if not (self.events or self.segment or self.people or self.scores or self.cities):
            raise InvalidInput(
                {
                    "events": "Choose who gets this: an event, a segment, people by hand, "
                    "or a filter."
                }
            )

    def with_segment(self, **changes: Any) -> "Criteria":
        """Return the same criteria with another version or snapshot of their segment."""
        return replace(self, segment=replace(self.segment, **changes)) if self.segment else self

    @property
    def scores(self) -> dict[str, ScoreRange]:
        """Return the ranges that are on, by the letter used in JSON."""
        found = {letter: getattr(self, name) for letter, name in SCORES.items()}
        return {letter: limits for letter, limits in found.items() if limits is not None}

    def to_json(self) -> dict[str, Any]:
        """Return the criteria as they are stored and as the API gives them."""
        ranges = {letter: [limits.low, limits.high] for letter, limits in self.scores.items()}
        data: dict[str, Any] = {
            "events": list(self.events),
            "sources": [source.key for source in self.sources],
            "rfm_filters": ranges or None,
            "recent_message_hours": self.window_hours,
        }
        if self.cities:
            data["cities"] = list(self.cities)
        if self.people is not None:
            data["people"] = list(self.people)
        if self.segment is not None:
            data["segment"] = self.segment.to_json()
        if self.exclude_events:
            data["exclude_events"] = list(self.exclude_events)
        for key in ("exclude_segments", "exclude_campaigns"):
            if getattr(self, key):
                data[key] = [choice.to_json() for choice in getattr(self, key)]
        return data

    def to_text(self) -> str:
        """Return the criteria as JSON text, always the same for the same criteria."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))


def criteria_from_text(text: str) -> Criteria:
    """Return the criteria that `to_text` wrote; raises InvalidInput for anything else."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput({"targeting_criteria": f"This is not JSON: {error}"}) from error
    return criteria_from_json(data)


def criteria_from_json(data: Any) -> Criteria:
    """Return criteria read from JSON; raises InvalidInput naming every field that is wrong."""
    if not isinstance(data, Mapping):
        raise InvalidInput({"criteria": 'Give an object, such as {"events": ["my-event"]}.'})
    problems = {
        str(key): f"This is not a criterion; known are {', '.join(KEYS)}."
        for key in data
        if key not in KEYS
    }
    values: dict[str, Any] = {}
    for key, read in _READERS.items():
        if data.get(key) is None:
            continue
        try:
            values |= read(data[key])
        except ValueError as error:
            problems[key] = str(error)
    if problems:
        raise InvalidInput(problems)
    return Criteria(**values)


def _read_words(value: Any, what: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise ValueError(f"Give a list of {what}.")
    if not all(isinstance(word, str) and word.strip() for word in value):
        raise ValueError(f"Each of the {what} must be a text.")
    return tuple(dict.fromkeys(word.strip() for word in value))


def _read_events(value: Any) -> dict[str, Any]:
    return {"events": _read_words(value, "event slugs")}


def _read_sources(value: Any) -> dict[str, Any]:
    try:
        return {"sources": tuple(Source.from_key(key) for key in _read_words(value, "sources"))}
    except KeyError as error:
        raise ValueError(
            f"{str(error.args[0]).lower()!r} is not a source: use registration or qr_scan."
        ) from error


def _read_cities(value: Any) -> dict[str, Any]:
    return {"cities": _read_words(value, "cities")}


def _read_scores(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError('Give an object, such as {"r": [3, 5]}.')
    found: dict[str, Any] = {}
    for letter, limits in value.items():
        if letter not in SCORES:
            raise ValueError(f"{letter!r} is not a score: use r, f or m.")
        if limits is not None:
            found[SCORES[letter]] = read_score_range(limits)
    return found


def read_score_range(limits: Any) -> ScoreRange:
    """Return the range for [low, high]; raises ValueError unless 1 <= low <= high <= 5."""
    whole = isinstance(limits, list | tuple) and all(type(limit) is int for limit in limits)
    if not whole or len(limits) != 2 or not 1 <= limits[0] <= limits[1] <= 5:
        raise ValueError("A score range is two whole numbers from 1 to 5, the lower one first.")
    return ScoreRange(*limits)


def _read_people(value: Any) -> dict[str, Any]:
    if not isinstance(value, list | tuple) or not all(type(number) is int for number in value):
        raise ValueError("Give a list of the people's numbers (ids).")
    if len(value) > MAX_PEOPLE:
        raise ValueError(f"At most {MAX_PEOPLE:,} people can be picked by hand.")
    return {"people": tuple(sorted(set(value)))}


def _read_window(value: Any) -> dict[str, Any]:
    if type(value) is not int or not 0 <= value <= MAX_WINDOW_HOURS:
        raise ValueError(f"Give whole hours from 0 (off) to {MAX_WINDOW_HOURS:,}, for example 72.")
    return {"window_hours": value}


def _read_segment(value: Any) -> dict[str, Any]:
    return {"segment": _read_segment_choice(value)}


def _read_segment_choice(value: Any) -> SegmentChoice:
    given: Any = {"slug": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or given.keys() - {"slug", "version", "snapshot"}:
        raise ValueError('Give a segment\'s slug, or {"slug": "vip", "version": 4}.')
    slug = given.get("slug")
    if not isinstance(slug, str) or not slug.strip():
        raise ValueError("Give the segment's slug.")
    numbers = {name: given.get(name) for name in ("version", "snapshot")}
    for name, number in numbers.items():
        if number is not None and not _is_id(number):
            raise ValueError(f"The {name} of a segment is a whole number from 1.")
    return SegmentChoice(slug.strip(), numbers["version"], numbers["snapshot"])


def _is_id(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _read_excluded_events(value: Any) -> dict[str, Any]:
    return {"exclude_events": _at_most(_read_words(value, "event slugs"))}


def _read_excluded_segments(value: Any) -> dict[str, Any]:
    if not isinstance(value, list | tuple):
        raise ValueError("Give a list of segments' slugs.")
    choices = tuple(dict.fromkeys(map(_read_segment_choice, value)))
    return {"exclude_segments": _at_most(choices)}


def _read_excluded_campaigns(value: Any) -> dict[str, Any]:
    if not isinstance(value, list | tuple):
        raise ValueError("Give a list of campaigns' numbers (ids).")
    choices = tuple(dict.fromkeys(map(_read_campaign_choice, value)))
    return {"exclude_campaigns": _at_most(choices)}


def _read_campaign_choice(value: Any) -> CampaignChoice:
    given: Any = {"id": value} if isinstance(value, int) else value
    if not isinstance(given, Mapping) or not _is_id(given.get("id")) or given.keys() - _CAMPAIGN:
        raise ValueError('Give campaigns\' numbers (ids), or {"id": 12, "who": "sent"}.')
    try:
        return CampaignChoice(given["id"], Reached(given.get("who") or Reached.PLANNED))
    except ValueError as error:
        raise ValueError(
            f"{given['who']!r} can't be left out: use {', '.join(Reached)}."
        ) from error


_CAMPAIGN = {"id", "who"}


def _at_most(choices: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(choices) > MAX_EXCLUSIONS:
        raise ValueError(f"At most {MAX_EXCLUSIONS} can be left out.")
    return choices


_READERS = {
    "events": _read_events,
    "sources": _read_sources,
    "rfm_filters": _read_scores,
    "cities": _read_cities,
    "people": _read_people,
    "segment": _read_segment,
    "exclude_events": _read_excluded_events,
    "exclude_segments": _read_excluded_segments,
    "exclude_campaigns": _read_excluded_campaigns,
    "recent_message_hours": _read_window,
}


SOURCE_WORDS = {Source.REGISTRATION: "registered", Source.QR_SCAN: "scanned a QR code"}


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


def describe_criteria(criteria: Criteria, names: Names) -> str:
    """Return the criteria as one English sentence without its full stop.

    What has no name is called by its slug or number.
    """
    clauses = [_describe_base(criteria, names)]
    clauses += [
        f"with a {SCORES[letter]} score of {_describe_range(limits)}"
        for letter, limits in criteria.scores.items()
    ]
    if criteria.cities:
        clauses.append(f"from {_either(criteria.cities)}")
    clauses += _describe_exclusions(criteria, names)
    if criteria.window_hours:
        clauses.append(f"who had no message in the last {criteria.window_hours} hours")
    return ", ".join(clauses)


def _describe_base(criteria: Criteria, names: Names) -> str:
    if criteria.people is not None:
        return f"{len(criteria.people):,} people picked by hand"
    segment = f"of the segment {names.segment(criteria.segment)}" if criteria.segment else ""
    if not criteria.events:
        return f"People {segment}" if segment else "Everybody"
    events = _either([names.events.get(slug, slug) for slug in criteria.events])
    people = f"People {segment}" if segment else "People"
    if not criteria.sources:
        return f"{people} who registered for or attended {events}"
    how = " or ".join(SOURCE_WORDS[source] for source in criteria.sources)
    return f"{people} who {how} at {events}"


_REACHED_WORDS = {
    Reached.PLANNED: "on the list of",
    Reached.SENT: "sent",
    Reached.DELIVERED: "reached by",
}


def _describe_exclusions(criteria: Criteria, names: Names) -> list[str]:
    clauses = []
    if criteria.exclude_events:
        events = _either([names.events.get(slug, slug) for slug in criteria.exclude_events])
        clauses.append(f"who are not at {events}")
    if criteria.exclude_segments:
        segments = _either([names.segment(choice) for choice in criteria.exclude_segments])
        clauses.append(f"who are not in the segment {segments}")
    for who in Reached:
        campaigns = [
            f"“{names.campaigns.get(choice.id, choice.id)}”"
            for choice in criteria.exclude_campaigns
            if choice.who == who
        ]
        if campaigns:
            clauses.append(f"who were not {_REACHED_WORDS[who]} {_either(campaigns)}")
    return clauses


def _describe_range(limits: ScoreRange) -> str:
    return str(limits.low) if limits.low == limits.high else f"{limits.low} to {limits.high}"


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def campaign_criteria(campaign: Campaign) -> Criteria:
    """Return the campaign's criteria; raises InvalidInput where they are missing or damaged."""
    if not campaign.targeting_criteria:
        raise InvalidInput({"targeting_criteria": "This campaign has no criteria."})
    return criteria_from_text(campaign.targeting_criteria)
