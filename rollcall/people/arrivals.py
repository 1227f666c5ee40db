"""People who come in by a call, one or thousands: the known are found, the others added."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import Person
from rollcall.models.types import IdList, IsOneOf
from rollcall.people.details import CheckedPerson
from rollcall.people.facts import refresh_facts
from rollcall.people.identity import (
    city_values,
    insert_people,
    load_known_people,
    lock_people,
    name_values,
    person_values,
)
from rollcall.text import fold

_FIELDS = tuple(field.name for field in fields(CheckedPerson))


@dataclass(frozen=True)
class Arrivals:
    """The person's id for each row, and who of them is new."""

    ids: list[int]
    added: frozenset[int]


def take_in_people(organisation_id: int, rows: Sequence[CheckedPerson], now: datetime) -> Arrivals:
    """Find or add the person of each row, inside the caller's transaction, with their facts.

    Rows about each other give one person. What is not known yet of somebody is filled in;
    what is known is never overwritten here.
    """
    lock_people(organisation_id)
    known = load_known_people(organisation_id, rows)
    keys: list[int] = []
    merged: dict[int, CheckedPerson] = {}
    for row in rows:
        found = known.match(row)
        # Those who are not stored yet go by numbers below zero until they are.
        key = -1 - len(merged) if found is None else found
        known.learn(key, row)
        merged[key] = _fill(merged[key], row) if key in merged else row
        keys.append(key)
    new = [key for key in merged if key < 0]
    ids = insert_people([person_values(organisation_id, now, **asdict(merged[key])) for key in new])
    changed = _fill_in({key: row for key, row in merged.items() if key > 0}, now)
    refresh_facts(organisation_id, [*ids, *changed])
    id_of = dict(zip(new, ids, strict=True))
    return Arrivals([id_of.get(key, key) for key in keys], frozenset(ids))


def _fill(person: CheckedPerson, row: CheckedPerson) -> CheckedPerson:
    return CheckedPerson(**{name: getattr(person, name) or getattr(row, name) for name in _FIELDS})


def _fill_in(rows: dict[int, CheckedPerson], now: datetime) -> list[int]:
    """Store what is not known yet of these people and return the ids of those who changed."""
    stored = db.session.execute(
        sa.select(Person.id, *(getattr(Person, name) for name in _FIELDS)).where(
            IsOneOf(Person.id, sa.literal(list(rows), IdList))
        )
    ).all()
    changes = {person.id: _missing_values(person, rows[person.id]) for person in stored}
    for person_id, values in changes.items():
        if values:
            db.session.execute(
                sa.update(Person)
                .where(Person.id == person_id)
                .values(**values, updated_at=now)
                .execution_options(synchronize_session=False)
            )
    return [person_id for person_id, values in changes.items() if values]


def _missing_values(person: Any, row: CheckedPerson) -> dict[str, Any]:
    values = {
        name: value for name, value in asdict(row).items() if value and not getattr(person, name)
    }
    if fold(f"{row.first_name} {row.last_name}") == fold(f"{person.first_name} {person.last_name}"):
        # The same name cut at another place: nothing of it is missing.
        values = {name: values[name] for name in values if name not in ("first_name", "last_name")}
    elif "first_name" in values or "last_name" in values:
        values |= name_values(
            values.get("first_name", person.first_name), values.get("last_name", person.last_name)
        )
    if "city" in values:
        values |= city_values(values["city"])
    return values
