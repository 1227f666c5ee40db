"""What became of a campaign, and how far it is: every figure derived from its recipients' rows."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.extensions import db
from rollcall.models import (
    Attempt,
    AudienceSource,
    Campaign,
    CampaignState,
    Reason,
    Recipient,
    RecipientState,
)

CHANGES = ("kept", "joined", "left")
COSTING = (RecipientState.SENT, RecipientState.DELIVERED, RecipientState.IN_DOUBT)


@dataclass(frozen=True)
class RecipientCount:
    """A number of recipients that are alike in everything that a result asks for."""

    in_estimate: bool
    in_final: bool
    left_reason: Reason | None
    final_source: AudienceSource | None
    state: RecipientState
    held_reason: Reason | None
    people: int
    next_at: datetime | None = None

    @property
    def change(self) -> str:
        """Return `kept`, `joined` or `left`: what follows from the two lists."""
        if not self.in_final:
            return "left"
        return "kept" if self.in_estimate else "joined"


class Results:
    """The figures of one campaign, all from one pass over its recipients."""

    def __init__(self, tallies: list[RecipientCount], cost: Decimal, sms_parts: int) -> None:
        self._tallies = tallies
        self.cost = cost
        self.sms_parts = sms_parts
        self.changes = self._count(lambda tally: tally.change)
        self.states = self._count(lambda tally: tally.state, final_only=True)
        self.left_by_reason = self._count(
            lambda tally: tally.left_reason.key if tally.left_reason is not None else None
        )
        self.held_by_reason = self._count_held(RecipientState.HELD_BACK)
        # Of somebody queued the reason is what they wait for.
        self.waiting = self._count_held(RecipientState.QUEUED)
        self.next_at = min(
            (
                tally.next_at
                for tally in tallies
                if tally.state == RecipientState.QUEUED and tally.next_at is not None
            ),
            default=None,
        )
        self.joined_by_source = self._count(
            lambda tally: (
                tally.final_source.key
                if tally.change == "joined" and tally.final_source is not None
                else None
            )
        )

    def _count(
        self, key: Callable[[RecipientCount], Any], final_only: bool = False
    ) -> Counter[Any]:
        counted: Counter[Any] = Counter()
        for tally in self._tallies:
            found = key(tally)
            if found is not None and (tally.in_final or not final_only):
                counted[found] += tally.people
        return counted

    def _count_held(self, state: RecipientState) -> Counter[str]:
        return self._count(
            lambda tally: (
                tally.held_reason.key
                if tally.state == state and tally.held_reason is not None
                else None
            )
        )

    def state(self, *states: RecipientState) -> int:
        """Return how many people of the final list are in one of the states."""
        return sum(self.states[state] for state in states)

    @property
    def audience(self) -> int:
        """Return how many people the final list holds: the sum over all states, always."""
        return sum(self.states.values())

    @property
    def pending(self) -> int:
        """Return how many messages have not come to an end yet."""
        return self.state(RecipientState.QUEUED, RecipientState.CLAIMED, RecipientState.WIRING)

    @property
    def done_percent(self) -> int:
        """Return how far sending is, from 0 to 100, rounded down; 100 for an empty list."""
        return 100 * (self.audience - self.pending) // self.audience if self.audience else 100

    def to_json(self, currency: str) -> dict[str, Any]:
        """Return the results as in the contract; money as a decimal text."""
        return {
            "sent": self.state(RecipientState.SENT),
            "delivered": self.state(RecipientState.DELIVERED),
            "failed": self.state(RecipientState.FAILED),
            "held_back": self.state(RecipientState.HELD_BACK),
            "held_back_by_reason": dict(self.held_by_reason),
            "in_doubt": self.state(RecipientState.IN_DOUBT),
            "pending": self.pending,
            "waiting": dict(self.waiting),
            "next_at": self.next_at.strftime("%Y-%m-%dT%H:%M:%SZ") if self.next_at else None,
            "cancelled": self.state(RecipientState.CANCELLED),
            "cost": format_cost(self.cost),
            "currency": currency,
            "sms_parts": self.sms_parts,
        }


def format_cost(cost: Decimal) -> str:
    """Return an amount rounded half up to hundredths, as a decimal text."""
    return str(cost.quantize(Decimal("0.01"), ROUND_HALF_UP))


def campaign_results(campaign_id: int) -> Results:
    """Return the figures of a campaign from two statements."""
    columns = (
        Recipient.in_estimate,
        Recipient.in_final,
        Recipient.left_reason,
        Recipient.final_source,
        Recipient.state,
        Recipient.held_reason,
    )
    rows = db.session.execute(
        sa.select(*columns, sa.func.count(), sa.func.min(Recipient.not_before))
        .where(Recipient.campaign_id == campaign_id)
        .group_by(*columns)
    )
    tallies = [RecipientCount(*row) for row in rows]
    cost, parts = db.session.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(Attempt.cost), Decimal(0)),
            sa.func.coalesce(sa.func.sum(Attempt.parts), 0),
        ).where(Attempt.campaign_id == campaign_id, Attempt.outcome.in_(COSTING))
    ).one()
    return Results(tallies, cost, int(parts))


_PENDING = (RecipientState.QUEUED, RecipientState.CLAIMED, RecipientState.WIRING)


@dataclass(frozen=True)
class Wait:
    """People whose messages are to go later, for one reason, and when the first of them may."""

    reason: Reason
    people: int
    next_at: datetime | None


@dataclass(frozen=True)
class Progress:
    """`rate` is in messages a second since the start; None while it can't be known."""

    done: int
    total: int
    rate: float | None
    waits: tuple[Wait, ...] = ()

    @property
    def waiting(self) -> int:
        """Return how many people wait for a time that is still to come."""
        return sum(wait.people for wait in self.waits)

    @property
    def only_waits(self) -> bool:
        """Return whether everybody who is left waits, so that nothing moves by itself now."""
        return self.waiting > 0 and self.done + self.waiting == self.total

    @property
    def seconds_left(self) -> float | None:
        """Return how long it takes at the same rate, None where that can't be known."""
        return (self.total - self.done) / self.rate if self.rate else None


def sending_progress(campaign: Campaign) -> Progress:
    """Return how many of the final list have come to an end, counted from their rows."""
    rows = db.session.execute(
        sa.select(
            Recipient.state,
            Recipient.held_reason,
            sa.func.count(),
            sa.func.min(Recipient.not_before),
        )
        .where(Recipient.campaign_id == campaign.id, Recipient.in_final.is_(True))
        .group_by(Recipient.state, Recipient.held_reason)
    ).all()
    total = sum(people for _, _, people, _ in rows)
    done = sum(people for state, _, people, _ in rows if state not in _PENDING)
    waits = tuple(
        Wait(reason, people, next_at)
        for state, reason, people, next_at in rows
        if state == RecipientState.QUEUED and reason is not None
    )
    # Hours in which everybody waits would count as slowness.
    has_waited = any(next_at is not None for *_, next_at in rows)
    rate = None if has_waited else _rate(campaign, done, clock.now())
    return Progress(done, total, rate, waits)


def _rate(campaign: Campaign, done: int, now: datetime) -> float | None:
    # A pause would count as slowness, so that no rate is told where there was or is one.
    if campaign.state != CampaignState.SENDING or campaign.sent_started_at is None or not done:
        return None
    seconds = (now - campaign.sent_started_at).total_seconds()
    return done / seconds if seconds > 0 else None
