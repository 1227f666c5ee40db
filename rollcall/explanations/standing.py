"""How people stand in a campaign: their rows of its lists, and what was tried to reach them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import Attempt, LeftOut, Reason, Recipient, RecipientState
from rollcall.models.types import IdList, IsOneOf


@dataclass
class Standing:
    """One person in one campaign, as it is stored."""

    recipient: Recipient | None = None
    at_creation: Reason | None = None
    at_send: Reason | None = None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def on_estimate(self) -> bool:
        """Return whether the person is on the list that was frozen."""
        return self.recipient is not None and self.recipient.in_estimate

    @property
    def change(self) -> str | None:
        """Return kept, joined or left; None for somebody on neither list."""
        if self.recipient is None:
            return None
        if not self.recipient.in_final:
            return "left"
        return "kept" if self.recipient.in_estimate else "joined"

    @property
    def last_attempt(self) -> Attempt | None:
        """Return the newest attempt to reach the person."""
        return self.attempts[-1] if self.attempts else None

    @property
    def decided(self) -> Attempt | None:
        """Return the last attempt in doubt on which staff decided."""
        return next((one for one in reversed(self.attempts) if one.resolution), None)

    @property
    def message_sent(self) -> Attempt | None:
        """Return the newest attempt that went out, or may have."""
        states = (RecipientState.SENT, RecipientState.DELIVERED, RecipientState.IN_DOUBT)
        return next((one for one in reversed(self.attempts) if one.outcome in states), None)


def read_standings(campaign_id: int, people: Sequence[int]) -> dict[int, Standing]:
    """Return how each of these people stands in the campaign, by three queries."""
    found = {person_id: Standing() for person_id in people}
    some = sa.literal(list(people), IdList)
    recipients = sa.select(Recipient).where(
        Recipient.campaign_id == campaign_id, IsOneOf(Recipient.person_id, some)
    )
    for row in db.session.scalars(recipients):
        found[row.person_id].recipient = row
    left_out = sa.select(LeftOut.person_id, LeftOut.at_creation, LeftOut.at_send).where(
        LeftOut.campaign_id == campaign_id, IsOneOf(LeftOut.person_id, some)
    )
    for row in db.session.execute(left_out):
        standing = found[row.person_id]
        standing.at_creation, standing.at_send = row.at_creation, row.at_send
    attempts = (
        sa.select(Attempt)
        .where(Attempt.campaign_id == campaign_id, IsOneOf(Attempt.person_id, some))
        .order_by(Attempt.id)
    )
    for attempt in db.session.scalars(attempts):
        found[attempt.person_id].attempts.append(attempt)
    return found
