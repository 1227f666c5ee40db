"""The organisation's campaigns: page by page, grouped as staff look for them, with their zones."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rollcall.audience.criteria import campaign_criteria
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Campaign, CampaignEvent, CampaignState, Event

PAGE = 25

GOING_OUT = (CampaignState.PREPARING, CampaignState.SENDING, CampaignState.PAUSED)


@dataclass(frozen=True)
class Overview:
    """What needs a decision, what is going out, what goes out next, what is being written.

    A campaign that was paused not by staff but by what happened, such as a failing provider,
    needs a decision and stands among those that are going out too.
    """

    decide: list[Campaign]
    sending: list[Campaign]
    scheduled: list[Campaign]
    drafts: list[Campaign]


def campaigns_overview(organisation_id: int, limit: int = 20) -> Overview:
    """Return the campaigns that are not over, the next ones first, at most `limit` a group."""
    return Overview(
        decide=_needing_decision(organisation_id, limit),
        sending=_in_states(organisation_id, GOING_OUT, limit),
        scheduled=_in_states(
            organisation_id, (CampaignState.SCHEDULED,), limit, Campaign.scheduled_at.asc()
        ),
        drafts=_in_states(organisation_id, (CampaignState.DRAFT,), limit),
    )


def list_campaigns(
    organisation_id: int,
    *,
    before: int | None = None,
    states: tuple[CampaignState, ...] = (),
    limit: int = PAGE,
) -> list[Campaign]:
    """Return campaigns with an id under `before`, the newest first."""
    statement = sa.select(Campaign).where(Campaign.organisation_id == organisation_id)
    if before is not None:
        statement = statement.where(Campaign.id < before)
    if states:
        statement = statement.where(Campaign.state.in_(states))
    return list(db.session.scalars(statement.order_by(Campaign.id.desc()).limit(limit)))


def _needing_decision(organisation_id: int, limit: int) -> list[Campaign]:
    paused_by_itself = sa.and_(Campaign.state == CampaignState.PAUSED, Campaign.state_note != "")
    return list(
        db.session.scalars(
            sa.select(Campaign)
            .where(
                Campaign.organisation_id == organisation_id,
                sa.or_(Campaign.state == CampaignState.NEEDS_REVIEW, paused_by_itself),
            )
            .order_by(Campaign.id.desc())
            .limit(limit)
        )
    )


def _in_states(
    organisation_id: int,
    states: tuple[CampaignState, ...],
    limit: int,
    order: sa.UnaryExpression | None = None,
) -> list[Campaign]:
    return list(
        db.session.scalars(
            sa.select(Campaign)
            .where(Campaign.organisation_id == organisation_id, Campaign.state.in_(states))
            .order_by(Campaign.id.desc() if order is None else order)
            .limit(limit)
        )
    )


def list_campaigns_of_event(event: Event, limit: int = PAGE) -> list[Campaign]:
    """Return the newest campaigns whose criteria choose people by the event."""
    return list(
        db.session.scalars(
            sa.select(Campaign)
            .join(CampaignEvent, CampaignEvent.campaign_id == Campaign.id)
            .where(CampaignEvent.event_id == event.id, CampaignEvent.excluded.is_(False))
            .order_by(Campaign.id.desc())
            .limit(limit)
        )
    )


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
