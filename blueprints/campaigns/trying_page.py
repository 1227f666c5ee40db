"""What a campaign's pages are rendered with for trying it out, and of others near it."""

from typing import Any

from flask import url_for

from blueprints.campaigns.form_trying import own_test_phone
from rollcall.campaigns.collision_report import Collisions, find_collisions, takes_a_while
from rollcall.campaigns.dry_run import report_dry_run
from rollcall.errors import InvalidInput
from rollcall.models import Campaign, CampaignState, Channel

BEFORE = (CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.NEEDS_REVIEW)


def trying_context(campaign: Campaign, phone: str | None = None, error: str = "") -> dict[str, Any]:
    """Return a campaign's dry run and collisions, and what the form of a test holds.

    `phone` is what was typed there, `error` what is wrong with it.
    """
    texting = campaign.state in BEFORE and campaign.channel == Channel.SMS
    scheduled = campaign.state == CampaignState.SCHEDULED
    return {
        "dry_run": report_dry_run(campaign),
        **(collision_context(campaign) if scheduled else {}),
        "test_phone": own_test_phone() if phone is None and texting else phone,
        "test_error": error,
    }


def collision_context(campaign: Campaign) -> dict[str, Any]:
    """Return the collisions, or where they take a while the address that brings them later."""
    if takes_a_while(campaign):
        return {"collisions_url": url_for("campaigns.collisions", campaign_id=campaign.id)}
    return {"collisions": collisions_of(campaign)}


def collisions_of(campaign: Campaign) -> Collisions | None:
    """Return the campaign's collisions, None where there are none or they can't be computed."""
    try:
        found = find_collisions(campaign)
    except InvalidInput:
        return None  # what is wrong with the criteria is said elsewhere on the page
    return found if found is not None and found.is_any else None
