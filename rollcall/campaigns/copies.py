"""Campaigns written again: a plain copy, and a top-up for those who joined since."""

from dataclasses import dataclass, replace

import sqlalchemy as sa

from rollcall.actors import Actor
from rollcall.audience.criteria import (
    CampaignChoice,
    Criteria,
    Reached,
    campaign_criteria,
    criteria_from_json,
    criteria_to_json,
    criteria_to_text,
)
from rollcall.audience.preview import preview_audience
from rollcall.campaigns.drafts import CampaignDraft, create_campaign, find_campaign, may_choose
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db
from rollcall.models import (
    Campaign,
    CampaignExclusion,
    CampaignState,
    Channel,
    QuietHours,
    Role,
    SnapshotMode,
)

TOP_UP_NEEDS_END = "A top-up follows a campaign that is completed"
TOP_UP_OF_DRY_RUN = "A dry run reached nobody, so that there is nothing to top up"
NO_DRY_RUN = "This campaign is no dry run: duplicate it to send it again."
TOP_UP_OF_PICKED = (
    "People picked by hand stay who they are, so nobody can have joined: "
    "write a new campaign and pick the others."
)
TOP_UP_OF_PINNED = (
    "This campaign stands on a pinned version of its segment, which doesn't grow, so nobody can "
    "have joined: write a new campaign on the live segment and leave out this one's people."
)


def duplicate_campaign(actor: Actor, campaign_id: int) -> int:
    """Store a copy as a new draft without its times, and return its id.

    A copy without a time can't be re-processed, so that choice is left behind too; so is the
    leave to send in quiet hours, unless whoever copies may give it. The copy of a dry run is one.
    """
    original = find_campaign(actor.organisation_id, campaign_id)
    return create_campaign(actor, _copy_of(original, f"Copy of {original.name}", actor.role))


def make_real(actor: Actor, campaign_id: int) -> int:
    """Store a copy of a dry run that goes to its people, as a draft, and return its id.

    Raises Conflict for a campaign that is no dry run.
    """
    original = find_campaign(actor.organisation_id, campaign_id)
    if not original.is_dry_run:
        raise Conflict(NO_DRY_RUN)
    draft = _copy_of(original, original.name, actor.role)
    return create_campaign(actor, replace(draft, dry_run_address=None, dry_run_limit=None))


def top_up_campaign(actor: Actor, campaign_id: int) -> int:
    """Store a draft for those who joined a completed campaign's audience since; return its id.

    It has the same criteria, leaves out everybody who was planned for the campaign or for an
    earlier top-up of it, and goes out as soon as it is confirmed; on a segment it takes a new
    snapshot. While such a draft waits unsent, asking again returns that one. Raises Conflict
    where the campaign is not completed or its audience can't grow.
    """
    original = find_campaign(actor.organisation_id, campaign_id)
    criteria = top_up_criteria(original)
    waiting = _waiting_top_up(original, criteria)
    if waiting is not None:
        return waiting
    draft = _copy_of(original, f"Top-up of {original.name}", actor.role)
    mode = SnapshotMode.REFRESH.value if criteria.segment else None
    return create_campaign(actor, replace(draft, criteria=criteria, snapshot_mode=mode))


def top_up_criteria(original: Campaign) -> Criteria:
    """Return whom a top-up of the campaign is for; raises Conflict where there can be nobody."""
    if original.state != CampaignState.COMPLETED:
        raise Conflict(f"{TOP_UP_NEEDS_END}; this one is {_said(original.state)}.")
    if original.is_dry_run:
        raise Conflict(f"{TOP_UP_OF_DRY_RUN}: make the real campaign of it.")
    criteria = _grown_from(original)
    if criteria.people is not None:
        raise Conflict(TOP_UP_OF_PICKED)
    if criteria.segment is not None and criteria.segment.version is not None:
        raise Conflict(TOP_UP_OF_PINNED)
    reached = [original.id, *_earlier_top_ups(original, criteria)]
    left_out = [*criteria.exclude_campaigns, *(CampaignChoice(number) for number in reached)]
    grown = replace(criteria, exclude_campaigns=tuple(dict.fromkeys(left_out)))
    try:
        # What is stored is read again, within the same limits as anything that is typed.
        return criteria_from_json(criteria_to_json(grown))
    except InvalidInput as error:
        raise Conflict(f"This campaign can't be topped up once more: {error}") from error


@dataclass(frozen=True)
class TopUp:
    """Whether a campaign can be topped up: for how many people now, or why not."""

    people: int = 0
    refusal: str | None = None


def preview_top_up(original: Campaign) -> TopUp:
    """Return for how many people a top-up would be now, or why there can be none."""
    try:
        criteria = top_up_criteria(original)
        found = preview_audience(
            original.organisation_id, criteria, Channel(original.channel), None
        )
    except (Conflict, InvalidInput) as error:
        return TopUp(refusal=str(error))
    return TopUp(people=found.funnel.reachable)


def _copy_of(original: Campaign, name: str, role: Role) -> CampaignDraft:
    quiet_hours = QuietHours(original.quiet_hours)
    if not may_choose(role, quiet_hours):
        quiet_hours = QuietHours.WAIT
    return CampaignDraft(
        name=name[:200],
        channel=Channel(original.channel),
        subject=original.subject,
        message=original.message,
        link=original.link,
        criteria=campaign_criteria(original),
        quiet_hours=quiet_hours,
        snapshot_mode=original.snapshot_mode,
        dry_run_address=original.dry_run_address,
        dry_run_limit=original.dry_run_limit,
    )


def _grown_from(original: Campaign) -> Criteria:
    try:
        return campaign_criteria(original)
    except InvalidInput as error:
        raise Conflict(f"This campaign can't be topped up: {error}") from error


def _earlier_top_ups(original: Campaign, criteria: Criteria) -> list[int]:
    """Return the campaigns with a list that were for those who had joined this one's audience.

    A top-up is known by its criteria: those of the original, with the original left out.
    """
    return [
        campaign.id
        for campaign in _leaving_out(original)
        if campaign.frozen_at is not None and _is_top_up(campaign, original.id, criteria)
    ]


def _waiting_top_up(original: Campaign, criteria: Criteria) -> int | None:
    """Return the draft of the same top-up that nobody has edited or sent yet, if there is one."""
    return next(
        (
            campaign.id
            for campaign in _leaving_out(original)
            if campaign.state == CampaignState.DRAFT
            and campaign.targeting_criteria == criteria_to_text(criteria)
            and (campaign.message, campaign.subject) == (original.message, original.subject)
        ),
        None,
    )


def _leaving_out(original: Campaign) -> list[Campaign]:
    """Return the later campaigns that leave out everybody of this one's list, by their ids."""
    return list(
        db.session.scalars(
            sa.select(Campaign)
            .join(CampaignExclusion, CampaignExclusion.campaign_id == Campaign.id)
            .where(
                CampaignExclusion.excluded_id == original.id,
                CampaignExclusion.who == Reached.PLANNED,
                Campaign.id > original.id,
                # A dry run of a top-up reached nobody.
                Campaign.dry_run_address.is_(None),
            )
            .order_by(Campaign.id)
        )
    )


def _is_top_up(campaign: Campaign, original_id: int, criteria: Criteria) -> bool:
    try:
        its = campaign_criteria(campaign)
    except InvalidInput:
        return False
    left_out = {*criteria.exclude_campaigns, CampaignChoice(original_id)}
    same = replace(its, exclude_campaigns=()) == replace(criteria, exclude_campaigns=())
    return same and left_out <= set(its.exclude_campaigns)


def _said(state: str) -> str:
    return CampaignState(state).value.replace("_", " ")
