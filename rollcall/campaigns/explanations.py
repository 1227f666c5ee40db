"""Would this person get this campaign's message, and if not, why not (A6)."""

from dataclasses import dataclass

import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import Criteria
from rollcall.audience.preview import explain_person
from rollcall.campaigns.drafts import campaign_criteria, find_campaign
from rollcall.campaigns.listing import list_campaigns
from rollcall.campaigns.on_segment import criteria_to_freeze, snapshot_choice_of
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import (
    Attempt,
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.wording import say_reason, say_time

PLANNED = (CampaignState.DRAFT, CampaignState.SCHEDULED)
MOST_CAMPAIGNS = 50

_FATES = {
    RecipientState.QUEUED: "They are on the list, and their message is waiting to go out.",
    RecipientState.CLAIMED: "They are on the list, and their message is about to go out.",
    RecipientState.WIRING: "Their message is on its way to the provider.",
    RecipientState.SENT: "Their message was sent.",
    RecipientState.DELIVERED: "Their message was delivered.",
    RecipientState.FAILED: "Their message failed: the provider refused it.",
    RecipientState.IN_DOUBT: "Whether their message arrived can't be known.",
    RecipientState.CANCELLED: "They were on the list, but the campaign was cancelled first.",
}

_AGAIN = "Whether their first message went out can't be known, and staff decided to send it again"
# What is said instead where staff decided on a message in doubt.
_AFTER_DOUBT = {
    ("sent", RecipientState.SENT): (
        "Whether their message went out can't be known, and staff decided to count it as sent."
    ),
    ("again", RecipientState.QUEUED): f"{_AGAIN}: that one is waiting to go out.",
    ("again", RecipientState.CLAIMED): f"{_AGAIN}: that one is about to go out.",
    ("again", RecipientState.WIRING): f"{_AGAIN}: that one is on its way to the provider.",
    ("again", RecipientState.SENT): f"{_AGAIN}: that one was sent, so they may have it twice.",
    ("again", RecipientState.DELIVERED): (
        f"{_AGAIN}: one was delivered, and they may have it twice."
    ),
    ("again", RecipientState.IN_DOUBT): f"{_AGAIN}: that one is in doubt as well.",
}


@dataclass(frozen=True)
class Explanation:
    """What is, or was, between a person and a campaign: yes or no, and one sentence why."""

    gets_it: bool
    sentence: str


@dataclass(frozen=True)
class PastCampaign:
    """A campaign that has gone out, or is going out, and what became of the person in it."""

    campaign: Campaign
    explanation: Explanation
    on_a_list: bool


def explain_campaign(organisation_id: int, campaign_id: int, person_id: int) -> Explanation:
    """Return whether the person would get, or got, the campaign's message, and why.

    Raises NotFound for a campaign of another organisation.
    """
    campaign = find_campaign(organisation_id, campaign_id)
    recipient = db.session.get(Recipient, (campaign_id, person_id))
    if campaign.state not in PLANNED:
        decided = _find_decisions([campaign_id], person_id)
        return _explain_fate(campaign, recipient, decided.get(campaign_id))
    try:
        criteria = campaign_criteria(campaign)
        if campaign.state == CampaignState.DRAFT:
            choice = snapshot_choice_of(campaign)
            criteria = criteria_to_freeze(organisation_id, criteria, choice)
    except InvalidInput:
        return Explanation(False, "Nobody can say: the campaign's criteria are damaged.")
    if campaign.state == CampaignState.SCHEDULED and _list_decides(campaign, recipient):
        return _explain_frozen(campaign, criteria, recipient, person_id)
    return _explain_criteria(campaign, criteria, person_id)


def list_planned(organisation_id: int) -> list[Campaign]:
    """Return the newest drafts and scheduled campaigns."""
    return list_campaigns(organisation_id, states=PLANNED, limit=MOST_CAMPAIGNS)


def list_past(organisation_id: int, person_id: int) -> list[PastCampaign]:
    """Return the newest campaigns past planning, each with what became of the person."""
    states = tuple(state for state in CampaignState if state not in PLANNED)
    campaigns = list_campaigns(organisation_id, states=states, limit=MOST_CAMPAIGNS)
    rows = db.session.scalars(
        sa.select(Recipient).where(
            Recipient.campaign_id.in_([campaign.id for campaign in campaigns]),
            Recipient.person_id == person_id,
        )
    )
    found = {row.campaign_id: row for row in rows}
    decided = _find_decisions(list(found), person_id)
    return [
        PastCampaign(
            campaign,
            _explain_fate(campaign, found.get(campaign.id), decided.get(campaign.id)),
            campaign.id in found,
        )
        for campaign in campaigns
    ]


def _list_decides(campaign: Campaign, recipient: Recipient | None) -> bool:
    """Return whether the frozen list alone says if the person is to get it."""
    on_list = recipient is not None and recipient.in_estimate
    return {
        AudienceMode.FROZEN: True,
        AudienceMode.REPROCESS: False,
        AudienceMode.REMOVALS: not on_list,
        AudienceMode.ADDITIONS: on_list,
    }[AudienceMode(campaign.audience_mode)]


def _explain_criteria(campaign: Campaign, criteria: Criteria, person_id: int) -> Explanation:
    reason = _reason(campaign, criteria, person_id)
    if reason is None:
        return Explanation(False, "The campaign's audience does not match them as things stand.")
    if reason is Reason.REACHABLE:
        return Explanation(True, "As things stand, they would get it.")
    return _left_out(reason, campaign, criteria.window_hours)


def _explain_frozen(
    campaign: Campaign, criteria: Criteria, recipient: Recipient | None, person_id: int
) -> Explanation:
    """Being on the list decides; what may still hold the message back is asked of the person."""
    if recipient is None or not recipient.in_estimate:
        why = _reason(campaign, criteria, person_id)
        if why not in (None, Reason.REACHABLE):
            return _left_out(
                why, campaign, criteria.window_hours, "They are not on the frozen list."
            )
        return Explanation(
            False, "They are not on the frozen list, and nobody is added to it any more."
        )
    alone = Criteria(people=(person_id,), window_hours=criteria.window_hours)
    reason = _reason(campaign, alone, person_id)
    if reason in (None, Reason.REACHABLE):
        return Explanation(True, "They are on the frozen list, and nothing holds it back.")
    return _left_out(reason, campaign, criteria.window_hours, "They are on the frozen list, but")


def _reason(campaign: Campaign, criteria: Criteria, person_id: int) -> Reason | None:
    # The anti-spam window is taken back from the moment of sending (A4).
    at = campaign.scheduled_at if (campaign.scheduled_at or clock.now()) > clock.now() else None
    try:
        return explain_person(
            campaign.organisation_id, criteria, Channel(campaign.channel), person_id, at
        )
    except InvalidInput:
        return None


def _left_out(reason: Reason, campaign: Campaign, hours: int, lead: str = "") -> Explanation:
    said = f"they {say_reason(reason.key, 2, campaign.channel, hours)}."
    if not lead:
        return Explanation(False, said[0].upper() + said[1:])
    said = said if lead.endswith("but") else said[0].upper() + said[1:]
    return Explanation(False, f"{lead} {said}")


def _find_decisions(campaign_ids: list[int], person_id: int) -> dict[int, str]:
    """Return by campaign what staff decided last where the person's message was in doubt."""
    rows = db.session.execute(
        sa.select(Attempt.campaign_id, Attempt.resolution)
        .where(
            Attempt.campaign_id.in_(campaign_ids),
            Attempt.person_id == person_id,
            Attempt.resolution.is_not(None),
        )
        .order_by(Attempt.id)
    )
    return {row.campaign_id: row.resolution for row in rows if row.resolution is not None}


def _explain_fate(
    campaign: Campaign, recipient: Recipient | None, decided: str | None
) -> Explanation:
    if recipient is None:
        return Explanation(False, "They were not in its audience.")
    hours = _window_of(campaign)
    if recipient.state == RecipientState.LEFT:
        return _past(recipient.left_reason, campaign, hours, "They left the list before sending")
    if recipient.state == RecipientState.HELD_BACK:
        return _past(recipient.held_reason, campaign, hours, "Their message was held back")
    if campaign.state == CampaignState.FAILED and recipient.state == RecipientState.CANCELLED:
        return Explanation(False, "They were on the list, but the campaign failed first.")
    if recipient.state == RecipientState.QUEUED and recipient.held_reason is not None:
        return _waiting(campaign, recipient)
    sent = recipient.state in (RecipientState.SENT, RecipientState.DELIVERED)
    after_doubt = _AFTER_DOUBT.get((decided or "", recipient.state))
    return Explanation(sent, after_doubt or _FATES[recipient.state])


def _waiting(campaign: Campaign, recipient: Recipient) -> Explanation:
    when = ""
    if recipient.not_before is not None:
        zone = campaign.scheduled_timezone or campaign.organisation.timezone
        when = f" until {say_time(recipient.not_before, zone)}"
    why = {
        Reason.QUIET_HOURS: "it is too early or too late in the day where they are",
        Reason.PROVIDER_BUSY: "the provider could not take it, and it will be tried again",
    }
    said = why.get(recipient.held_reason or Reason.REACHABLE, "it can't go out yet")
    return Explanation(False, f"They are on the list, and their message waits{when}: {said}.")


def _past(reason: Reason | None, campaign: Campaign, hours: int, lead: str) -> Explanation:
    if reason is None:
        return Explanation(False, f"{lead}.")
    return Explanation(False, f"{lead}: they {say_reason(reason.key, 2, campaign.channel, hours)}.")


def _window_of(campaign: Campaign) -> int:
    try:
        return campaign_criteria(campaign).window_hours
    except InvalidInput:
        return Criteria().window_hours
