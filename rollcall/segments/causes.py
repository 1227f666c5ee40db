"""Why somebody is on one side of a comparison and not on the other, in keys and in words."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollcall.audience.criteria import SCORES, Criteria, Names, ScoreRange
from rollcall.audience.failing import Criterion
from rollcall.models import Source
from rollcall.segments.sides import Side


class Changed(enum.StrEnum):
    """What differs between the two sides."""

    DEFINITION = "definition"
    PERSON = "person"


class Elimination(enum.IntEnum):
    """What stands in a criterion's place where none can be named for sure."""

    ADDED = 31  # the person was not known yet
    RESTORED = 32  # had cancelled, and attends again: only the last cancellation is kept
    SCORES = 33  # one of several scores
    SCORES_OR_CITIES = 34
    UNKNOWN = 35

    @property
    def key(self) -> str:
        """Return the word used in JSON."""
        return self.name.lower()


_BY_PERSON = 100


@dataclass(frozen=True)
class Cause:
    """What changed, and the criterion by which that left the person out of one side."""

    changed: Changed
    criterion: Criterion | Elimination

    @property
    def code(self) -> int:
        """Return the number by which statements call it."""
        return int(self.criterion) + (_BY_PERSON if self.changed is Changed.PERSON else 0)

    @property
    def key(self) -> str:
        """Return the word used in JSON and addresses."""
        if self.criterion is Elimination.UNKNOWN:
            return self.criterion.key
        return f"{self.changed}.{self.criterion.key}"


CAUSES = tuple(
    Cause(changed, criterion) for changed in Changed for criterion in (*Criterion, *Elimination)
)
CAUSE_OF_CODE = {cause.code: cause for cause in CAUSES}
CAUSE_OF_KEY = {cause.key: cause for cause in CAUSES}
UNKNOWN = CAUSE_OF_KEY[Elimination.UNKNOWN.key]

# What each score is called.
SCORES_OF: Mapping[Criterion | Elimination, str] = {
    Criterion[name.upper()]: name for name in SCORES.values()
}
_SOURCE_WORDS = {Source.REGISTRATION: "a registration", Source.QR_SCAN: "a QR scan"}


def is_certain(cause: Cause, inside: Side, outside: Side) -> bool:
    """Return whether the cause was read and not found by elimination.

    Scores and cities keep no history, so that only those of now can be read.
    """
    if cause.criterion in (Criterion.CITIES, *SCORES_OF):
        return outside.is_now or (cause.changed is Changed.DEFINITION and inside.is_now)
    return cause.criterion not in (
        Elimination.RESTORED,
        Elimination.SCORES,
        Elimination.SCORES_OR_CITIES,
        Elimination.UNKNOWN,
    )


def say_cause(cause: Cause, inside: Side, outside: Side, names: Names) -> str:
    """Return why people of `inside` are not in `outside`, as a phrase to stand after a number.

    `names` are those of what the definition of `outside` names.
    """
    if cause.criterion is Elimination.UNKNOWN:
        return "nothing that is kept says why"
    if cause.criterion is Criterion.PEOPLE:
        return _say_listed(inside, outside)
    if outside.criteria is None:
        return cause.key
    if cause.changed is Changed.DEFINITION:
        verb = "asked" if outside.version < inside.version else "asks"
        return f"version {outside.version} {verb} for {_say_asked(cause, outside.criteria, names)}"
    gone = outside.moment >= inside.moment
    return _say_change(cause, outside.criteria, names, gone)


def _say_listed(inside: Side, outside: Side) -> str:
    newer = max(inside.version, outside.version)
    deed = "taken off" if outside.version > inside.version else "added to"
    what = "the list" if outside.criteria is None else "the people picked by hand"
    return f"{deed} {what} by version {newer}"


def _say_asked(cause: Cause, criteria: Criteria, names: Names) -> str:
    criterion = cause.criterion
    if criterion is Criterion.EVENTS:
        return f"people of {_events(criteria.events, names)}"
    if criterion is Criterion.SOURCES:
        return either([_SOURCE_WORDS[source] for source in criteria.sources])
    if criterion in SCORES_OF:
        return f"a {SCORES_OF[criterion]} score of {_range(criteria, criterion)}"
    if criterion is Criterion.CITIES:
        return f"people from {either(criteria.cities)}"
    if criterion is Criterion.EXCLUDE_EVENTS:
        return f"nobody of {_events(criteria.exclude_events, names)}"
    if criterion is Criterion.EXCLUDE_CAMPAIGNS:
        return f"nobody of {_campaigns(criteria, names)}"
    words = {
        Elimination.SCORES: "other scores",
        Elimination.SCORES_OR_CITIES: "other scores or cities",
    }
    return (
        words.get(criterion, criterion.key) if isinstance(criterion, Elimination) else criterion.key
    )


def _say_change(cause: Cause, criteria: Criteria, names: Names, gone: bool) -> str:
    criterion = cause.criterion
    if criterion is Criterion.EVENTS:
        events = _events(criteria.events, names)
        return f"no longer at {events}" if gone else f"registered for or scanned at {events}"
    if criterion is Criterion.SOURCES:
        how = either([_SOURCE_WORDS[source] for source in criteria.sources])
        return f"no longer with {how}" if gone else f"now with {how}"
    if criterion in SCORES_OF:
        end = "no longer" if gone else "now"
        return f"{SCORES_OF[criterion]} score {end} {_range(criteria, criterion)}"
    if criterion is Criterion.CITIES:
        return f"{'no longer' if gone else 'now'} from {either(criteria.cities)}"
    if criterion is Criterion.EXCLUDE_EVENTS:
        left_out = f"{_events(criteria.exclude_events, names)}, which is left out"
        return f"now at {left_out}" if gone else f"no longer at {left_out}"
    if criterion is Criterion.EXCLUDE_CAMPAIGNS:
        left_out = f"{_campaigns(criteria, names)}, which is left out"
        return f"now of {left_out}" if gone else f"no longer of {left_out}"
    return _ELIMINATED.get(criterion, criterion.key)


_ELIMINATED: dict[Criterion | Elimination, str] = {
    Elimination.ADDED: "not known yet then",
    Elimination.RESTORED: "had cancelled then, and came back since",
    Elimination.SCORES: "another score",
    Elimination.SCORES_OR_CITIES: "another score or city",
}


def _events(slugs: Sequence[str], names: Names) -> str:
    return either([names.events.get(slug, slug) for slug in slugs])


def _campaigns(criteria: Criteria, names: Names) -> str:
    return either(
        [
            f"“{names.campaigns.get(choice.id, str(choice.id))}”"
            for choice in criteria.exclude_campaigns
        ]
    )


def _range(criteria: Criteria, criterion: Criterion | Elimination) -> str:
    limits: ScoreRange = getattr(criteria, criterion.key)
    return str(limits.low) if limits.low == limits.high else f"{limits.low} to {limits.high}"


def either(words: Sequence[str]) -> str:
    """Return the words as a choice: "a, b or c"; of many only the first few are named."""
    if len(words) > 4:
        return f"{', '.join(words[:3])} or {len(words) - 3} others"
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
