"""Everything known of one person, for the person's page (A6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import (
    Attempt,
    Attendance,
    Campaign,
    Channel,
    ConsentChange,
    Event,
    InboundMeaning,
    InboundMessage,
    Person,
    PersonFacts,
    Purchase,
    RecipientState,
    RfmScore,
    Source,
)
from rollcall.people.records import find_person

MOST_SHOWN = 100


@dataclass(frozen=True)
class AttendanceLine:
    """One attendance with its event."""

    event_slug: str
    event_name: str
    starts_at: datetime
    timezone: str
    source: Source
    status: str
    cancelled: bool
    occurred_at: datetime
    cancelled_at: datetime | None
    event_cancelled_at: datetime | None


@dataclass(frozen=True)
class MessageLine:
    """One message that was sent, or tried, with its campaign; no outcome is not known yet."""

    campaign_id: int
    campaign_name: str
    channel: Channel
    started_at: datetime
    outcome: RecipientState | None
    provider: str
    error_text: str | None
    parts: int
    cost: Decimal


@dataclass(frozen=True)
class ConsentLine:
    """Somebody opted out or in, what said so, and when."""

    channel: Channel
    opted_out: bool
    source: str
    at: datetime


@dataclass(frozen=True)
class ReplyLine:
    """One message that came from the person, what it asked for, and what staff made of it."""

    received_at: datetime
    text: str
    meaning: InboundMeaning
    decision: str | None


@dataclass(frozen=True)
class PurchaseLine:
    """Money spent, with the event it was for, if any."""

    reference: str
    amount: Decimal
    currency: str
    purchased_at: datetime
    event_name: str | None


@dataclass(frozen=True)
class PersonProfile:
    """A person with facts and scores; the lists begin with the newest, MOST_SHOWN at most."""

    person: Person
    facts: PersonFacts
    scores: RfmScore | None
    attendance: list[AttendanceLine]
    messages: list[MessageLine]
    consents: list[ConsentLine]
    replies: list[ReplyLine]
    purchases: list[PurchaseLine]


def person_profile(organisation_id: int, key: int | str) -> PersonProfile:
    """Return all that the person's page shows; `key` as in `find_person`, raises NotFound."""
    person = find_person(organisation_id, key)
    return PersonProfile(
        person=person,
        facts=person.facts,
        scores=db.session.get(RfmScore, person.id),
        attendance=[AttendanceLine(*row) for row in _read(_attendance_of(person.id))],
        messages=[MessageLine(*row) for row in _read(_messages_of(person.id))],
        consents=[ConsentLine(Channel(row[0]), *row[1:]) for row in _read(_consents_of(person.id))],
        replies=[ReplyLine(*row) for row in _read(_replies_of(person.id))],
        purchases=[PurchaseLine(*row) for row in _read(_purchases_of(person.id))],
    )


def _read(query: sa.Select[*tuple[Any, ...]]) -> Sequence[Any]:
    return db.session.execute(query.limit(MOST_SHOWN)).all()


def _attendance_of(person_id: int) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            Event.slug,
            Event.name,
            Event.starts_at,
            Event.timezone,
            Attendance.source,
            Attendance.status,
            Attendance.cancelled,
            Attendance.occurred_at,
            Attendance.cancelled_at,
            Event.cancelled_at,
        )
        .join(Event, Event.id == Attendance.event_id)
        .where(Attendance.person_id == person_id)
        .order_by(Event.starts_at.desc(), Attendance.id.desc())
    )


def _messages_of(person_id: int) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            Campaign.id,
            Campaign.name,
            Campaign.channel,
            Attempt.started_at,
            Attempt.outcome,
            Attempt.provider,
            Attempt.error_text,
            Attempt.parts,
            Attempt.cost,
        )
        .join(Campaign, Campaign.id == Attempt.campaign_id)
        .where(Attempt.person_id == person_id)
        .order_by(Attempt.started_at.desc(), Attempt.id.desc())
    )


def _consents_of(person_id: int) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            ConsentChange.channel, ConsentChange.opted_out, ConsentChange.source, ConsentChange.at
        )
        .where(ConsentChange.person_id == person_id)
        .order_by(ConsentChange.id.desc())
    )


def _replies_of(person_id: int) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            InboundMessage.received_at,
            InboundMessage.text,
            InboundMessage.meaning,
            InboundMessage.decision,
        )
        .where(InboundMessage.person_id == person_id)
        .order_by(InboundMessage.id.desc())
    )


def _purchases_of(person_id: int) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            Purchase.reference,
            Purchase.amount,
            Purchase.currency,
            Purchase.purchased_at,
            Event.name,
        )
        .outerjoin(Event, Event.id == Purchase.event_id)
        .where(Purchase.person_id == person_id)
        .order_by(Purchase.purchased_at.desc(), Purchase.id.desc())
    )
