"""What the page of a campaign that waits for a decision is rendered with."""

from typing import Any

from blueprints.access import current_staff
from rollcall.audience.difference import audience_change
from rollcall.campaigns.hold_decisions import find_hold_on
from rollcall.campaigns.results import campaign_results
from rollcall.explanations.causes import count_causes
from rollcall.models import Campaign
from rollcall.sending.review import may_approve


def review_context(campaign: Campaign) -> dict[str, Any]:
    """Return both lists in figures, and whether whoever looks may send to the final one."""
    results = campaign_results(campaign.id)
    return {
        "hold": find_hold_on(campaign),
        "causes": count_causes(campaign),
        "right": may_approve(current_staff().rank, campaign),
        "review": {
            "change": audience_change(campaign),
            "results": results,
            "joined_by_source": dict(results.joined_by_source),
        },
    }
