"""Who is who: the one rule by which a row of a file or a call is somebody already known.

Two records are the same person when every address that both carry is equal, at least one is,
and the names that both carry are equal too; equal phone and equal e-mail are enough whatever
the names. Anybody else is another person who shares an address.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import Organisation, Person
from rollcall.text import fold

MOST_VALUES = 1_000  # in one query


class Identified(Protocol):
    """What says who somebody is; addresses are normalised, unknown names are empty."""

    @property
    def phone(self) -> str | None: ...
    @property
    def email(self) -> str | None: ...
    @property
    def first_name(self) -> str: ...
    @property
    def last_name(self) -> str: ...


@dataclass(slots=True)
class _Known:
    key: int
    phone: str | None
    email: str | None
    first: str
    last: str


class KnownPeople:
    """The people who carry an address of some rows, and those whom the rows add.

    Keys are ids; for somebody not yet stored use any other number, such as a negative one.
    """

    def __init__(self) -> None:
        self._people: dict[int, _Known] = {}
        self._by_phone: defaultdict[str, list[_Known]] = defaultdict(list)
        self._by_email: defaultdict[str, list[_Known]] = defaultdict(list)

    def match(self, row: Identified) -> int | None:
        """Return the key of the person whom the row is about, or None for somebody new.

        Of several, both addresses equal comes before an equal name, and that before a name
        that one side lacks; then whoever has the phone, then who was known first.
        """
        candidates = [
            *self._by_phone.get(row.phone or "", ()),
            *self._by_email.get(row.email or "", ()),
        ]
        if not candidates:
            return None
        first, last = fold(row.first_name), fold(row.last_name)
        best: tuple[int, int] | None = None
        for known in candidates:
            rank = _rank(known, row, first, last)
            if rank is not None and (best is None or rank < best[0]):
                best = (rank, known.key)
        return best[1] if best else None

    def rivals(self, row: Identified) -> tuple[int, int] | None:
        """Return the keys of two people where the row's phone says one and its e-mail the other.

        So it is where both records could be the row's person, and where neither can but the
        row bears the name of one of them, or none. Somebody under a third name shares both.
        """
        by_phone = self._by_phone.get(row.phone or "", ())
        by_email = self._by_email.get(row.email or "", ())
        if not by_phone or not by_email or any(known in by_email for known in by_phone):
            return None
        first, last = fold(row.first_name), fold(row.last_name)
        one = [k for k in by_phone if _rank(k, row, first, last) is not None]
        other = [k for k in by_email if _rank(k, row, first, last) is not None]
        if not one and not other:
            one = [k for k in by_phone if not _names_clash(k, first, last)]
            other = [k for k in by_email if not _names_clash(k, first, last)]
            if one or other:
                one, other = one or list(by_phone), other or list(by_email)
        return (one[0].key, other[0].key) if one and other else None

    def holder(self, row: Identified) -> int | None:
        """Return the key of whoever was first known with the row's phone, else with its e-mail.

        For what belongs to an address rather than to a name, such as a payment.
        """
        for known in (
            *self._by_phone.get(row.phone or "", ()),
            *self._by_email.get(row.email or "", ()),
        ):
            return known.key
        return None

    def learn(self, key: int, row: Identified) -> None:
        """Take in what the row says of the person that the person's record does not say yet."""
        known = self._people.get(key)
        if known is None:
            known = self._people[key] = _Known(key, None, None, "", "")
        known.first = known.first or fold(row.first_name)
        known.last = known.last or fold(row.last_name)
        if row.phone and not known.phone:
            known.phone = row.phone
            self._by_phone[row.phone].append(known)
        if row.email and not known.email:
            known.email = row.email
            self._by_email[row.email].append(known)


def load_known_people(organisation_id: int, rows: Sequence[Identified]) -> KnownPeople:
    """Return everybody of the organisation who carries an address of the rows.

    Takes two queries for each 1,000 rows.
    """
    known = KnownPeople()
    found = {}
    for column, addresses in (
        (Person.phone, {row.phone for row in rows if row.phone}),
        (Person.email, {row.email for row in rows if row.email}),
    ):
        for some in _pieces(sorted(addresses)):
            query = sa.select(
                Person.id, Person.phone, Person.email, Person.first_name, Person.last_name
            ).where(Person.organisation_id == organisation_id, column.in_(some))
            found |= {person.id: person for person in db.session.execute(query)}
    for person_id in sorted(found):
        known.learn(person_id, found[person_id])
    return known


def match_people(organisation_id: int, rows: Sequence[Identified]) -> list[int | None]:
    """Return for each row the id of the person it is about, None for somebody not yet known.

    Rows that are new and about each other are not told apart here: `KnownPeople.learn` does.
    """
    known = load_known_people(organisation_id, rows)
    return [known.match(row) for row in rows]


def lock_people(organisation_id: int) -> None:
    """Make others who add people to this organisation wait until this transaction ends.

    Two processes would otherwise both find nobody, and both add the same person. SQLite has
    one writer at a time anyway; on PostgreSQL it is a lock of the organisation's row that
    does not hold up anybody who only refers to it.
    """
    db.session.execute(
        sa.select(Organisation.id)
        .where(Organisation.id == organisation_id)
        .with_for_update(key_share=True)
    )


def person_values(
    organisation_id: int,
    now: datetime,
    *,
    phone: str | None = None,
    email: str | None = None,
    first_name: str = "",
    last_name: str = "",
    city: str = "",
    country: str = "",
    timezone: str = "",
) -> dict[str, Any]:
    """Return the columns of a new person, with a fresh public hash and the keys for searching."""
    return {
        "organisation_id": organisation_id,
        "hash": new_hash(),
        "phone": phone,
        "email": email,
        **name_values(first_name, last_name),
        **city_values(city),
        "country": country,
        "timezone": timezone,
        "blocked_reason": "",
        "created_at": now,
        "updated_at": now,
    }


def name_values(first_name: str, last_name: str) -> dict[str, str]:
    """Return the columns that hold a name."""
    return {
        "first_name": first_name,
        "last_name": last_name,
        "name_key": fold(f"{first_name} {last_name}"),
        "last_name_key": fold(last_name),
    }


def city_values(city: str) -> dict[str, str]:
    """Return the columns that hold a city."""
    return {"city": city, "city_key": fold(city)}


def insert_people(values: Sequence[dict[str, Any]]) -> list[int]:
    """Add people inside the caller's transaction and return their ids in the same order."""
    if not values:
        return []
    # Told apart by their hash: to ask SQLite for ids in order would take a statement a person.
    # Through the connection: many rows a statement, past the ORM's bookkeeping.
    added = db.session.connection().execute(
        sa.insert(Person).returning(Person.hash, Person.id), list(values)
    )
    id_of = {row.hash: row.id for row in added}
    return [id_of[row["hash"]] for row in values]


def new_hash() -> str:
    """Return a random public token of 12 characters: 72 bits, which nobody guesses."""
    return secrets.token_urlsafe(9)


def _rank(known: _Known, row: Identified, first: str, last: str) -> int | None:
    """Return how well they agree, 0 the best; None where they are different people."""
    same_phone = bool(row.phone) and known.phone == row.phone
    same_email = bool(row.email) and known.email == row.email
    if same_phone and same_email:
        return 0
    other_phone = bool(row.phone and known.phone) and not same_phone
    other_email = bool(row.email and known.email) and not same_email
    if other_phone or other_email or not (same_phone or same_email):
        return None
    if fold(f"{known.first} {known.last}") == fold(f"{first} {last}"):
        return 1
    return None if _names_clash(known, first, last) else 2


def _names_clash(known: _Known, first: str, last: str) -> bool:
    if fold(f"{known.first} {known.last}") == fold(f"{first} {last}"):
        return False
    return _clash(known.first, first) or _clash(known.last, last)


def _clash(one: str, other: str) -> bool:
    return bool(one and other) and one != other


def _pieces(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), MOST_VALUES):
        yield values[start : start + MOST_VALUES]
