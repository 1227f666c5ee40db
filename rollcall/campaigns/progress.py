"""How far a campaign is while it goes out: done, in all, how fast, and who waits for what."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rollcall import clock
from rollcall.extensions import db
from rollcall.models import Campaign, CampaignState, Reason, Recipient, RecipientState

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
