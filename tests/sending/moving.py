"""People who change while a campaign waits."""

import sqlalchemy as sa

from rollcall.extensions import db, write
from rollcall.models import Person
from rollcall.people.facts import refresh_facts


def give_same_phone(organisation_id: int, owner: int, other: int) -> None:
    """Let `other` have the phone of `owner` from now on."""
    with write():
        phone = db.session.scalar(sa.select(Person.phone).where(Person.id == owner))
        db.session.execute(sa.update(Person).where(Person.id == other).values(phone=phone))
        refresh_facts(organisation_id, [owner, other])
