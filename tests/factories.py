"""Makes the rows that tests and demo data start from: organisations, people, events, attendance.

Each function is one transaction of its own and returns what it made. Times are given as aware
datetimes; what is left out gets a plausible value that differs from call to call.
"""

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, actor_for
from rollcall.extensions import db, write
from rollcall.models import (
    Attendance,
    Channel,
    Event,
    Organisation,
    Person,
    PersonFacts,
    Purchase,
    Role,
    Source,
    StaffMember,
    Suppression,
)
from rollcall.people.facts import hash_address, refresh_facts
from rollcall.people.identity import insert_people, person_values

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)  # a Friday, a day before the event of `make_event`
BATCH = 5_000

_numbers = itertools.count(1)


def make_organisation(slug: str | None = None, **values: Any) -> Organisation:
    """An organisation in Toronto, without quiet hours unless `quiet_from` and `quiet_until` say."""
    number = next(_numbers)
    values = {
        "name": f"Organisation {number}",
        "country": "CA",
        "timezone": "America/Toronto",
        "created_at": clock.now(),
        **values,
    }
    return _add(Organisation(slug=slug or f"organisation-{number}", **values))


def make_staff(
    role: Role = Role.SUPER, organisation: Organisation | None = None, **values: Any
) -> StaffMember:
    """A staff member without a password; pass `password_hash` for one who logs in."""
    values = {
        "email": f"{role}-{next(_numbers)}@example.org",
        "name": f"{role.capitalize()} member",
        "created_at": clock.now(),
        **values,
    }
    organisation = organisation or make_organisation()
    return _add(StaffMember(organisation_id=organisation.id, role=role, **values))


def make_actor(organisation: Organisation | None = None, role: Role = Role.SUPER) -> Actor:
    """A new staff member of that role, acting in the browser."""
    return actor_for(make_staff(role, organisation), "browser")


def make_phone(number: int) -> str:
    """A valid phone in Toronto, its own for each number below six million."""
    return f"+1416{2_000_000 + number:07d}"


def make_person(organisation: Organisation, **values: Any) -> Person:
    """A person with a phone and an e-mail address; pass None for one to leave it out.

    `opted_out` is a channel or several, `blocked` a flag; `messaged_at` is when the last
    message went; `scores` are recency, frequency, monetary; the rest are columns.
    """
    return db.session.get_one(Person, make_people(organisation, [values])[0])


def make_people(organisation: Organisation, people: int | Iterable[dict[str, Any]]) -> list[int]:
    """So many people, or one for each dictionary as `make_person` takes it; returns their ids."""
    wanted = [{}] * people if isinstance(people, int) else list(people)
    ids: list[int] = []
    for start in range(0, len(wanted), BATCH):
        ids += _add_people(organisation.id, wanted[start : start + BATCH])
    return ids


def make_event(organisation: Organisation, slug: str | None = None, **values: Any) -> Event:
    """An event on the evening of 28 November 2026 in Toronto."""
    slug = slug or f"event-{next(_numbers)}"
    starts_at = values.get("starts_at", NOON + timedelta(days=1, hours=12))
    values = {
        "name": slug.replace("-", " ").title(),
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=4),
        "timezone": "America/Toronto",
        "created_at": NOON - timedelta(days=60),
        **values,
    }
    return _add(Event(organisation_id=organisation.id, slug=slug, **values))


def attend(
    event: Event,
    people: Person | int | Iterable[Person | int],
    source: Source = Source.REGISTRATION,
    *,
    cancelled: bool = False,
    at: datetime | None = None,
) -> None:
    """Let people attend an event from one source, all recorded at the same moment."""
    ids = _ids(people)
    at = at or NOON
    row = {
        "event_id": event.id,
        "source": source,
        "cancelled": cancelled,
        "status": "cancelled" if cancelled else "attending",
        "occurred_at": at,
        "recorded_at": at,
        "cancelled_at": at if cancelled else None,
    }
    with write():
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH]
            db.session.execute(
                sa.insert(Attendance), [{**row, "person_id": person_id} for person_id in some]
            )


def make_purchase(
    person: Person, amount: Decimal | str = "25.00", at: datetime | None = None, **values: Any
) -> Purchase:
    """Money that a person spent, a month ago unless said otherwise."""
    values = {"reference": f"order-{next(_numbers)}", "currency": "CAD", **values}
    return _add(
        Purchase(
            organisation_id=person.organisation_id,
            person_id=person.id,
            amount=Decimal(amount),
            purchased_at=at or NOON - timedelta(days=30),
            **values,
        )
    )


def set_facts(people: Person | int | Iterable[Person | int], **values: Any) -> None:
    """Set columns of the facts rows, such as `last_message_at` or `recency`."""
    ids = _ids(people)
    with write():
        for start in range(0, len(ids), BATCH):
            db.session.execute(
                sa.update(PersonFacts)
                .where(PersonFacts.person_id.in_(ids[start : start + BATCH]))
                .values(**values)
                .execution_options(synchronize_session=False)
            )
    db.session.expire_all()


def _add(row: Any) -> Any:
    with write():
        db.session.add(row)
    return row


def _ids(people: Person | int | Iterable[Person | int]) -> list[int]:
    several = [people] if isinstance(people, Person | int) else people
    return [person if isinstance(person, int) else person.id for person in several]


_FACTS = ("blocked", "opted_out", "messaged_at", "scores", "phone_invalid", "email_invalid")


def _add_people(organisation_id: int, wanted: Sequence[dict[str, Any]]) -> list[int]:
    now = clock.now()
    rows = [_person_row(organisation_id, now, values) for values in wanted]
    with write():
        ids = insert_people(rows)
        for row, values in zip(rows, wanted, strict=True):
            _suppress(organisation_id, row, values.get("opted_out", ()))
        refresh_facts(organisation_id, ids)
        for person_id, values in zip(ids, wanted, strict=True):
            if any(values.get(name) for name in _FACTS):
                db.session.execute(
                    sa.update(PersonFacts)
                    .where(PersonFacts.person_id == person_id)
                    .values(**_facts_row(values))
                    .execution_options(synchronize_session=False)
                )
    return ids


def _person_row(organisation_id: int, now: datetime, values: dict[str, Any]) -> dict[str, Any]:
    number = next(_numbers)
    given = {
        "phone": make_phone(number),
        "email": f"person{number}@example.org",
        "first_name": f"First{number}",
        "last_name": f"Last{number}",
        **{name: value for name, value in values.items() if name not in _FACTS},
    }
    blocked = {
        "blocked_at": now if values.get("blocked") else None,
        "blocked_reason": "a test" if values.get("blocked") else "",
    }
    return {**person_values(organisation_id, now, **given), **blocked}


def _facts_row(values: dict[str, Any]) -> dict[str, Any]:
    scores = values.get("scores") or (None, None, None)
    return {
        "blocked": bool(values.get("blocked")),
        "phone_invalid": bool(values.get("phone_invalid")),
        "email_invalid": bool(values.get("email_invalid")),
        "last_message_at": values.get("messaged_at"),
        "recency": scores[0],
        "frequency": scores[1],
        "monetary": scores[2],
    }


def _suppress(organisation_id: int, row: dict[str, Any], channels: Any) -> None:
    several = (channels,) if isinstance(channels, str) else channels
    for channel in map(Channel, several):
        address = row["phone"] if channel == Channel.SMS else row["email"]
        hashed = hash_address(channel, address)
        here = {"organisation_id": organisation_id, "channel": channel, "address_hash": hashed}
        if not db.session.scalar(sa.select(Suppression).filter_by(**here)):
            db.session.add(Suppression(**here, created_at=clock.now()))
            db.session.flush()
