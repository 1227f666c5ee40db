"""What all explanations of one campaign stand on: its criteria, moments, names and zone."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from rollcall import clock
from rollcall.audience.criteria import Criteria, Names, campaign_criteria
from rollcall.audience.criteria.table import without_exclusions
from rollcall.audience.resolved import Resolved, resolve
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    LeftOut,
    Reason,
    SegmentSnapshot,
)
from rollcall.segments.sides import Side, remembered_side, snapshot_side
from rollcall.wording import say_time

PLANNED = (CampaignState.DRAFT, CampaignState.SCHEDULED)


@dataclass(frozen=True)
class Context:
    """One campaign as explanations look at it; `criteria` is None where they can't be read.

    `resolved` is what they name, where that has been looked up already.
    """

    campaign: Campaign
    criteria: Criteria | None
    resolved: Resolved | None = None

    @property
    def campaign_id(self) -> int:
        """Return the campaign's id."""
        return self.campaign.id

    @property
    def organisation_id(self) -> int:
        """Return the campaign's organisation."""
        return self.campaign.organisation_id

    @property
    def channel(self) -> Channel:
        """Return how the message travels."""
        return Channel(self.campaign.channel)

    @property
    def mode(self) -> AudienceMode:
        """Return which list the campaign asks for."""
        return self.campaign.final_mode

    @property
    def hours(self) -> int:
        """Return the anti-spam window."""
        return (self.criteria or Criteria()).window_hours

    @property
    def zone(self) -> str:
        """Return the zone in which the campaign's times are said."""
        return self.campaign.scheduled_timezone or self.campaign.organisation.timezone

    @property
    def is_planned(self) -> bool:
        """Return whether its final list is still to come."""
        if self.campaign.state in PLANNED:
            return True
        waiting = (CampaignState.PREPARING, CampaignState.NEEDS_REVIEW)
        return self.campaign.state in waiting and self.campaign.final_at is None

    @property
    def due(self) -> datetime:
        """Return the moment of sending that the anti-spam window is taken back from now."""
        now = clock.now()
        return max(self.campaign.scheduled_at or now, now)

    @property
    def uses_computed_list(self) -> bool:
        """Return whether the final list is the one that was computed again, not the estimate."""
        final, estimate = self.campaign.final_snapshot, self.campaign.estimate_snapshot
        if self.campaign.reprocessed_at is None or not final or not estimate:
            return False
        return final.get("timestamp") != estimate.get("timestamp")

    @cached_property
    def known(self) -> Resolved:
        """Return what the criteria name, and the definitions of their segment, looked up once."""
        if self.resolved is not None:
            return self.resolved
        frozen, then = self.frozen_side, self.campaign.final_at
        asked = (self.criteria, frozen.criteria if frozen else None)
        return resolve(self.organisation_id, *asked, then=then)

    @property
    def names(self) -> Names:
        """Return what events, segments and campaigns of the criteria are called."""
        return self.known.names

    @cached_property
    def own_criteria(self) -> Criteria | None:
        """Return the criteria that match people, less the segment and the exclusions."""
        if self.criteria is None:
            return None
        return replace(without_exclusions(self.criteria), segment=None)

    @property
    def all_criteria(self) -> list[Criteria]:
        """Return the own criteria, and those of the segment, as it was frozen and as it is sent."""
        sides = [self.frozen_side, self.final_side]
        asked = [self.own_criteria, *(side.criteria for side in sides if side)]
        return [criteria for criteria in asked if criteria is not None]

    def say(self, moment: datetime | None) -> str:
        """Return a moment in the campaign's zone."""
        return say_time(moment, self.zone) if moment else "a time that is not kept"

    @cached_property
    def keeps_left_out(self) -> bool:
        """Return whether it is kept who was left out when the list was frozen.

        It is not of campaigns that were frozen by an earlier version of Rollcall.
        """
        funnel = (self.campaign.estimate_snapshot or {}).get("funnel") or {}
        if funnel.get("matched", 0) == funnel.get("reachable", 0):
            return True
        return self._any_left_out(LeftOut.at_creation)

    @cached_property
    def keeps_left_out_at_send(self) -> bool:
        """Return whether it is kept who was left out when the list was computed again."""
        return self.keeps_left_out or self._any_left_out(LeftOut.at_send)

    def _any_left_out(self, moment: InstrumentedAttribute[Reason | None]) -> bool:
        rows = sa.exists().where(LeftOut.campaign_id == self.campaign.id, moment.is_not(None))
        return bool(db.session.scalar(sa.select(rows)))

    @cached_property
    def frozen_side(self) -> Side | None:
        """Return the segment's snapshot that the list was frozen from, None without one."""
        if self.campaign.segment_snapshot_id is None:
            return None
        snapshot = db.session.scalar(
            sa.select(SegmentSnapshot)
            .where(SegmentSnapshot.id == self.campaign.segment_snapshot_id)
            .options(joinedload(SegmentSnapshot.segment), joinedload(SegmentSnapshot.of_version))
        )
        return snapshot_side(snapshot.segment, snapshot) if snapshot else None

    @cached_property
    def final_side(self) -> Side | None:
        """Return the segment as it counted when the final list was made, None without either."""
        choice, moment = self.criteria and self.criteria.segment, self.campaign.final_at
        return remembered_side(self.known, choice, moment) if choice and moment else None


def context_of(campaign: Campaign) -> Context:
    """Return what explanations of the campaign stand on; damaged criteria are left out."""
    try:
        return Context(campaign, campaign_criteria(campaign))
    except InvalidInput:
        return Context(campaign, None)
