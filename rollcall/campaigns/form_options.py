"""What the campaign form offers: events, segments, people to pick, and whom to leave out."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import CampaignChoice, SegmentChoice
from rollcall.events.figures import count_heads
from rollcall.extensions import db
from rollcall.models import Campaign, Event, Person, Segment, SegmentSnapshot, SegmentVersion

EVENTS_SHOWN = 12
PEOPLE_SHOWN = 50


@dataclass(frozen=True)
class EventOption:
    """An event that can be chosen, with how many people attend it."""

    slug: str
    name: str
    event: Event
    people: int
    over: bool


@dataclass(frozen=True)
class EventOptions:
    """The chosen events first, then others; `more` says that some did not fit."""

    options: list[EventOption]
    more: bool


def find_event_options(
    organisation_id: int, chosen: Sequence[str] = (), text: str = "", limit: int = EVENTS_SHOWN
) -> EventOptions:
    """Return all chosen events and up to `limit` others that hold `text`, the latest first."""
    of_organisation = sa.select(Event).where(Event.organisation_id == organisation_id)
    ticked = of_organisation.where(Event.slug.in_(chosen)).order_by(Event.starts_at.desc())
    others = (
        of_organisation.where(Event.slug.not_in(chosen), *_holds(text))
        .order_by(Event.starts_at.desc(), Event.id.desc())
        .limit(limit + 1)
    )
    found = list(db.session.scalars(others))
    events = [*db.session.scalars(ticked), *found[:limit]]
    heads = count_heads([event.id for event in events])
    now = clock.now()
    return EventOptions(
        [
            EventOption(event.slug, event.name, event, heads[event.id].people, event.ends_at <= now)
            for event in events
        ],
        more=len(found) > limit,
    )


def find_chosen_events(organisation_id: int, slugs: Sequence[str]) -> list[Event]:
    """Return the organisation's events with these slugs, in order of their start."""
    return list(
        db.session.scalars(
            sa.select(Event)
            .where(Event.organisation_id == organisation_id, Event.slug.in_(slugs))
            .order_by(Event.starts_at)
        )
    )


def find_picked_people(organisation_id: int, person_ids: Sequence[int]) -> list[Person]:
    """Return the organisation's people with the first PEOPLE_SHOWN of these ids."""
    return list(
        db.session.scalars(
            sa.select(Person)
            .where(
                Person.organisation_id == organisation_id,
                Person.id.in_(person_ids[:PEOPLE_SHOWN]),
            )
            .order_by(Person.id)
        )
    )


def _holds(text: str) -> list[sa.ColumnElement[bool]]:
    return [
        sa.or_(
            Event.name.icontains(word, autoescape=True),
            Event.city.icontains(word, autoescape=True),
            Event.slug.icontains(word, autoescape=True),
        )
        for word in text.split()
    ]


def has_anybody(organisation_id: int) -> bool:
    """Return whether the organisation knows a person at all."""
    anybody = sa.exists().where(Person.organisation_id == organisation_id)
    return bool(db.session.scalar(sa.select(anybody)))


def has_events(organisation_id: int) -> bool:
    """Return whether the organisation has an event."""
    return bool(
        db.session.scalar(sa.select(sa.exists().where(Event.organisation_id == organisation_id)))
    )


SEGMENTS_SHOWN = 12
EXCLUSIONS_SHOWN = 5
VERSIONS_SHOWN = 50


@dataclass(frozen=True)
class SegmentOption:
    """A segment that can be chosen, with the snapshot of its live version if there is one."""

    segment: Segment
    snapshot: SegmentSnapshot | None


@dataclass(frozen=True)
class SegmentOptions:
    """The chosen segment first, then others; `more` says that some did not fit."""

    options: list[SegmentOption]
    more: bool


@dataclass(frozen=True)
class ChosenSegment:
    """The segment that is chosen: its versions, and the snapshot of the one that counts.

    `version` is the one that the list would stand on now.
    """

    segment: Segment
    version: int
    versions: list[int]
    snapshot: SegmentSnapshot | None


@dataclass(frozen=True)
class ExclusionOptions:
    """Who can be left out: of each kind the chosen ones first, then the newest that fit."""

    events: list[EventOption]
    segments: list[tuple[str, str]]  # SLUG or SLUG@VERSION, and what it is called
    campaigns: list[Campaign]
    more: bool


def find_segment_options(
    organisation_id: int, chosen: str = "", text: str = "", limit: int = SEGMENTS_SHOWN
) -> SegmentOptions:
    """Return the chosen segment and up to `limit` others that hold `text`, the newest first."""
    found = _find_segments(organisation_id, (chosen,), text, limit)
    segments = found[: limit + (1 if found and found[0].slug == chosen else 0)]
    latest = _latest_snapshots([(segment.id, segment.version) for segment in segments])
    return SegmentOptions(
        [SegmentOption(segment, latest.get(segment.id)) for segment in segments],
        more=len(found) > len(segments),
    )


def find_chosen_segment(
    organisation_id: int, slug: str, version: int | None = None
) -> ChosenSegment | None:
    """Return the segment with what can be chosen of it, None where there is no such one."""
    segment = db.session.scalar(
        sa.select(Segment).where(
            Segment.organisation_id == organisation_id, Segment.slug == slug.strip()
        )
    )
    if segment is None:
        return None
    numbers = db.session.scalars(
        sa.select(SegmentVersion.version)
        .where(SegmentVersion.segment_id == segment.id)
        .order_by(SegmentVersion.version.desc())
        .limit(VERSIONS_SHOWN)
    )
    wanted = version or segment.version
    versions = sorted({*numbers, wanted} if wanted <= segment.version else {*numbers})
    latest = _latest_snapshots([(segment.id, wanted)])
    return ChosenSegment(segment, wanted, versions[::-1], latest.get(segment.id))


def find_exclusion_options(
    organisation_id: int,
    events: Sequence[str],
    segments: Sequence[SegmentChoice],
    campaigns: Sequence[CampaignChoice],
    text: str = "",
) -> ExclusionOptions:
    """Return what can be left out: whatever is chosen, and what holds `text`, the newest first."""
    found_events = find_event_options(organisation_id, events, text, EXCLUSIONS_SHOWN)
    slugs = [choice.slug for choice in segments]
    found = _find_segments(organisation_id, slugs, text, EXCLUSIONS_SHOWN)
    names = {segment.slug: segment.name for segment in found}
    chosen = [
        (segment_text(choice), _segment_name(names[choice.slug], choice.version))
        for choice in segments
        if choice.slug in names
    ]
    others = [(slug, name) for slug, name in names.items() if slug not in slugs]
    earlier = _find_campaigns(organisation_id, [choice.id for choice in campaigns], text)
    free = [campaign for campaign in earlier if campaign.id not in {c.id for c in campaigns}]
    return ExclusionOptions(
        events=found_events.options,
        segments=[*chosen, *others[:EXCLUSIONS_SHOWN]],
        campaigns=[one for one in earlier if one not in free] + free[:EXCLUSIONS_SHOWN],
        more=found_events.more or len(others) > EXCLUSIONS_SHOWN or len(free) > EXCLUSIONS_SHOWN,
    )


def segment_text(choice: SegmentChoice) -> str:
    """Return a choice as a form holds it: SLUG, or SLUG@VERSION."""
    return f"{choice.slug}@{choice.version}" if choice.version else choice.slug


def _segment_name(name: str, version: int | None) -> str:
    return f"{name} (version {version})" if version else name


def _find_segments(
    organisation_id: int, chosen: Sequence[str], text: str, limit: int
) -> list[Segment]:
    """Return the chosen ones, then one more than `limit` of the others."""
    of_organisation = sa.select(Segment).where(Segment.organisation_id == organisation_id)
    ticked = of_organisation.where(Segment.slug.in_(chosen)).order_by(Segment.id.desc())
    others = of_organisation.where(
        Segment.slug.not_in(chosen),
        *(
            sa.or_(
                Segment.name.icontains(word, autoescape=True),
                Segment.slug.icontains(word, autoescape=True),
            )
            for word in text.split()
        ),
    )
    rest = others.order_by(Segment.id.desc()).limit(limit + 1)
    return [*db.session.scalars(ticked), *db.session.scalars(rest)]


def _find_campaigns(organisation_id: int, chosen: Sequence[int], text: str) -> list[Campaign]:
    """Return the chosen ones, then one more than fits of the others that have had a list."""
    of_organisation = sa.select(Campaign).where(Campaign.organisation_id == organisation_id)
    ticked = of_organisation.where(Campaign.id.in_(chosen)).order_by(Campaign.id.desc())
    others = of_organisation.where(
        Campaign.id.not_in(chosen),
        Campaign.frozen_at.is_not(None),
        Campaign.dry_run_address.is_(None),  # its list got nothing from it
        *(Campaign.name.icontains(word, autoescape=True) for word in text.split()),
    )
    rest = others.order_by(Campaign.id.desc()).limit(EXCLUSIONS_SHOWN + 1)
    return [*db.session.scalars(ticked), *db.session.scalars(rest)]


def _latest_snapshots(wanted: Sequence[tuple[int, int]]) -> dict[int, SegmentSnapshot]:
    """Return by segment's id the newest snapshot of the version beside it, where there is one."""
    if not wanted:
        return {}
    rows = db.session.scalars(
        sa.select(SegmentSnapshot)
        .join(SegmentVersion, SegmentVersion.id == SegmentSnapshot.version_id)
        .where(
            sa.or_(
                *(
                    sa.and_(
                        SegmentVersion.segment_id == segment_id, SegmentVersion.version == version
                    )
                    for segment_id, version in wanted
                )
            )
        )
        .order_by(SegmentSnapshot.number)
    )
    return {snapshot.segment_id: snapshot for snapshot in rows}
