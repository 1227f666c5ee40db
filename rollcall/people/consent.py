"""Opting out and in again: an address and not a person is what must not be messaged.

Everybody of the organisation who has the address is opted out with it, now and whenever
somebody is added with it later (`refresh_facts` looks the address up).
"""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import Channel, ConsentChange, Person, PersonFacts, Suppression
from rollcall.people.facts import hash_address
from rollcall.people.identity import lock_people
from rollcall.people.records import find_person
from rollcall.sql import insert_missing

MOST_ADDRESSES = 1_000  # in one query


def opt_out_person(actor: Actor, person_id: int, channel: Channel, source: str) -> int:
    """Opt the person's address out of a channel and return how many people that changed.

    `source` says what asked for it ("staff", "stop word", …). Doing it again changes nothing.
    Raises InvalidInput for somebody without an address for the channel, NotFound.
    """
    return _change(actor, person_id, channel, source, opted_out=True)


def opt_in_person(actor: Actor, person_id: int, channel: Channel, source: str) -> int:
    """Let messages over a channel go to the person's address again; see `opt_out_person`."""
    return _change(actor, person_id, channel, source, opted_out=False)


def suppress_addresses(
    organisation_id: int, channel: Channel, addresses: Collection[str], source: str, now: datetime
) -> int:
    """Opt these addresses out inside the caller's transaction; returns how many people changed.

    Addresses are as stored: E.164 phones for sms, lower-case e-mails for email.
    """
    changed = 0
    # Whoever is being added with one of these addresses at this moment must not be missed.
    lock_people(organisation_id)
    for some in _pieces(addresses):
        db.session.execute(
            insert_missing(Suppression),
            [
                {
                    "organisation_id": organisation_id,
                    "channel": channel,
                    "address_hash": hash_address(channel, address),
                    "created_at": now,
                }
                for address in some
            ],
        )
        changed += _set_opted_out(organisation_id, channel, some, source, now, True)
    return changed


def release_addresses(
    organisation_id: int, channel: Channel, addresses: Collection[str], source: str, now: datetime
) -> int:
    """Opt these addresses in again inside the caller's transaction; see `suppress_addresses`."""
    changed = 0
    lock_people(organisation_id)
    for some in _pieces(addresses):
        db.session.execute(
            sa.delete(Suppression)
            .where(
                Suppression.organisation_id == organisation_id,
                Suppression.channel == channel,
                Suppression.address_hash.in_([hash_address(channel, one) for one in some]),
            )
            .execution_options(synchronize_session=False)
        )
        changed += _set_opted_out(organisation_id, channel, some, source, now, False)
    return changed


def _change(actor: Actor, person_id: int, channel: Channel, source: str, *, opted_out: bool) -> int:
    with write():
        person = find_person(actor.organisation_id, person_id)
        address = person.phone if channel == Channel.SMS else person.email
        if not address:
            what = "phone" if channel == Channel.SMS else "e-mail address"
            raise InvalidInput({"channel": f"This person has no {what}, so nothing can change."})
        apply = suppress_addresses if opted_out else release_addresses
        changed = apply(actor.organisation_id, channel, [address], source, clock.now())
        if changed:
            record(
                actor,
                "person.opt_out" if opted_out else "person.opt_in",
                "person",
                person_id,
                after={"channel": str(channel), "source": source, "people": changed},
            )
    return changed


def _set_opted_out(
    organisation_id: int,
    channel: Channel,
    addresses: list[str],
    source: str,
    now: datetime,
    opted_out: bool,
) -> int:
    column, flag = _columns(channel)
    people = list(
        db.session.scalars(
            sa.select(Person.id)
            .join(PersonFacts, PersonFacts.person_id == Person.id)
            .where(
                Person.organisation_id == organisation_id,
                column.in_(addresses),
                flag.is_(not opted_out),
            )
        )
    )
    if people:
        db.session.execute(
            sa.update(PersonFacts),
            [{"person_id": person_id, flag.key: opted_out} for person_id in people],
        )
        db.session.execute(
            sa.insert(ConsentChange),
            [
                {
                    "organisation_id": organisation_id,
                    "person_id": person_id,
                    "channel": channel,
                    "opted_out": opted_out,
                    "source": source,
                    "at": now,
                }
                for person_id in people
            ],
        )
        db.session.expire_all()
    return len(people)


def _columns(
    channel: Channel,
) -> tuple[InstrumentedAttribute[str | None], InstrumentedAttribute[bool]]:
    if channel == Channel.SMS:
        return Person.phone, PersonFacts.opted_out_sms
    return Person.email, PersonFacts.opted_out_email


def _pieces(addresses: Collection[str]) -> list[list[str]]:
    several = sorted(set(addresses))
    return [
        several[start : start + MOST_ADDRESSES] for start in range(0, len(several), MOST_ADDRESSES)
    ]
