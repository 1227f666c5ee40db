"""What the slugs and numbers of criteria mean, looked up once and then passed on.

Three statements at most, however many criteria, segments and events are asked about together.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from rollcall.audience.criteria import Criteria, Names, SegmentChoice, criteria_from_text
from rollcall.audience.criteria.criterion import Mentions
from rollcall.audience.criteria.table import describe_criteria, mentions_of
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Campaign, Event, Segment, SegmentSnapshot, SegmentVersion


@dataclass(frozen=True)
class KnownEvent:
    """An event that criteria name."""

    id: int
    slug: str
    name: str
    timezone: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class KnownVersion:
    """One version of a segment; without a definition it is a list of people."""

    id: int
    segment_id: int
    version: int
    definition: str | None
    created_at: datetime

    @cached_property
    def criteria(self) -> Criteria | None:
        """Return its criteria, None for a list; raises InvalidInput for a damaged definition."""
        return criteria_from_text(self.definition) if self.definition else None


@dataclass(frozen=True)
class KnownSegment:
    """A segment that criteria name, with those of its versions that they name."""

    id: int
    slug: str
    name: str
    live: int
    versions: Mapping[int, KnownVersion]


@dataclass(frozen=True)
class Resolved:
    """The events and segments (by slug) and campaigns (by id) of some criteria.

    What there is not is not in here: whoever needs it is told so by InvalidInput.
    """

    organisation_id: int
    events: Mapping[str, KnownEvent] = field(default_factory=dict)
    segments: Mapping[str, KnownSegment] = field(default_factory=dict)
    campaigns: Mapping[int, str] = field(default_factory=dict)
    snapshots: Mapping[int, int] = field(default_factory=dict)  # their versions' ids

    @cached_property
    def names(self) -> Names:
        """Return what everything is called."""
        return Names(
            events={slug: event.name for slug, event in self.events.items()},
            segments={slug: segment.name for slug, segment in self.segments.items()},
            campaigns=self.campaigns,
        )

    def say(self, criteria: Criteria) -> str:
        """Return whom the criteria choose as one English sentence without its full stop."""
        return describe_criteria(criteria, self.names)

    def find_version(self, choice: SegmentChoice) -> KnownVersion:
        """Return the version that is chosen; raises InvalidInput naming what there is not."""
        segment = self.segments.get(choice.slug)
        if segment is None:
            raise InvalidInput({"segment": f"There is no segment {choice.slug!r}."})
        version = segment.versions.get(choice.version or segment.live)
        if version is None:
            known = "1" if segment.live == 1 else f"1 to {segment.live}"
            raise InvalidInput(
                {
                    "segment": f"The segment {choice.slug!r} has no version {choice.version}, "
                    f"only {known}."
                }
            )
        if choice.snapshot is not None and self.snapshots.get(choice.snapshot) != version.id:
            raise InvalidInput(
                {
                    "segment": f"Version {version.version} of the segment {choice.slug!r} "
                    f"has no snapshot {choice.snapshot}."
                }
            )
        return version

    def version_at(self, choice: SegmentChoice, moment: datetime) -> KnownVersion | None:
        """Return the version that counted at a moment, for which all this was resolved."""
        segment = self.segments.get(choice.slug)
        versions = list(segment.versions.values()) if segment else []
        if choice.version is not None:
            return next((one for one in versions if one.version == choice.version), None)
        past = [one for one in versions if one.created_at <= moment]
        return max(past, key=lambda one: one.version, default=None)

    def with_snapshot(self, snapshot_id: int, version_id: int) -> "Resolved":
        """Return the same with a snapshot that is known to be there."""
        return replace(self, snapshots={**self.snapshots, snapshot_id: version_id})

    def find_events(self, slugs: Sequence[str]) -> list[KnownEvent]:
        """Return those of these events that there are, in the order of their start."""
        found = [self.events[slug] for slug in slugs if slug in self.events]
        return sorted(found, key=lambda event: (event.starts_at, event.id))

    def event_ids(self, slugs: tuple[str, ...]) -> list[int]:
        """Return the events' ids in the order of the slugs; raises ValueError for no such."""
        missing = [slug for slug in slugs if slug not in self.events]
        if missing:
            raise ValueError(f"There is no event {', '.join(map(repr, missing))}.")
        return [self.events[slug].id for slug in slugs]

    def check_campaigns(self, ids: tuple[int, ...]) -> None:
        """Raise ValueError for a campaign that there is not."""
        missing = sorted(set(ids) - self.campaigns.keys())
        if missing:
            raise ValueError(f"There is no campaign {', '.join(map(str, missing))}.")


def resolve(
    organisation_id: int, *several: Criteria | None, then: datetime | None = None
) -> Resolved:
    """Return all that these criteria name, and what the segments among it name in their turn.

    With `then`, the versions that were the newest at that moment are among it.
    """
    mentions = _mentions(several)
    segments = _find_segments(organisation_id, mentions.segments, then)
    for segment in segments.values():
        mentions |= _mentions(_readable(list(segment.versions.values())))
    return Resolved(
        organisation_id,
        events=_find_events(organisation_id, set(mentions.events)),
        segments=segments,
        campaigns=_find_campaigns(organisation_id, set(mentions.campaigns)),
        snapshots=_find_snapshots({one.snapshot for one in mentions.segments if one.snapshot}),
    )


def _mentions(several: Sequence[Criteria | None]) -> Mentions:
    found = Mentions()
    for criteria in several:
        if criteria is not None:
            found |= mentions_of(criteria)
    return found


def _readable(versions: Sequence[KnownVersion]) -> list[Criteria | None]:
    found: list[Criteria | None] = []
    for version in versions:
        try:
            found.append(version.criteria)
        except InvalidInput:
            continue  # who evaluates it is told
    return found


def _find_segments(
    organisation_id: int, choices: Collection[SegmentChoice], then: datetime | None
) -> dict[str, KnownSegment]:
    if not choices:
        return {}
    slugs = {choice.slug for choice in choices}
    pinned = {choice.version for choice in choices if choice.version}
    wanted = [SegmentVersion.version == Segment.version, SegmentVersion.version.in_(pinned)]
    if then is not None:
        wanted.append(SegmentVersion.version == _newest_version(then))
    rows = db.session.execute(
        sa.select(Segment.id, Segment.slug, Segment.name, Segment.version.label("live"))
        .add_columns(SegmentVersion.id, SegmentVersion.version, SegmentVersion.definition)
        .add_columns(SegmentVersion.created_at)
        .join(SegmentVersion, SegmentVersion.segment_id == Segment.id)
        .where(Segment.organisation_id == organisation_id, Segment.slug.in_(slugs))
        .where(sa.or_(*wanted))
    )
    found: dict[str, KnownSegment] = {}
    versions: dict[str, dict[int, KnownVersion]] = {slug: {} for slug in slugs}
    for segment_id, slug, name, live, version_id, version, definition, at in rows:
        versions[slug][version] = KnownVersion(version_id, segment_id, version, definition, at)
        found[slug] = KnownSegment(segment_id, slug, name, live, versions[slug])
    return found


def _newest_version(then: datetime) -> Any:
    earlier = aliased(SegmentVersion)
    return (
        sa.select(sa.func.max(earlier.version))
        .where(earlier.segment_id == Segment.id, earlier.created_at <= then)
        .scalar_subquery()
    )


def _find_events(organisation_id: int, slugs: Collection[str]) -> dict[str, KnownEvent]:
    if not slugs:
        return {}
    columns = (Event.id, Event.slug, Event.name, Event.timezone, Event.starts_at, Event.ends_at)
    rows = db.session.execute(
        sa.select(*columns).where(Event.organisation_id == organisation_id, Event.slug.in_(slugs))
    )
    return {row.slug: KnownEvent(*row) for row in rows}


def _find_campaigns(organisation_id: int, ids: Collection[int]) -> dict[int, str]:
    if not ids:
        return {}
    rows: Any = db.session.execute(
        sa.select(Campaign.id, Campaign.name).where(
            Campaign.organisation_id == organisation_id, Campaign.id.in_(ids)
        )
    )
    return {row.id: row.name for row in rows}


def _find_snapshots(ids: Collection[int]) -> dict[int, int]:
    if not ids:
        return {}
    rows = db.session.execute(
        sa.select(SegmentSnapshot.id, SegmentSnapshot.version_id).where(SegmentSnapshot.id.in_(ids))
    )
    return {row.id: row.version_id for row in rows}


def describe_audience(organisation_id: int, criteria: Criteria) -> str:
    """Return whom the criteria choose as one English sentence without its full stop."""
    return resolve(organisation_id, criteria).say(criteria)
