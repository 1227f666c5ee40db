"""From the list to the wire: recipients are claimed in batches, judged once more, written down.

A claim costs nothing if it is lost: people who were claimed but not written down go back to the
queue. What is written down, the intent, is the last durable step before the network.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import aliased

from rollcall import clock
from rollcall.audience.query import address_column, exclusion_reason
from rollcall.extensions import db, write
from rollcall.messages.quiet import daily_limit
from rollcall.models import (
    Attempt,
    Campaign,
    CampaignState,
    Channel,
    Person,
    PersonFacts,
    QuietHours,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.models.types import IdList, IsOneOf, UTCDateTime
from rollcall.sending.claims import Claim, renew_claim
from rollcall.sending.content import Content, Intent, Ready, give_token, prepare_message
from rollcall.sending.installation import SendMark, raise_mark
from rollcall.sql import PreparedStatement

log = structlog.get_logger()

# A recipient at whom the process died so often is not tried again.
MOST_CLAIMS = 3


@dataclass(frozen=True)
class Batch:
    """Recipients that this process has claimed, and where the list goes on."""

    rows: Sequence[Any]
    cursor: int | None  # the last person looked at; None at the end of the list
    mark: SendMark | None
    suspect: bool  # somebody at whom a process died: nobody else should be on the wire meanwhile


def claim_recipients(claim: Claim, content: Content, after: int, size: int) -> Batch:
    """Claim the next `size` recipients beyond person id `after`.

    Whoever was claimed before by a process that then died is claimed alone, so that one
    recipient who makes it die harms no other. Raises ClaimLost where the campaign was paused,
    cancelled or taken over.
    """
    with write():
        renew_claim(claim, CampaignState.SENDING)
        now = clock.now()
        rows = _alone_if_suspect(_next_recipients(content, now, after, size))
        if not rows:
            return Batch([], None, None, False)
        mark = raise_mark()
        taken: set[str | None] = set()
        claimed = []
        for row in rows:
            reason = _reason_not_to_claim(row, taken)
            if reason is not None:
                _hold_back(claim.campaign_id, [row.person_id], reason)
                continue
            taken.add(row.address)
            claimed.append(row)
        _claim(content.channel).run(
            db.session.connection(),
            {"b_campaign_id": claim.campaign_id, "b_people": [row.person_id for row in claimed]},
        )
        return Batch(claimed, rows[-1].person_id, mark, rows[0].claims > 0)


def _alone_if_suspect(rows: Sequence[Any]) -> Sequence[Any]:
    suspect = next((place for place, row in enumerate(rows) if row.claims > 0), None)
    if suspect is None:
        return rows
    return rows[:suspect] if suspect else rows[:1]


def _reason_not_to_claim(row: Any, taken: Collection[str | None]) -> Reason | None:
    if row.claims >= MOST_CLAIMS:
        log.error("recipient set aside", person_id=row.person_id, claims=row.claims)
        return Reason.SET_ASIDE
    # Nobody shares an address that they have lost; that is found when each is judged.
    shared = row.address is not None and (row.taken or row.address in taken)
    return Reason.DUPLICATE_ADDRESS if shared else None


def _next_recipients(content: Content, now: datetime, after: int, size: int) -> Sequence[Any]:
    values = {
        "b_campaign_id": content.campaign_id,
        "b_after": after,
        "b_now": now,
        "b_size": size,
    }
    return _next(content.channel).run(db.session.connection(), values).all()


@cache
def _next(channel: Channel) -> PreparedStatement:
    # The cursor keeps this a short walk along the primary key, however many are sent already.
    address = address_column(channel)
    other = aliased(Recipient)
    taken = sa.exists().where(
        other.campaign_id == sa.bindparam("b_campaign_id"), other.address == address
    )
    statement = (
        sa.select(
            Recipient.person_id,
            Recipient.claims,
            address.label("address"),
            taken.label("taken"),
            Person.first_name,
            Person.last_name,
            Person.hash,
            PersonFacts.phone_country,
        )
        .join(PersonFacts, PersonFacts.person_id == Recipient.person_id)
        .join(Person, Person.id == Recipient.person_id)
        .where(
            Recipient.campaign_id == sa.bindparam("b_campaign_id"),
            Recipient.person_id > sa.bindparam("b_after"),
            Recipient.state == RecipientState.QUEUED,
            sa.or_(Recipient.not_before.is_(None), Recipient.not_before <= sa.bindparam("b_now")),
        )
        .order_by(Recipient.person_id)
        .limit(sa.bindparam("b_size"))
    )
    return PreparedStatement(statement, ["b_campaign_id", "b_after", "b_now", "b_size"])


@cache
def _claim(channel: Channel) -> PreparedStatement:
    # The address is set here, and unique within the campaign: nobody twice, whatever comes.
    address = sa.select(address_column(channel)).where(Person.id == Recipient.person_id)
    statement = (
        sa.update(Recipient)
        .where(*_THESE_RECIPIENTS, Recipient.state == RecipientState.QUEUED)
        .values(
            state=RecipientState.CLAIMED,
            claims=Recipient.claims + 1,
            address=address.scalar_subquery(),
        )
    )
    return PreparedStatement(statement, ["b_campaign_id", "b_people"])


_THESE_RECIPIENTS = (
    Recipient.campaign_id == sa.bindparam("b_campaign_id"),
    IsOneOf(Recipient.person_id, sa.bindparam("b_people", type_=IdList)),
)


def prepare_batch(claim: Claim, content: Content, batch: Batch) -> list[Ready]:
    """Fill in the texts; somebody for whom that fails is set aside, the others unharmed."""
    ready = []
    for row in batch.rows:
        try:
            ready.append(prepare_message(content, row))
        except Exception:
            log.exception("message can't be filled in", person_id=row.person_id)
            with write():
                _hold_back(claim.campaign_id, [row.person_id], Reason.SET_ASIDE)
    return ready


def unclaim_recipients(claim: Claim, people: list[int]) -> None:
    """Queue again whom this process claimed and did not get to, if the campaign is still its."""
    if not people:
        return
    with write():
        fence = db.session.scalar(sa.select(Campaign.fence).where(Campaign.id == claim.campaign_id))
        if fence != claim.fence:
            return  # whoever took over has queued them again
        _update_recipients(
            claim.campaign_id,
            people,
            state=RecipientState.QUEUED,
            claims=Recipient.claims - 1,
            address=None,
        )


def _update_recipients(campaign_id: int, people: list[int], **values: Any) -> None:
    if not people:
        return
    db.session.execute(
        sa.update(Recipient)
        .where(
            Recipient.campaign_id == campaign_id,
            IsOneOf(Recipient.person_id, sa.literal(people, IdList)),
            Recipient.state.in_([RecipientState.QUEUED, RecipientState.CLAIMED]),
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _hold_back(campaign_id: int, people: list[int], reason: Reason) -> None:
    _update_recipients(
        campaign_id,
        people,
        state=RecipientState.HELD_BACK,
        held_reason=reason,
        held_at=clock.now(),
        not_before=None,
        address=None,
    )


def write_intents(
    claim: Claim, content: Content, ready: Sequence[Ready], provider: str
) -> list[Intent]:
    """Write down who of these is about to be messaged, inside the caller's transaction.

    The claim must have been renewed in the same transaction. Whoever may not be messaged (any
    more) is held back with the reason, or waits. Returns the messages that go to the wire, each
    with its token.
    """
    now = clock.now()
    judged = _judge(content, [one.person_id for one in ready], now)
    intents: list[Intent] = []
    for one in ready:
        if judged.get(one.person_id) == Reason.REACHABLE:
            intents.append(give_token(content, one))
    _store_intents(claim, provider, intents, now)
    return intents


def _judge(content: Content, people: list[int], now: datetime) -> dict[int, Reason]:
    """Say of each whether they may be messaged now, and hold back or let wait those who may not."""
    values: dict[str, Any] = {"b_people": people}
    if content.window_hours:
        values["b_cutoff"] = now - timedelta(hours=content.window_hours)
    statement = _facts_statement(content.channel, bool(content.window_hours))
    rows = statement.run(db.session.connection(), values).all()
    judged = dict.fromkeys(people, Reason.SET_ASIDE)  # whoever has lost the facts row
    for row in rows:
        judged[row.person_id] = Reason(row.reason)
    for row in rows:
        if judged[row.person_id] is Reason.REACHABLE:
            judged[row.person_id] = _judge_hour(content, row, now)
    for reason in set(judged.values()) - {Reason.REACHABLE, Reason.QUIET_HOURS}:
        held = [person_id for person_id, found in judged.items() if found is reason]
        _hold_back(content.campaign_id, held, reason)
    return judged


@cache
def _facts_statement(channel: Channel, window: bool) -> PreparedStatement:
    cutoff = sa.bindparam("b_cutoff", type_=UTCDateTime) if window else None
    statement = (
        sa.select(
            PersonFacts.person_id,
            PersonFacts.phone_zones,
            exclusion_reason(channel, cutoff).label("reason"),
        )
        .where(IsOneOf(PersonFacts.person_id, sa.bindparam("b_people", type_=IdList)))
        .order_by(PersonFacts.person_id)
        # What another process is changing of these people, a reservation or an opt-out, is
        # waited for; in the order of their ids, so that no two processes wait for each other.
        .with_for_update()
    )
    return PreparedStatement(statement, ["b_people", "b_cutoff"] if window else ["b_people"])


def _judge_hour(content: Content, row: Any, now: datetime) -> Reason:
    if content.not_after is not None and now > content.not_after:
        return Reason.EXPIRED
    if content.channel != Channel.SMS or content.quiet.mode == QuietHours.OVERRIDE:
        return Reason.REACHABLE
    until = content.quiet.judge(row.phone_zones, now)
    if until is None and content.quiet.window is not None:
        until = _until_below_daily_limit(row, now)
    if until is None:
        return Reason.REACHABLE
    if content.quiet.mode == QuietHours.SKIP:
        _hold_back(content.campaign_id, [row.person_id], Reason.QUIET_HOURS)
    else:
        _update_recipients(
            content.campaign_id,
            [row.person_id],
            state=RecipientState.QUEUED,
            claims=0,
            address=None,
            held_reason=Reason.QUIET_HOURS,
            not_before=until,
        )
    return Reason.QUIET_HOURS


def _until_below_daily_limit(row: Any, now: datetime) -> datetime | None:
    """Return when somebody under a law that counts messages a day may get another one."""
    limit = daily_limit(row.phone_zones)
    if limit is None:
        return None
    day = timedelta(days=1)
    recent = db.session.scalars(
        sa.select(Attempt.started_at)
        .where(
            Attempt.person_id == row.person_id,
            Attempt.started_at > now - day,
            sa.or_(
                Attempt.outcome.is_(None),
                Attempt.outcome.not_in([RecipientState.FAILED, RecipientState.QUEUED]),
            ),
        )
        .order_by(Attempt.started_at.desc())
        .limit(limit)
    ).all()
    return recent[-1] + day if len(recent) == limit else None


def _store_intents(claim: Claim, provider: str, intents: Sequence[Intent], now: datetime) -> None:
    if not intents:
        return
    connection = db.session.connection()
    _INSERT_ATTEMPT.run(
        connection,
        [
            {
                "campaign_id": claim.campaign_id,
                "person_id": intent.message.person_id,
                "token": intent.message.token,
                "fence": claim.fence,
                "started_at": now,
                "provider": provider,
                "parts": intent.parts,
                "cost": intent.cost,
            }
            for intent in intents
        ],
    )
    people = [intent.message.person_id for intent in intents]
    _TO_THE_WIRE.run(connection, {"b_campaign_id": claim.campaign_id, "b_people": people})
    # From here on every other campaign sees these people as messaged: the reservation is
    # part of the intent's own transaction.
    _RESERVE.run(connection, {"b_people": people, "b_now": now})


_INSERT_ATTEMPT = PreparedStatement(
    sa.insert(Attempt),
    ["campaign_id", "person_id", "token", "fence", "started_at", "provider", "parts", "cost"],
)

_TO_THE_WIRE = PreparedStatement(
    sa.update(Recipient)
    .where(*_THESE_RECIPIENTS)
    .values(state=RecipientState.WIRING, claims=0, held_reason=None, not_before=None),
    ["b_campaign_id", "b_people"],
)

_RESERVE = PreparedStatement(
    sa.update(PersonFacts)
    .where(IsOneOf(PersonFacts.person_id, sa.bindparam("b_people", type_=IdList)))
    .values(last_message_at=sa.bindparam("b_now")),
    ["b_people", "b_now"],
)


def expire_waiting(claim: Claim, content: Content) -> None:
    """Hold back everybody who is still queued once the campaign's "not after" time has passed."""
    if content.not_after is None or clock.now() <= content.not_after:
        return
    with write():
        renew_claim(claim, CampaignState.SENDING)
        db.session.execute(
            sa.update(Recipient)
            .where(
                Recipient.campaign_id == claim.campaign_id,
                Recipient.state == RecipientState.QUEUED,
            )
            .values(
                state=RecipientState.HELD_BACK,
                held_reason=Reason.EXPIRED,
                held_at=clock.now(),
                not_before=None,
            )
            .execution_options(synchronize_session=False)
        )


def next_moment(campaign_id: int) -> datetime | None:
    """Return when the next of the queued recipients may go; None where nobody is queued."""
    now = clock.now()
    first = db.session.execute(
        sa.select(
            sa.func.min(sa.func.coalesce(Recipient.not_before, sa.literal(now))).label("at")
        ).where(Recipient.campaign_id == campaign_id, Recipient.state == RecipientState.QUEUED)
    ).scalar_one_or_none()
    db.session.commit()
    return first
