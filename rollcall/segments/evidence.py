"""What is stored of the people of a comparison that shows its cause: one or two small queries."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import SCORES
from rollcall.audience.failing import Criterion
from rollcall.extensions import db
from rollcall.models import Attendance, Event, Organisation, Person, PersonFacts, Source
from rollcall.models.types import IdList, IsOneOf
from rollcall.segments.causes import SCORES_OF, Cause, Changed, Elimination
from rollcall.segments.sides import Side
from rollcall.wording import say_time

_OF_ATTENDANCE = (Criterion.EVENTS, Criterion.SOURCES, Criterion.EXCLUDE_EVENTS)
_DEEDS = {Source.REGISTRATION: "registered for", Source.QR_SCAN: "scanned at"}


def find_evidence(causes: Mapping[int, Cause], inside: Side, outside: Side) -> dict[int, str]:
    """Return for each person (by id) what shows their cause, where something does.

    `inside` is the side that has them, `outside` the one that has not.
    """
    zone = db.session.get_one(Organisation, inside.organisation_id).timezone
    attending = [who for who, cause in causes.items() if cause.criterion in _OF_ATTENDANCE]
    others = [who for who, cause in causes.items() if cause.criterion not in _OF_ATTENDANCE]
    found: dict[int, str] = {}
    if attending:
        records = _find_attendances(attending, outside)
        for person_id in attending:
            shown = _choose(causes[person_id], records.get(person_id, []), inside, outside)
            if shown is not None:
                found[person_id] = _say(shown, zone)
    for row in _find_people(others):
        said = _say_person(causes[row.id], row, zone)
        if said:
            found[row.id] = said
    return found


def _find_attendances(people: Sequence[int], outside: Side) -> dict[int, list[Any]]:
    criteria = outside.criteria
    slugs = [*criteria.events, *criteria.exclude_events] if criteria else []
    rows = db.session.execute(
        sa.select(
            Attendance.person_id,
            Attendance.source,
            Attendance.cancelled,
            Attendance.status,
            Attendance.recorded_at,
            Attendance.cancelled_at,
            Event.slug,
            Event.name,
        )
        .join(Event, Event.id == Attendance.event_id)
        .where(
            IsOneOf(Attendance.person_id, sa.literal(list(people), IdList)),
            Event.organisation_id == outside.organisation_id,
            Event.slug.in_(slugs),
        )
        .order_by(Attendance.recorded_at, Attendance.id)
    )
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row.person_id, []).append(row)
    return found


def _choose(cause: Cause, records: list[Any], inside: Side, outside: Side) -> Any:
    """Return the record that shows the cause: the last cancellation, or the arrival."""
    if outside.criteria is None:
        return None
    excluding = cause.criterion is Criterion.EXCLUDE_EVENTS
    slugs = outside.criteria.exclude_events if excluding else outside.criteria.events
    of_them = [record for record in records if record.slug in slugs]
    gone = outside.moment >= inside.moment
    if cause.changed is Changed.PERSON and gone is not excluding:
        cancelled = [record for record in of_them if record.cancelled_at is not None]
        return max(cancelled, key=lambda record: record.cancelled_at, default=None)
    since = min(inside.moment, outside.moment)
    standing = [record for record in of_them if not record.cancelled]
    later = [record for record in standing if record.recorded_at > since]
    return next(iter(later or standing), None)


def _say(record: Any, zone: str) -> str:
    if record.cancelled:
        return f"{record.status} {record.name}, {say_time(record.cancelled_at, zone)}"
    return f"{_DEEDS[record.source]} {record.name}, {say_time(record.recorded_at, zone)}"


def _find_people(people: Sequence[int]) -> list[Any]:
    if not people:
        return []
    rows = db.session.execute(
        sa.select(
            Person.id,
            Person.city,
            Person.created_at,
            PersonFacts.recency,
            PersonFacts.frequency,
            PersonFacts.monetary,
        )
        .outerjoin(PersonFacts, PersonFacts.person_id == Person.id)
        .where(IsOneOf(Person.id, sa.literal(list(people), IdList)))
    )
    return list(rows)


def _say_person(cause: Cause, row: Any, zone: str) -> str:
    criterion = cause.criterion
    if criterion in SCORES_OF:
        return _say_scores(row, [SCORES_OF[criterion]])
    if criterion is Criterion.CITIES:
        return _say_city(row)
    if criterion is Elimination.SCORES:
        return _say_scores(row, SCORES.values())
    if criterion is Elimination.SCORES_OR_CITIES:
        return f"{_say_scores(row, SCORES.values())}; {_say_city(row)}"
    if criterion is Elimination.ADDED:
        return f"added {say_time(row.created_at, zone)}"
    return ""


def _say_scores(row: Any, names: Any) -> str:
    scores = [(name, getattr(row, name)) for name in names]
    return ", ".join(
        f"{name} score is {score} now" if score is not None else f"no {name} score now"
        for name, score in scores
    )


def _say_city(row: Any) -> str:
    return f"lives in {row.city} now" if row.city else "no city is known now"
