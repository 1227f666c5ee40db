"""What a campaign on a segment stands on: version, snapshot, mode; chosen, taken, stored (B3)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria, campaign_criteria
from rollcall.audience.resolved import Resolved, resolve
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Campaign, Segment, SegmentSnapshot, SnapshotMode
from rollcall.segments.snapshots import (
    SegmentChanged,
    StagedSegment,
    capture_segment,
    latest_snapshot,
    staged_segment,
)
from rollcall.sql import lock_row, require_transaction
from rollcall.wording import say_people, say_time


@dataclass(frozen=True)
class SnapshotChoice:
    """What a campaign asks of its segment's snapshot when its list is frozen."""

    mode: SnapshotMode = SnapshotMode.REUSE
    bump_version: bool = False
    force: bool = False

    @property
    def takes_another(self) -> bool:
        """Return whether a snapshot is taken even where the version has one."""
        return self.force or self.mode == SnapshotMode.REFRESH


@dataclass(frozen=True)
class PreparedSegment:
    """Criteria to evaluate, and what then makes sure of the snapshot that they stand on.

    `capture` is called inside the transaction that freezes the list, before the state
    changes. It returns the snapshot's id, None for criteria without a segment, and raises
    SegmentChanged where the evaluation no longer fits.
    """

    criteria: Criteria
    capture: Callable[[Actor], int | None]


def snapshot_choice_of(campaign: Campaign) -> SnapshotChoice:
    """Return what the campaign asks for."""
    return SnapshotChoice(
        SnapshotMode(campaign.snapshot_mode or SnapshotMode.REUSE),
        campaign.bump_version,
        campaign.force_snapshot,
    )


def criteria_to_freeze(
    organisation_id: int, criteria: Criteria, choice: SnapshotChoice
) -> Criteria:
    """Return the criteria that freezing now would evaluate: on the snapshot that it would reuse.

    Raises InvalidInput where there is no such segment or version.
    """
    return resolve_to_freeze(resolve(organisation_id, criteria), criteria, choice)[0]


def resolve_to_freeze(
    known: Resolved, criteria: Criteria, choice: SnapshotChoice
) -> tuple[Criteria, Resolved]:
    """Return the criteria that freezing now would evaluate, with all that they name.

    `known` is what the criteria name. Raises InvalidInput as `criteria_to_freeze` does.
    """
    snapshot = _reusable(known, criteria, choice)
    if snapshot is None:
        return criteria, known
    return _on(known, criteria, snapshot), known.with_snapshot(snapshot.id, snapshot.version_id)


@contextmanager
def prepared_segment(
    organisation_id: int, criteria: Criteria, choice: SnapshotChoice
) -> Iterator[PreparedSegment]:
    """Find the snapshot to reuse, or evaluate the segment for a new one, outside of any lock."""
    if criteria.segment is None:
        yield PreparedSegment(criteria, lambda actor: None)
        return
    known = resolve(organisation_id, criteria)
    snapshot = _reusable(known, criteria, choice)
    if snapshot is not None:
        pinned = _on(known, criteria, snapshot)
        yield PreparedSegment(pinned, lambda actor: _confirm(criteria, snapshot))
        return
    with staged_segment(organisation_id, criteria.segment) as staged:
        yield PreparedSegment(
            criteria.with_segment(staged=True), lambda actor: _capture(actor, staged, choice)
        )


def _reusable(
    known: Resolved, criteria: Criteria, choice: SnapshotChoice
) -> SegmentSnapshot | None:
    if criteria.segment is None or choice.takes_another or choice.bump_version:
        return None
    return latest_snapshot(known.find_version(criteria.segment).id)


def _on(known: Resolved, criteria: Criteria, snapshot: SegmentSnapshot) -> Criteria:
    assert criteria.segment is not None
    version = known.find_version(criteria.segment).version
    return criteria.with_segment(version=version, snapshot=snapshot.id)


def _confirm(criteria: Criteria, snapshot: SegmentSnapshot) -> int:
    require_transaction()
    segment = lock_row(Segment, snapshot.segment_id)
    pinned = criteria.segment is not None and criteria.segment.version is not None
    latest = latest_snapshot(snapshot.version_id)
    if latest is None or latest.id != snapshot.id:
        raise SegmentChanged("The segment got a newer snapshot in the meantime: try again.")
    if not pinned and segment.version != snapshot.version:
        raise SegmentChanged("The segment got a new version in the meantime: try again.")
    return snapshot.id


def _capture(actor: Actor, staged: StagedSegment, choice: SnapshotChoice) -> int:
    lock_row(Segment, staged.segment_id)
    fresh = choice.takes_another or choice.bump_version
    if not fresh and latest_snapshot(staged.version_id) is not None:
        # Somebody else took it while we evaluated; the list must stand on theirs.
        raise SegmentChanged("The segment got its snapshot in the meantime: try again.")
    return capture_segment(actor, staged, choice.bump_version, choice.takes_another)


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
