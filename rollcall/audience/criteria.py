"""The targeting rules of an audience: read from JSON, written to JSON, said in English. No SQL."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollcall.errors import InvalidInput
from rollcall.models import Source

DEFAULT_WINDOW_HOURS = 72
MAX_WINDOW_HOURS = 24 * 365
MAX_PEOPLE = 100_000
SCORES = {"r": "recency", "f": "frequency", "m": "monetary"}
KEYS = ("events", "sources", "rfm_filters", "cities", "people", "recent_message_hours")


@dataclass(frozen=True)
class ScoreRange:
    """The scores from `low` to `high` of one of recency, frequency, monetary; both included."""

    low: int
    high: int


@dataclass(frozen=True)
class Criteria:
    """Which people: each criterion that is given narrows the audience.

    `events` are slugs, any of them; `sources` limit which attendances count; `people` are
    hand-picked ids; `window_hours` is the anti-spam window, 0 for off.
    """

    events: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    recency: ScoreRange | None = None
    frequency: ScoreRange | None = None
    monetary: ScoreRange | None = None
    cities: tuple[str, ...] = ()
    people: tuple[int, ...] | None = None
    window_hours: int = DEFAULT_WINDOW_HOURS

    @property
    def recipient_mode(self) -> str:
        """Return what the audience is chosen by: `events`, `people` or `filters`."""
        if self.people is not None:
            return "people"
        return "events" if self.events else "filters"

    @property
    def can_be_computed_again(self) -> bool:
        """Return whether these criteria can give other people later (C5)."""
        return bool(self.events)

    def check_chooses_somebody(self) -> None:
        """Raise InvalidInput where nothing is chosen: an empty form must not mean everybody."""
        if not (self.events or self.people or self.scores or self.cities):
            raise InvalidInput(
                {"events": "Choose who gets this: an event, people by hand, or a filter."}
            )

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


_READERS = {
    "events": _read_events,
    "sources": _read_sources,
    "rfm_filters": _read_scores,
    "cities": _read_cities,
    "people": _read_people,
    "recent_message_hours": _read_window,
}


SOURCE_WORDS = {Source.REGISTRATION: "registered", Source.QR_SCAN: "scanned a QR code"}


def describe_criteria(criteria: Criteria, event_names: Mapping[str, str]) -> str:
    """Return the criteria as one English sentence without its full stop.

    `event_names` maps slugs to names; a slug without a name is shown as it is.
    """
    clauses = [_describe_base(criteria, event_names)]
    clauses += [
        f"with a {SCORES[letter]} score of {_describe_range(limits)}"
        for letter, limits in criteria.scores.items()
    ]
    if criteria.cities:
        clauses.append(f"from {_either(criteria.cities)}")
    if criteria.window_hours:
        clauses.append(f"who had no message in the last {criteria.window_hours} hours")
    return ", ".join(clauses)


def _describe_base(criteria: Criteria, event_names: Mapping[str, str]) -> str:
    if criteria.people is not None:
        return f"{len(criteria.people):,} people picked by hand"
    if not criteria.events:
        return "Everybody"
    names = _either([event_names.get(slug, slug) for slug in criteria.events])
    if not criteria.sources:
        return f"People who registered for or attended {names}"
    how = " or ".join(SOURCE_WORDS[source] for source in criteria.sources)
    return f"People who {how} at {names}"


def _describe_range(limits: ScoreRange) -> str:
    return str(limits.low) if limits.low == limits.high else f"{limits.low} to {limits.high}"


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
