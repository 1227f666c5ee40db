"""People whose message waits for their morning, when the hours that they wait for are changed."""

from datetime import datetime

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import Campaign, CampaignState, Reason, Recipient, RecipientState


def wake_quiet_waiters(organisation_id: int, now: datetime) -> None:
    """Let everybody who waits for quiet hours be looked at anew, in the caller's transaction.

    Whoever is still in their quiet hours, by the new ones, then waits again.
    """
    campaigns = sa.select(Campaign.id).where(
        Campaign.organisation_id == organisation_id,
        Campaign.state.in_([CampaignState.SENDING, CampaignState.PAUSED]),
    )
    db.session.execute(
        sa.update(Recipient)
        .where(
            Recipient.campaign_id.in_(campaigns),
            Recipient.state == RecipientState.QUEUED,
            Recipient.held_reason == Reason.QUIET_HOURS,
        )
        .values(not_before=None, held_reason=None)
        .execution_options(synchronize_session=False)
    )
    # Given back until somebody's morning: any process may take them now.
    db.session.execute(
        sa.update(Campaign)
        .where(
            Campaign.organisation_id == organisation_id,
            Campaign.state == CampaignState.SENDING,
            Campaign.owner.is_(None),
            Campaign.lease_until > now,
        )
        .values(lease_until=now)
        .execution_options(synchronize_session=False)
    )
