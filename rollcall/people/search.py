"""Finding people by the beginning of a name, a phone or an e-mail, among a million."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from phonenumbers import country_code_for_region
from sqlalchemy.orm import InstrumentedAttribute, joinedload
from sqlalchemy.sql.elements import ColumnElement

from rollcall.extensions import db
from rollcall.models import (
    Person,
)
from rollcall.paging import PAGE_LENGTH, Page, check_page_length, read_cursor, write_cursor
from rollcall.people.reading.cells import clean_cell
from rollcall.people.records import default_country
from rollcall.text import fold

# No text begins with a higher character, so that a prefix is the range up to here.
_LAST_CHARACTER = "\U0010ffff"
_PHONE_CHARACTERS = frozenset("0123456789+-–().,/ ")
_FEWEST_DIGITS = 3


@dataclass(frozen=True)
class _Range:
    """Everybody whose `column` begins with `prefix`, in the order of the column's index."""

    column: InstrumentedAttribute[Any]
    prefix: str

    def holds(self) -> ColumnElement[bool]:
        return sa.and_(self.column >= self.prefix, self.column < self.prefix + _LAST_CHARACTER)

    def misses(self) -> ColumnElement[bool]:
        return sa.or_(
            self.column.is_(None),
            self.column < self.prefix,
            self.column >= self.prefix + _LAST_CHARACTER,
        )


def search_people(
    organisation_id: int, text: str = "", cursor: str | None = None, limit: int = PAGE_LENGTH
) -> Page[Person]:
    """Return a page of the people whose name, last name, e-mail or phone begins with `text`.

    First those found by the whole name, then by the last name, and so on, each group in its
    own order; nobody comes twice. Without a text, everybody by name. The facts are loaded too.
    """
    # Each group is a range of one index, read only as far as the page goes: a prefix that
    # fits a hundred thousand people costs no more than one that fits fifty.
    check_page_length(limit)
    ranges = _ranges(organisation_id, text)
    stage, after = _read_place(cursor)
    found: list[tuple[int, Person]] = []
    while stage < len(ranges) and len(found) <= limit:
        wanted = limit + 1 - len(found)
        found += [
            (stage, person) for person in _read_range(organisation_id, ranges, stage, after, wanted)
        ]
        stage, after = stage + 1, None
    people = [person for _, person in found[:limit]]
    if len(found) <= limit:
        return Page(people, None)
    last_stage, last = found[limit - 1]
    key = getattr(last, ranges[last_stage].column.key)
    return Page(people, write_cursor(last_stage, key, last.id))


def _read_place(cursor: str | None) -> tuple[int, tuple[str, int] | None]:
    if not cursor:
        return 0, None
    stage, key, person_id = read_cursor(cursor, int, str, int)
    return max(stage, 0), (key, person_id)


def _read_range(
    organisation_id: int,
    ranges: list[_Range],
    stage: int,
    after: tuple[str, int] | None,
    limit: int,
) -> list[Person]:
    column = ranges[stage].column
    query = (
        sa.select(Person)
        .where(Person.organisation_id == organisation_id, ranges[stage].holds())
        .where(*(earlier.misses() for earlier in ranges[:stage]))
        .options(joinedload(Person.facts))
        .order_by(column, Person.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(column, Person.id) > sa.tuple_(*after))
    return list(db.session.scalars(query))


def _ranges(organisation_id: int, text: str) -> list[_Range]:
    written = clean_cell(text)
    name = fold(written.replace(",", " "))
    phones = [_Range(Person.phone, prefix) for prefix in _phone_prefixes(organisation_id, written)]
    if phones:
        return [*phones, _Range(Person.email, written.lower())]
    if "@" in written:
        return [_Range(Person.email, written.lower())]
    ranges = [_Range(Person.name_key, name)]
    if name:
        ranges.append(_Range(Person.last_name_key, name))
        ranges.append(_Range(Person.email, written.lower()))
    return ranges


def _phone_prefixes(organisation_id: int, written: str) -> list[str]:
    digits = "".join(character for character in written if character in "0123456789")
    if not set(written) <= _PHONE_CHARACTERS or len(digits) < _FEWEST_DIGITS:
        return []
    if written.startswith("+"):
        return [f"+{digits}"]
    if digits.startswith("00"):
        return [f"+{digits[2:]}"]
    code = country_code_for_region(default_country(organisation_id))
    return [f"+{code}{digits.removeprefix('0')}", f"+{digits}"]


def matches_person(text: str) -> sa.ColumnElement[bool]:
    """Return the condition that a part of a person's name or address is `text`."""
    key = text.casefold()
    return sa.or_(
        Person.name_key.contains(key, autoescape=True),
        Person.phone.contains(text.replace(" ", ""), autoescape=True),
        Person.email.contains(key, autoescape=True),
    )
