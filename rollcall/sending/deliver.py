"""One batch: judged once more, written down, put on the wire, recorded. In that order, always."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
import structlog

from rollcall import clock
from rollcall.audience.query import address_column, exclusion_reason
from rollcall.extensions import db, write
from rollcall.messages.parts import count_parts
from rollcall.messages.placeholders import PersonFields, Template, compile_template
from rollcall.messages.pricing import price_of_emails, price_of_parts
from rollcall.models import (
    Attempt,
    Campaign,
    CampaignState,
    Channel,
    Person,
    PersonFacts,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.models.types import IdList, IsOneOf
from rollcall.providers.base import Outcome, OutgoingMessage, Provider, ProviderError
from rollcall.sending.claims import Claim, renew_claim

log = structlog.get_logger()

UNEXPECTED = "unexpected"


@dataclass(frozen=True)
class Content:
    """What a campaign says and how careful it is: fixed once sending has begun."""

    channel: Channel
    subject: Template
    message: Template
    link: str
    window_hours: int


@dataclass(frozen=True)
class Intent:
    """A message that is written down as about to be sent."""

    message: OutgoingMessage
    parts: int
    cost: Decimal


def read_content(campaign: Campaign, window_hours: int) -> Content:
    """Return the campaign's content, its texts cut at their placeholders once."""
    return Content(
        channel=Channel(campaign.channel),
        subject=compile_template(campaign.subject, "subject"),
        message=compile_template(campaign.message),
        link=campaign.link,
        window_hours=window_hours,
    )


def take_batch(
    claim: Claim, content: Content, provider: Provider, after: int, size: int
) -> tuple[list[Intent], int | None]:
    """Write down who of the next `size` recipients is about to be messaged, durably.

    Whoever may not be messaged (any more) is held back with the reason. Returns the intents
    and the last recipient's person id, None where no recipient beyond `after` is queued.
    Raises ClaimLost where the campaign was paused, cancelled or taken over.
    """
    with write():
        renew_claim(claim, CampaignState.SENDING)
        now = clock.now()
        rows = _next_recipients(claim.campaign_id, content, now, after, size)
        if not rows:
            return [], None
        taken = _addresses_taken(claim.campaign_id, {row.address for row in rows})
        intents: list[Intent] = []
        for row in rows:
            reason = Reason(row.reason)
            if reason is Reason.REACHABLE and row.address in taken:
                reason = Reason.DUPLICATE_ADDRESS
            if reason is not Reason.REACHABLE:
                _hold_back(claim.campaign_id, row.person_id, reason)
                continue
            taken.add(row.address)
            intents.append(_intent(claim, content, row))
        _write_down(claim, provider, intents, now)
        return intents, rows[-1].person_id


def _next_recipients(
    campaign_id: int, content: Content, now: datetime, after: int, size: int
) -> Sequence[Any]:
    # The cursor keeps this a short walk along the primary key, however many are sent already.
    cutoff = sa.literal(now - timedelta(hours=content.window_hours))
    address = address_column(content.channel)
    return db.session.execute(
        sa.select(
            Recipient.person_id,
            exclusion_reason(content.channel, cutoff if content.window_hours else None).label(
                "reason"
            ),
            address.label("address"),
            Person.first_name,
            Person.last_name,
            Person.hash,
            PersonFacts.phone_country,
        )
        .join(PersonFacts, PersonFacts.person_id == Recipient.person_id)
        .join(Person, Person.id == Recipient.person_id)
        .where(
            Recipient.campaign_id == campaign_id,
            Recipient.person_id > after,
            Recipient.state == RecipientState.QUEUED,
        )
        .order_by(Recipient.person_id)
        .limit(size)
        # What another process is changing of these people, a reservation or an opt-out, is
        # waited for; in the order of their ids, so that no two processes wait for each other.
        .with_for_update(of=PersonFacts)
    ).all()


def _addresses_taken(campaign_id: int, addresses: Iterable[str | None]) -> set[str]:
    return {
        address
        for address in db.session.scalars(
            sa.select(Recipient.address).where(
                Recipient.campaign_id == campaign_id,
                Recipient.address.in_([address for address in addresses if address]),
            )
        )
        if address
    }


def _hold_back(campaign_id: int, person_id: int, reason: Reason) -> None:
    db.session.execute(
        sa.update(Recipient)
        .where(Recipient.campaign_id == campaign_id, Recipient.person_id == person_id)
        .values(state=RecipientState.HELD_BACK, held_reason=reason)
        .execution_options(synchronize_session=False)
    )


def _intent(claim: Claim, content: Content, row: Any) -> Intent:
    person = PersonFields(row.first_name, row.last_name, row.hash)
    text = content.message.render(person, content.link)
    # A header is one line, whatever stands in somebody's name.
    subject = " ".join(content.subject.render(person, content.link).split())
    parts = count_parts(text).parts if content.channel == Channel.SMS else 1
    cost = (
        price_of_parts(row.phone_country, parts)
        if content.channel == Channel.SMS
        else price_of_emails(1)
    )
    message = OutgoingMessage(
        token=secrets.randbits(63),
        organisation_id=claim.organisation_id,
        campaign_id=claim.campaign_id,
        person_id=row.person_id,
        channel=content.channel,
        address=row.address,
        subject=subject,
        text=text,
    )
    return Intent(message, parts, cost)


def _write_down(claim: Claim, provider: Provider, intents: Sequence[Intent], now: datetime) -> None:
    if not intents:
        return
    connection = db.session.connection()
    connection.execute(
        sa.insert(Attempt),
        [
            {
                "campaign_id": claim.campaign_id,
                "person_id": intent.message.person_id,
                "token": intent.message.token,
                "fence": claim.fence,
                "started_at": now,
                "provider": provider.name,
                "parts": intent.parts,
                "cost": intent.cost,
            }
            for intent in intents
        ],
    )
    connection.execute(
        sa.update(Recipient)
        .where(
            Recipient.campaign_id == claim.campaign_id,
            Recipient.person_id == sa.bindparam("b_person_id"),
        )
        .values(state=RecipientState.WIRING, address=sa.bindparam("b_address")),
        [
            {"b_person_id": intent.message.person_id, "b_address": intent.message.address}
            for intent in intents
        ],
    )
    _set_last_message(connection, [intent.message.person_id for intent in intents], now)


def _set_last_message(connection: sa.Connection, people: list[int], now: datetime) -> None:
    # From here on every other campaign sees these people as messaged: the reservation is
    # part of the intent's own transaction.
    connection.execute(
        sa.update(PersonFacts)
        .where(IsOneOf(PersonFacts.person_id, sa.literal(people, IdList)))
        .values(last_message_at=now)
    )


def put_on_wire(provider: Provider, intents: Sequence[Intent]) -> list[Outcome]:
    """Hand the messages over, with no transaction open, and return one outcome for each.

    What the provider says nothing of, for whatever fault of its own, is in doubt.
    """
    try:
        outcomes = list(provider.connect(10).send([intent.message for intent in intents]))
    except Exception as error:  # whatever happened, the messages may have gone out
        log.error("provider broke", provider=provider.name, error=repr(error))
        outcomes = []
    answered = {outcome.token for outcome in outcomes}
    doubt = ProviderError(UNEXPECTED, "The provider broke off without an answer.", in_doubt=True)
    return outcomes + [
        Outcome(intent.message.token, error=doubt)
        for intent in intents
        if intent.message.token not in answered
    ]


def record_outcomes(claim: Claim, intents: Sequence[Intent], outcomes: Sequence[Outcome]) -> None:
    """Store what became of each message; a state that is already further on is left alone.

    What was put in doubt meanwhile, because somebody took the campaign over while the provider
    was still answering, is in doubt no longer.
    """
    people = {intent.message.token: intent.message.person_id for intent in intents}
    rows = [_outcome_row(people[outcome.token], outcome) for outcome in outcomes]
    if not rows:
        return
    with write():
        connection = db.session.connection()
        now = clock.now()
        connection.execute(
            sa.update(Attempt)
            .where(
                Attempt.campaign_id == claim.campaign_id,
                Attempt.person_id == sa.bindparam("b_person_id"),
                Attempt.token == sa.bindparam("b_token"),
                sa.or_(Attempt.outcome.is_(None), Attempt.outcome == RecipientState.IN_DOUBT),
            )
            .values(
                outcome=sa.bindparam("b_state"),
                finished_at=now,
                provider_message_id=sa.bindparam("b_message_id"),
                error_code=sa.bindparam("b_code"),
                error_text=sa.bindparam("b_text"),
            ),
            rows,
        )
        connection.execute(
            sa.update(Recipient)
            .where(
                Recipient.campaign_id == claim.campaign_id,
                Recipient.person_id == sa.bindparam("b_person_id"),
                sa.or_(
                    Recipient.state == RecipientState.WIRING,
                    Recipient.state == RecipientState.IN_DOUBT,
                ),
            )
            .values(state=sa.bindparam("b_state")),
            rows,
        )
        failed = [row["b_person_id"] for row in rows if row["b_state"] == RecipientState.FAILED]
        if failed:
            _take_back_reservation(connection, failed)


def _outcome_row(person_id: int, outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    if error is None:
        state = RecipientState.SENT
    else:
        state = RecipientState.IN_DOUBT if error.in_doubt else RecipientState.FAILED
    return {
        "b_person_id": person_id,
        "b_token": outcome.token,
        "b_state": state,
        "b_message_id": outcome.provider_message_id,
        "b_code": error.code[:40] if error else None,
        "b_text": error.text[:300] if error else None,
    }


def _take_back_reservation(connection: sa.Connection, people: list[int]) -> None:
    # Nothing reached them, so the message before, if any, is again their last one.
    last = (
        sa.select(sa.func.max(Attempt.started_at))
        .where(
            Attempt.person_id == PersonFacts.person_id,
            Attempt.outcome.is_distinct_from(RecipientState.FAILED),
        )
        .scalar_subquery()
    )
    connection.execute(
        sa.update(PersonFacts)
        .where(IsOneOf(PersonFacts.person_id, sa.literal(people, IdList)))
        .values(last_message_at=last)
    )


def doubt_unfinished(claim: Claim, state: CampaignState) -> int:
    """Mark as in doubt what an earlier owner put on the wire and never recorded.

    Nobody knows whether those requests went out, so they are never sent again by themselves.
    Returns how many there are.
    """
    with write():
        renew_claim(claim, state)
        unfinished = (
            Attempt.campaign_id == claim.campaign_id,
            Attempt.outcome.is_(None),
            Attempt.fence < claim.fence,
        )
        doubted = db.session.execute(
            sa.update(Recipient)
            .where(
                Recipient.campaign_id == claim.campaign_id,
                Recipient.state == RecipientState.WIRING,
                Recipient.person_id.in_(sa.select(Attempt.person_id).where(*unfinished)),
            )
            .values(state=RecipientState.IN_DOUBT)
            .returning(Recipient.person_id)
            .execution_options(synchronize_session=False)
        ).all()
        db.session.execute(
            sa.update(Attempt)
            .where(*unfinished)
            .values(outcome=RecipientState.IN_DOUBT, finished_at=clock.now())
            .execution_options(synchronize_session=False)
        )
        return len(doubted)
