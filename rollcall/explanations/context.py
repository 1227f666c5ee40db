"""What all explanations of one campaign stand on: its criteria, moments, names and zone."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from rollcall import clock
from rollcall.audience.criteria import Criteria, Names, campaign_criteria
from rollcall.audience.names import find_names
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    LeftOut,
    Reason,
    Segment,
    SegmentVersion,
)
from rollcall.segments.sides import Side, remembered_side, snapshot_side
from rollcall.wording import say_time

PLANNED = (CampaignState.DRAFT, CampaignState.SCHEDULED)


@dataclass(frozen=True)
class Context:
    """One campaign as explanations look at it; `criteria` is None where they can't be read."""

    campaign: Campaign
    criteria: Criteria | None

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
    def names(self) -> Names:
        """Return what events, segments and campaigns of the criteria are called."""
        return find_names(self.organisation_id, self.criteria) if self.criteria else Names()

    @property
    def own_criteria(self) -> Criteria | None:
        """Return the criteria that match people, less the segment and the exclusions."""
        if self.criteria is None:
            return None
        return replace(
            self.criteria,
            segment=None,
            exclude_events=(),
            exclude_segments=(),
            exclude_campaigns=(),
        )

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
        snapshot = self.campaign.segment_snapshot
        return snapshot_side(snapshot.segment, snapshot) if snapshot else None

    def segment_side(self, moment: datetime) -> Side | None:
        """Return the segment as the criteria named it at a moment, None without a segment."""
        if self.criteria is None or self.criteria.segment is None:
            return None
        choice = self.criteria.segment
        segment = db.session.scalar(
            sa.select(Segment).where(
                Segment.organisation_id == self.organisation_id, Segment.slug == choice.slug
            )
        )
        if segment is None:
            return None
        wanted = SegmentVersion.created_at <= moment
        if choice.version is not None:
            wanted = SegmentVersion.version == choice.version
        version = db.session.scalar(
            sa.select(SegmentVersion)
            .where(SegmentVersion.segment_id == segment.id, wanted)
            .order_by(SegmentVersion.version.desc())
            .limit(1)
        )
        return remembered_side(segment, version, moment) if version else None


def context_of(campaign: Campaign) -> Context:
    """Return what explanations of the campaign stand on; damaged criteria are left out."""
    try:
        return Context(campaign, campaign_criteria(campaign))
    except InvalidInput:
        return Context(campaign, None)
