"""The final list: the one frozen at scheduling, or the criteria run again on today's data.

The difference is stored completely before the first message: who stayed, who joined, who
left and why. Frozen campaigns need no row rewritten, since the final list begins as the
estimate. A final list whose sums do not balance is not sent to.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from rollcall import clock
from rollcall.actors import scheduler_actor
from rollcall.audience.criteria import Criteria, campaign_criteria, check_chooses_somebody
from rollcall.audience.difference import (
    count_final,
    percent_change,
    restore_estimate,
    store_difference,
)
from rollcall.audience.estimate import audience_snapshot
from rollcall.audience.funnel import Funnel
from rollcall.audience.staging import staged_audience
from rollcall.campaigns.alerts import watch_failure, watch_list
from rollcall.campaigns.guards import judge_campaign
from rollcall.campaigns.states import change_state
from rollcall.errors import InvalidInput
from rollcall.explanations.balance import find_imbalances
from rollcall.extensions import db, write
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    OnFailure,
    Recipient,
    RecipientState,
)
from rollcall.sending.claims import Claim, renew_claim
from rollcall.wording import say_change, say_people

log = structlog.get_logger()

NO_CRITERIA = "The campaign had no criteria to run again, so the estimate list was used."
FELL_BACK = "Re-processing failed, so the estimate list was used, as the campaign asks for."


class ReprocessFailed(Exception):
    """The criteria could not be run again; the text says why."""


@dataclass(frozen=True)
class SendingPlan:
    """What of the campaign decides how its final list comes about."""

    channel: Channel
    mode: AudienceMode
    criteria_text: str | None
    on_failure: OnFailure
    min_growth: int | None
    resolved: bool


def resolve_audience(claim: Claim) -> bool:
    """Store the final list and return whether it is to be sent to.

    It is not where the guards stop the campaign for review (D4), and where computing it again
    failed (D5). Does nothing where an earlier owner of the campaign has stored it already. Raises
    ClaimLost where the campaign is no longer ours.
    """
    plan = read_plan(claim.campaign_id)
    if plan.resolved:
        return True
    if not plan.mode.computes_again:
        _use_estimate(claim)
        return True
    if not plan.criteria_text:
        _use_estimate(claim, NO_CRITERIA)
        return True
    try:
        return _reprocess(claim, plan)
    except ReprocessFailed as error:
        log.warning("reprocess failed", campaign_id=claim.campaign_id, error=str(error))
        return _after_failure(claim, plan, str(error))


def read_plan(campaign_id: int) -> SendingPlan:
    """Return how the campaign's final list is to come about, as it is stored now."""
    campaign = db.session.get_one(Campaign, campaign_id, populate_existing=True)
    estimate = campaign.review_decision == "estimate"
    return SendingPlan(
        channel=Channel(campaign.channel),
        mode=AudienceMode.FROZEN if estimate else campaign.final_mode,
        criteria_text=campaign.targeting_criteria,
        on_failure=OnFailure(campaign.on_failure),
        min_growth=campaign.min_growth,
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
        if error is not None:
            watch_failure(claim.campaign_id, error, estimate=True)


def _after_failure(claim: Claim, plan: SendingPlan, error: str) -> bool:
    if plan.on_failure == OnFailure.ESTIMATE:
        _use_estimate(claim, FELL_BACK, error)
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
        watch_failure(claim.campaign_id, error, estimate=False)
    return False


def _reprocess(claim: Claim, plan: SendingPlan) -> bool:
    started = time.monotonic()
    moment = clock.now()
    again = audience_again(claim.campaign_id, claim.organisation_id, plan.channel, moment)
    with again as funnel, write():
        renew_claim(claim, CampaignState.PREPARING)
        estimate = settle_list(claim.campaign_id, plan.min_growth, funnel, moment, started)
        stopped = not estimate and _stop_for_review(claim)
        watch_list(claim.campaign_id, stopped=stopped, estimate=estimate)
        return not stopped


@contextmanager
def audience_again(
    campaign_id: int, organisation_id: int, channel: Channel, moment: datetime
) -> Iterator[Funnel]:
    """Run the criteria again as of sending at `moment`; the block gets them staged, with a funnel.

    Raises ReprocessFailed where that, or what the block does with it, can't be done.
    """
    try:
        criteria = _read_criteria(campaign_id)
        with staged_audience(organisation_id, criteria, channel, moment) as funnel:
            yield funnel
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


def settle_list(
    campaign_id: int, min_growth: int | None, funnel: Funnel, moment: datetime, started: float
) -> bool:
    """Store the list that is to be sent to, in the open transaction: sending and rehearsing do.

    Returns whether it is the estimate after all, because the audience grew too little; else
    the guards' verdict on it stands with the campaign.
    """
    store_final_list(campaign_id, funnel, moment, started)
    return _grew_too_little(campaign_id, min_growth)


def store_final_list(campaign_id: int, funnel: Funnel, moment: datetime, started: float) -> None:
    """Store both lists and their figures, by the staged audience, in the open transaction.

    `started` is when the evaluation began, by `time.monotonic`.
    """
    campaign = db.session.get_one(Campaign, campaign_id, populate_existing=True)
    store_difference(campaign_id, campaign.final_mode)
    final = count_final(campaign_id)
    campaign.final_at = campaign.reprocessed_at = moment
    campaign.actual_recipients = final.people
    # The funnel says whom the criteria give now; the list itself may follow them one way only.
    by_source = Funnel(by_source=final.by_source).by_source_json()
    campaign.final_snapshot = {
        **audience_snapshot(funnel, moment),
        "total": final.people,
        "by_source": by_source,
    }
    campaign.guard_verdict = judge_campaign(campaign, final).to_json()
    campaign.reprocess_duration_ms = round((time.monotonic() - started) * 1000)
    db.session.flush()


def _grew_too_little(campaign_id: int, min_growth: int | None) -> bool:
    """Go back to the estimate where the audience did not grow by what the campaign asks (D6)."""
    campaign = db.session.get_one(Campaign, campaign_id)
    before, after = campaign.estimated_recipients or 0, campaign.actual_recipients or 0
    enough = after > 0 if before == 0 else (after - before) * 100 >= (min_growth or 0) * before
    if min_growth is None or enough:
        return False
    change = say_change(after - before, percent_change(before, after))
    why = (
        f"The audience computed again has {say_people(after)} ({change}), which is less than the "
        f"{min_growth} % growth that the campaign asks for"
    )
    if campaign.is_dry_run:
        # Both lists are what it is run for; the guards would not have been asked.
        campaign.audience_note = f"{why}, so the real campaign would use the estimate list."
        campaign.guard_verdict = None
        return False
    use_estimate(campaign, f"{why}, so the estimate list was used.")
    return True


def _stop_for_review(claim: Claim) -> bool:
    campaign = db.session.get_one(Campaign, claim.campaign_id)
    blockers = (campaign.guard_verdict or {}).get("blockers")
    if not blockers or campaign.is_dry_run:
        return False
    change_state(
        scheduler_actor(claim.organisation_id),
        claim.campaign_id,
        "stop_for_review",
        fence=claim.fence,
        state_note=" ".join(blockers),
        review_since=clock.now(),
        owner=None,
        lease_until=None,
    )
    return True


def use_estimate(campaign: Campaign, note: str) -> None:
    """Make the estimate the final list again, and say why, in the open transaction."""
    restore_estimate(campaign.id)
    campaign.actual_recipients = campaign.estimated_recipients
    campaign.final_snapshot = campaign.estimate_snapshot
    campaign.audience_note = note
    campaign.guard_verdict = None


def _read_criteria(campaign_id: int) -> Criteria:
    criteria = campaign_criteria(db.session.get_one(Campaign, campaign_id))
    check_chooses_somebody(criteria)
    return criteria


WAY_OUT = (
    "Nothing was sent, since not everybody of the list is accounted for. Cancel it, duplicate it "
    "and schedule the copy, so that its list is made anew."
)


def is_balanced(claim: Claim) -> bool:
    """Return whether the final list balances; one that does not waits for a decision instead.

    Raises ClaimLost where the campaign is no longer ours.
    """
    campaign = db.session.get_one(Campaign, claim.campaign_id, populate_existing=True)
    found = find_imbalances(campaign, with_causes=False)
    if not found:
        db.session.rollback()
        return True
    sentences = [one.sentence for one in found]
    log.error("list does not balance", campaign_id=claim.campaign_id, imbalances=len(found))
    blockers = [f"The sums of this list do not balance. {WAY_OUT}", *sentences]
    with write():
        renew_claim(claim, CampaignState.PREPARING)
        change_state(
            scheduler_actor(claim.organisation_id),
            claim.campaign_id,
            "stop_for_review",
            fence=claim.fence,
            state_note=" ".join(blockers),
            guard_verdict={"blockers": blockers, "warnings": []},
            review_since=clock.now(),
            owner=None,
            lease_until=None,
        )
    return False
