"""Hand-picked people: a list of phones, e-mails or numbers, or a CSV, turned into people.

A list may name people as e-mail programs write them: Sarah Lee <sarah@example.org>.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import BinaryIO
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.audience.criteria import MAX_PEOPLE
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import Organisation, Person
from rollcall.people.details import CheckedPerson
from rollcall.people.facts import refresh_facts
from rollcall.people.identity import (
    insert_people,
    load_known_people,
    lock_people,
    match_people,
    person_values,
)
from rollcall.people.reading.contacts import LONGEST_NAME, Contact, split_name
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableFile, UnreadableValue
from rollcall.people.reading.mapping import propose_mapping
from rollcall.people.reading.people import Rejection, read_people_rows
from rollcall.people.reading.phones import (
    TYPED_AT_HOME,
    Habit,
    find_phone_habit,
    normalise_phone,
)
from rollcall.people.reading.records import Record
from rollcall.people.reading.table import Table

# No country has phones this short, so that a shorter number is a person's own in Rollcall.
_LONGEST_ID = 6
_WORDS_FOR_HABIT = 50
_NUMBER_HEADINGS = ("person", "person id", "person_id", "id")
_WITH_A_NAME = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]+)>")
_ADDRESSES = {"phone", "other_phone", "email", "buyer_phone", "buyer_email"}
NO_COLUMN = "No column of the file holds phones, e-mail addresses or numbers of people."
NOBODY = "nobody in this organisation has this address"


@dataclass(frozen=True)
class Missing:
    """Somebody whose address is valid but whom nobody here is: they can be added."""

    word: str  # what stands for them in the list, such as "line 3"
    contact: Contact

    def to_text(self) -> str:
        """Return them as a line of a list that is read as the same person."""
        name = f"{self.contact.first_name} {self.contact.last_name}".replace(",", " ").strip()
        addresses = " ".join(filter(None, (self.contact.phone, self.contact.email)))
        return f"{name} <{addresses}>" if name or " " in addresses else addresses


@dataclass(frozen=True)
class Picked:
    """The people found, each once, and what could not be found, each with the reason.

    `missing` are those of the unknown who can be added; `created` those who were.
    """

    person_ids: tuple[int, ...]
    unknown: tuple[tuple[str, str], ...]
    missing: tuple[Missing, ...] = ()
    created: tuple[int, ...] = ()


def pick_people(organisation: Organisation, words: Iterable[str]) -> Picked:
    """Return the people for phones, e-mail addresses and person numbers, one a word."""
    contacts: list[Missing] = []
    numbers: list[tuple[str, int]] = []
    unknown: list[tuple[str, str]] = []
    words = [word for word in (word.strip() for word in words) if word]
    habit = _habit_of(words, organisation.country)
    for word in words:
        if word.isdecimal() and len(word) <= _LONGEST_ID:
            numbers.append((word, int(word)))
            continue
        try:
            contacts.append(Missing(word, _contact(word, organisation.country, habit)))
        except UnreadableValue as error:
            unknown.append((word, str(error)))
    found, missing = _find_contacts(organisation.id, contacts, unknown)
    found |= _find_numbers(organisation.id, numbers, unknown)
    return Picked(tuple(sorted(found)), tuple(unknown), missing)


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
    if number_column is None and not _ADDRESSES & set(mapping.columns):
        raise InvalidInput({"people": NO_COLUMN})
    if number_column is not None and not {"phone", "email"} & set(mapping.columns):
        rows = table.rows()
        return pick_people(
            organisation, (row.cells[number_column] for row in rows if isinstance(row, Record))
        )
    contacts: list[Missing] = []
    unknown: list[tuple[str, str]] = []
    zone = ZoneInfo(organisation.timezone)
    for row in read_people_rows(table, mapping, organisation.country, zone):
        if isinstance(row, Rejection):
            unknown.append((f"line {row.line}", row.reason))
        else:
            contacts.append(Missing(f"line {row.line}", row.contact))
        if len(contacts) > MAX_PEOPLE:
            raise InvalidInput({"people": f"At most {MAX_PEOPLE:,} people can be picked by hand."})
    found, missing = _find_contacts(organisation.id, contacts, unknown)
    return Picked(tuple(sorted(found)), tuple(unknown), missing)


def create_missing_people(actor: Actor, picked: Picked) -> Picked:
    """Add everybody who is missing and return the choice with them in it.

    Whoever became known in the meantime is found and not added again, and two lines about the
    same person add one. What can't be read stays unknown.
    """
    if not picked.missing:
        return picked
    with write():
        lock_people(actor.organisation_id)
        contacts = [missing.contact for missing in picked.missing]
        known = load_known_people(actor.organisation_id, contacts)
        added: list[Contact] = []
        found: set[int] = set()
        for contact in contacts:
            key = known.match(contact)
            if key is None:
                added.append(contact)
                key = -len(added)
            known.learn(key, contact)
            found.add(key)
        created = _add_contacts(actor, added)
    added_now = {(missing.word, NOBODY) for missing in picked.missing}
    return Picked(
        tuple(sorted({*picked.person_ids, *(key for key in found if key > 0), *created})),
        tuple(entry for entry in picked.unknown if entry not in added_now),
        created=tuple(created),
    )


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


def _habit_of(words: list[str], country: str) -> Habit:
    """Return how the list writes phones: as at home, unless some begin with a country code."""
    habit = find_phone_habit(words[:_WORDS_FOR_HABIT], country)
    return habit if habit.abroad or habit.own_code else TYPED_AT_HOME


def _contact(word: str, country: str, habit: Habit = TYPED_AT_HOME) -> Contact:
    named = _WITH_A_NAME.fullmatch(word)
    text = named["address"] if named else word
    emails = [piece for piece in text.split() if "@" in piece]
    phone = " ".join(piece for piece in text.split() if "@" not in piece)
    if not named and emails:
        emails, phone = [word], ""
    first, last = split_name(named["name"].strip(" \"'")) if named else ("", "")
    return Contact(
        phone=normalise_phone(phone, country, habit) if phone or not emails else None,
        email=normalise_email(" ".join(emails)) if emails else None,
        first_name=first[:LONGEST_NAME],
        last_name=last[:LONGEST_NAME],
    )


def _add_contacts(actor: Actor, contacts: list[Contact]) -> list[int]:
    now = clock.now()
    people = [CheckedPerson(**asdict(contact)) for contact in contacts]
    ids = insert_people(
        [person_values(actor.organisation_id, now, **asdict(person)) for person in people]
    )
    if ids:
        refresh_facts(actor.organisation_id, ids)
    for person_id, person in zip(ids, people, strict=True):
        record(actor, "person.add", "person", person_id, after=asdict(person))
    return ids


def _find_contacts(
    organisation_id: int,
    contacts: list[Missing],
    unknown: list[tuple[str, str]],
) -> tuple[set[int], tuple[Missing, ...]]:
    found: set[int] = set()
    missing: list[Missing] = []
    matched = match_people(organisation_id, [one.contact for one in contacts])
    for one, person_id in zip(contacts, matched, strict=True):
        if person_id is None:
            unknown.append((one.word, NOBODY))
            missing.append(one)
        else:
            found.add(person_id)
    return found, tuple(missing)


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
