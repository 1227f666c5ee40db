"""Hand-picked people: a list of phones, e-mails or numbers, or a CSV, turned into people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Organisation, Person
from rollcall.people.identity import match_people
from rollcall.people.reading.contacts import Contact
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableFile, UnreadableValue
from rollcall.people.reading.mapping import propose_mapping
from rollcall.people.reading.people import Rejection, read_people_rows
from rollcall.people.reading.phones import normalise_phone
from rollcall.people.reading.records import Record
from rollcall.people.reading.table import Table

# No country has phones this short, so that a shorter number is a person's own in Rollcall.
_LONGEST_ID = 6
_NUMBER_HEADINGS = ("person", "person id", "person_id", "id")


@dataclass(frozen=True)
class Picked:
    """The people found, each once, and what could not be found, each with the reason."""

    person_ids: tuple[int, ...]
    unknown: tuple[tuple[str, str], ...]


def pick_people(organisation: Organisation, words: Iterable[str]) -> Picked:
    """Return the people for phones, e-mail addresses and person numbers, one a word."""
    contacts: list[tuple[str, Contact]] = []
    numbers: list[tuple[str, int]] = []
    unknown: list[tuple[str, str]] = []
    for word in filter(None, (word.strip() for word in words)):
        if word.isdecimal() and len(word) <= _LONGEST_ID:
            numbers.append((word, int(word)))
            continue
        try:
            contacts.append((word, _contact(word, organisation.country)))
        except UnreadableValue as error:
            unknown.append((word, str(error)))
    found = _find_contacts(organisation.id, contacts, unknown)
    found |= _find_numbers(organisation.id, numbers, unknown)
    return Picked(tuple(sorted(found)), tuple(unknown))


def pick_people_from_csv(organisation: Organisation, file: BinaryIO) -> Picked:
    """Return the people of a CSV, read as any import reads it, or by a column of numbers.

    What is unknown is named by its line. Raises InvalidInput where the file can't be read.
    """
    try:
        table = Table(file)
    except UnreadableFile as error:
        raise InvalidInput({"people": f"The file can't be read: {error}."}) from error
    mapping = propose_mapping(table.header, table.sample, "people", organisation.country)
    number_column = _number_column(table.header)
    if number_column is not None and not {"phone", "email"} & set(mapping.columns):
        rows = table.rows()
        return pick_people(
            organisation, (row.cells[number_column] for row in rows if isinstance(row, Record))
        )
    contacts: list[tuple[str, Contact]] = []
    unknown: list[tuple[str, str]] = []
    zone = ZoneInfo(organisation.timezone)
    for row in read_people_rows(table, mapping, organisation.country, zone):
        if isinstance(row, Rejection):
            unknown.append((f"line {row.line}", row.reason))
        else:
            contacts.append((f"line {row.line}", row.contact))
    found = _find_contacts(organisation.id, contacts, unknown)
    return Picked(tuple(sorted(found)), tuple(unknown))


def check_people_exist(organisation_id: int, person_ids: Sequence[int]) -> None:
    """Raise InvalidInput unless every id is a person of the organisation."""
    known: set[int] = set()
    for start in range(0, len(person_ids), 1000):
        known.update(
            db.session.scalars(
                sa.select(Person.id).where(
                    Person.organisation_id == organisation_id,
                    Person.id.in_(person_ids[start : start + 1000]),
                )
            )
        )
    unknown = [person_id for person_id in person_ids if person_id not in known]
    if unknown:
        named = ", ".join(str(person_id) for person_id in unknown[:5])
        raise InvalidInput({"people": f"There is nobody with the number {named}."})


def _number_column(header: list[str]) -> int | None:
    headings = [label.strip().casefold() for label in header]
    return next((headings.index(word) for word in _NUMBER_HEADINGS if word in headings), None)


def _contact(word: str, country: str) -> Contact:
    if "@" in word:
        return Contact(phone=None, email=normalise_email(word), first_name="", last_name="")
    return Contact(phone=normalise_phone(word, country), email=None, first_name="", last_name="")


def _find_contacts(
    organisation_id: int,
    contacts: list[tuple[str, Contact]],
    unknown: list[tuple[str, str]],
) -> set[int]:
    found: set[int] = set()
    matched = match_people(organisation_id, [contact for _, contact in contacts])
    for (word, _), person_id in zip(contacts, matched, strict=True):
        if person_id is None:
            unknown.append((word, "nobody in this organisation has this address"))
        else:
            found.add(person_id)
    return found


def _find_numbers(
    organisation_id: int, numbers: list[tuple[str, int]], unknown: list[tuple[str, str]]
) -> set[int]:
    known = set(
        db.session.scalars(
            sa.select(Person.id).where(
                Person.organisation_id == organisation_id,
                Person.id.in_([number for _, number in numbers]),
            )
        )
    )
    unknown += [
        (word, "nobody in this organisation has this number")
        for word, number in numbers
        if number not in known
    ]
    return known
