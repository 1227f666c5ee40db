"""One side of a comparison: a snapshot of a segment, or a version of it as it stands now."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.audience.criteria.criterion import People, Values
from rollcall.audience.membership import SetShape, people_of, read_version
from rollcall.audience.resolved import Resolved, resolve
from rollcall.errors import InvalidInput
from rollcall.models import Segment, SegmentMember, SegmentSnapshot, SegmentVersion
from rollcall.segments.records import LARGEST_ID, find_version, version_criteria
from rollcall.segments.snapshots import find_snapshot, latest_snapshot, list_snapshots
from rollcall.sql import filled_temporary
from rollcall.wording import moment_json, say_time

NOW = "now"
_WORD = re.compile(
    r"(?P<now>now)(:v?(?P<now_version>\d{1,9}))?|v(?P<version>\d{1,9})|(?P<id>\d{1,10})"
)
UNREADABLE = 'Say "now", a version such as "v3", or a snapshot\'s number (id).'


@dataclass(frozen=True)
class Side:
    """The members of a segment's version at a moment: by its snapshot, else as they are now.

    `criteria` is None where the version is a list of people.
    """

    segment_id: int
    segment_slug: str
    organisation_id: int
    version_id: int
    version: int
    criteria: Criteria | None
    moment: datetime
    snapshot_id: int | None = None
    number: int = 1
    people_then: int | None = None
    # As a version stood at an earlier moment of which no snapshot was taken: nobody knows all
    # its people any more, but causes can be told from what was recorded.
    remembered: bool = False

    @cached_property
    def known(self) -> Resolved:
        """Return what its definition names, looked up once."""
        return resolve(self.organisation_id, self.criteria)

    @property
    def is_now(self) -> bool:
        """Return whether the people are evaluated now."""
        return self.snapshot_id is None and not self.remembered

    @property
    def word(self) -> str:
        """Return the word by which `find_side` finds this side again."""
        return f"{NOW}:{self.version}" if self.snapshot_id is None else str(self.snapshot_id)

    def label(self, zone: str) -> str:
        """Return what the side is called: its version, and when that was."""
        if self.is_now:
            return f"Version {self.version} as it stands now"
        again = f", snapshot {self.number}" if self.number > 1 else ""
        return f"Version {self.version}{again}, {say_time(self.moment, zone)}"

    def to_json(self) -> dict[str, Any]:
        """Return the side as the API gives it."""
        return {
            "snapshot_id": self.snapshot_id,
            "version": self.version,
            "number": None if self.is_now else self.number,
            "at": moment_json(self.moment),
        }


def find_side(segment: Segment, word: str | None, field: str) -> Side:
    """Return the side that a word means: a snapshot's id, "v3" (its latest), "now", "now:3".

    Without a word it is the segment's newest snapshot. Raises InvalidInput naming the field for
    another word and where there is no snapshot, NotFound for a version or snapshot that the
    segment has not.
    """
    if not word:
        return _newest_side(segment, field)
    found = _WORD.fullmatch(word.strip().lower())
    if found is None:
        raise InvalidInput({field: UNREADABLE})
    if found["now"]:
        return _now_side(segment, int(found["now_version"]) if found["now_version"] else None)
    if found["version"]:
        version = find_version(segment, _small(found["version"], field))
        snapshot = latest_snapshot(version.id)
        if snapshot is None:
            raise InvalidInput({field: _no_snapshot(segment, version)})
        return snapshot_side(segment, snapshot)
    return snapshot_side(segment, find_snapshot(segment, _small(found["id"], field)))


def _newest_side(segment: Segment, field: str) -> Side:
    newest = list_snapshots(segment, limit=1).rows
    if not newest:
        raise InvalidInput({field: _no_snapshot(segment, find_version(segment))})
    return snapshot_side(segment, newest[0])


def _small(figures: str, field: str) -> int:
    number = int(figures)
    if not 0 < number <= LARGEST_ID:
        raise InvalidInput({field: UNREADABLE})
    return number


def _no_snapshot(segment: Segment, version: SegmentVersion) -> str:
    way_out = f'compare how it stands now: "now:{version.version}"'
    if version.version == segment.version:
        way_out = f"take one first (flask segment snapshot {segment.slug}), or {way_out}"
    return f"Version {version.version} has no snapshot: {way_out}."


def _now_side(segment: Segment, version: int | None) -> Side:
    return _side(segment, find_version(segment, version), clock.now())


def remembered_side(known: Resolved, choice: SegmentChoice, moment: datetime) -> Side | None:
    """Return how a segment stood at an earlier moment, to tell causes by; it can't be staged.

    `known` was resolved for that moment. None where there was no such version yet.
    """
    version = known.version_at(choice, moment)
    if version is None:
        return None
    return Side(
        segment_id=version.segment_id,
        segment_slug=choice.slug,
        organisation_id=known.organisation_id,
        version_id=version.id,
        version=version.version,
        criteria=version.criteria,
        moment=moment,
        remembered=True,
    )


def snapshot_side(segment: Segment, snapshot: SegmentSnapshot) -> Side:
    """Return a snapshot as a side."""
    return _side(
        segment,
        snapshot.of_version,
        snapshot.taken_at,
        snapshot_id=snapshot.id,
        number=snapshot.number,
        people_then=snapshot.people,
    )


def _side(segment: Segment, version: SegmentVersion, moment: datetime, **more: Any) -> Side:
    return Side(
        segment_id=segment.id,
        segment_slug=segment.slug,
        organisation_id=segment.organisation_id,
        version_id=version.id,
        version=version.version,
        criteria=version_criteria(version),
        moment=moment,
        **more,
    )


# A metadata of their own: migrations must not see temporary tables.
_evaluated = {
    place: sa.Table(
        f"compared_{place}",
        sa.MetaData(),
        sa.Column("person_id", sa.Integer, primary_key=True, autoincrement=False),
        prefixes=["TEMPORARY"],
    )
    for place in ("earlier", "later")
}


def side_people(side: Side, place: str) -> People:
    """Return the ids of a side's people; `place` is "earlier" or "later", as it was staged."""
    if side.is_now:
        return sa.select(_evaluated[place].c.person_id)
    return sa.select(SegmentMember.person_id).where(
        SegmentMember.snapshot_id == sa.literal(side.snapshot_id)
    )


@contextmanager
def staged_sides(earlier: Side, later: Side) -> Iterator[None]:
    """Evaluate the sides that stand for now, outside of any lock, for the block."""
    with ExitStack() as stack:
        for place, side in (("earlier", earlier), ("later", later)):
            if side.is_now:
                people, values = _evaluation(side)
                stack.enter_context(filled_temporary(_evaluated[place], people, values))
        yield


def _evaluation(side: Side) -> tuple[People, Values]:
    shape, values = read_side(side)
    return people_of(shape, ""), values | {"organisation_id": side.organisation_id}


def read_side(
    side: Side, prefix: str = "", known: Resolved | None = None
) -> tuple[SetShape, Values]:
    """Return the shape of whom the side's version holds now, and its values with the prefix."""
    return read_version(known or side.known, side.version_id, side.criteria, prefix)
