"""The people behind a comparison, with the evidence: page by page, or all of them as CSV."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria.criterion import Attends, Unkept
from rollcall.audience.criteria.table import rule_of
from rollcall.audience.failing import read_facts
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Attendance, Event, Organisation, Person, Source
from rollcall.models.types import IdList, IsOneOf
from rollcall.paging import PAGE_LENGTH, Page, check_page_length, read_cursor, write_cursor
from rollcall.segments.causes import (
    ADDED,
    Cause,
    Changed,
    causes_by_code,
    every_move_cause,
    rules_behind,
    say_move_cause,
)
from rollcall.segments.difference import Movement, moves_select
from rollcall.segments.sides import Side, staged_sides
from rollcall.spreadsheets import BYTE_ORDER_MARK, csv_line
from rollcall.sql import filled_temporary
from rollcall.wording import say_time

_DEEDS = {Source.REGISTRATION: "registered for", Source.QR_SCAN: "scanned at"}


def find_stored_evidence(
    causes: Mapping[int, Cause], inside: Side, outside: Side
) -> dict[int, str]:
    """Return for each person (by id) what shows their cause, where something does.

    `inside` is the side that has them, `outside` the one that has not.
    """
    zone = db.session.get_one(Organisation, inside.organisation_id).timezone
    attending = [who for who, cause in causes.items() if _attends(cause)]
    others = [who for who, cause in causes.items() if not _attends(cause)]
    found: dict[int, str] = {}
    if attending:
        records = _find_attendances(attending, outside)
        for person_id in attending:
            shown = _choose(causes[person_id], records.get(person_id, []), inside, outside)
            if shown is not None:
                found[person_id] = _say(shown, zone)
    for row in read_facts(others):
        said = _say_person(causes[row.id], row, zone)
        if said:
            found[row.id] = said
    return found


def _attends(cause: Cause) -> Attends | None:
    behind = rules_behind(cause.criterion)
    return behind[0].attends if len(behind) == 1 else None


def _find_attendances(people: Sequence[int], outside: Side) -> dict[int, list[Any]]:
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
            Event.slug.in_(outside.known.events),
        )
        .order_by(Attendance.recorded_at, Attendance.id)
    )
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row.person_id, []).append(row)
    return found


def _choose(cause: Cause, records: list[Any], inside: Side, outside: Side) -> Any:
    """Return the record that shows the cause: the last cancellation, or the arrival."""
    attends = _attends(cause)
    if outside.criteria is None or attends is None:
        return None
    excluding = rule_of(cause.criterion).step is not None
    slugs = attends.slugs(outside.criteria)
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


def _say_person(cause: Cause, row: Any, zone: str) -> str:
    """Return what is stored now of what may have changed, those that change together in a row."""
    if cause.criterion == ADDED:
        return f"added {say_time(row.created_at, zone)}"
    groups: dict[Any, list[str]] = {}
    for rule in rules_behind(cause.criterion):
        group = rule.history.group if isinstance(rule.history, Unkept) else rule.key
        groups.setdefault(group, []).append(rule.shows(row))
    return "; ".join(", ".join(filter(None, said)) for said in groups.values())


CSV_COLUMNS = ("person", "name", "phone", "email", "change", "cause", "reason", "evidence")
EXPORTED_AT_ONCE = 1_000

# A metadata of its own: migrations must not see a temporary table.
_moved = sa.Table(
    "moved_people",
    sa.MetaData(),
    sa.Column("person_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("cause", sa.SmallInteger),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True)
class MovedPerson:
    """Somebody who came, went or stayed; `cause` is None and the texts are empty for the last."""

    person_id: int
    name: str
    phone: str | None
    email: str | None
    movement: Movement
    cause: Cause | None
    sentence: str
    evidence: str

    def to_json(self) -> dict[str, Any]:
        """Return the person as the API gives them."""
        return {
            "person_id": self.person_id,
            "name": self.name,
            "phone": self.phone,
            "email": self.email,
            "change": self.movement.value,
            "cause": self.cause.key if self.cause else None,
            "sentence": self.sentence or None,
            "evidence": self.evidence or None,
        }


def read_movement(word: str | None) -> Movement | None:
    """Return the movement of that name, None for none; raises InvalidInput for another word."""
    try:
        return Movement(word) if word else None
    except ValueError as error:
        raise InvalidInput({"change": f"Use one of {', '.join(Movement)}."}) from error


def read_cause(word: str | None) -> Cause | None:
    """Return the cause of that key, None for none; raises InvalidInput for another word."""
    if not word:
        return None
    cause = next((cause for cause in every_move_cause() if cause.key == word), None)
    if cause is None:
        raise InvalidInput({"cause": f"Use a cause of the comparison, such as {_EXAMPLES}."})
    return cause


_EXAMPLES = "person.events or definition.sources"


def list_moved(
    earlier: Side,
    later: Side,
    movement: Movement,
    cause: Cause | None = None,
    cursor: str | None = None,
    limit: int = PAGE_LENGTH,
) -> Page[MovedPerson]:
    """Return a page of those who came, went or stayed, in the order of their ids.

    `cause` narrows those who came or went. Nothing is stored.
    """
    check_page_length(limit)
    after = read_cursor(cursor, int)[0] if cursor else 0
    with staged_sides(earlier, later):
        moves, values = moves_select(earlier, later, movement)
        rows = _read(moves.subquery("moves"), values, cause, after, limit + 1)
    people = _explain(rows[:limit], earlier, later, movement)
    following = write_cursor(people[-1].person_id) if len(rows) > limit else None
    return Page(people, following)


def export_moved(
    earlier: Side, later: Side, movement: Movement | None = None, cause: Cause | None = None
) -> Iterator[str]:
    """Yield those who came and went, or one movement, as CSV, safe to open in a spreadsheet.

    Everybody is compared once, before the first line.
    """
    yield BYTE_ORDER_MARK + csv_line(CSV_COLUMNS)
    with staged_sides(earlier, later):
        for one in (movement,) if movement else (Movement.CAME, Movement.WENT):
            moves, values = moves_select(earlier, later, one)
            with filled_temporary(_moved, moves, values):
                yield from _export(earlier, later, one, cause)


def _export(earlier: Side, later: Side, movement: Movement, cause: Cause | None) -> Iterator[str]:
    after = 0
    while rows := _read(_moved, {}, cause, after, EXPORTED_AT_ONCE):
        people = _explain(rows, earlier, later, movement)
        yield "".join(map(_csv_row, people))
        after = people[-1].person_id


def _read(
    moves: sa.FromClause, values: dict[str, Any], cause: Cause | None, after: int, limit: int
) -> list[Any]:
    query = (
        sa.select(
            Person.id,
            Person.first_name,
            Person.last_name,
            Person.phone,
            Person.email,
            moves.c.cause,
        )
        .join(moves, moves.c.person_id == Person.id)
        .where(Person.id > after)
        .order_by(Person.id)
        .limit(limit)
    )
    if cause is not None:
        query = query.where(moves.c.cause == cause.code)
    return list(db.session.execute(query, values))


def _explain(rows: list[Any], earlier: Side, later: Side, movement: Movement) -> list[MovedPerson]:
    inside, outside = (later, earlier) if movement is Movement.CAME else (earlier, later)
    known = causes_by_code()
    causes = {row.id: known[row.cause] for row in rows if row.cause is not None}
    evidence = find_stored_evidence(causes, inside, outside) if causes else {}
    said = {
        cause: say_move_cause(cause, inside, outside, outside.known.names)
        for cause in set(causes.values())
    }
    return [
        MovedPerson(
            person_id=row.id,
            name=f"{row.first_name} {row.last_name}".strip(),
            phone=row.phone,
            email=row.email,
            movement=movement,
            cause=causes.get(row.id),
            sentence=said[causes[row.id]] if row.id in causes else "",
            evidence=evidence.get(row.id, ""),
        )
        for row in rows
    ]


def _csv_row(person: MovedPerson) -> str:
    return csv_line(
        (
            str(person.person_id),
            person.name,
            person.phone or "",
            person.email or "",
            person.movement,
            person.cause.key if person.cause else "",
            person.sentence,
            person.evidence,
        )
    )
