"""What may follow what: the one table of changes of state, and the one way to make one.

A change is a conditional UPDATE whose row count is checked, so that of two that try at the
same moment one wins and the other is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.audience.named import store_campaign_names
from rollcall.errors import Conflict, NotFound
from rollcall.extensions import db
from rollcall.models import Campaign, CampaignState
from rollcall.models.campaigns import CampaignState as S


@dataclass(frozen=True)
class Transition:
    """From which states an action is allowed, where it leads, and how the refusal names it."""

    sources: tuple[CampaignState, ...]
    target: CampaignState
    verb: str


TRANSITIONS: dict[str, Transition] = {
    "edit": Transition((S.DRAFT, S.SCHEDULED), S.DRAFT, "edited"),
    "schedule": Transition((S.DRAFT,), S.SCHEDULED, "scheduled"),
    "adopt_version": Transition((S.SCHEDULED,), S.SCHEDULED, "moved to another version"),
    "keep_version": Transition((S.SCHEDULED,), S.SCHEDULED, "kept on a version"),
    "bring_forward": Transition((S.SCHEDULED,), S.SCHEDULED, "sent now"),
    "prepare": Transition((S.SCHEDULED, S.PREPARING), S.PREPARING, "started"),
    "stop_for_review": Transition((S.SCHEDULED, S.PREPARING), S.NEEDS_REVIEW, "stopped for review"),
    "hold": Transition((S.SCHEDULED,), S.NEEDS_REVIEW, "held"),
    "hold_again": Transition((S.NEEDS_REVIEW,), S.NEEDS_REVIEW, "held"),
    "keep_time": Transition((S.NEEDS_REVIEW,), S.SCHEDULED, "kept at its time"),
    "move_time": Transition((S.NEEDS_REVIEW,), S.SCHEDULED, "moved with its event"),
    "edit_held": Transition((S.NEEDS_REVIEW,), S.DRAFT, "edited"),
    "look_again": Transition((S.NEEDS_REVIEW,), S.NEEDS_REVIEW, "decided on"),
    "approve": Transition((S.NEEDS_REVIEW,), S.PREPARING, "decided on"),
    "start_sending": Transition((S.PREPARING,), S.SENDING, "sent"),
    "pause": Transition((S.SENDING,), S.PAUSED, "paused"),
    "resume": Transition((S.PAUSED,), S.SENDING, "resumed"),
    "send_again": Transition((S.COMPLETED,), S.SENDING, "sent again"),
    "complete": Transition((S.SENDING,), S.COMPLETED, "completed"),
    "fail": Transition((S.PREPARING, S.SENDING), S.FAILED, "failed"),
    "cancel": Transition(
        (S.DRAFT, S.SCHEDULED, S.PREPARING, S.NEEDS_REVIEW, S.SENDING, S.PAUSED),
        S.CANCELLED,
        "cancelled",
    ),
}

STATE_WORDS = {
    S.DRAFT: "a draft",
    S.SCHEDULED: "scheduled",
    S.PREPARING: "being prepared",
    S.NEEDS_REVIEW: "waiting for a decision",
    S.SENDING: "being sent",
    S.PAUSED: "paused",
    S.COMPLETED: "completed",
    S.FAILED: "failed",
    S.CANCELLED: "cancelled",
}


def is_allowed(action: str, state: CampaignState | str) -> bool:
    """Return whether the table allows the action from this state."""
    return state in TRANSITIONS[action].sources


def check_allowed(
    actor: Actor, campaign: Campaign, action: str, version: int | None = None
) -> None:
    """Raise the Conflict that `change_state` would, before any work is done for the change."""
    stale = version is not None and campaign.version != version
    if stale or not is_allowed(action, campaign.state):
        raise _refusal(actor, campaign.id, TRANSITIONS[action], version)


def change_state(
    actor: Actor,
    campaign_id: int,
    action: str,
    *,
    version: int | None = None,
    fence: int | None = None,
    noted: Mapping[str, tuple[Any, Any]] | None = None,
    **values: Any,
) -> None:
    """Make one change of state, with `values` for other columns, inside the caller's transaction.

    `noted` is what else the audit trail is told, as it was and as it is. Raises Conflict when
    the state does not allow it, when the campaign is no longer at `version`, or when somebody
    else's `fence` has been set; then nothing has changed.
    """
    transition = TRANSITIONS[action]
    conditions = [
        Campaign.id == campaign_id,
        Campaign.organisation_id == actor.organisation_id,
        Campaign.state.in_(transition.sources),
    ]
    if version is not None:
        conditions.append(Campaign.version == version)
    if fence is not None:
        conditions.append(Campaign.fence == fence)
    before = db.session.scalar(sa.select(Campaign.state).where(Campaign.id == campaign_id))
    changed = db.session.execute(
        sa.update(Campaign)
        .where(*conditions)
        .values(
            state=transition.target,
            version=Campaign.version + 1,
            updated_at=clock.now(),
            **values,
        )
        .returning(Campaign.id)
        .execution_options(synchronize_session=False)
    ).all()
    db.session.expire_all()
    if not changed:
        raise _refusal(actor, campaign_id, transition, version)
    if "targeting_criteria" in values:
        store_campaign_names(actor.organisation_id, campaign_id, values["targeting_criteria"])
    changes = {"state": (before, transition.target), **(noted or {})}
    record(
        actor,
        f"campaign.{action}",
        "campaign",
        campaign_id,
        before={name: was for name, (was, _) in changes.items()},
        after={name: becomes for name, (_, becomes) in changes.items()},
    )


def _refusal(
    actor: Actor, campaign_id: int, transition: Transition, version: int | None
) -> Conflict | NotFound:
    campaign = db.session.scalar(
        sa.select(Campaign).where(
            Campaign.id == campaign_id, Campaign.organisation_id == actor.organisation_id
        )
    )
    if campaign is None:
        return NotFound(f"There is no campaign {campaign_id}.")
    if version is not None and campaign.version != version:
        return Conflict(
            "Somebody else has changed this campaign in the meantime: "
            "load the page again and look at it first."
        )
    return Conflict(
        f"This campaign is {STATE_WORDS[CampaignState(campaign.state)]}, "
        f"so it can't be {transition.verb}."
    )
