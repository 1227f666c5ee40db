"""What people send to our numbers: STOP and its relatives, START, HELP, and everything else.

All organisations of an installation share a provider's numbers, and a text does not say whom it
is for. It concerns every organisation that ever sent this address a message over the provider;
where none did, every organisation that knows somebody with it.

A STOP holds for all of them. A START is obeyed by one organisation only, the one that messaged
the address last, or the only one that knows it: consent is given to somebody. Where several
know it and none has messaged it, nothing is restored, and staff read the message.
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from flask import Flask

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.extensions import db, pause, write
from rollcall.messages.words import read_text
from rollcall.models import (
    Attempt,
    Campaign,
    Channel,
    InboundMeaning,
    InboundMessage,
    Organisation,
    Person,
    Recipient,
    RecipientState,
    Role,
    Suppression,
)
from rollcall.people.consent import release_addresses, suppress_addresses
from rollcall.people.facts import hash_address
from rollcall.people.identity import lock_people
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.phones import normalise_phone
from rollcall.providers.base import Inbound, Receipt, Sink
from rollcall.sending.receipts import store_receipt
from rollcall.sending.references import database_in_reach
from rollcall.sql import insert_missing

log = structlog.get_logger()

LONGEST_TEXT = 5_000
LONGEST_ID = 120
FEWEST_DIGITS = 7  # anything shorter is a short code and no person's phone
LOOKS, PAUSE = 250, 0.02  # at the wire after a stop: about five seconds


@dataclass(frozen=True)
class Reply:
    """What a message came to, and the text to answer it with, empty for no answer."""

    meaning: InboundMeaning
    address: str
    text: str = ""


@dataclass(frozen=True)
class _Concerned:
    organisation_id: int
    name: str
    person_id: int | None
    campaign_id: int | None
    messaged_at: datetime | None


@database_in_reach()
def answer_inbound(provider_name: str, inbound: Inbound) -> Reply:
    """Store a message, do what it asks for, and return once that holds; see `receive_inbound`.

    After a stop nothing that was written down before it is on its way to the wire any more.
    """
    reply = receive_inbound(provider_name, inbound)
    if reply.meaning == InboundMeaning.STOP:
        await_quiet_wire(reply.address)
    return reply


def receive_inbound(provider_name: str, inbound: Inbound) -> Reply:
    """Store a message for each organisation that it concerns, and do what it asks for, once.

    The same message again (by the provider's id) changes nothing and gets no answer.
    """
    read = read_text(inbound.text)
    meaning = InboundMeaning(read.meaning)
    if inbound.answered and meaning == InboundMeaning.OTHER:
        meaning = InboundMeaning.UNCLEAR  # one of the carrier's own words, which we don't know
    with write():
        address, concerned = _find_concerned(provider_name, inbound.address)
        rows = [_row(provider_name, inbound, meaning, address, one) for one in concerned]
        fresh = [one for one, row in zip(concerned, rows, strict=True) if _insert(row)]
        # In one order, so that no two messages wait for each other's organisations.
        fresh.sort(key=lambda one: one.organisation_id)
        changed: list[_Concerned] = []
        if meaning == InboundMeaning.STOP:
            changed = [one for one in fresh if _opt_out(one, address, read.word)]
        elif meaning == InboundMeaning.START:
            chosen = _who_is_meant(concerned)
            changed = [one for one in fresh if one is chosen and _opt_in(one, address, read.word)]
    if inbound.answered:
        return Reply(meaning, address)
    named = fresh if meaning == InboundMeaning.HELP else changed
    return Reply(meaning, address, _say(meaning, [one.name for one in named]))


def await_quiet_wire(address: str) -> bool:
    """Wait, at most some seconds, until no message to this address is going to the wire.

    What was written down before an opt-out was committed may still be on its way; what comes
    after it sees the opt-out. Returns whether the wire is quiet.
    """
    for _look in range(LOOKS):
        if not _is_on_the_wire(address):
            return True
        pause(PAUSE)
    log.warning("still on the wire after an opt-out")
    return False


def _is_on_the_wire(address: str) -> bool:
    running = (
        sa.select(Recipient.person_id)
        .join(Campaign, Campaign.id == Recipient.campaign_id)
        .join(
            Attempt,
            sa.and_(
                Attempt.campaign_id == Recipient.campaign_id,
                Attempt.person_id == Recipient.person_id,
            ),
        )
        .where(
            # A process that lost its lease sends nothing any more.
            Campaign.lease_until > clock.now(),
            Recipient.address == address,
            Recipient.state == RecipientState.WIRING,
            Attempt.outcome.is_(None),
        )
        .limit(1)
    )
    return db.session.scalar(running) is not None


def _find_concerned(provider_name: str, written: str) -> tuple[str, list[_Concerned]]:
    """Return the address as it is stored, and the organisations, those who messaged it first.

    Gateways give international numbers, most with a plus; some give them as at home.
    """
    candidates = _addresses(written)
    for address in candidates:
        messaged = _who_messaged(provider_name, address)
        if messaged:
            return address, messaged
    for address in candidates:
        knowing = _who_knows(address)
        if knowing:
            return address, knowing
    return candidates[0] if candidates else written.strip(), []


def _addresses(written: str) -> list[str]:
    text = written.strip()
    digits = "".join(letter for letter in text if letter in "0123456789")
    if not set(text) <= set("+0123456789 -().") or len(digits) < FEWEST_DIGITS:
        return []
    if text.startswith("+"):
        return [f"+{digits}"]
    if digits.startswith("00"):
        return [f"+{digits[2:]}"]
    found = [f"+{digits}"]
    for country in db.session.scalars(sa.select(Organisation.country).distinct()).all():
        try:
            found.append(normalise_phone(digits, country))
        except UnreadableValue:
            continue
    return list(dict.fromkeys(found))


def _who_messaged(provider_name: str, address: str) -> list[_Concerned]:
    # One short look into the index of each campaign's addresses: no index holds them all.
    rows = db.session.execute(
        sa.select(
            Campaign.organisation_id,
            Organisation.name,
            Attempt.person_id,
            Attempt.campaign_id,
            Attempt.started_at,
        )
        .join(
            Recipient,
            sa.and_(Recipient.campaign_id == Campaign.id, Recipient.address == address),
        )
        .join(
            Attempt,
            sa.and_(
                Attempt.campaign_id == Recipient.campaign_id,
                Attempt.person_id == Recipient.person_id,
            ),
        )
        .join(Organisation, Organisation.id == Campaign.organisation_id)
        .where(Campaign.channel == Channel.SMS, Attempt.provider == provider_name)
        .order_by(Attempt.started_at.desc(), Attempt.id.desc())
    ).all()
    latest: dict[int, _Concerned] = {}
    for row in rows:
        latest.setdefault(row.organisation_id, _Concerned(*row))
    return list(latest.values())


def _who_knows(address: str) -> list[_Concerned]:
    # By organisation, because that is how the index of phones begins.
    person = (
        sa.select(sa.func.min(Person.id))
        .where(Person.organisation_id == Organisation.id, Person.phone == address)
        .scalar_subquery()
    )
    rows = db.session.execute(
        sa.select(Organisation.id, Organisation.name, person.label("person_id")).order_by(
            Organisation.id
        )
    )
    return [
        _Concerned(row.id, row.name, row.person_id, None, None)
        for row in rows
        if row.person_id is not None
    ]


def _who_is_meant(concerned: Sequence[_Concerned]) -> _Concerned | None:
    if concerned and (len(concerned) == 1 or concerned[0].messaged_at is not None):
        return concerned[0]
    return None


def _row(
    provider_name: str, inbound: Inbound, meaning: InboundMeaning, address: str, one: _Concerned
) -> dict[str, object]:
    return {
        "organisation_id": one.organisation_id,
        "channel": Channel.SMS,
        "provider": provider_name,
        "provider_message_id": _message_id(inbound),
        "address": address,
        "to_address": _storable(inbound.to_address)[:120],
        "text": _storable(inbound.text)[:LONGEST_TEXT],
        "meaning": meaning,
        "person_id": one.person_id,
        "received_at": clock.now(),
    }


def _message_id(inbound: Inbound) -> str:
    written = _storable(inbound.message_id).strip()
    if not written:
        return f"none-{uuid.uuid4().hex}"  # a gateway that gives no ids: each is a new message
    if len(written) > LONGEST_ID:
        return hashlib.sha256(written.encode()).hexdigest()
    return written


def _storable(text: str) -> str:
    # PostgreSQL keeps no NUL, and halves of emoji are no text.
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def _insert(row: dict[str, object]) -> bool:
    statement = insert_missing(InboundMessage).values(**row).returning(InboundMessage.id)
    return db.session.scalar(statement) is not None


def _opt_out(one: _Concerned, address: str, word: str) -> bool:
    # Whoever opts this address out or in at the same moment is waited for.
    lock_people(one.organisation_id)
    if _is_suppressed(one.organisation_id, address):
        return False
    source = _source(word, one)
    suppress_addresses(one.organisation_id, Channel.SMS, [address], source, clock.now())
    _record(one, "person.opt_out", source)
    return True


def _opt_in(one: _Concerned, address: str, word: str) -> bool:
    lock_people(one.organisation_id)
    if not _is_suppressed(one.organisation_id, address):
        return False
    source = _source(word, one)
    release_addresses(one.organisation_id, Channel.SMS, [address], source, clock.now())
    _record(one, "person.opt_in", source)
    return True


def _is_suppressed(organisation_id: int, address: str) -> bool:
    found = db.session.scalar(
        sa.select(Suppression.id).where(
            Suppression.organisation_id == organisation_id,
            Suppression.channel == Channel.SMS,
            Suppression.address_hash == hash_address(Channel.SMS, address),
        )
    )
    return found is not None


def _source(word: str, one: _Concerned) -> str:
    campaign = f", campaign {one.campaign_id}" if one.campaign_id else ""
    return f"text {word.upper()}{campaign}"[:40]


def _record(one: _Concerned, action: str, source: str) -> None:
    actor = Actor(one.organisation_id, None, Role.STAFF, "recipient")
    after = {"channel": "sms", "source": source}
    record(actor, action, "person", one.person_id or "unknown", after=after)


def _say(meaning: InboundMeaning, names: Sequence[str]) -> str:
    if not names:
        return ""
    who = " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
    us = "us" if len(names) == 1 else "them"
    if meaning == InboundMeaning.STOP:
        return f"{who}: you get no more texts from {us}. Reply START to get them again."
    if meaning == InboundMeaning.START:
        return f"{who}: you get texts from {us} again. Reply STOP to stop them."
    if meaning == InboundMeaning.HELP:
        return f"Texts from this number come from {who}. Reply STOP to stop them."
    return ""


def session_sink(app: Flask, provider_name: str) -> Sink:
    """Return what a provider's `listen` hands receipts and inbound messages to.

    A session carries no answer back, so that what a webhook would reply (to HELP, to a stop) is
    not sent, and an opt-out does not wait for the wire: the thread that reads the session may be
    the very one that has a message on the wire. What can't be stored is logged and raised, so
    that the provider can refuse it and the SMSC delivers it again.
    """

    def take(thing: Receipt | Inbound) -> None:
        with app.app_context():
            try:
                if isinstance(thing, Receipt):
                    store_receipt(provider_name, thing)
                else:
                    receive_inbound(provider_name, thing)
            except Exception as error:
                log.error("can't store what came in", provider=provider_name, error=repr(error))
                raise
            finally:
                db.session.remove()

    return take
