"""The final list: the one frozen at scheduling, or the criteria run again on today's data.

The difference is stored completely before the first message: who stayed, who joined, who
left and why. Frozen campaigns need no row rewritten, since the final list begins as the
estimate.
"""

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from rollcall import clock
from rollcall.actors import scheduler_actor
from rollcall.audience.criteria import Criteria
from rollcall.audience.funnel import Funnel
from rollcall.audience.staging import staged, staged_audience
from rollcall.campaigns.drafts import campaign_criteria
from rollcall.campaigns.states import change_state
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    OnFailure,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.sending.claims import Claim, renew_claim
from rollcall.snapshots.campaigns import audience_snapshot

log = structlog.get_logger()


class ReprocessFailed(Exception):
    """The criteria could not be run again; the text says why."""


@dataclass(frozen=True)
class _Plan:
    """What of the campaign decides how its final list comes about."""

    channel: Channel
    reprocess: bool
    criteria_text: str | None
    on_failure: OnFailure
    resolved: bool


def resolve_audience(claim: Claim) -> bool:
    """Store the final list and return True, or fail the campaign and return False.

    Does nothing where an earlier owner of the campaign has stored it already. Raises
    ClaimLost where the campaign is no longer ours.
    """
    plan = _read_plan(claim.campaign_id)
    if plan.resolved:
        return True
    if not plan.reprocess:
        _use_estimate(claim)
        return True
    if not plan.criteria_text:
        _use_estimate(
            claim, "The campaign had no criteria to run again, so the estimate list was used."
        )
        return True
    try:
        _reprocess(claim, plan)
    except ReprocessFailed as error:
        log.warning("reprocess failed", campaign_id=claim.campaign_id, error=str(error))
        return _after_failure(claim, plan, str(error))
    return True


def _read_plan(campaign_id: int) -> _Plan:
    campaign = db.session.get_one(Campaign, campaign_id, populate_existing=True)
    reprocess = campaign.audience_mode == AudienceMode.REPROCESS
    return _Plan(
        channel=Channel(campaign.channel),
        reprocess=reprocess and campaign.review_decision != "estimate",
        criteria_text=campaign.targeting_criteria,
        on_failure=OnFailure(campaign.on_failure),
        resolved=campaign.final_at is not None,
    )


def _use_estimate(claim: Claim, note: str = "", error: str | None = None) -> None:
    with write():
        renew_claim(claim, CampaignState.PREPARING)
        campaign = db.session.get_one(Campaign, claim.campaign_id, populate_existing=True)
        campaign.final_at = clock.now()
        campaign.actual_recipients = campaign.estimated_recipients
        campaign.final_snapshot = campaign.estimate_snapshot
        campaign.reprocess_error = error
        if campaign.review_decision == "estimate":
            note = note or "Sent to the estimate list, as staff decided in review."
        campaign.audience_note = note


def _after_failure(claim: Claim, plan: _Plan, error: str) -> bool:
    if plan.on_failure == OnFailure.ESTIMATE:
        _use_estimate(
            claim,
            "Re-processing failed, so the estimate list was used, as the campaign asks for.",
            error,
        )
        return True
    with write():
        renew_claim(claim, CampaignState.PREPARING)
        change_state(
            scheduler_actor(claim.organisation_id),
            claim.campaign_id,
            "fail",
            fence=claim.fence,
            reprocess_error=error,
            state_note="Re-processing the audience failed, so nothing was sent.",
            completed_at=clock.now(),
        )
        db.session.execute(
            sa.update(Recipient)
            .where(
                Recipient.campaign_id == claim.campaign_id,
                Recipient.state == RecipientState.QUEUED,
            )
            .values(state=RecipientState.CANCELLED)
            .execution_options(synchronize_session=False)
        )
    return False


def _reprocess(claim: Claim, plan: _Plan) -> None:
    started = time.monotonic()
    moment = clock.now()
    try:
        criteria = _read_criteria(claim.campaign_id)
        staging = staged_audience(claim.organisation_id, criteria, plan.channel, moment)
        with staging as funnel, write():
            renew_claim(claim, CampaignState.PREPARING)
            store_difference(claim.campaign_id)
            _store_figures(claim.campaign_id, funnel, moment, started)
    except InvalidInput as error:
        raise ReprocessFailed(str(error)) from error
    except SQLAlchemyError as error:
        db.session.rollback()
        raise ReprocessFailed(f"The database could not run the criteria: {error}") from error
    except (ValueError, TypeError, ArithmeticError) as error:
        # A value that no part of the reading refused, such as half a character: the campaign
        # fails as for any other damage, instead of being tried again for ever.
        db.session.rollback()
        raise ReprocessFailed(f"The criteria can't be run: {error}") from error


def _read_criteria(campaign_id: int) -> Criteria:
    criteria = campaign_criteria(db.session.get_one(Campaign, campaign_id))
    criteria.check_chooses_somebody()
    return criteria


def _store_figures(campaign_id: int, funnel: Funnel, moment: Any, started: float) -> None:
    campaign = db.session.get_one(Campaign, campaign_id, populate_existing=True)
    campaign.final_at = campaign.reprocessed_at = moment
    campaign.actual_recipients = funnel.reachable
    campaign.final_snapshot = audience_snapshot(funnel, moment)
    campaign.reprocess_duration_ms = round((time.monotonic() - started) * 1000)


def store_difference(campaign_id: int) -> None:
    """Turn the estimate's rows into both lists, by the staged audience, in the open transaction.

    Three statements touch only who changed: those who left, with the reason; those who
    stayed but came in another way; those who joined.
    """
    estimate = (Recipient.campaign_id == campaign_id, Recipient.in_estimate.is_(True))
    _mark_left(estimate)
    _mark_new_sources(estimate)
    _add_joined(campaign_id, estimate)


_Conditions = tuple[sa.ColumnElement[bool], ...]


def _mark_left(estimate: _Conditions) -> None:
    today = sa.select(staged.c.reason).where(staged.c.person_id == Recipient.person_id)
    unmatched = sa.literal(int(Reason.CRITERIA_NO_LONGER_MET))
    # EXISTS by the index: PostgreSQL goes through a set row by row once it outgrows its memory.
    reachable = sa.exists().where(
        staged.c.person_id == Recipient.person_id, staged.c.reason == Reason.REACHABLE
    )
    db.session.execute(
        sa.update(Recipient)
        .where(*estimate, ~reachable)
        .values(
            in_final=False,
            final_source=None,
            left_reason=sa.func.coalesce(today.scalar_subquery(), unmatched),
            state=RecipientState.LEFT,
        )
        .execution_options(synchronize_session=False)
    )


def _mark_new_sources(estimate: _Conditions) -> None:
    db.session.execute(
        sa.update(Recipient)
        .where(
            *estimate,
            Recipient.in_final.is_(True),
            staged.c.person_id == Recipient.person_id,
            staged.c.source != Recipient.estimate_source,
        )
        .values(final_source=staged.c.source)
        .execution_options(synchronize_session=False)
    )


def _add_joined(campaign_id: int, estimate: _Conditions) -> None:
    known = sa.exists().where(*estimate, Recipient.person_id == staged.c.person_id)
    joined = sa.select(
        sa.literal(campaign_id),
        staged.c.person_id,
        sa.false(),
        sa.true(),
        staged.c.source,
        sa.literal(int(RecipientState.QUEUED)),
    ).where(staged.c.reason == Reason.REACHABLE, ~known)
    columns = ["campaign_id", "person_id", "in_estimate", "in_final", "final_source", "state"]
    db.session.execute(sa.insert(Recipient).from_select(columns, joined))
