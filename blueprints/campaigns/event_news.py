"""What happened to a campaign's events, for its pages and its form."""

from rollcall.audience.criteria import campaign_criteria
from rollcall.campaigns.drafts import is_held
from rollcall.campaigns.hold_decisions import list_event_news
from rollcall.errors import InvalidInput
from rollcall.models import Campaign, CampaignState


def news_of(campaign: Campaign | None) -> list[str]:
    """Return which of its events are cancelled, and of a draft which were moved since.

    Where a campaign was scheduled when its event moved, it was held, and somebody decided.
    """
    if campaign is None or is_held(campaign):
        return []  # of one that is held its page says it above all else
    try:
        criteria = campaign_criteria(campaign)
    except InvalidInput:
        return []
    since = campaign.updated_at if campaign.state == CampaignState.DRAFT else None
    return list_event_news(campaign.organisation_id, criteria, since)
