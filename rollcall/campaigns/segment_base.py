"""What a campaign's list stands on where it is of a segment: version, snapshot, mode (B3)."""

from dataclasses import dataclass

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import campaign_criteria
from rollcall.campaigns.on_segment import criteria_to_freeze, snapshot_choice_of
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Campaign, Segment, SegmentSnapshot, SnapshotMode
from rollcall.wording import say_people, say_time


@dataclass(frozen=True)
class SegmentBase:
    """The segment of a campaign, and the snapshot that its list was or would be frozen from.

    `snapshot` is None where it will be taken on scheduling; `frozen` says that the list is
    there; `version` is None where the live one counts at that moment.
    """

    name: str
    slug: str
    mode: SnapshotMode
    snapshot: SegmentSnapshot | None
    version: int | None
    live: int
    pinned: bool
    frozen: bool
    zone: str
    reused: bool

    @property
    def title(self) -> str:
        """Return the segment with its version, such as "VIP (version 4)"."""
        return f"{self.name} (version {self.version})" if self.version else self.name

    @property
    def is_behind(self) -> bool:
        """Return whether the list stands on an earlier version that nobody has chosen to keep."""
        on_earlier = self.snapshot is not None and self.snapshot.version < self.live
        return on_earlier and self.frozen and not self.pinned

    def sentence(self) -> str:
        """Return what the list stands on as one sentence without its full stop."""
        people = f"People of the segment {self.title}"
        if self.snapshot is None:
            return f"{people}, frozen from a new snapshot that is taken when you confirm"
        when = say_time(self.snapshot.taken_at, self.zone)
        count = say_people(self.snapshot.people)
        return f"{people}, frozen from its snapshot of {when}, {count} ({self.mode_words})"

    @property
    def mode_words(self) -> str:
        """Return how the snapshot came to be used, in a word or two."""
        if self.mode == SnapshotMode.REFRESH:
            return "taken anew"
        return "reused" if self.reused else "snapshot mode reuse"


def find_segment_base(campaign: Campaign) -> SegmentBase | None:
    """Return what the campaign's list stands on, or would if it were frozen now.

    None where it is not on a segment, or its criteria can't be read.
    """
    try:
        criteria = campaign_criteria(campaign)
        snapshot = campaign.segment_snapshot
        if criteria.segment is None:
            return None
        if snapshot is None and campaign.frozen_at is None:
            snapshot = _would_reuse(campaign, criteria)
    except InvalidInput:
        return None
    segment = db.session.scalar(
        sa.select(Segment).where(
            Segment.organisation_id == campaign.organisation_id,
            Segment.slug == criteria.segment.slug,
        )
    )
    if segment is None:
        return None
    pinned = criteria.segment.version
    version = snapshot.version if snapshot else pinned
    if version is None and not campaign.bump_version:
        version = segment.version
    return SegmentBase(
        name=segment.name,
        slug=segment.slug,
        mode=SnapshotMode(campaign.snapshot_mode or SnapshotMode.REUSE),
        snapshot=snapshot,
        version=version,
        live=segment.version,
        pinned=pinned is not None,
        frozen=campaign.frozen_at is not None,
        zone=campaign.organisation.timezone,
        # One that is older than the campaign can't have been taken for it.
        reused=snapshot is not None
        and (campaign.frozen_at is None or snapshot.taken_at < campaign.created_at),
    )


def describe_segment_base(campaign: Campaign) -> str | None:
    """Return what the campaign's list stands on in a few words, None where on no segment."""
    base = find_segment_base(campaign)
    if base is None:
        return None
    if base.snapshot is None:
        return f"{base.title}, a new snapshot is taken on scheduling ({base.mode})"
    when = say_time(base.snapshot.taken_at, base.zone)
    return f"{base.title}, snapshot of {when}, {say_people(base.snapshot.people)} ({base.mode})"


def _would_reuse(campaign: Campaign, criteria: Criteria) -> SegmentSnapshot | None:
    found = criteria_to_freeze(campaign.organisation_id, criteria, snapshot_choice_of(campaign))
    if found.segment is None or found.segment.snapshot is None:
        return None
    return db.session.get(SegmentSnapshot, found.segment.snapshot)
