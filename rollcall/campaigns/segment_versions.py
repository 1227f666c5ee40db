"""A segment got a new version: each scheduled campaign keeps its own or adopts the new one."""

from dataclasses import dataclass

from rollcall import clock
from rollcall.actors import Actor
from rollcall.audience.comparison import Comparison, compare_with
from rollcall.audience.criteria import Criteria, campaign_criteria, criteria_to_text
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.freezing import freeze_campaign
from rollcall.campaigns.segment_base import criteria_to_freeze, snapshot_choice_of
from rollcall.campaigns.states import change_state, check_allowed
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import write
from rollcall.models import Campaign
from rollcall.segments.records import find_segment

DECISIONS = ("keep", "adopt")
NOT_ON_SEGMENT = "This campaign is not on a segment, so there is no version to decide on."


@dataclass(frozen=True)
class _Standing:
    """What a scheduled campaign on a segment says and stands on, and the version that is live."""

    campaign: Campaign
    criteria: Criteria
    version: int
    pinned: int | None
    live: int

    @property
    def people(self) -> int:
        """Return how many people its list holds."""
        return self.campaign.estimated_recipients or 0

    def has_adopted(self, seen: int | None) -> bool:
        """Return whether it stands on the live version, as `seen` or by the change after that."""
        on_live = self.version == self.live and self.pinned in (None, self.live)
        return on_live and self._is(seen)

    def is_kept(self, seen: int | None) -> bool:
        """Return whether it is pinned to its own version, as `seen` or by the change after that."""
        return self.pinned == self.version and self._is(seen)

    def _is(self, seen: int | None) -> bool:
        return seen is None or self.campaign.version in (seen, seen + 1)


def decide_segment_version(
    actor: Actor, campaign_id: int, decision: str, version: int | None = None
) -> int:
    """Keep the version that the list stands on, or adopt the live one, as `decision` says.

    Returns how many people the list holds then. Raises InvalidInput for another word, and what
    the two verbs raise.
    """
    if decision not in DECISIONS:
        raise InvalidInput({"decision": f"Choose one of {', '.join(DECISIONS)}."})
    if decision == "keep":
        return keep_segment_version(actor, campaign_id, version)
    return adopt_segment_version(actor, campaign_id, version)


def adopt_segment_version(actor: Actor, campaign_id: int, version: int | None = None) -> int:
    """Freeze a scheduled campaign's list anew on the segment's live version.

    Snapshot, list and campaign change together or not at all. A pinned campaign is pinned to
    that version; one that is re-processed goes on being so. One that stands on the live version
    stays as it is. Returns how many people the list holds. Raises Conflict once sending has
    begun, for a campaign that is not on a segment, and where it is no longer at `version`.
    """
    standing = _find_standing(actor, campaign_id, "adopt_version")
    if standing.has_adopted(version):
        return standing.people
    campaign = standing.campaign
    check_allowed(actor, campaign, "adopt_version", version)
    try:
        return freeze_campaign(
            actor,
            campaign,
            standing.criteria.with_segment(version=None),
            campaign.scheduled_at or clock.now(),
            "adopt_version",
            anew=True,
            pin=standing.pinned is not None,
            # What was read is what will be changed: an edit in between must be noticed.
            version=campaign.version,
        )
    except Conflict:
        # The other one of two clicks may have been faster; both meant the same.
        standing = _find_standing(actor, campaign_id, "adopt_version")
        if standing.has_adopted(version):
            return standing.people
        raise


def keep_segment_version(actor: Actor, campaign_id: int, version: int | None = None) -> int:
    """Pin a scheduled campaign to the version that its list stands on, and leave the list alone.

    Re-processing then evaluates that version's definition at send time. Returns how many people
    the list holds. Raises Conflict as `adopt_segment_version` does.
    """
    standing = _find_standing(actor, campaign_id, "keep_version")
    if standing.is_kept(version):
        return standing.people
    campaign, people = standing.campaign, standing.people
    check_allowed(actor, campaign, "keep_version", version)
    with write():
        change_state(
            actor,
            campaign_id,
            "keep_version",
            version=campaign.version,
            noted={"segment_version": (standing.pinned, standing.version)},
            targeting_criteria=criteria_to_text(
                standing.criteria.with_segment(version=standing.version)
            ),
        )
    return people


def compare_with_adopting(campaign: Campaign) -> Comparison:
    """Return who would join and who would leave the list if the live version were adopted.

    Computed as adopting itself would compute it, for the campaign's time. Raises InvalidInput
    where the criteria are missing or damaged.
    """
    criteria = campaign_criteria(campaign).with_segment(version=None)
    choice = snapshot_choice_of(campaign)
    criteria = criteria_to_freeze(campaign.organisation_id, criteria, choice)
    return compare_with(campaign, criteria, campaign.scheduled_at or clock.now())


def _find_standing(actor: Actor, campaign_id: int, action: str) -> _Standing:
    campaign = find_campaign(actor.organisation_id, campaign_id)
    if campaign.segment_id is None:
        raise Conflict(NOT_ON_SEGMENT)
    check_allowed(actor, campaign, action)
    criteria, snapshot = campaign_criteria(campaign), campaign.segment_snapshot
    if criteria.segment is None or snapshot is None:
        raise Conflict(NOT_ON_SEGMENT)
    live = find_segment(actor.organisation_id, campaign.segment_id).version
    return _Standing(campaign, criteria, snapshot.version, criteria.segment.version, live)
