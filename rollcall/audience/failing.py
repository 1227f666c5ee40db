"""Which criterion leaves somebody out, at this moment or at an earlier one, as SQL.

Attendance and campaigns keep their moments, so that they can be asked how things stood then.
Scores and cities keep no history: they can be asked of now only, and `passes` is None else.
"""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from rollcall.audience.criteria import SCORES, Criteria, Reached, ScoreRange
from rollcall.audience.membership import (
    CriteriaShape,
    People,
    SetShape,
    Values,
    excluded_people,
    people_attending,
    people_of,
)
from rollcall.models import Attempt, Attendance, Campaign, Person, Reason, Recipient, RecipientState
from rollcall.models.types import IdList, IsOneOf, UTCDateTime
from rollcall.text import fold


class Criterion(enum.IntEnum):
    """What can leave a person out, in the order in which it is asked for."""

    PEOPLE = 1  # picked by hand, or a segment's list
    EVENTS = 2
    SOURCES = 3
    SEGMENT = 4
    RECENCY = 5
    FREQUENCY = 6
    MONETARY = 7
    CITIES = 8
    EXCLUDE_EVENTS = 9
    EXCLUDE_SEGMENTS = 10
    EXCLUDE_CAMPAIGNS = 11

    @property
    def key(self) -> str:
        """Return the word used in JSON."""
        return self.name.lower()


SCORE_CRITERIA = {letter: Criterion[name.upper()] for letter, name in SCORES.items()}

_EXCLUSIONS = {
    Reason.EXCLUDED_EVENT: Criterion.EXCLUDE_EVENTS,
    Reason.EXCLUDED_SEGMENT: Criterion.EXCLUDE_SEGMENTS,
    Reason.EXCLUDED_CAMPAIGN: Criterion.EXCLUDE_CAMPAIGNS,
}
_WENT_OUT = (RecipientState.SENT, RecipientState.DELIVERED, RecipientState.IN_DOUBT)


@dataclass(frozen=True)
class Check:
    """One criterion, and whether a row of facts meets it: None where nothing tells any more."""

    criterion: Criterion
    passes: ColumnElement[bool] | None


def first_failing(
    checks: Iterable[Check], otherwise: Any, number: Callable[[Criterion], int] = int
) -> ColumnElement[int]:
    """Return the number of the first criterion that a person fails, or `otherwise`."""
    failing = [
        (sa.not_(check.passes), number(check.criterion))
        for check in checks
        if check.passes is not None
    ]
    return sa.case(*failing, else_=otherwise) if failing else otherwise


def criteria_checks(
    shape: SetShape, prefix: str, facts: Any, moment: datetime | None = None
) -> tuple[list[Check], Values]:
    """Return a check for each criterion that is on, and the values that they add.

    `facts` is what has the person's row of PersonFacts; `prefix` is the one by which the shape
    was read. Without a moment they are asked of now; an earlier one is told from what was
    recorded by then and not cancelled by then. Somebody who cancelled and came back counts as
    never having left: only the last cancellation is kept.
    """
    values: Values = {} if moment is None else {f"{prefix}moment": moment}
    past = moment is not None
    if not isinstance(shape, CriteriaShape):
        return [Check(Criterion.PEOPLE, _is_among(people_of(shape, prefix), facts))], {}
    checks = [*_chosen(shape, prefix, facts), *_attending(shape, prefix, facts, past)]
    if shape.segment is not None:
        known = not (past and isinstance(shape.segment, CriteriaShape))
        members = people_of(shape.segment, f"{prefix}s_")
        checks.append(Check(Criterion.SEGMENT, _is_among(members, facts) if known else None))
    checks += _present_facts(shape, prefix, facts, past)
    excluded = _excluded_then(shape, prefix) if past else _excluded_now(shape, prefix)
    checks += [
        Check(criterion, None if people is None else sa.not_(_is_among(people, facts)))
        for criterion, people in excluded
    ]
    return checks, values


def stricter_criteria(wanted: Criteria, met: Criteria) -> set[Criterion]:
    """Return which criteria of `wanted` can leave out somebody who meets those of `met`."""
    same_events = bool(met.events) and set(met.events) <= set(wanted.events)
    same_sources = same_events and bool(met.sources) and set(met.sources) <= set(wanted.sources)
    cities, met_cities = ({fold(city) for city in one.cities} for one in (wanted, met))
    can_leave_out = {
        Criterion.PEOPLE: wanted.people is not None
        and not (met.people is not None and set(met.people) <= set(wanted.people)),
        Criterion.EVENTS: bool(wanted.events) and not same_events,
        Criterion.SOURCES: bool(wanted.events and wanted.sources) and not same_sources,
        Criterion.SEGMENT: wanted.segment is not None and wanted.segment != met.segment,
        Criterion.CITIES: bool(cities) and not (met_cities and met_cities <= cities),
        Criterion.EXCLUDE_EVENTS: not set(wanted.exclude_events) <= set(met.exclude_events),
        Criterion.EXCLUDE_SEGMENTS: not set(wanted.exclude_segments) <= set(met.exclude_segments),
        Criterion.EXCLUDE_CAMPAIGNS: not (
            set(wanted.exclude_campaigns) <= set(met.exclude_campaigns)
        ),
    }
    can_leave_out |= {
        SCORE_CRITERIA[letter]: not _within(met.scores.get(letter), limits)
        for letter, limits in wanted.scores.items()
    }
    return {criterion for criterion, can in can_leave_out.items() if can}


def _is_among(people: Any, facts: Any) -> ColumnElement[bool]:
    """Return whether a person is one of these, looked up by an index for one after another.

    The checks are asked of those who moved, who may be few; and PostgreSQL would walk a set that
    is too large for its memory again for each of them.
    """
    sets: Any = people.selects if isinstance(people, sa.CompoundSelect) else [people]
    return sa.or_(
        *(one.where(next(iter(one.selected_columns)) == facts.person_id).exists() for one in sets)
    )


def _within(inner: ScoreRange | None, outer: ScoreRange) -> bool:
    return inner is not None and outer.low <= inner.low and inner.high <= outer.high


def _chosen(shape: CriteriaShape, prefix: str, facts: Any) -> list[Check]:
    if not shape.people:
        return []
    people = sa.bindparam(f"{prefix}people", type_=IdList)
    return [Check(Criterion.PEOPLE, IsOneOf(facts.person_id, people))]


def _attending(shape: CriteriaShape, prefix: str, facts: Any, past: bool) -> list[Check]:
    if not shape.events:
        return []
    attending = _attended_by if past else people_attending
    checks = [Check(Criterion.EVENTS, _is_among(attending(prefix, "events"), facts))]
    if shape.sources:
        fitting = attending(prefix, "events", True)
        checks.append(Check(Criterion.SOURCES, _is_among(fitting, facts)))
    return checks


def _attended_by(prefix: str, key: str, with_sources: bool = False) -> People:
    """Return whoever counted as attending one of the events at the moment."""
    moment = sa.bindparam(f"{prefix}moment", type_=UTCDateTime)
    attended = sa.select(Attendance.person_id).where(
        Attendance.event_id.in_(sa.bindparam(f"{prefix}{key}", expanding=True)),
        Attendance.recorded_at <= moment,
        sa.or_(Attendance.cancelled.is_(False), Attendance.cancelled_at > moment),
    )
    if with_sources:
        sources = sa.bindparam(f"{prefix}sources", expanding=True)
        attended = attended.where(Attendance.source.in_(sources))
    return attended


def _present_facts(shape: CriteriaShape, prefix: str, facts: Any, past: bool) -> list[Check]:
    """Return the checks of what only its present value is kept of."""
    checks = []
    for letter in shape.scores:
        score = getattr(facts, SCORES[letter])
        low, high = (sa.bindparam(f"{prefix}{letter}_{end}") for end in ("low", "high"))
        # Nobody without a score is in a range; a comparison with it would be neither.
        passes = sa.and_(score.is_not(None), score.between(low, high))
        checks.append(Check(SCORE_CRITERIA[letter], None if past else passes))
    if shape.cities:
        there = sa.select(Person.id).where(
            Person.city_key.in_(sa.bindparam(f"{prefix}cities", expanding=True))
        )
        checks.append(Check(Criterion.CITIES, None if past else _is_among(there, facts)))
    return checks


def _excluded_now(shape: CriteriaShape, prefix: str) -> list[tuple[Criterion, People | None]]:
    return [(_EXCLUSIONS[reason], people) for reason, people in excluded_people(shape, prefix)]


def _excluded_then(shape: CriteriaShape, prefix: str) -> list[tuple[Criterion, People | None]]:
    """Return whom each exclusion left out at the moment; segments are known only now."""
    found: list[tuple[Criterion, People | None]] = []
    if shape.exclude_events:
        found.append((Criterion.EXCLUDE_EVENTS, _attended_by(prefix, "exclude_events")))
    if shape.exclude_segments:
        found.append((Criterion.EXCLUDE_SEGMENTS, None))
    if shape.exclude_campaigns:
        sets = [_reached_by(who, prefix) for who in shape.exclude_campaigns]
        people: Any = sets[0] if len(sets) == 1 else sa.union_all(*sets)
        found.append((Criterion.EXCLUDE_CAMPAIGNS, people))
    return found


def _reached_by(who: Reached, prefix: str) -> People:
    """Return whom the campaigns' lists held, or their messages had reached, at the moment."""
    moment = sa.bindparam(f"{prefix}moment", type_=UTCDateTime)
    campaigns = sa.bindparam(f"{prefix}{who}_campaigns", expanding=True)
    if who is Reached.PLANNED:
        # Until it is sent a campaign's list is its estimate.
        listed = sa.case(
            (Campaign.final_at > moment, Recipient.in_estimate), else_=Recipient.in_final
        )
        return (
            sa.select(Recipient.person_id)
            .join(Campaign, Campaign.id == Recipient.campaign_id)
            .where(
                Recipient.campaign_id.in_(campaigns),
                Campaign.frozen_at <= moment,
                listed.is_(True),
            )
        )
    attempted = sa.select(Attempt.person_id).where(Attempt.campaign_id.in_(campaigns))
    if who is Reached.SENT:
        return attempted.where(Attempt.outcome.in_(_WENT_OUT), Attempt.finished_at <= moment)
    known_at = sa.func.coalesce(Attempt.receipt_at, Attempt.finished_at)
    return attempted.where(Attempt.outcome == RecipientState.DELIVERED, known_at <= moment)
