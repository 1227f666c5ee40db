"""In which time zones a campaign's time is to be read: the organisation's, its own, its events'."""

from collections.abc import Sequence

import sqlalchemy as sa

from rollcall.campaigns.drafts import campaign_criteria
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Campaign, Event


def campaign_zones(campaigns: Sequence[Campaign]) -> dict[int, list[str]]:
    """Return for each campaign's id its zones, each once: that of its time first.

    The events of all campaigns are read in one statement.
    """
    slugs = {campaign.id: _event_slugs(campaign) for campaign in campaigns}
    wanted = {slug for some in slugs.values() for slug in some}
    organisations = {campaign.organisation_id for campaign in campaigns}
    rows = db.session.execute(
        sa.select(Event.organisation_id, Event.slug, Event.timezone).where(
            Event.organisation_id.in_(organisations), Event.slug.in_(wanted)
        )
    )
    event_zones = {(row.organisation_id, row.slug): row.timezone for row in rows}
    found: dict[int, list[str]] = {}
    for campaign in campaigns:
        organisation = campaign.organisation
        zones = [campaign.scheduled_timezone or organisation.timezone, organisation.timezone]
        zones += [
            event_zones[organisation.id, slug]
            for slug in slugs[campaign.id]
            if (organisation.id, slug) in event_zones
        ]
        found[campaign.id] = list(dict.fromkeys(zones))
    return found


def _event_slugs(campaign: Campaign) -> tuple[str, ...]:
    try:
        return campaign_criteria(campaign).events
    except InvalidInput:
        # Damaged criteria name no event; the page says elsewhere what is wrong with them.
        return ()
