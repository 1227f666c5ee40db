"""Which campaigns are due, and the claim by which one process owns one of them."""

import os
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, scheduler_actor
from rollcall.campaigns.alerts import watch_missed
from rollcall.campaigns.states import change_state
from rollcall.errors import Conflict
from rollcall.extensions import db, write
from rollcall.models import Campaign, CampaignState
from rollcall.sql import PreparedStatement

LEASE = timedelta(seconds=60)  # unless the settings say otherwise
BEGUN = (CampaignState.PREPARING, CampaignState.SENDING)
OWNED = (*BEGUN, CampaignState.CANCELLED)


@lru_cache
def _name_process(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{uuid.uuid4().hex[:8]}"


def this_process() -> str:
    """Return the name by which this process owns campaigns; a fork has one of its own."""
    return _name_process(os.getpid())


@dataclass(frozen=True)
class Claim:
    """The right to work on one campaign, until the lease ends or a higher fence is set."""

    campaign_id: int
    organisation_id: int
    fence: int
    lease: timedelta = LEASE


class ClaimLost(Exception):
    """Somebody paused or cancelled the campaign, or another process has taken it over."""


def find_due_campaigns(limit: int = 50) -> list[int]:
    """Return the campaigns that wait to be started or taken over, the longest waiting first."""
    now = clock.now()
    free = sa.or_(Campaign.lease_until.is_(None), Campaign.lease_until <= now)
    statement = (
        sa.select(Campaign.id)
        .where(
            sa.or_(
                sa.and_(Campaign.state == CampaignState.SCHEDULED, Campaign.scheduled_at <= now),
                sa.and_(Campaign.state.in_(BEGUN), free),
                # Cancelled by staff, and never given back by a process that died on the wire.
                sa.and_(
                    Campaign.state == CampaignState.CANCELLED, Campaign.owner.is_not(None), free
                ),
            )
        )
        .order_by(Campaign.scheduled_at, Campaign.id)
        .limit(limit)
    )
    return list(db.session.scalars(statement))


def claim_campaign(campaign_id: int, lateness: timedelta, lease: timedelta = LEASE) -> Claim | None:
    """Claim a due campaign: of all processes that try, one gets it and the others None.

    One that was due longer ago than `lateness`, or was begun and then left alone for so long, is
    not sent by itself any more: it waits for a decision, or is paused, and None is returned.
    """
    with write():
        now = clock.now()
        row = _read_due(campaign_id, now)
        if row is None or not _make_ready(row, now, lateness):
            return None
        claimed = db.session.execute(
            sa.update(Campaign)
            .where(
                Campaign.id == campaign_id,
                Campaign.fence == row.fence,
                Campaign.state.in_(OWNED),
                sa.or_(Campaign.lease_until.is_(None), Campaign.lease_until <= now),
            )
            .values(owner=this_process(), fence=row.fence + 1, lease_until=now + lease)
            .returning(Campaign.id)
            .execution_options(synchronize_session=False)
        ).all()
        if not claimed:
            return None
        return Claim(campaign_id, row.organisation_id, row.fence + 1, lease)


def _read_due(campaign_id: int, now: datetime) -> Any | None:
    row = db.session.execute(
        sa.select(
            Campaign.id,
            Campaign.organisation_id,
            Campaign.name,
            Campaign.state,
            Campaign.version,
            Campaign.scheduled_at,
            Campaign.fence,
            Campaign.lease_until,
        ).where(Campaign.id == campaign_id)
    ).one_or_none()
    if row is None or (row.scheduled_at is not None and row.scheduled_at > now):
        return None
    return row


def _make_ready(row: Any, now: datetime, lateness: timedelta) -> bool:
    """Bring a due campaign into a state that can be claimed, or stop it where it is too late."""
    actor = scheduler_actor(row.organisation_id)
    since = row.scheduled_at if row.state == CampaignState.SCHEDULED else row.lease_until
    late = since is not None and now - since > lateness
    try:
        if late and row.state != CampaignState.CANCELLED:
            _stop_late(actor, row, lateness)
            return False
        if row.state == CampaignState.SCHEDULED:
            # At the version that was read as due: an edit may have moved it since.
            change_state(actor, row.id, "prepare", version=row.version, fence=row.fence)
    except Conflict:
        return False  # somebody has done something with it at this moment: the next look sees what
    return True


def _stop_late(actor: Actor, row: Any, lateness: timedelta) -> None:
    sending = row.state == CampaignState.SENDING
    if sending:
        note = _left_alone(lateness)
        change_state(actor, row.id, "pause", version=row.version, state_note=note)
    else:
        values = {"state_note": _missed(lateness), "review_since": clock.now()}
        change_state(actor, row.id, "stop_for_review", version=row.version, **values)
    watch_missed(row.id, row.organisation_id)


def _left_alone(lateness: timedelta) -> str:
    hours = lateness / timedelta(hours=1)
    return (
        f"Rollcall was stopped in the middle of sending, more than {hours:g} hours ago, so it "
        "asks before sending the rest late. Resume it, or cancel it."
    )


def _missed(lateness: timedelta) -> str:
    hours = lateness / timedelta(hours=1)
    return (
        f"Rollcall was not running when this was due, more than {hours:g} hours ago, "
        "so it asks before sending it late."
    )


_RENEW = PreparedStatement(
    sa.update(Campaign)
    .where(
        Campaign.id == sa.bindparam("b_campaign_id"),
        Campaign.fence == sa.bindparam("b_fence"),
        Campaign.owner == sa.bindparam("b_owner"),
        Campaign.state == sa.bindparam("b_state"),
    )
    .values(lease_until=sa.bindparam("b_until")),
    ["b_campaign_id", "b_fence", "b_owner", "b_state", "b_until"],
)


def renew_claim(claim: Claim, state: CampaignState) -> None:
    """Extend the lease inside the caller's transaction; raises ClaimLost if it no longer holds.

    The campaign must still be in `state`: this is where a pause or cancellation stops sending.
    """
    renewed = _RENEW.run(
        db.session.connection(),
        {
            "b_campaign_id": claim.campaign_id,
            "b_fence": claim.fence,
            "b_owner": this_process(),
            "b_state": state,
            "b_until": clock.now() + claim.lease,
        },
    ).rowcount
    if not renewed:
        raise ClaimLost(f"campaign {claim.campaign_id} is no longer ours to send")


def release_claim(claim: Claim, until: datetime | None = None) -> None:
    """Give the campaign back, so that any process may take it at once, or from `until` on."""
    with write():
        db.session.execute(
            sa.update(Campaign)
            .where(Campaign.id == claim.campaign_id, Campaign.fence == claim.fence)
            # The lease ends now and not at no time: what lies long ago is not taken up again.
            .values(owner=None, lease_until=until or clock.now())
            .execution_options(synchronize_session=False)
        )
