"""Which criterion somebody does not meet, now or at the moment when a list was made, in words.

Scores, cities and what a segment's rules gave keep no history: of an earlier moment they are
said only where everything else that is asked for was met then, and as what they are today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import SCORES, Criteria, ScoreRange
from rollcall.audience.failing import SCORE_CRITERIA, Criterion, criteria_checks, first_failing
from rollcall.audience.membership import read_shape
from rollcall.errors import InvalidInput
from rollcall.explanations.attendance import (
    Presence,
    attendances_at,
    say_attendance,
    say_cancellation,
)
from rollcall.explanations.context import Context
from rollcall.explanations.verdicts import Evidence
from rollcall.extensions import db
from rollcall.models import Person, PersonFacts, SegmentMember, Source
from rollcall.models.types import IdList, IsOneOf
from rollcall.segments.causes import either

NOTHING_KEPT = "nothing that is kept says why"
_SOURCES = {Source.REGISTRATION: "registration", Source.QR_SCAN: "QR scan"}
_LETTERS = {criterion: letter for letter, criterion in SCORE_CRITERIA.items()}


@dataclass(frozen=True)
class Unmet:
    """The first criterion that somebody does not meet, as a clause without a subject."""

    cause: str
    text: str
    evidence: Evidence | None = None


def find_unmet(
    context: Context, people: Sequence[int], moment: datetime | None, list_made: str = ""
) -> dict[int, Unmet]:
    """Return by person the first criterion that is not met, now or as it was at a moment.

    `list_made` says what was done with the list then, "frozen" or "computed again".
    """
    if context.criteria is None or not people:
        return {}
    try:
        failing = _find_failing(context, people, moment)
    except InvalidInput as error:
        said = Unmet("unknown", f"the criteria name what there is no more: {error}")
        return dict.fromkeys(people, said)
    known = _Known(context, people, moment, list_made)
    return {person_id: known.say(person_id, failing.get(person_id)) for person_id in people}


def _find_failing(
    context: Context, people: Sequence[int], moment: datetime | None
) -> dict[int, Criterion | None]:
    """Return by person the first criterion that is not met, None where none can be named."""
    assert context.criteria is not None
    criteria = context.own_criteria if moment else _without_exclusions(context.criteria)
    shape, values = read_shape(context.organisation_id, criteria or Criteria(), "u_")
    checks, at = criteria_checks(shape, "u_", PersonFacts, moment)
    values |= at | {"organisation_id": context.organisation_id}
    # The segment stands after events and sources, as in the order of the criteria.
    early = [check for check in checks if check.criterion <= Criterion.SOURCES]
    late = [check for check in checks if check.criterion > Criterion.SOURCES]
    inner: Any = first_failing(late, sa.literal(0))
    snapshot = context.frozen_side
    if moment and snapshot and moment == context.campaign.frozen_at:
        member = sa.exists().where(
            SegmentMember.snapshot_id == sa.literal(snapshot.snapshot_id),
            SegmentMember.person_id == PersonFacts.person_id,
        )
        inner = sa.case((sa.not_(member), int(Criterion.SEGMENT)), else_=inner)
    rows = db.session.execute(
        sa.select(PersonFacts.person_id, first_failing(early, inner).label("criterion")).where(
            IsOneOf(PersonFacts.person_id, sa.literal(list(people), IdList))
        ),
        values,
    )
    return {row.person_id: Criterion(row.criterion) if row.criterion else None for row in rows}


def _without_exclusions(criteria: Criteria) -> Criteria:
    return replace(criteria, exclude_events=(), exclude_segments=(), exclude_campaigns=())


class _Known:
    """What is stored of some people that their criteria ask about, read once for all of them."""

    def __init__(
        self, context: Context, people: Sequence[int], moment: datetime | None, made: str
    ) -> None:
        self._context = context
        self._criteria: Criteria = context.criteria or Criteria()
        self._moment = moment
        self._made = made
        slugs = self._criteria.events
        self._attendances = attendances_at(context, people, slugs)
        self._facts = _find_facts(people) if self._asks_for_facts else {}

    @property
    def _asks_for_facts(self) -> bool:
        return bool(self._criteria.scores or self._criteria.cities)

    def say(self, person_id: int, criterion: Criterion | None) -> Unmet:
        if criterion is None:
            return self._say_unkept()
        if criterion in (Criterion.EVENTS, Criterion.SOURCES):
            return self._say_absent(person_id, criterion)
        if criterion is Criterion.PEOPLE:
            return Unmet("people", f"{self._is} not among the people picked by hand")
        if criterion is Criterion.SEGMENT:
            return self._say_segment()
        if criterion in _LETTERS:
            return self._say_score(person_id, criterion)
        if criterion is Criterion.CITIES:
            return self._say_city(person_id)
        return self._say_unkept()

    @property
    def _keeps_who_was_left_out(self) -> bool:
        if self._moment == self._context.campaign.frozen_at:
            return self._context.keeps_left_out
        return self._context.keeps_left_out_at_send

    @property
    def _is(self) -> str:
        return "was" if self._moment else "is"

    @property
    def _when(self) -> str:
        if self._moment is None:
            return ""
        return f" when the list was {self._made} on {self._context.say(self._moment)}"

    def _say_absent(self, person_id: int, criterion: Criterion) -> Unmet:
        """Say what the person did instead: came too late, cancelled, or nothing at all."""
        records = self._attendances.get(person_id, [])
        if criterion is Criterion.SOURCES:
            fitting = [one for one in records if one.source in self._criteria.sources]
        else:
            fitting = records
        late = self._find_late(fitting)
        if late is not None:
            moment = self._context.say(self._moment)
            text = say_attendance(self._context, late)
            said = f"{text}, after the list was {self._made} on {moment}"
            return Unmet("too_late", said, late.arrival(text))
        gone = self._find_gone(fitting)
        if gone is not None:
            text = say_cancellation(self._context, gone)
            return Unmet("cancelled", text, gone.cancellation(text))
        events = either([self._context.names.events.get(s, s) for s in self._criteria.events])
        if criterion is Criterion.SOURCES:
            how = either([_SOURCES[source] for source in self._criteria.sources])
            had = "had" if self._moment else "has"
            return Unmet("sources", f"{had} no {how} at {events}{self._when}")
        return Unmet("events", f"{self._is} not at {events}{self._when}")

    def _find_late(self, records: Sequence[Presence]) -> Presence | None:
        if self._moment is None:
            return None
        late = [one for one in records if one.recorded_at > self._moment]
        # One that was first heard of as cancelled was never an arrival.
        return next((one for one in late if one.cancelled_at != one.recorded_at), None)

    def _find_gone(self, records: Sequence[Presence]) -> Presence | None:
        limit = self._moment
        gone = [
            one
            for one in records
            if one.cancelled_at is not None and (limit is None or one.cancelled_at <= limit)
        ]
        return max(gone, key=lambda one: one.cancelled_at or one.recorded_at, default=None)

    def _say_segment(self) -> Unmet:
        choice = self._criteria.segment
        name = self._context.names.segment(choice) if choice else "chosen"
        side = self._context.frozen_side if self._moment else None
        if side is not None and choice is not None and choice.version is None:
            name = f"{name} (version {side.version})"
        return Unmet("segment", f"{self._is} not in the segment {name}{self._when}")

    def _say_score(self, person_id: int, criterion: Criterion) -> Unmet:
        letter = _LETTERS[criterion]
        limits = self._criteria.scores[letter]
        score = getattr(self._facts.get(person_id), SCORES[letter], None)
        has = (
            f"has a {SCORES[letter]} score of {score}"
            if score
            else f"has no {SCORES[letter]} score"
        )
        text = f"{has}, and {_say_range(limits)} is asked for"
        evidence = Evidence("score", text, None, {"score": SCORES[letter], "value": score})
        return Unmet(criterion.key, text, evidence)

    def _say_city(self, person_id: int) -> Unmet:
        city = getattr(self._facts.get(person_id), "city", "")
        lives = f"lives in {city}" if city else "has no city on record"
        text = f"{lives}, and {either(self._criteria.cities)} is asked for"
        return Unmet("cities", text, Evidence("fact", text, None, {"city": city or None}))

    def _say_unkept(self) -> Unmet:
        """Say what may have left the person out: all that can be read was met then."""
        if self._moment is None or not self._keeps_who_was_left_out:
            return Unmet("unknown", NOTHING_KEPT)
        asked = [f"a {SCORES[letter]} score" for letter in self._criteria.scores]
        asked += ["a city"] if self._criteria.cities else []
        asked += ["a segment"] if self._criteria.segment else []
        if asked:
            what = either(asked)
            return Unmet(
                "unkept", f"did not match{self._when}; {what} was asked for, which keeps no history"
            )
        if self._criteria.events:
            text = f"had cancelled{self._when}, and came back since"
            return Unmet("cancelled", text)
        return Unmet("unknown", NOTHING_KEPT)


def _find_facts(people: Sequence[int]) -> Mapping[int, Any]:
    rows = db.session.execute(
        sa.select(
            PersonFacts.person_id,
            PersonFacts.recency,
            PersonFacts.frequency,
            PersonFacts.monetary,
            Person.city,
        )
        .join(Person, Person.id == PersonFacts.person_id)
        .where(IsOneOf(PersonFacts.person_id, sa.literal(list(people), IdList)))
    )
    return {row.person_id: row for row in rows}


def _say_range(limits: ScoreRange) -> str:
    return str(limits.low) if limits.low == limits.high else f"{limits.low} to {limits.high}"
