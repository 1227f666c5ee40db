"""Delivery receipts: what providers report of a message later, in any order and any number.

What is known of a message only ever goes up: on the wire or in doubt, sent, failed, delivered. A
receipt may be faster than the answer of the send call that it is about, and an SMSC names the
message by an id that we learn from that answer only: such a receipt is kept until then.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from rollcall import clock
from rollcall.extensions import db, write
from rollcall.models import Attempt, Campaign, Channel, EarlyReceipt, Recipient, RecipientState
from rollcall.people.consent import suppress_addresses
from rollcall.people.identity import lock_people
from rollcall.providers.base import Receipt
from rollcall.providers.registry import DECLARATIONS
from rollcall.sending.outcomes import take_back_reservation
from rollcall.sending.references import database_in_reach, read_reference

log = structlog.get_logger()

EARLY_KEPT = timedelta(days=7)
MOST_IDS = 1_000  # in one query

STATES = {
    "sent": RecipientState.SENT,
    "failed": RecipientState.FAILED,
    "delivered": RecipientState.DELIVERED,
}
# What each state is above. What was never given to a provider is in none of them, so that no
# receipt touches it.
_BELOW = {
    RecipientState.SENT: (RecipientState.IN_DOUBT,),
    RecipientState.FAILED: (RecipientState.IN_DOUBT, RecipientState.SENT),
    RecipientState.DELIVERED: (
        RecipientState.IN_DOUBT,
        RecipientState.SENT,
        RecipientState.FAILED,
    ),
}


@database_in_reach()
def store_receipt(provider_name: str, receipt: Receipt) -> bool:
    """Store what a provider reports of a message; returns False where the message is not ours.

    The same receipt again, or one that says less than is known, changes nothing.
    """
    if receipt.status not in STATES:
        return False
    with write():
        attempt = _find_attempt(provider_name, receipt)
        if attempt is not None:
            _apply(attempt, receipt)
            return True
        if not _may_be_early(provider_name, receipt):
            return False
        _keep_early(provider_name, receipt)
    # The send call's answer may have been stored since we looked for its id.
    apply_early_receipts(provider_name, [receipt.provider_message_id or ""])
    return True


def apply_early_receipts(provider_name: str, provider_message_ids: Sequence[str]) -> int:
    """Apply what was reported of these messages before their ids were known; returns how much.

    Call it when the ids are committed: whoever comes second, the receipt or the answer of the
    send call, then sees the other.
    """
    applied = 0
    for start in range(0, len(provider_message_ids), MOST_IDS):
        some = list(provider_message_ids[start : start + MOST_IDS])
        # Nearly always there is none, and looking takes no lock.
        if db.session.scalar(_early(provider_name, some).with_only_columns(EarlyReceipt.id)):
            applied += _apply_early(provider_name, some)
    db.session.commit()
    return applied


def _early(provider_name: str, ids: list[str]) -> sa.Select[EarlyReceipt]:
    return (
        sa.select(EarlyReceipt)
        .where(EarlyReceipt.provider == provider_name, EarlyReceipt.provider_message_id.in_(ids))
        .order_by(EarlyReceipt.id)
    )


def _apply_early(provider_name: str, ids: list[str]) -> int:
    applied = 0
    with write():
        for kept in db.session.scalars(_early(provider_name, ids).with_for_update()).all():
            receipt = Receipt(
                status=kept.status,
                provider_message_id=kept.provider_message_id,
                error_code=kept.error_code,
                error_text=kept.error_text,
                opted_out=kept.opted_out,
            )
            attempt = _find_attempt(provider_name, receipt)
            if attempt is not None:
                _apply(attempt, receipt)
                db.session.delete(kept)
                applied += 1
    return applied


def _find_attempt(provider_name: str, receipt: Receipt) -> Any | None:
    query = (
        sa.select(
            Attempt.id,
            Attempt.campaign_id,
            Attempt.person_id,
            Attempt.outcome,
            Campaign.organisation_id,
            Campaign.channel,
        )
        .join(Campaign, Campaign.id == Attempt.campaign_id)
        .order_by(Attempt.id.desc())
        .limit(1)
        # What it was before decides what follows, so that another receipt of it waits for ours.
        .with_for_update(of=Attempt)
    )
    if receipt.reference is not None:
        reference = read_reference(receipt.reference)
        if reference is None:
            return None
        query = query.where(
            Attempt.campaign_id == reference.campaign_id,
            Attempt.person_id == reference.person_id,
            Attempt.token == reference.token,
            Attempt.provider == provider_name,
        )
    elif _is_known_by_id(provider_name) and receipt.provider_message_id:
        query = query.where(
            Attempt.provider == provider_name,
            Attempt.provider_message_id == receipt.provider_message_id,
        )
    else:
        return None
    return db.session.execute(query).one_or_none()


def _is_known_by_id(provider_name: str) -> bool:
    declaration = DECLARATIONS.get(provider_name)
    return declaration is not None and declaration.ids_in_receipts


def _may_be_early(provider_name: str, receipt: Receipt) -> bool:
    return (
        _is_known_by_id(provider_name)
        and receipt.reference is None
        and bool(receipt.provider_message_id)
        and len(receipt.provider_message_id or "") <= 120
    )


def _keep_early(provider_name: str, receipt: Receipt) -> None:
    now = clock.now()
    db.session.add(
        EarlyReceipt(
            provider=provider_name,
            provider_message_id=receipt.provider_message_id,
            status=receipt.status,
            error_code=receipt.error_code[:40],
            error_text=receipt.error_text[:300],
            opted_out=receipt.opted_out,
            received_at=now,
        )
    )
    # What nobody asked for after so long is about a message that this database does not know.
    db.session.execute(sa.delete(EarlyReceipt).where(EarlyReceipt.received_at < now - EARLY_KEPT))


def _apply(attempt: Any, receipt: Receipt) -> None:
    if receipt.opted_out:
        # Before the facts of the person, as everybody takes them who opts somebody out.
        lock_people(attempt.organisation_id)
    state = STATES[receipt.status]
    if _raise_attempt(attempt, state, receipt):
        _raise_recipient(attempt, state)
        if RecipientState.FAILED in (state, attempt.outcome):
            take_back_reservation(db.session.connection(), [attempt.person_id])
    if receipt.opted_out:
        _opt_out_at_carrier(attempt)


def _raise_attempt(attempt: Any, state: RecipientState, receipt: Receipt) -> bool:
    now = clock.now()
    failed = state == RecipientState.FAILED
    raised = db.session.execute(
        sa.update(Attempt)
        .where(
            Attempt.id == attempt.id,
            sa.or_(Attempt.outcome.is_(None), Attempt.outcome.in_(_BELOW[state])),
        )
        .values(
            outcome=state,
            receipt_at=now,
            finished_at=sa.func.coalesce(Attempt.finished_at, now),
            error_code=receipt.error_code[:40] if failed else None,
            error_text=receipt.error_text[:300] if failed else None,
        )
        .returning(Attempt.id)
        .execution_options(synchronize_session=False)
    ).all()
    if not raised:
        db.session.execute(
            sa.update(Attempt)
            .where(Attempt.id == attempt.id, Attempt.receipt_at.is_(None))
            .values(receipt_at=now)
            .execution_options(synchronize_session=False)
        )
    return bool(raised)


def _raise_recipient(attempt: Any, state: RecipientState) -> None:
    conditions = [
        Recipient.campaign_id == attempt.campaign_id,
        Recipient.person_id == attempt.person_id,
        Recipient.state.in_((RecipientState.WIRING, *_BELOW[state])),
    ]
    if state == RecipientState.FAILED:
        # Sent again since, by somebody's decision: what the first message came to says nothing
        # of the second one.
        later = sa.select(Attempt.id).where(
            Attempt.campaign_id == attempt.campaign_id,
            Attempt.person_id == attempt.person_id,
            Attempt.id > attempt.id,
        )
        conditions.append(~later.exists())
    db.session.execute(
        sa.update(Recipient)
        .where(*conditions)
        .values(state=state)
        .execution_options(synchronize_session=False)
    )


def _opt_out_at_carrier(attempt: Any) -> None:
    address = db.session.scalar(
        sa.select(Recipient.address).where(
            Recipient.campaign_id == attempt.campaign_id,
            Recipient.person_id == attempt.person_id,
        )
    )
    if address:
        channel = Channel(attempt.channel)
        suppress_addresses(attempt.organisation_id, channel, [address], "carrier", clock.now())
