"""Scheduling and stopping: the changes of state that staff ask for."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor
from rollcall.audience.criteria import campaign_criteria
from rollcall.campaigns.drafts import NEEDS_EVENTS, NEEDS_TIME, TOO_LATE, find_campaign
from rollcall.campaigns.freezing import freeze_campaign
from rollcall.campaigns.states import change_state
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db, write
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    Recipient,
    RecipientState,
)

NEEDS_ADDRESS = (
    "An e-mail must name the postal address of whoever sends it, and the organisation has none "
    "yet. An admin gives it in the organisation's settings, or with "
    "flask org set SLUG --address."
)


def schedule_campaign(
    actor: Actor,
    campaign_id: int,
    version: int | None = None,
    *,
    real_email: bool = False,
) -> int:
    """Freeze the audience and put the campaign on the clock, both or neither (C9).

    Returns how many people the estimate holds. One that is already scheduled stays as it is.
    `real_email`: the installation's e-mails reach people. Raises InvalidInput where the time is
    missing or past or an e-mail's footer would be incomplete, Conflict from any other state and
    where what is scheduled is another version than the one that was looked at.
    """
    campaign = find_campaign(actor.organisation_id, campaign_id)
    if _is_scheduled_so(campaign, version) and campaign.estimated_recipients is not None:
        return campaign.estimated_recipients
    if campaign.scheduled_at is None:
        raise InvalidInput({"scheduled_local_time": "Choose when it is to go out."})
    if campaign.scheduled_at <= clock.now():
        raise InvalidInput(
            {"scheduled_local_time": "This time has passed: choose one that is still to come."}
        )
    check_footer(campaign, real_email)
    try:
        return _freeze_and_schedule(actor, campaign, version)
    except Conflict:
        # The other one of two clicks may have been faster; both meant the same.
        campaign = find_campaign(actor.organisation_id, campaign_id)
        if _is_scheduled_so(campaign, version) and campaign.estimated_recipients is not None:
            return campaign.estimated_recipients
        raise


def _is_scheduled_so(campaign: Campaign, version: int | None) -> bool:
    """Return whether it is scheduled as it was at that version: to schedule adds one to it."""
    if campaign.state != CampaignState.SCHEDULED:
        return False
    return version is None or campaign.version in (version, version + 1)


def check_footer(campaign: Campaign, real_email: bool) -> None:
    """Raise InvalidInput for an e-mail to real people below which no postal address would stand.

    CAN-SPAM (15 U.S.C. 7704(a)(5)) and Canada's CASL both ask for it. What the simulator
    takes reaches nobody.
    """
    missing = not campaign.organisation.postal_address
    if campaign.channel == Channel.EMAIL and missing and real_email:
        raise InvalidInput({"postal_address": NEEDS_ADDRESS})


def send_campaign_now(
    actor: Actor,
    campaign_id: int,
    version: int | None = None,
    *,
    real_email: bool = False,
) -> int:
    """Make the campaign due at once and return how many people its estimate holds.

    A draft is frozen now; one that is scheduled keeps the list that was signed off and only
    its time comes forward. Re-processing needs a time that lies ahead of the freezing, so a
    draft that asks for it is refused.
    """
    campaign = find_campaign(actor.organisation_id, campaign_id)
    check_footer(campaign, real_email)
    _check_not_after(campaign, clock.now())
    if campaign.state == CampaignState.SCHEDULED and campaign.estimated_recipients is not None:
        people = campaign.estimated_recipients
        with write():
            change_state(actor, campaign_id, "bring_forward", version=version, **_at_once())
        return people
    if AudienceMode(campaign.audience_mode).computes_again:
        raise InvalidInput({"audience_mode": NEEDS_TIME})
    return _freeze_and_schedule(actor, campaign, version, **_at_once())


def _check_not_after(campaign: Campaign, due: datetime) -> None:
    if campaign.not_after is not None and campaign.not_after <= due:
        raise InvalidInput({"not_after": TOO_LATE})


def _at_once() -> dict[str, Any]:
    return {
        "scheduled_at": clock.now(),
        "scheduled_timezone": None,
        "scheduled_local_time": None,
    }


def _freeze_and_schedule(
    actor: Actor, campaign: Campaign, version: int | None, **values: Any
) -> int:
    criteria = campaign_criteria(campaign)
    again = AudienceMode(campaign.audience_mode).computes_again
    if again and not criteria.can_be_computed_again:
        raise InvalidInput({"audience_mode": NEEDS_EVENTS})
    # What was read is what will be stored: an edit in between must be noticed.
    version = campaign.version if version is None else version
    due = values.get("scheduled_at", campaign.scheduled_at)
    _check_not_after(campaign, due)
    return freeze_campaign(
        actor,
        campaign,
        criteria,
        due,
        "schedule",
        version=version,
        scheduled_by_id=actor.staff_id,
        **values,
    )


def cancel_campaign(
    actor: Actor, campaign_id: int, version: int | None = None, *, reason: str = "", note: str = ""
) -> None:
    """Stop a campaign for good; what has not gone out yet will not.

    A message whose request is already on the wire keeps its own outcome. `reason` goes to the
    audit trail, `note` is shown with the campaign.
    """
    noted = {"reason": (None, reason)} if reason else None
    values: dict[str, Any] = {"completed_at": clock.now()} | ({"state_note": note} if note else {})
    with write():
        change_state(actor, campaign_id, "cancel", version=version, noted=noted, **values)
        db.session.execute(
            sa.update(Recipient)
            .where(
                Recipient.campaign_id == campaign_id,
                Recipient.state.in_([RecipientState.QUEUED, RecipientState.CLAIMED]),
            )
            .values(state=RecipientState.CANCELLED)
            .execution_options(synchronize_session=False)
        )


def pause_campaign(actor: Actor, campaign_id: int, version: int | None = None) -> None:
    """Stop sending within one batch, to be resumed."""
    with write():
        change_state(actor, campaign_id, "pause", version=version)


def resume_campaign(actor: Actor, campaign_id: int, version: int | None = None) -> None:
    """Let a paused campaign go on where it stopped."""
    with write():
        change_state(
            actor,
            campaign_id,
            "resume",
            version=version,
            state_note="",
            owner=None,
            lease_until=None,
        )
