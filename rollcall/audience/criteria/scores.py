"""Scores of recency, frequency and money spent: each a range from 1 to 5."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from pydantic import Field as Limit

from rollcall.audience.criteria.criterion import (
    BY_RULES,
    Asked,
    Criterion,
    Field,
    Given,
    Lack,
    Lookup,
    Option,
    Rule,
    Shown,
    Stored,
    Unkept,
    Values,
    mentions_nothing,
    nothing_wrong,
    take_text,
)
from rollcall.audience.criteria.reading import whole_number
from rollcall.audience.criteria.values import SCORES, Criteria, Names, ScoreRange, say_range
from rollcall.errors import InvalidInput
from rollcall.models import PersonFacts

_Limit = Annotated[int, Limit(ge=1, le=5)]
_Limits = Annotated[
    list[_Limit], Limit(min_length=2, max_length=2, description="From and to, 1 to 5.")
]


class ScoreFilters(BaseModel):
    """Ranges of RFM scores; one that is left out is off."""

    model_config = ConfigDict(extra="forbid")

    r: _Limits | None = Limit(None, description="Recency.")
    f: _Limits | None = Limit(None, description="Frequency.")
    m: _Limits | None = Limit(None, description="Monetary.")


def read_score_range(limits: Any) -> ScoreRange:
    """Return the range for [low, high]; raises ValueError unless 1 <= low <= high <= 5."""
    whole = isinstance(limits, list | tuple) and all(type(limit) is int for limit in limits)
    if not whole or len(limits) != 2 or not 1 <= limits[0] <= limits[1] <= 5:
        raise ValueError("A score range is two whole numbers from 1 to 5, the lower one first.")
    return ScoreRange(*limits)


def _read(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError('Give an object, such as {"r": [3, 5]}.')
    found: dict[str, Any] = {}
    for letter, limits in value.items():
        if letter not in SCORES:
            raise ValueError(f"{letter!r} is not a score: use r, f or m.")
        if limits is not None:
            found[SCORES[letter]] = read_score_range(limits)
    return found


def _write(criteria: Criteria) -> dict[str, Any]:
    ranges = {letter: [limits.low, limits.high] for letter, limits in criteria.scores.items()}
    return {"rfm_filters": ranges or None}


def _says(criteria: Criteria, names: Names) -> str:
    return ", ".join(
        f"with a {SCORES[letter]} score of {say_range(limits)}"
        for letter, limits in criteria.scores.items()
    )


@dataclass(frozen=True)
class _Score:
    """What the three rules have in common, each of the score with its letter."""

    letter: str

    @property
    def name(self) -> str:
        return SCORES[self.letter]

    def limits_of(self, criteria: Criteria) -> ScoreRange | None:
        return getattr(criteria, self.name)

    def bind(self, criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
        limits = self.limits_of(criteria)
        if limits is None:
            return None
        return True, {f"{self.letter}_low": limits.low, f"{self.letter}_high": limits.high}

    def now(self, asked: Asked) -> Any:
        score = getattr(asked.facts, self.name)
        low, high = (asked.bound(f"{self.letter}_{end}") for end in ("low", "high"))
        # Nobody without a score is in a range; a comparison with it would be neither.
        return sa.and_(score.is_not(None), score.between(low, high))

    def proved_by(self, wanted: Criteria, met: Criteria) -> bool:
        inner, outer = self.limits_of(met), self.limits_of(wanted)
        if outer is None:
            return True
        return inner is not None and outer.low <= inner.low and inner.high <= outer.high

    def say(self, criteria: Criteria) -> str:
        limits = self.limits_of(criteria)
        return say_range(limits) if limits else ""

    def shows(self, facts: Any) -> str:
        score = getattr(facts, self.name)
        return f"{self.name} score is {score} now" if score else f"no {self.name} score now"

    def lacks(self, stored: Stored) -> Lack:
        score = stored.facts.get(self.name)
        has = f"has a {self.name} score of {score}" if score else f"has no {self.name} score"
        text = f"{has}, and {self.say(stored.criteria)} is asked for"
        details = {"score": self.name, "value": score}
        return Lack(text, then=False, kind="score", details=details)


def _rule(letter: str) -> Rule:
    one = _Score(letter)
    return Rule(
        key=one.name,
        noun=f"a {one.name} score",
        bind=one.bind,
        now=one.now,
        history=Unkept("scores", "scores", "score"),
        implies=(),
        step=None,
        proved_by=one.proved_by,
        asks=lambda criteria, names: f"a {one.name} score of {one.say(criteria)}",
        came=lambda criteria, names: f"{one.name} score now {one.say(criteria)}",
        went=lambda criteria, names: f"{one.name} score no longer {one.say(criteria)}",
        reads=(getattr(PersonFacts, one.name),),
        shows=one.shows,
        lacks=one.lacks,
    )


_INPUTS = tuple(f"{letter}_{end}" for letter in SCORES for end in ("min", "max"))


def _fill(criteria: Criteria) -> dict[str, Any]:
    found = dict.fromkeys(_INPUTS, "")
    for letter, limits in criteria.scores.items():
        found |= {f"{letter}_min": str(limits.low), f"{letter}_max": str(limits.high)}
    return found


def _read_form(values: Shown) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    problems: dict[str, str] = {}
    for letter, name in SCORES.items():
        low, high = values[f"{letter}_min"], values[f"{letter}_max"]
        if not low.strip() and not high.strip():
            continue
        limits = [whole_number(low or "1"), whole_number(high or "5")]
        try:
            read_score_range(limits)
        except ValueError:
            problems[f"{letter}_min"] = (
                f"{name.capitalize()}: use whole numbers from 1 to 5, the lower one first, "
                "or leave both empty."
            )
        found[letter] = limits
    if problems:
        raise InvalidInput(problems)
    return found


def _read_option(text: str | None) -> dict[str, list[int]] | None:
    if not text:
        return None
    found = {}
    for piece in text.split(","):
        letter, _, limits = piece.strip().partition("=")
        low, _, high = limits.partition("-")
        if not low.isdecimal() or not (high or low).isdecimal():
            raise ValueError(f"{piece!r} can't be read; write r=3-5,f=2-5,m=1-5.")
        found[letter.lower()] = [int(low), int(high or low)]
    return found


RFM_FILTERS = Criterion(
    key="rfm_filters",
    holds=tuple(SCORES.values()),
    suffices=True,
    read=_read,
    write=_write,
    check=nothing_wrong,
    mentions=mentions_nothing,
    opening=None,
    says=_says,
    rules=tuple(map(_rule, SCORES)),
    form=Field(
        ways=BY_RULES,
        place="narrow",
        template="campaigns/criteria/_scores.html",
        inputs=dict.fromkeys(_INPUTS, take_text),
        fill=_fill,
        read=_read_form,
    ),
    option=Option("--rfm", "text", False, "r=3-5,f=2-5,m=1-5", "Only these scores.", _read_option),
    given=Given(ScoreFilters, None, None),
)
