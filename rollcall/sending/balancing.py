"""The last look before the first message: a final list whose sums do not balance is not sent to."""

import structlog

from rollcall import clock
from rollcall.actors import scheduler_actor
from rollcall.campaigns.states import change_state
from rollcall.explanations.balance import find_imbalances
from rollcall.extensions import db, write
from rollcall.models import Campaign, CampaignState
from rollcall.sending.claims import Claim, renew_claim

log = structlog.get_logger()

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
