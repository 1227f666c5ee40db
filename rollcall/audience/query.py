"""The one audience query: criteria and a moment in, one row for every matched person out.

Preview, freezing, re-processing, "if it were sent now" and the explanation of a person all
wrap `audience_select`; a second copy would one day disagree, and the number on the form
would be a lie.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import ColumnElement

from rollcall.audience.criteria import SCORES, Criteria, ScoreRange
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.folding import fold
from rollcall.models import (
    Attendance,
    AudienceSource,
    Channel,
    Event,
    Person,
    PersonFacts,
    Reason,
    Source,
)
from rollcall.models.types import Code, IdList, IsOneOf, UTCDateTime

Rows = sa.Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class AudienceQuery:
    """A statement that gives `person_id`, `source`, `reason`, `country` a row, and its values.

    Where it was asked for, `zones` too: where the person's phone is, for quiet hours.
    """

    statement: Rows
    values: dict[str, Any]


def audience_select(
    organisation_id: int,
    criteria: Criteria,
    channel: Channel,
    moment: datetime,
    with_zones: bool = False,
) -> AudienceQuery:
    """Return the query for everybody whom the criteria match, as of sending at `moment`.

    `reason` is Reason.REACHABLE or the first step of the funnel that leaves the person out.
    Raises InvalidInput where the criteria name an event that does not exist (any more).
    """
    shape = _Shape(
        channel=channel,
        events=bool(criteria.events),
        sources=bool(criteria.sources),
        scores="".join(criteria.scores),
        cities=bool(criteria.cities),
        people=criteria.people is not None,
        window=criteria.window_hours > 0,
        zones=with_zones,
    )
    values: dict[str, Any] = {"organisation_id": organisation_id}
    if shape.events:
        values["event_ids"] = find_event_ids(organisation_id, criteria.events)
    if shape.sources:
        values["sources"] = list(criteria.sources)
    for letter, limits in criteria.scores.items():
        values |= _score_values(letter, limits)
    if shape.cities:
        values["cities"] = [fold(city) for city in criteria.cities]
    if criteria.people is not None:
        values["people"] = list(criteria.people)
    if shape.window:
        values["cutoff"] = moment - timedelta(hours=criteria.window_hours)
    return AudienceQuery(_build(shape), values)


def find_event_ids(organisation_id: int, slugs: tuple[str, ...]) -> list[int]:
    """Return the events' ids in the order of the slugs; raises InvalidInput for an unknown one."""
    rows = db.session.execute(
        sa.select(Event.slug, Event.id).where(
            Event.organisation_id == organisation_id, Event.slug.in_(slugs)
        )
    )
    ids = {row.slug: row.id for row in rows}
    missing = [slug for slug in slugs if slug not in ids]
    if missing:
        raise InvalidInput({"events": f"There is no event {', '.join(map(repr, missing))}."})
    return [ids[slug] for slug in slugs]


@dataclass(frozen=True)
class _Shape:
    """Which criteria are on: all that the statement's text depends on."""

    channel: Channel
    events: bool
    sources: bool
    scores: str
    cities: bool
    people: bool
    window: bool
    zones: bool


@lru_cache(maxsize=512)
def _build(shape: _Shape) -> Rows:
    # Built once for each shape, since building costs more than running it on small data.
    #
    # `attended` is materialised, because SQLite's planner otherwise walks the attendances
    # again for every use. `judged` gives each matched person the first reason that applies,
    # from the narrow facts row alone. Only those who share their address, about one in a
    # hundred, are numbered within it; the lowest id among those still reachable stays.
    judged = _judged(shape).cte("judged").prefix_with("MATERIALIZED")
    duplicates = _duplicates(judged, shape.channel)
    # A set to look into, and only for those who share: SQLite would walk a join row by row.
    is_duplicate = sa.and_(
        judged.c.shared.is_(True), judged.c.person_id.in_(sa.select(duplicates.c.person_id))
    )
    reason = sa.case((is_duplicate, int(Reason.DUPLICATE_ADDRESS)), else_=judged.c.reason)
    return sa.select(
        judged.c.person_id,
        judged.c.source,
        sa.type_coerce(reason, Code(Reason)).label("reason"),
        judged.c.country,
        *([judged.c.zones] if shape.zones else []),
    )


def _judged(shape: _Shape) -> Rows:
    cutoff = sa.bindparam("cutoff", type_=UTCDateTime) if shape.window else None
    columns = [
        PersonFacts.person_id.label("person_id"),
        sa.cast(exclusion_reason(shape.channel, cutoff), sa.SmallInteger).label("reason"),
        _shared(shape.channel).label("shared"),
        PersonFacts.phone_country.label("country"),
        *([PersonFacts.phone_zones.label("zones")] if shape.zones else []),
    ]
    conditions = [PersonFacts.organisation_id == sa.bindparam("organisation_id")]
    for letter in shape.scores:
        score = getattr(PersonFacts, SCORES[letter])
        conditions.append(
            score.between(sa.bindparam(f"{letter}_low"), sa.bindparam(f"{letter}_high"))
        )
    if shape.cities:
        conditions.append(PersonFacts.person_id.in_(_people_of_cities()))
    if shape.people:
        conditions.append(IsOneOf(PersonFacts.person_id, sa.bindparam("people", type_=IdList)))
    if not shape.events:
        other = sa.literal_column(str(int(AudienceSource.OTHER))).label("source")
        return sa.select(*columns, sa.type_coerce(other, Code(AudienceSource))).where(*conditions)
    attended = _attended(shape)
    return (
        sa.select(*columns, attended.c.source)
        .join_from(attended, PersonFacts, PersonFacts.person_id == attended.c.person_id)
        .where(*conditions)
    )


def _attended(shape: _Shape) -> sa.CTE:
    registered = sa.func.max(sa.case((Attendance.source == Source.REGISTRATION, 1), else_=0))
    scanned = sa.func.max(sa.case((Attendance.source == Source.QR_SCAN, 2), else_=0))
    statement = (
        sa.select(
            Attendance.person_id,
            sa.type_coerce(registered + scanned, Code(AudienceSource)).label("source"),
        )
        .where(
            Attendance.event_id.in_(sa.bindparam("event_ids", expanding=True)),
            Attendance.cancelled.is_(False),
        )
        .group_by(Attendance.person_id)
    )
    if shape.sources:
        statement = statement.where(Attendance.source.in_(sa.bindparam("sources", expanding=True)))
    return statement.cte("attended").prefix_with("MATERIALIZED")


def exclusion_reason(
    channel: Channel, cutoff: ColumnElement[datetime] | None
) -> ColumnElement[int]:
    """Return the first reason that leaves a person out, judged by their facts row alone.

    Everybody messaged after `cutoff` was messaged recently; None switches the window off.
    Sending asks the same once more just before each message.
    """
    sms = channel == Channel.SMS
    has_address = PersonFacts.has_phone if sms else PersonFacts.has_email
    invalid = PersonFacts.phone_invalid if sms else PersonFacts.email_invalid
    opted_out = PersonFacts.opted_out_sms if sms else PersonFacts.opted_out_email
    steps: list[tuple[ColumnElement[bool], int]] = [
        (has_address.is_(False), int(Reason.NO_ADDRESS)),
        (invalid.is_(True), int(Reason.INVALID_ADDRESS)),
        (PersonFacts.blocked.is_(True), int(Reason.BLOCKED)),
        (opted_out.is_(True), int(Reason.OPTED_OUT)),
    ]
    if cutoff is not None:
        steps.append((PersonFacts.last_message_at > cutoff, int(Reason.RECENTLY_MESSAGED)))
    return sa.case(*steps, else_=int(Reason.REACHABLE))


def address_column(channel: Channel) -> InstrumentedAttribute[str | None]:
    """Return the column that holds a person's address for the channel."""
    return Person.phone if channel == Channel.SMS else Person.email


def _shared(channel: Channel) -> InstrumentedAttribute[bool]:
    return PersonFacts.phone_shared if channel == Channel.SMS else PersonFacts.email_shared


def _duplicates(judged: sa.CTE, channel: Channel) -> sa.CTE:
    place = sa.func.row_number().over(
        partition_by=address_column(channel), order_by=judged.c.person_id
    )
    sharing = (
        sa.select(judged.c.person_id, place.label("place"))
        .join(Person, Person.id == judged.c.person_id)
        .where(judged.c.reason == int(Reason.REACHABLE), judged.c.shared.is_(True))
        .subquery("sharing")
    )
    return (
        sa.select(sharing.c.person_id)
        .where(sharing.c.place > 1)
        .cte("duplicates")
        .prefix_with("MATERIALIZED")
    )


def _people_of_cities() -> sa.Select[int]:
    return sa.select(Person.id).where(
        Person.organisation_id == sa.bindparam("organisation_id"),
        Person.city_key.in_(sa.bindparam("cities", expanding=True)),
    )


def _score_values(letter: str, limits: ScoreRange) -> dict[str, int]:
    return {f"{letter}_low": limits.low, f"{letter}_high": limits.high}
