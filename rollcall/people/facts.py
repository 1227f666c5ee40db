"""Keeps each person's narrow facts row true, in the transaction that changes what it mirrors."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.messages.pricing import country_of_phone
from rollcall.messages.quiet import phone_zones
from rollcall.models import Channel, Person, PersonFacts, Suppression
from rollcall.models.types import IdList, IsOneOf


def hash_address(channel: Channel, address: str) -> str:
    """Return what stands for an address in the suppression list, which outlives the person."""
    return hashlib.sha256(f"{channel}:{address}".encode()).hexdigest()


def refresh_facts(
    organisation_id: int, person_ids: Collection[int], old_addresses: Iterable[str] = ()
) -> None:
    """Derive the address, zone, sharing and opt-out columns of these people anew.

    Call it inside the transaction after people were added or their addresses or time zones
    changed; `old_addresses` are those that they no longer have, so that whoever shared one
    with them is no longer marked as sharing it. A missing facts row is added.
    """
    if not person_ids:
        return
    db.session.flush()
    people = db.session.execute(
        sa.select(Person.id, Person.phone, Person.email, Person.timezone).where(
            _is_one_of(Person.id, person_ids), Person.organisation_id == organisation_id
        )
    ).all()
    suppressed = _suppressed_hashes(organisation_id, people)
    _store(organisation_id, {row.id: _derived(row, suppressed) for row in people})
    old = set(old_addresses)
    _mark_sharing(organisation_id, Channel.SMS, {row.phone for row in people} | old)
    _mark_sharing(organisation_id, Channel.EMAIL, {row.email for row in people} | old)
    db.session.expire_all()


def _is_one_of(column: Any, ids: Collection[int]) -> IsOneOf:
    return IsOneOf(column, sa.literal(list(ids), IdList))


def _store(organisation_id: int, derived: dict[int, dict[str, Any]]) -> None:
    """Add the rows that are missing and change the others.

    Through the connection: one prepared statement for many rows, past the ORM's bookkeeping.
    """
    present = set(
        db.session.scalars(
            sa.select(PersonFacts.person_id).where(_is_one_of(PersonFacts.person_id, derived))
        )
    )
    connection = db.session.connection()
    missing = [
        {"person_id": person_id, "organisation_id": organisation_id, **values}
        for person_id, values in derived.items()
        if person_id not in present
    ]
    if missing:
        connection.execute(sa.insert(PersonFacts), missing)
    if present:
        connection.execute(
            _UPDATE,
            [
                {"b_person_id": person_id}
                | {f"b_{name}": value for name, value in derived[person_id].items()}
                for person_id in present
            ],
        )


_UPDATE = (
    sa.update(PersonFacts)
    .where(PersonFacts.person_id == sa.bindparam("b_person_id"))
    .values(
        has_phone=sa.bindparam("b_has_phone"),
        has_email=sa.bindparam("b_has_email"),
        phone_country=sa.bindparam("b_phone_country"),
        phone_zones=sa.bindparam("b_phone_zones"),
        opted_out_sms=sa.bindparam("b_opted_out_sms"),
        opted_out_email=sa.bindparam("b_opted_out_email"),
        # Whoever has no address any more shares none; the others are marked afterwards.
        phone_shared=sa.and_(
            PersonFacts.phone_shared, sa.bindparam("b_has_phone", type_=sa.Boolean)
        ),
        email_shared=sa.and_(
            PersonFacts.email_shared, sa.bindparam("b_has_email", type_=sa.Boolean)
        ),
    )
)


def _suppressed_hashes(organisation_id: int, people: Iterable[Any]) -> set[str]:
    hashes = [hash_address(Channel.SMS, row.phone) for row in people if row.phone]
    hashes += [hash_address(Channel.EMAIL, row.email) for row in people if row.email]
    found: set[str] = set()
    for start in range(0, len(hashes), 1000):
        found.update(
            db.session.scalars(
                sa.select(Suppression.address_hash).where(
                    Suppression.organisation_id == organisation_id,
                    Suppression.address_hash.in_(hashes[start : start + 1000]),
                )
            )
        )
    return found


def _derived(row: Any, suppressed: set[str]) -> dict[str, Any]:
    return {
        "has_phone": row.phone is not None,
        "has_email": row.email is not None,
        "phone_country": (country_of_phone(row.phone) or "") if row.phone else "",
        "phone_zones": phone_zones(row.phone, row.timezone) if row.phone else "",
        "opted_out_sms": _is_suppressed(Channel.SMS, row.phone, suppressed),
        "opted_out_email": _is_suppressed(Channel.EMAIL, row.email, suppressed),
    }


def _is_suppressed(channel: Channel, address: str | None, suppressed: set[str]) -> bool:
    # Hashing is left out where nobody of the batch has opted out, as most often.
    return bool(suppressed and address) and hash_address(channel, address or "") in suppressed


def _mark_sharing(organisation_id: int, channel: Channel, addresses: set[str | None]) -> None:
    column, flag = (
        (Person.phone, PersonFacts.phone_shared)
        if channel == Channel.SMS
        else (Person.email, PersonFacts.email_shared)
    )
    wanted = sorted(address for address in addresses if address)
    for start in range(0, len(wanted), 1000):
        some = wanted[start : start + 1000]
        # Counted here rather than in one UPDATE: its plan on PostgreSQL goes wrong by a factor
        # of ten as long as a table that a large import fills has no statistics.
        people = db.session.execute(
            sa.select(Person.id, column, flag)
            .join(PersonFacts, PersonFacts.person_id == Person.id)
            .where(Person.organisation_id == organisation_id, column.in_(some))
        ).all()
        having = Counter(address for _, address, _ in people)
        for is_shared in (True, False):
            wrong = [
                person_id
                for person_id, address, marked in people
                if marked != is_shared and (having[address] > 1) == is_shared
            ]
            if wrong:
                db.session.execute(
                    sa.update(PersonFacts)
                    .where(_is_one_of(PersonFacts.person_id, wrong))
                    .values({flag: is_shared})
                    .execution_options(synchronize_session=False)
                )
