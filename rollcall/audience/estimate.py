"""A campaign's list, stored before its state changes, in the same transaction (C9)."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall.audience.funnel import Funnel
from rollcall.audience.staging import staged
from rollcall.extensions import db
from rollcall.models import Campaign, LeftOut, Reason, Recipient, RecipientState
from rollcall.sql import capture_once, lock_row


def audience_snapshot(funnel: Funnel, moment: datetime) -> dict[str, Any]:
    """Return what is kept of an audience beside its people: when, how many, by source, funnel."""
    return {
        "timestamp": moment.isoformat(),
        "total": funnel.reachable,
        "by_source": funnel.by_source_json(),
        "funnel": funnel.to_json(),
    }


def freeze_staged_audience(
    campaign_id: int, funnel: Funnel, moment: datetime, anew: bool = False
) -> int:
    """Store the staged audience as the campaign's estimate, inside the caller's transaction.

    Freezing twice gives the same list: where one is stored already, it stays, unless it is to
    be made `anew`. Returns how many people are in the list.
    """
    campaign = lock_row(Campaign, campaign_id)
    if anew:
        drop_list(campaign_id)
        return _store_list(campaign, funnel, moment)
    return capture_once(
        find=lambda: campaign.estimated_recipients if campaign.frozen_at else None,
        take=lambda: _store_list(campaign, funnel, moment),
    )


def drop_list(campaign_id: int) -> None:
    """Delete the campaign's list inside the caller's transaction; never once sending has begun."""
    for table in (Recipient, LeftOut):
        db.session.execute(sa.delete(table).where(table.campaign_id == campaign_id))


def _store_list(campaign: Campaign, funnel: Funnel, moment: datetime) -> int:
    columns = (
        *("campaign_id", "person_id", "in_estimate", "in_final"),
        *("estimate_source", "final_source", "state"),
    )
    reachable = sa.select(
        sa.literal(campaign.id),
        staged.c.person_id,
        sa.true(),
        sa.true(),
        staged.c.source,
        staged.c.source,
        sa.literal(int(RecipientState.QUEUED)),
    ).where(staged.c.reason == Reason.REACHABLE)
    db.session.execute(sa.insert(Recipient).from_select(columns, reachable))
    left_out = sa.select(sa.literal(campaign.id), staged.c.person_id, staged.c.reason).where(
        staged.c.reason != Reason.REACHABLE
    )
    columns = ("campaign_id", "person_id", "at_creation")
    db.session.execute(sa.insert(LeftOut).from_select(columns, left_out))
    campaign.frozen_at = moment
    campaign.estimated_recipients = funnel.reachable
    campaign.estimate_snapshot = audience_snapshot(funnel, moment)
    return funnel.reachable
