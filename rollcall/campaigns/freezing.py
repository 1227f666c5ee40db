"""A campaign's list frozen together with what it stands on and with a change of its state."""

from datetime import datetime
from typing import Any

from rollcall import clock
from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria, criteria_to_text
from rollcall.audience.estimate import freeze_staged_audience
from rollcall.audience.staging import staged_audience
from rollcall.campaigns.segment_base import SnapshotChoice, prepared_segment, snapshot_choice_of
from rollcall.campaigns.states import change_state
from rollcall.extensions import db, write
from rollcall.models import Campaign, Channel, SegmentSnapshot
from rollcall.segments.snapshots import MOST_TRIES, SegmentChanged


class Freezing:
    """What of a campaign decides how its list is frozen; read before, as commits expire rows."""

    def __init__(self, campaign: Campaign, criteria: Criteria, due: datetime) -> None:
        self.campaign_id = campaign.id
        self.channel = Channel(campaign.channel)
        self.criteria = criteria
        self.due = due
        self.choice: SnapshotChoice = snapshot_choice_of(campaign)
        self.before = (campaign.segment_snapshot_id, campaign.estimated_recipients)


def freeze_campaign(
    actor: Actor,
    campaign: Campaign,
    criteria: Criteria,
    due: datetime,
    action: str,
    *,
    anew: bool = False,
    pin: bool = False,
    **values: Any,
) -> int:
    """Store list, segment's snapshot and the change of state `action`, all or none of them.

    Returns how many people the list holds. `anew` replaces a list that is there; `pin` stores
    the criteria with the version that the list then stands on; `values` go to `change_state`.
    Raises SegmentChanged where the segment never holds still.
    """
    freezing = Freezing(campaign, criteria, due)
    for _ in range(MOST_TRIES):
        try:
            return _freeze(actor, freezing, action, anew, pin, values)
        except SegmentChanged:
            continue
    raise SegmentChanged("The segment is being changed all the time: try again.")


def _freeze(
    actor: Actor,
    freezing: Freezing,
    action: str,
    anew: bool,
    pin: bool,
    values: dict[str, Any],
) -> int:
    """Evaluate outside of any lock, then store snapshot, list and state in one transaction."""
    with prepared_segment(actor.organisation_id, freezing.criteria, freezing.choice) as prepared:
        audience = staged_audience(
            actor.organisation_id, prepared.criteria, freezing.channel, freezing.due
        )
        with audience as funnel, write():
            snapshot_id = prepared.capture(actor)
            people = freeze_staged_audience(freezing.campaign_id, funnel, clock.now(), anew)
            if pin and snapshot_id is not None:
                version = db.session.get_one(SegmentSnapshot, snapshot_id).version
                pinned = freezing.criteria.with_segment(version=version)
                values = {**values, "targeting_criteria": criteria_to_text(pinned)}
            change_state(
                actor,
                freezing.campaign_id,
                action,
                noted=_noted(freezing, snapshot_id, people),
                segment_snapshot_id=snapshot_id,
                bump_version=False,
                force_snapshot=False,
                **values,
            )
            return people


def _noted(freezing: Freezing, snapshot_id: int | None, people: int) -> dict[str, tuple[Any, Any]]:
    snapshot_before, people_before = freezing.before
    noted: dict[str, tuple[Any, Any]] = {"estimated_recipients": (people_before, people)}
    if snapshot_id is not None or snapshot_before is not None:
        noted["segment_snapshot_id"] = (snapshot_before, snapshot_id)
    return noted
