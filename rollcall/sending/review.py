"""Review: a campaign that was stopped waits until somebody whose role allows it decides (D4).

Approval is bound to what was seen: the final list that the page shows is stored, and where the
audience has changed since, the new one takes its place and whoever decides is asked again.
"""

import time
from dataclasses import dataclass

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, scheduler_actor
from rollcall.audience.criteria import campaign_criteria
from rollcall.audience.difference import count_changes, count_final, restore_estimate
from rollcall.audience.staging import staged_audience
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.guards import judge_for_role
from rollcall.campaigns.hold_decisions import HOLD_DECISIONS, decide_hold, find_hold_on
from rollcall.campaigns.scheduling import cancel_campaign
from rollcall.campaigns.states import change_state, check_allowed
from rollcall.errors import Conflict, InvalidInput, NotAllowed
from rollcall.extensions import db, write
from rollcall.models import AudienceMode, Campaign, CampaignState, Channel, Role
from rollcall.sending.resolve import store_final_list, use_estimate
from rollcall.sql import lock_row
from rollcall.wording import say_number, say_people

REVIEW_DECISIONS = (*HOLD_DECISIONS, "final", "estimate", "cancel")
LONGEST_REASON = 500


class ReviewChanged(Conflict):
    """The audience changed after it was looked at: nothing is sent, and somebody looks again."""


@dataclass(frozen=True)
class ReviewRight:
    """Whether somebody may send to the final list, and why not."""

    allowed: bool
    reason: str = ""


def review_campaign(
    actor: Actor,
    campaign_id: int,
    decision: str,
    version: int | None = None,
    reason: str = "",
) -> None:
    """Decide on a campaign that waits for it: send to the final list, to the estimate, or cancel.

    One that a change of its event holds can also keep its time or move with the event, and goes
    out by neither list before its time.
    Where no final list is stored yet, as for a campaign that missed its time, it is computed
    when sending starts, and the guards look at it then. Raises InvalidInput for another word,
    NotAllowed where the change is beyond what the role allows, ReviewChanged where the audience
    is no longer the one that was shown, Conflict where somebody else has decided already.
    """
    _check(decision, reason)
    campaign = find_campaign(actor.organisation_id, campaign_id)
    if decision == "cancel":
        return cancel_campaign(actor, campaign_id, version, reason=reason)
    if decision in HOLD_DECISIONS:
        return decide_hold(actor, campaign, decision, version, reason)
    check_allowed(actor, campaign, "approve", version)
    hold = find_hold_on(campaign)
    if hold is not None and hold.still_to_come:
        raise Conflict(STILL_TO_COME)
    if campaign.frozen_at is None:
        raise Conflict("This campaign has no list yet, so there is nothing to decide on.")
    version = campaign.version if version is None else version
    if decision == "final" and campaign.final_at is not None:
        return _approve_final(actor, campaign, version, reason)
    with write():
        campaign = lock_row(Campaign, campaign_id)
        if campaign.final_at is not None:
            use_estimate(campaign, _chosen_estimate(campaign))
        _approve(actor, campaign_id, decision, version, reason)
    return None


def may_approve(role: Role, campaign: Campaign) -> ReviewRight:
    """Return whether somebody of that role may send to the final list that is stored.

    A change that the organisation's limits for the role allow may be approved by it; beyond
    everybody's limits, a super decides.
    """
    if role == Role.SUPER or campaign.final_at is None:
        return ReviewRight(True)
    verdict = judge_for_role(role, campaign, count_final(campaign.id))
    if not verdict.stops:
        return ReviewRight(True)
    return ReviewRight(
        False,
        f"This is beyond what your role ({role}) may approve: {' '.join(verdict.blockers)} "
        "Ask somebody with a higher role, send to the estimate list, or cancel.",
    )


def expire_reviews() -> list[int]:
    """Cancel the campaigns whose last time for sending has passed undecided; return their ids."""
    late = db.session.execute(
        sa.select(Campaign.id, Campaign.organisation_id, Campaign.version).where(
            Campaign.state == CampaignState.NEEDS_REVIEW, Campaign.not_after <= clock.now()
        )
    ).all()
    expired = []
    for row in late:
        actor = scheduler_actor(row.organisation_id)
        try:
            cancel_campaign(actor, row.id, row.version, note=EXPIRED)
        except Conflict:
            continue  # somebody has decided at this moment
        expired.append(row.id)
    return expired


STILL_TO_COME = (
    "Its time is still to come: keep the time or move it with the event, and it goes out then; "
    "or cancel it."
)
EXPIRED = (
    "Nobody decided before the time after which nothing may go out, so it was cancelled "
    "and nobody got it."
)


def _check(decision: str, reason: str) -> None:
    if decision not in REVIEW_DECISIONS:
        raise InvalidInput({"decision": f"Choose one of {', '.join(REVIEW_DECISIONS)}."})
    if len(reason) > LONGEST_REASON:
        raise InvalidInput({"reason": f"Use at most {LONGEST_REASON} characters."})


def _approve_final(actor: Actor, campaign: Campaign, version: int, reason: str) -> None:
    right = may_approve(actor.role, campaign)
    if not right.allowed:
        raise NotAllowed(right.reason)
    started, moment = time.monotonic(), clock.now()
    campaign_id, mode = campaign.id, AudienceMode(campaign.audience_mode)
    criteria, channel = campaign_criteria(campaign), Channel(campaign.channel)
    with staged_audience(actor.organisation_id, criteria, channel, moment) as funnel, write():
        campaign = lock_row(Campaign, campaign_id)
        added, gone = count_changes(campaign_id, mode)
        if not (added or gone):
            _approve(actor, campaign_id, "final", version, reason)
            return
        # What was seen is no longer so: the new list takes its place, and nothing is sent.
        restore_estimate(campaign_id)
        store_final_list(campaign_id, funnel, moment, started)
        campaign = db.session.get_one(Campaign, campaign_id)
        people, blockers = campaign.actual_recipients or 0, campaign.guard_verdict["blockers"]
        note = " ".join(blockers) or campaign.state_note
        change_state(actor, campaign_id, "look_again", version=version, state_note=note)
    raise ReviewChanged(
        f"The audience has changed since you looked: {say_people(people)} now "
        f"({say_number(added)} joined, {say_number(gone)} left since). "
        "Nothing was sent: look again and decide."
    )


def _approve(actor: Actor, campaign_id: int, decision: str, version: int, reason: str) -> None:
    change_state(
        actor,
        campaign_id,
        "approve",
        version=version,
        noted={"decision": (None, decision), "reason": (None, reason)},
        review_decision=decision,
        review_reason=reason,
        reviewed_at=clock.now(),
        reviewed_by_id=actor.staff_id,
        held_for=None,
        state_note="",
        owner=None,
        lease_until=None,
    )


def _chosen_estimate(campaign: Campaign) -> str:
    return (
        f"Sent to the estimate list, as staff decided in review; computed again, the audience "
        f"had {say_people(campaign.actual_recipients or 0)}."
    )
