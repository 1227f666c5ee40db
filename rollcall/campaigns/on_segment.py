"""Campaigns on a segment: which snapshot their list is frozen from, and taking it (B3)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria
from rollcall.audience.membership import find_segment_version
from rollcall.models import Campaign, Segment, SegmentSnapshot, SnapshotMode
from rollcall.snapshots.capture import lock_row, require_transaction
from rollcall.snapshots.segments import (
    SegmentChanged,
    StagedSegment,
    capture_segment,
    latest_snapshot,
    staged_segment,
)


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
    snapshot = _reusable(organisation_id, criteria, choice)
    return criteria if snapshot is None else _on(criteria, snapshot)


@contextmanager
def prepared_segment(
    organisation_id: int, criteria: Criteria, choice: SnapshotChoice
) -> Iterator[PreparedSegment]:
    """Find the snapshot to reuse, or evaluate the segment for a new one, outside of any lock."""
    if criteria.segment is None:
        yield PreparedSegment(criteria, lambda actor: None)
        return
    snapshot = _reusable(organisation_id, criteria, choice)
    if snapshot is not None:
        yield PreparedSegment(_on(criteria, snapshot), lambda actor: _confirm(criteria, snapshot))
        return
    with staged_segment(organisation_id, criteria.segment) as staged:
        yield PreparedSegment(
            criteria.with_segment(staged=True), lambda actor: _capture(actor, staged, choice)
        )


def _reusable(
    organisation_id: int, criteria: Criteria, choice: SnapshotChoice
) -> SegmentSnapshot | None:
    if criteria.segment is None or choice.takes_another or choice.bump_version:
        return None
    return latest_snapshot(find_segment_version(organisation_id, criteria.segment).id)


def _on(criteria: Criteria, snapshot: SegmentSnapshot) -> Criteria:
    return criteria.with_segment(version=snapshot.version, snapshot=snapshot.id)


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
