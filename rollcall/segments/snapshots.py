"""Snapshots of segments: the members of a version, stored once or, by force, again (B2)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.audience.membership import (
    people_of,
    read_version,
    staged_members,
)
from rollcall.audience.resolved import resolve
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.models import (
    Segment,
    SegmentMember,
    SegmentSnapshot,
    SegmentVersion,
    SnapshotMode,
)
from rollcall.paging import (
    PAGE_LENGTH,
    Page,
    check_page_length,
    cut_page,
    read_cursor,
)
from rollcall.segments.records import LARGEST_ID, copy_version, find_segment, find_version
from rollcall.sql import capture_once, filled_temporary, lock_row

PINNED_BUMP = (
    "A pinned version can't be bumped: leave the version out to go on with the segment's newest."
)
MOST_TRIES = 5


class SegmentChanged(Conflict):
    """The segment got a new version or snapshot while it was evaluated: evaluate again."""


@dataclass(frozen=True)
class StagedSegment:
    """A version whose members, evaluated at `moment`, stand in `staged_members`."""

    segment_id: int
    version_id: int
    version: int
    pinned: bool
    moment: datetime


@dataclass(frozen=True)
class Ensured:
    """A version's snapshot, and whether it had to be taken."""

    snapshot: SegmentSnapshot
    taken: bool


def read_snapshot_mode(text: str | None) -> SnapshotMode:
    """Return the mode, `reuse` where none is given; raises InvalidInput for any other word (B3)."""
    try:
        return SnapshotMode(text or SnapshotMode.REUSE)
    except ValueError as error:
        raise InvalidInput(
            {"snapshot_mode": f"Unsupported snapshot mode {text!r}: use reuse or refresh"}
        ) from error


def snapshot_exists(organisation_id: int, key: int | str, version: int | None = None) -> bool:
    """Return whether a version of the segment, by default the live one, has a snapshot."""
    segment = find_segment(organisation_id, key)
    return latest_snapshot(find_version(segment, version).id) is not None


def latest_snapshot(version_id: int) -> SegmentSnapshot | None:
    """Return the version's snapshot: the one that was taken last, None where there is none."""
    return db.session.scalar(
        sa.select(SegmentSnapshot)
        .where(SegmentSnapshot.version_id == version_id)
        .order_by(SegmentSnapshot.number.desc())
        .limit(1)
    )


def find_snapshot(segment: Segment, snapshot_id: int) -> SegmentSnapshot:
    """Return the segment's snapshot with that id; raises NotFound."""
    known = 0 < snapshot_id <= LARGEST_ID
    snapshot = db.session.get(SegmentSnapshot, snapshot_id) if known else None
    if snapshot is None or snapshot.segment_id != segment.id:
        raise NotFound(f"The segment {segment.slug!r} has no snapshot {snapshot_id}.")
    return snapshot


def list_snapshots(
    segment: Segment, cursor: str | None = None, limit: int = PAGE_LENGTH
) -> Page[SegmentSnapshot]:
    """Return a page of the segment's snapshots, the newest first."""
    check_page_length(limit)
    query = (
        sa.select(SegmentSnapshot)
        .where(SegmentSnapshot.segment_id == segment.id)
        .order_by(SegmentSnapshot.id.desc())
        .limit(limit + 1)
    )
    if cursor:
        query = query.where(SegmentSnapshot.id < read_cursor(cursor, int)[0])
    found = list(db.session.scalars(query))
    return cut_page(found, limit, lambda row: row.id)


def ensure_segment_snapshot(
    actor: Actor, key: int | str, bump_version: bool = False, force: bool = False
) -> SegmentSnapshot:
    """Return the snapshot of the segment's live version, taken now where there is none yet.

    `bump_version` first makes a new version of the same definition; `force` takes another
    snapshot of a version that has one, and leaves that one as it is. Two calls at once give
    one snapshot. Raises NotFound for an unknown segment.
    """
    return ensure_snapshot(actor, key, bump_version, force).snapshot


def ensure_snapshot(
    actor: Actor, key: int | str, bump_version: bool = False, force: bool = False
) -> Ensured:
    """Return what `ensure_segment_snapshot` does, and whether it was taken by this call."""
    segment = find_segment(actor.organisation_id, key)
    choice, segment_id = SegmentChoice(segment.slug), segment.id
    if not (bump_version or force):
        found = latest_snapshot(find_version(segment).id)
        if found is not None:
            return Ensured(found, taken=False)
    for _ in range(MOST_TRIES):
        try:
            with staged_segment(actor.organisation_id, choice) as staged, write():
                lock_row(Segment, segment_id)
                before = latest_snapshot(staged.version_id)
                before_id = before.id if before else None
                snapshot_id = capture_segment(actor, staged, bump_version, force)
        except SegmentChanged:
            continue
        snapshot = db.session.get_one(SegmentSnapshot, snapshot_id)
        return Ensured(snapshot, taken=snapshot_id != before_id)
    raise SegmentChanged(f"The segment {segment_id} is being changed all the time: try again.")


@contextmanager
def staged_segment(organisation_id: int, choice: SegmentChoice) -> Iterator[StagedSegment]:
    """Evaluate a segment's version into `staged_members` for the block, outside of any lock.

    Raises InvalidInput where there is no such segment or version.
    """
    known = resolve(organisation_id, Criteria(segment=choice))
    version = known.find_version(choice)
    shape, values = read_version(known, version.id, version.criteria)
    staged = StagedSegment(
        segment_id=version.segment_id,
        version_id=version.id,
        version=version.version,
        pinned=choice.version is not None,
        moment=clock.now(),
    )
    values["organisation_id"] = organisation_id
    with filled_temporary(staged_members, people_of(shape, ""), values):
        yield staged


def capture_segment(
    actor: Actor, staged: StagedSegment, bump_version: bool = False, force: bool = False
) -> int:
    """Return the id of the version's snapshot, inside the transaction that goes on to use it.

    One is taken of the staged members where there is none, and by force. Raises SegmentChanged
    where the segment got another version since it was evaluated, InvalidInput where a pinned
    version is to be bumped.
    """
    if bump_version and staged.pinned:
        raise InvalidInput({"bump_version": PINNED_BUMP})
    segment = lock_row(Segment, staged.segment_id)
    if not staged.pinned and segment.version != staged.version:
        raise SegmentChanged("The segment got a new version in the meantime: try again.")
    version = db.session.get_one(SegmentVersion, staged.version_id)
    if bump_version:
        version = _bump(actor, segment, version)
    snapshot = capture_once(
        find=lambda: None if force else latest_snapshot(version.id),
        take=lambda: _take(actor, version, staged.moment),
    )
    return snapshot.id


def _bump(actor: Actor, segment: Segment, original: SegmentVersion) -> SegmentVersion:
    version = copy_version(actor, segment, original)
    segment.updated_at = clock.now()
    before, after = {"version": original.version}, {"version": version.version}
    record(actor, "segment.bump", "segment", segment.id, before=before, after=after)
    return version


def _take(actor: Actor, version: SegmentVersion, moment: datetime) -> SegmentSnapshot:
    last = latest_snapshot(version.id)
    people = db.session.scalar(sa.select(sa.func.count()).select_from(staged_members)) or 0
    snapshot = SegmentSnapshot(
        segment_id=version.segment_id,
        version_id=version.id,
        number=last.number + 1 if last else 1,
        people=people,
        taken_at=moment,
        taken_by_id=actor.staff_id,
    )
    db.session.add(snapshot)
    db.session.flush()
    db.session.execute(
        sa.insert(SegmentMember).from_select(
            ["snapshot_id", "person_id"],
            sa.select(sa.literal(snapshot.id), staged_members.c.person_id),
        )
    )
    after = {"version": version.version, "number": snapshot.number, "people": people}
    record(actor, "segment.snapshot", "segment", version.segment_id, after=after)
    return snapshot
