"""The people behind a comparison: page by page with the evidence, or all of them as CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Person
from rollcall.paging import PAGE_LENGTH, Page, check_page_length, read_cursor, write_cursor
from rollcall.segments.causes import CAUSE_OF_CODE, CAUSE_OF_KEY, Cause, say_cause
from rollcall.segments.comparison import side_names
from rollcall.segments.evidence import find_evidence
from rollcall.segments.moves import Movement, moves_select
from rollcall.segments.sides import Side, staged_sides
from rollcall.spreadsheets import BYTE_ORDER_MARK, csv_line
from rollcall.temporary import filled_temporary

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
    cause = CAUSE_OF_KEY.get(word)
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
    causes = {row.id: CAUSE_OF_CODE[row.cause] for row in rows if row.cause is not None}
    names = side_names(outside) if causes else None
    evidence = find_evidence(causes, inside, outside) if causes else {}
    said = {
        cause: say_cause(cause, inside, outside, names) for cause in set(causes.values()) if names
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
