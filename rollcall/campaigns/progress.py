"""How far a campaign is while it goes out: done, in all, how fast, how long still."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rollcall import clock
from rollcall.extensions import db
from rollcall.models import Campaign, CampaignState, Recipient, RecipientState

_WAITING = (RecipientState.QUEUED, RecipientState.CLAIMED, RecipientState.WIRING)


@dataclass(frozen=True)
class Progress:
    """`rate` is in messages a second since the start; None while it can't be known."""

    done: int
    total: int
    rate: float | None

    @property
    def seconds_left(self) -> float | None:
        """Return how long it takes at the same rate, None where that can't be known."""
        return (self.total - self.done) / self.rate if self.rate else None


def sending_progress(campaign: Campaign) -> Progress:
    """Return how many of the final list have come to an end, counted from their rows."""
    states = db.session.execute(
        sa.select(Recipient.state, sa.func.count())
        .where(Recipient.campaign_id == campaign.id, Recipient.in_final.is_(True))
        .group_by(Recipient.state)
    ).all()
    total = sum(people for _, people in states)
    done = sum(people for state, people in states if state not in _WAITING)
    return Progress(done, total, _rate(campaign, done, clock.now()))


def _rate(campaign: Campaign, done: int, now: datetime) -> float | None:
    # A pause would count as slowness, so that no rate is told where there was or is one.
    if campaign.state != CampaignState.SENDING or campaign.sent_started_at is None or not done:
        return None
    seconds = (now - campaign.sent_started_at).total_seconds()
    return done / seconds if seconds > 0 else None
