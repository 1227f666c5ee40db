"""The data that every measurement uses: always the same for the same number of people."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db, write
from rollcall.models import (
    Attendance,
    Event,
    Organisation,
    Person,
    PersonFacts,
    Role,
    Source,
    StaffMember,
)

SEED = 20261127
EVENTS = 40
NOW = datetime.now(UTC).replace(microsecond=0)
BATCH = 10_000


def load(people: int) -> int:
    """Fill the empty database and return the organisation's id.

    40 events of uneven size, the largest with a fifth of all people; about 2.3 attendances a
    person over two sources; a tenth messaged in the last 72 hours; 2 % blocked, 5 % opted out,
    1 % sharing a phone.
    """
    chance = random.Random(SEED)
    organisation_id = _add_ground()
    _insert(Person, _people(organisation_id, people))
    _insert(PersonFacts, _facts(organisation_id, people, chance))
    _insert(Attendance, _attendances(people, chance))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    return organisation_id


def _add_ground() -> int:
    with write():
        organisation = Organisation(
            slug="bench", name="Bench", country="CA", timezone="America/Toronto", created_at=NOW
        )
        db.session.add(organisation)
        db.session.flush()
        organisation_id = organisation.id
        db.session.add(
            StaffMember(
                organisation_id=organisation_id,
                email="bench@example.org",
                role=Role.SUPER,
                created_at=NOW,
            )
        )
        for number in range(EVENTS):
            db.session.add(
                Event(
                    organisation_id=organisation_id,
                    slug=f"event-{number}",
                    name=f"Event {number}",
                    starts_at=NOW - timedelta(days=number),
                    ends_at=NOW - timedelta(days=number) + timedelta(hours=4),
                    timezone="America/Toronto",
                    created_at=NOW,
                )
            )
    return organisation_id


def _phone(number: int) -> str:
    # One in a hundred has the phone of the person before.
    return f"+1416{2_000_000 + (number - 1 if number % 100 == 99 else number):07d}"


def _people(organisation_id: int, people: int) -> Iterator[dict[str, Any]]:
    for number in range(people):
        yield {
            "id": number + 1,
            "organisation_id": organisation_id,
            "hash": f"h{number:015d}",
            "first_name": f"First{number % 997}",
            "last_name": f"Last{number % 4999}",
            "name_key": f"first{number % 997} last{number % 4999}",
            "last_name_key": f"last{number % 4999}",
            "phone": _phone(number),
            "email": f"person{number}@example.org",
            "city": "Toronto",
            "city_key": "toronto",
            "created_at": NOW,
            "updated_at": NOW,
        }


def _facts(organisation_id: int, people: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    for number in range(people):
        recent = chance.random() < 0.1
        hours = chance.uniform(0, 72) if recent else chance.uniform(73, 5000)
        yield {
            "person_id": number + 1,
            "organisation_id": organisation_id,
            "has_phone": True,
            "has_email": True,
            "phone_shared": number % 100 in (98, 99),
            "blocked": chance.random() < 0.02,
            "opted_out_sms": chance.random() < 0.05,
            "phone_country": "CA",
            "recency": chance.randint(1, 5),
            "frequency": chance.randint(1, 5),
            "monetary": chance.randint(1, 5),
            "last_message_at": NOW - timedelta(hours=hours),
        }


def _attendances(people: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    shares = [0.2 * 0.9**number for number in range(EVENTS)]
    scale = 2.3 / (sum(shares) * 1.35)
    shares = [shares[0]] + [share * scale for share in shares[1:]]
    for event, share in enumerate(shares):
        # Every other attendee registered, the others scanned, and a third of them did both.
        for person in chance.sample(range(1, people + 1), int(people * min(share, 0.2))):
            draw = chance.random()
            if draw < 0.65:
                yield _attendance(event + 1, person, Source.REGISTRATION)
            if draw > 0.35:
                yield _attendance(event + 1, person, Source.QR_SCAN)


def _attendance(event: int, person: int, source: Source) -> dict[str, Any]:
    moment = NOW - timedelta(days=event)
    return {
        "event_id": event,
        "person_id": person,
        "source": source,
        "cancelled": False,
        "status": "attending",
        "occurred_at": moment,
        "recorded_at": moment,
    }


def _insert(model: type[Any], rows: Iterator[dict[str, Any]]) -> None:
    while batch := list(islice(rows, BATCH)):
        with write():
            db.session.connection().execute(sa.insert(model), batch)
