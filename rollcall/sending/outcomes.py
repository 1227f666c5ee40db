"""What became of each message, stored: never backward, and only what is known."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    Campaign,
    CampaignState,
    Channel,
    PersonFacts,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.models.types import IdList, IsOneOf
from rollcall.people.consent import suppress_addresses
from rollcall.providers.base import Outcome, ProviderError
from rollcall.sending.claims import Claim, renew_claim
from rollcall.sending.content import Intent
from rollcall.sql import PreparedStatement

# How often somebody is tried whom the provider refuses for now, and how long in between.
MOST_TRIES = 5
FIRST_WAIT = 30.0  # seconds; four times as long after each try, and at random a little less
OPEN = (CampaignState.SENDING, CampaignState.PAUSED)


@dataclass(frozen=True)
class Finished:
    """A message that came back from the wire, with what the provider answered."""

    intent: Intent
    outcome: Outcome


def record_outcomes(claim: Claim, finished: Sequence[Finished]) -> None:
    """Store what became of each message inside the caller's transaction.

    A state that is already further on, by a receipt that was faster, is left alone; a refusal
    is further on than "sent", whichever comes first. What was put in doubt meanwhile, because
    somebody took the campaign over while the provider was still answering, is in doubt no
    longer. Messages that the provider provably refused go back to the queue.
    """
    if not finished:
        return
    connection = db.session.connection()
    settled = [one for one in finished if not _goes_again(one.outcome.error)]
    again = [one for one in finished if _goes_again(one.outcome.error)]
    if settled:
        now = clock.now()
        rows = [_row(one, _state(one.outcome), now) for one in settled]
        stored = _FINISH_ATTEMPT.run(connection, rows).rowcount
        _finish_recipients(connection, claim.campaign_id, rows)
        if stored != len(rows):
            _join_with_receipts(connection, rows)
    failed = [one for one in settled if _state(one.outcome) == RecipientState.FAILED]
    if again:
        failed += _queue_again(connection, claim, again)
    take_back_reservation(connection, [one.intent.message.person_id for one in failed])


def _join_with_receipts(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Store what the answers add where a receipt was faster: a refusal above "sent", and the id."""
    for row in rows:
        refused = row["b_state"] == RecipientState.FAILED
        if refused and _REFUSE_ATTEMPT.run(connection, row).rowcount:
            _REFUSE_RECIPIENT.run(connection, row)
    named = [row for row in rows if row["b_message_id"]]
    if named:
        _KEEP_MESSAGE_ID.run(connection, named)


def _finish_recipients(
    connection: sa.Connection, campaign_id: int, rows: list[dict[str, Any]]
) -> None:
    for state in sorted({row["b_state"] for row in rows}):
        people = [row["b_person_id"] for row in rows if row["b_state"] == state]
        values = {"b_campaign_id": campaign_id, "b_people": people, "b_state": state}
        _FINISH_RECIPIENTS.run(connection, values)


def _goes_again(error: ProviderError | None) -> bool:
    return error is not None and not error.in_doubt and (error.provider_wide or not error.permanent)


def _state(outcome: Outcome) -> RecipientState:
    if outcome.error is None:
        return RecipientState.SENT
    return RecipientState.IN_DOUBT if outcome.error.in_doubt else RecipientState.FAILED


def _row(one: Finished, state: RecipientState, now: datetime) -> dict[str, Any]:
    error = one.outcome.error
    return {
        "b_campaign_id": one.intent.message.campaign_id,
        "b_person_id": one.intent.message.person_id,
        "b_token": one.outcome.token,
        "b_state": state,
        "b_now": now,
        "b_message_id": one.outcome.provider_message_id,
        "b_code": error.code[:40] if error else None,
        "b_text": error.text[:300] if error else None,
    }


_THIS = ("b_campaign_id", "b_person_id", "b_token")
_THIS_ATTEMPT = (
    Attempt.campaign_id == sa.bindparam("b_campaign_id"),
    Attempt.person_id == sa.bindparam("b_person_id"),
    Attempt.token == sa.bindparam("b_token"),
)

_FINISH_ATTEMPT = PreparedStatement(
    sa.update(Attempt)
    .where(
        *_THIS_ATTEMPT,
        sa.or_(Attempt.outcome.is_(None), Attempt.outcome == RecipientState.IN_DOUBT),
        Attempt.resolution.is_(None),
    )
    .values(
        outcome=sa.bindparam("b_state"),
        finished_at=sa.bindparam("b_now"),
        provider_message_id=sa.bindparam("b_message_id"),
        error_code=sa.bindparam("b_code"),
        error_text=sa.bindparam("b_text"),
    ),
    [*_THIS, "b_state", "b_now", "b_message_id", "b_code", "b_text"],
)

_REFUSE_ATTEMPT = PreparedStatement(
    sa.update(Attempt)
    .where(*_THIS_ATTEMPT, Attempt.outcome == RecipientState.SENT, Attempt.resolution.is_(None))
    .values(
        outcome=RecipientState.FAILED,
        error_code=sa.bindparam("b_code"),
        error_text=sa.bindparam("b_text"),
    ),
    [*_THIS, "b_code", "b_text"],
)

_REFUSE_RECIPIENT = PreparedStatement(
    sa.update(Recipient)
    .where(
        Recipient.campaign_id == sa.bindparam("b_campaign_id"),
        Recipient.person_id == sa.bindparam("b_person_id"),
        Recipient.state == RecipientState.SENT,
    )
    .values(state=RecipientState.FAILED),
    ["b_campaign_id", "b_person_id"],
)

_ON_WIRE_OR_IN_DOUBT = sa.or_(
    Recipient.state == RecipientState.WIRING, Recipient.state == RecipientState.IN_DOUBT
)

_FINISH_RECIPIENTS = PreparedStatement(
    sa.update(Recipient)
    .where(
        Recipient.campaign_id == sa.bindparam("b_campaign_id"),
        IsOneOf(Recipient.person_id, sa.bindparam("b_people", type_=IdList)),
        _ON_WIRE_OR_IN_DOUBT,
    )
    .values(state=sa.bindparam("b_state")),
    ["b_campaign_id", "b_people", "b_state"],
)

_KEEP_MESSAGE_ID = PreparedStatement(
    sa.update(Attempt)
    .where(*_THIS_ATTEMPT, Attempt.provider_message_id.is_(None))
    .values(provider_message_id=sa.bindparam("b_message_id")),
    [*_THIS, "b_message_id"],
)


def _queue_again(
    connection: sa.Connection, claim: Claim, again: Sequence[Finished]
) -> list[Finished]:
    """Queue those again whom the provider did not take; returns all, since nothing reached them."""
    _FINISH_ATTEMPT.run(
        connection, [_row(one, RecipientState.QUEUED, clock.now()) for one in again]
    )
    state = connection.scalar(sa.select(Campaign.state).where(Campaign.id == claim.campaign_id))
    for one in again:
        error = one.outcome.error
        assert error is not None
        values: dict[str, Any] = {"state": RecipientState.QUEUED, "address": None}
        if state not in OPEN:
            cancelled = state == CampaignState.CANCELLED
            values["state"] = RecipientState.CANCELLED if cancelled else RecipientState.FAILED
        elif not error.provider_wide:
            values |= _wait_or_give_up(connection, one)
        connection.execute(
            sa.update(Recipient)
            .where(
                Recipient.campaign_id == claim.campaign_id,
                Recipient.person_id == one.intent.message.person_id,
                _ON_WIRE_OR_IN_DOUBT,
            )
            .values(**values)
        )
    return list(again)


def _wait_or_give_up(connection: sa.Connection, one: Finished) -> dict[str, Any]:
    message = one.intent.message
    tries = connection.scalar(
        sa.select(sa.func.count())
        .select_from(Attempt)
        .where(
            Attempt.campaign_id == message.campaign_id,
            Attempt.person_id == message.person_id,
            Attempt.outcome == RecipientState.QUEUED,
        )
    )
    assert tries is not None
    if tries >= MOST_TRIES:
        return {"state": RecipientState.FAILED}
    # Somebody's full mailbox is not emptied in a minute; jitter spreads those who wait.
    seconds = FIRST_WAIT * 4 ** (tries - 1) * random.uniform(0.75, 1.0)
    return {
        "not_before": clock.now() + timedelta(seconds=seconds),
        "held_reason": Reason.PROVIDER_BUSY,
    }


def take_back_reservation(connection: sa.Connection, people: list[int]) -> None:
    """Let the message before, if any, be again the last one of people whom nothing reached."""
    if not people:
        return
    last = (
        sa.select(sa.func.max(Attempt.started_at))
        .where(
            Attempt.person_id == PersonFacts.person_id,
            sa.or_(
                Attempt.outcome.is_(None),
                Attempt.outcome.not_in([RecipientState.FAILED, RecipientState.QUEUED]),
            ),
            Attempt.resolution.is_distinct_from("again"),
        )
        .scalar_subquery()
    )
    connection.execute(
        sa.update(PersonFacts)
        .where(IsOneOf(PersonFacts.person_id, sa.literal(people, IdList)))
        .values(last_message_at=last)
    )


def opt_out_at_carrier(finished: Sequence[Finished]) -> None:
    """Opt out here whom the carrier has on its own stop list, in a transaction of its own."""
    stopped = [
        one.intent.message
        for one in finished
        if one.outcome.error is not None and one.outcome.error.opted_out
    ]
    if not stopped:
        return
    with write():
        suppress_addresses(
            stopped[0].organisation_id,
            Channel(stopped[0].channel),
            {message.address for message in stopped},
            "carrier",
            clock.now(),
        )


def doubt_unfinished(claim: Claim, state: CampaignState) -> int:
    """Settle what an earlier owner left: what was on the wire is in doubt, what was not is queued.

    Nobody knows whether the requests on the wire went out, so they are never sent again by
    themselves. Returns how many those are.
    """
    with write():
        renew_claim(claim, state)
        unfinished = (
            Attempt.campaign_id == claim.campaign_id,
            Attempt.outcome.is_(None),
            Attempt.fence < claim.fence,
        )
        doubted = _move(
            claim.campaign_id,
            RecipientState.WIRING,
            RecipientState.IN_DOUBT,
            Recipient.person_id.in_(sa.select(Attempt.person_id).where(*unfinished)),
        )
        db.session.execute(
            sa.update(Attempt)
            .where(*unfinished)
            .values(outcome=RecipientState.IN_DOUBT, finished_at=clock.now())
            .execution_options(synchronize_session=False)
        )
        _move(claim.campaign_id, RecipientState.CLAIMED, RecipientState.QUEUED, address=None)
        return len(doubted)


def _move(
    campaign_id: int,
    source: RecipientState,
    target: RecipientState,
    *conditions: sa.ColumnElement[bool],
    **values: Any,
) -> Collection[Any]:
    return db.session.execute(
        sa.update(Recipient)
        .where(Recipient.campaign_id == campaign_id, Recipient.state == source, *conditions)
        .values(state=target, **values)
        .returning(Recipient.person_id)
        .execution_options(synchronize_session=False)
    ).all()
