"""Which people criteria, a segment or a snapshot hold, as conditions that queries share.

The audience query narrows people by these conditions and adds to them what a channel asks;
a segment's members are the people who meet them, whatever the channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from rollcall.audience.criteria import (
    SCORES,
    CampaignChoice,
    Criteria,
    Reached,
    ScoreRange,
    SegmentChoice,
    criteria_from_text,
)
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import (
    Attendance,
    Campaign,
    Event,
    Person,
    PersonFacts,
    Reason,
    Recipient,
    RecipientState,
    Segment,
    SegmentListing,
    SegmentMember,
    SegmentSnapshot,
    SegmentVersion,
)
from rollcall.models.types import IdList, IsOneOf
from rollcall.text import fold

People = sa.Select[int]

# The members that a snapshot is about to be taken of: see `rollcall.segments.snapshots`.
staged_members = sa.Table(
    "staged_members",
    sa.MetaData(),
    sa.Column("person_id", sa.Integer, primary_key=True, autoincrement=False),
    prefixes=["TEMPORARY"],
)

_MAY_HAVE_IT = (
    RecipientState.WIRING,
    RecipientState.SENT,
    RecipientState.DELIVERED,
    RecipientState.IN_DOUBT,
)


@dataclass(frozen=True)
class CriteriaShape:
    """Which criteria are on: all that the text of their conditions depends on."""

    events: bool = False
    sources: bool = False
    scores: str = ""
    cities: bool = False
    people: bool = False
    segment: "SetShape | None" = None
    exclude_events: bool = False
    exclude_segments: "tuple[SetShape, ...]" = ()
    exclude_campaigns: tuple[Reached, ...] = ()

    @property
    def exclusions(self) -> tuple[Reason, ...]:
        """Return the funnel's steps that these criteria add."""
        steps = {
            Reason.EXCLUDED_EVENT: self.exclude_events,
            Reason.EXCLUDED_SEGMENT: self.exclude_segments,
            Reason.EXCLUDED_CAMPAIGN: self.exclude_campaigns,
        }
        return tuple(reason for reason, on in steps.items() if on)


# What a segment is at the moment: the members of a snapshot, those about to become one, a
# list of people, or the criteria of a version.
SetShape = CriteriaShape | Literal["snapshot", "staged", "listing"]
Values = dict[str, Any]


def read_shape(
    organisation_id: int, criteria: Criteria, prefix: str = ""
) -> tuple[CriteriaShape, Values]:
    """Return the shape of the criteria and the values of its parameters, each with the prefix.

    Raises InvalidInput naming every event, segment or campaign that there is not.
    """
    values: Values = {}
    problems: dict[str, str] = {}
    if criteria.sources:
        values[f"{prefix}sources"] = list(criteria.sources)
    for letter, limits in criteria.scores.items():
        values |= _score_values(prefix + letter, limits)
    if criteria.cities:
        values[f"{prefix}cities"] = [fold(city) for city in criteria.cities]
    if criteria.people is not None:
        values[f"{prefix}people"] = list(criteria.people)
    for key in ("events", "exclude_events"):
        if getattr(criteria, key):
            try:
                ids = find_event_ids(organisation_id, getattr(criteria, key), key)
            except InvalidInput as error:
                problems |= error.fields
            else:
                values[f"{prefix}{key}"] = ids
    segment, excluded = _read_segments(organisation_id, criteria, prefix, values, problems)
    campaigns = _read_campaigns(organisation_id, criteria.exclude_campaigns, problems)
    values |= {f"{prefix}{who}_campaigns": ids for who, ids in campaigns.items()}
    if problems:
        raise InvalidInput(problems)
    shape = CriteriaShape(
        events=bool(criteria.events),
        sources=bool(criteria.sources),
        scores="".join(criteria.scores),
        cities=bool(criteria.cities),
        people=criteria.people is not None,
        segment=segment,
        exclude_events=bool(criteria.exclude_events),
        exclude_segments=tuple(excluded),
        exclude_campaigns=tuple(campaigns),
    )
    return shape, values


def _read_segments(
    organisation_id: int,
    criteria: Criteria,
    prefix: str,
    values: Values,
    problems: dict[str, str],
) -> tuple[SetShape | None, list[SetShape]]:
    wanted = [("segment", f"{prefix}s_", criteria.segment)] if criteria.segment else []
    wanted += [
        ("exclude_segments", f"{prefix}x{number}_", choice)
        for number, choice in enumerate(criteria.exclude_segments)
    ]
    found: list[SetShape] = []
    for key, inner, choice in wanted:
        try:
            shape, more = read_set(organisation_id, choice, inner)
        except InvalidInput as error:
            problems[key] = next(iter(error.fields.values()))
        else:
            found.append(shape)
            values |= more
    if criteria.segment is None or not found:
        return None, found
    return found[0], found[1:]


def read_set(
    organisation_id: int, choice: SegmentChoice, prefix: str = ""
) -> tuple[SetShape, Values]:
    """Return the shape of a segment's people and its values; raises InvalidInput for no such."""
    version = find_segment_version(organisation_id, choice)
    if choice.staged:
        return "staged", {}
    if choice.snapshot is not None:
        return "snapshot", {f"{prefix}snapshot_id": choice.snapshot}
    return read_version_shape(version, prefix)


def read_version_shape(version: SegmentVersion, prefix: str = "") -> tuple[SetShape, Values]:
    """Return the shape of the people whom a segment's version holds now, and its values."""
    if version.definition is None:
        return "listing", {f"{prefix}version_id": version.id}
    criteria = criteria_from_text(version.definition)
    return read_shape(version.segment.organisation_id, criteria, prefix)


def find_segment_version(organisation_id: int, choice: SegmentChoice) -> SegmentVersion:
    """Return the version that is chosen; raises InvalidInput naming what there is not."""
    segment = db.session.scalar(
        sa.select(Segment).where(
            Segment.organisation_id == organisation_id, Segment.slug == choice.slug
        )
    )
    if segment is None:
        raise InvalidInput({"segment": f"There is no segment {choice.slug!r}."})
    wanted = choice.version or segment.version
    version = db.session.scalar(
        sa.select(SegmentVersion).where(
            SegmentVersion.segment_id == segment.id, SegmentVersion.version == wanted
        )
    )
    if version is None:
        known = "1" if segment.version == 1 else f"1 to {segment.version}"
        raise InvalidInput(
            {"segment": f"The segment {choice.slug!r} has no version {wanted}, only {known}."}
        )
    if choice.snapshot is not None:
        _check_snapshot(version, choice)
    return version


def _check_snapshot(version: SegmentVersion, choice: SegmentChoice) -> None:
    snapshot = db.session.get(SegmentSnapshot, choice.snapshot)
    if snapshot is None or snapshot.version_id != version.id:
        raise InvalidInput(
            {
                "segment": f"Version {version.version} of the segment {choice.slug!r} "
                f"has no snapshot {choice.snapshot}."
            }
        )


def find_event_ids(organisation_id: int, slugs: Sequence[str], field: str = "events") -> list[int]:
    """Return the events' ids in the order of the slugs; raises InvalidInput for an unknown one."""
    rows = db.session.execute(
        sa.select(Event.slug, Event.id).where(
            Event.organisation_id == organisation_id, Event.slug.in_(slugs)
        )
    )
    ids = {row.slug: row.id for row in rows}
    missing = [slug for slug in slugs if slug not in ids]
    if missing:
        raise InvalidInput({field: f"There is no event {', '.join(map(repr, missing))}."})
    return [ids[slug] for slug in slugs]


def _read_campaigns(
    organisation_id: int, choices: Sequence[CampaignChoice], problems: dict[str, str]
) -> dict[Reached, list[int]]:
    wanted: dict[Reached, list[int]] = {}
    for choice in choices:
        wanted.setdefault(choice.who, []).append(choice.id)
    ids = {choice.id for choice in choices}
    known = set(
        db.session.scalars(
            sa.select(Campaign.id).where(
                Campaign.organisation_id == organisation_id, Campaign.id.in_(ids)
            )
        )
        if ids
        else ()
    )
    missing = sorted(ids - known)
    if missing:
        named = ", ".join(map(str, missing))
        problems["exclude_campaigns"] = f"There is no campaign {named}."
    return wanted


def _score_values(prefix: str, limits: ScoreRange) -> Values:
    return {f"{prefix}_low": limits.low, f"{prefix}_high": limits.high}


def people_of(shape: SetShape, prefix: str) -> People:
    """Return the ids of the people of a set; the statement's parameters have the prefix."""
    if shape == "staged":
        return sa.select(staged_members.c.person_id)
    if shape == "snapshot":
        return sa.select(SegmentMember.person_id).where(
            SegmentMember.snapshot_id == sa.bindparam(f"{prefix}snapshot_id")
        )
    if shape == "listing":
        return sa.select(SegmentListing.person_id).where(
            SegmentListing.version_id == sa.bindparam(f"{prefix}version_id")
        )
    facts = aliased(PersonFacts)
    conditions = matching(shape, prefix, facts)
    if shape.events:
        attending = people_attending(prefix, "events", shape.sources)
        conditions.append(facts.person_id.in_(evaluated_once(attending, f"{prefix}attending")))
    tables, excluded = join_excluded(facts, facts.person_id, shape, prefix)
    conditions += [left_out.is_(None) for _, left_out in excluded]
    return sa.select(facts.person_id).select_from(tables).where(*conditions)


def matching(shape: CriteriaShape, prefix: str, facts: Any) -> list[ColumnElement[bool]]:
    """Return the conditions on a row of facts, but for events and exclusions."""
    conditions: list[ColumnElement[bool]] = [
        facts.organisation_id == sa.bindparam("organisation_id")
    ]
    for letter in shape.scores:
        score = getattr(facts, SCORES[letter])
        low, high = (sa.bindparam(f"{prefix}{letter}_{end}") for end in ("low", "high"))
        conditions.append(score.between(low, high))
    if shape.cities:
        conditions.append(facts.person_id.in_(_people_of_cities(prefix)))
    if shape.people:
        people = sa.bindparam(f"{prefix}people", type_=IdList)
        conditions.append(IsOneOf(facts.person_id, people))
    if shape.segment is not None:
        members = people_of(shape.segment, f"{prefix}s_")
        conditions.append(facts.person_id.in_(evaluated_once(members, f"{prefix}members")))
    return conditions


def excluded_people(shape: CriteriaShape, prefix: str) -> list[tuple[Reason, People]]:
    """Return for each exclusion that is on its step of the funnel and the people it leaves out."""
    found: list[tuple[Reason, People]] = []
    if shape.exclude_events:
        found.append((Reason.EXCLUDED_EVENT, people_attending(prefix, "exclude_events")))
    if shape.exclude_segments:
        sets = [
            people_of(excluded, f"{prefix}x{number}_")
            for number, excluded in enumerate(shape.exclude_segments)
        ]
        found.append((Reason.EXCLUDED_SEGMENT, _together(sets)))
    if shape.exclude_campaigns:
        reached = [_people_reached(who, prefix) for who in shape.exclude_campaigns]
        found.append((Reason.EXCLUDED_CAMPAIGN, _together(reached)))
    return found


def join_excluded(
    tables: Any, person_id: Any, shape: CriteriaShape, prefix: str
) -> tuple[Any, list[tuple[Reason, ColumnElement[int]]]]:
    """Return the tables joined with those whom each exclusion leaves out.

    Beside each step of the funnel stands a column, which is NULL for whoever stays. A join
    serves both databases at any size: PostgreSQL goes through a set that a subquery looks into
    row by row once it outgrows its memory.
    """
    columns: list[tuple[Reason, ColumnElement[int]]] = []
    for reason, people in excluded_people(shape, prefix):
        left_out = people.distinct().cte(f"{prefix}{reason.key}").prefix_with("MATERIALIZED")
        tables = sa.join(tables, left_out, left_out.c.person_id == person_id, isouter=True)
        columns.append((reason, left_out.c.person_id))
    return tables, columns


def people_attending(prefix: str, key: str, with_sources: bool = False) -> People:
    """Return whoever counts as attending one of the events whose ids are bound as `key`."""
    attending = sa.select(Attendance.person_id).where(
        Attendance.event_id.in_(sa.bindparam(f"{prefix}{key}", expanding=True)),
        Attendance.cancelled.is_(False),
    )
    if with_sources:
        sources = sa.bindparam(f"{prefix}sources", expanding=True)
        attending = attending.where(Attendance.source.in_(sources))
    return attending


def _people_reached(who: Reached, prefix: str) -> People:
    campaigns = sa.bindparam(f"{prefix}{who}_campaigns", expanding=True)
    listed = sa.select(Recipient.person_id).where(Recipient.campaign_id.in_(campaigns))
    if who is Reached.PLANNED:
        return listed.where(Recipient.in_final.is_(True))
    states = _MAY_HAVE_IT if who is Reached.SENT else (RecipientState.DELIVERED,)
    return listed.where(Recipient.state.in_(states))


def _people_of_cities(prefix: str) -> People:
    return sa.select(Person.id).where(
        Person.organisation_id == sa.bindparam("organisation_id"),
        Person.city_key.in_(sa.bindparam(f"{prefix}cities", expanding=True)),
    )


def _together(sets: list[People]) -> People:
    if len(sets) == 1:
        return sets[0]
    every = sa.union_all(*sets).subquery()
    return sa.select(every.c.person_id)


def evaluated_once(people: Any, name: str) -> People:
    """Return the same people, from a set of that name that is evaluated once and looked into.

    SQLite would otherwise walk some of these sets again for each person.
    """
    members = people.cte(name).prefix_with("MATERIALIZED")
    return sa.select(members.c.person_id)
