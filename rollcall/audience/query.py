"""The one audience query: criteria and a moment in, one row for every matched person out.

Preview, freezing, re-processing, "if it were sent now" and the explanation of a person all
wrap `audience_select`; a second copy would one day disagree, and the number on the form
would be a lie.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import ColumnElement

from rollcall.audience.criteria import Criteria
from rollcall.audience.criteria.attendance import attending
from rollcall.audience.criteria.criterion import Asked
from rollcall.audience.membership import (
    CriteriaShape,
    find_attended,
    join_excluded,
    matching,
    people_of,
    read_shape,
)
from rollcall.audience.resolved import Resolved, resolve
from rollcall.models import (
    Attendance,
    AudienceSource,
    Channel,
    Person,
    PersonFacts,
    Reason,
    Source,
)
from rollcall.models.types import Code, UTCDateTime

Rows = sa.Select[*tuple[Any, ...]]
Origin = Literal["asked", "looked_for", "nowhere"]


@dataclass(frozen=True)
class AudienceQuery:
    """A statement that gives `person_id`, `source`, `reason`, `country` a row, and its values.

    Where it was asked for, `zones` too: where the person's phone is, for quiet hours.
    `exclusions` are the steps that the funnel has because the criteria exclude somebody.
    """

    statement: Rows
    values: dict[str, Any]
    exclusions: tuple[Reason, ...] = ()


def audience_select(
    organisation_id: int,
    criteria: Criteria,
    channel: Channel,
    moment: datetime,
    with_zones: bool = False,
    known: Resolved | None = None,
) -> AudienceQuery:
    """Return the query for everybody whom the criteria match, as of sending at `moment`.

    `reason` is Reason.REACHABLE or the first step of the funnel that leaves the person out.
    `known` is what the criteria name, where that has been looked up already. Raises InvalidInput
    where they name an event that does not exist (any more).
    """
    known = known or resolve(organisation_id, criteria)
    who, values = read_shape(organisation_id, criteria, known=known)
    values["organisation_id"] = organisation_id
    origin, attended = _read_origin(criteria, who, known)
    values |= attended
    shape = _Shape(
        channel=channel,
        who=who,
        origin=origin,
        origin_sources="origin_sources" in attended,
        window=criteria.window_hours > 0,
        zones=with_zones,
    )
    if shape.window:
        values["cutoff"] = moment - timedelta(hours=criteria.window_hours)
    return AudienceQuery(_build(shape), values, who.exclusions)


def _read_origin(
    criteria: Criteria, who: CriteriaShape, known: Resolved
) -> tuple[Origin, dict[str, Any]]:
    """Return where people's source is read from: the chosen events, or those of their segment.

    Somebody of a segment need not attend any of its events (any more), so that there they
    are looked for but not asked for.
    """
    if find_attended(who):
        return "asked", {}
    segment = known.find_version(criteria.segment).criteria if criteria.segment else None
    if segment is None or not segment.events:
        return "nowhere", {}
    values: dict[str, Any] = {"origin_events": known.event_ids(segment.events)}
    if segment.sources:
        values["origin_sources"] = list(segment.sources)
    return "looked_for", values


@dataclass(frozen=True)
class _Shape:
    """All that the statement's text depends on: which criteria are on, and for what."""

    channel: Channel
    who: CriteriaShape
    origin: Origin
    origin_sources: bool
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
    asked = find_attended(shape.who)
    tables, source = _with_source(shape)
    tables, excluded = join_excluded(tables, shape.who, "", PersonFacts)
    # The exclusions stand before all other steps of the funnel.
    reason: ColumnElement[int] = exclusion_reason(shape.channel, cutoff)
    if excluded:
        steps = [(left_out.is_not(None), int(step)) for step, left_out in excluded]
        reason = sa.case(*steps, else_=reason)
    return (
        sa.select(
            PersonFacts.person_id.label("person_id"),
            sa.cast(reason, sa.SmallInteger).label("reason"),
            _shared(shape.channel).label("shared"),
            PersonFacts.phone_country.label("country"),
            *([PersonFacts.phone_zones.label("zones")] if shape.zones else []),
            sa.type_coerce(source, Code(AudienceSource)).label("source"),
        )
        .select_from(tables)
        .where(*matching(shape.who, "", PersonFacts, but=asked[0] if asked else None))
    )


def _with_source(shape: _Shape) -> tuple[Any, ColumnElement[int]]:
    """Return the facts with how each person came in beside them."""
    other = sa.literal_column(str(int(AudienceSource.OTHER)))
    if shape.origin == "nowhere":
        return PersonFacts, other
    attended = _attended(shape)
    same_person = PersonFacts.person_id == attended.c.person_id
    if shape.origin == "looked_for":
        tables = sa.join(PersonFacts, attended, same_person, isouter=True)
        return tables, sa.func.coalesce(attended.c.source, other)
    return sa.join(attended, PersonFacts, same_person), attended.c.source


def _attended(shape: _Shape) -> sa.CTE:
    """Return whoever attends, each once, with the sources of the attendances that count."""
    registered = sa.func.max(sa.case((Attendance.source == Source.REGISTRATION, 1), else_=0))
    scanned = sa.func.max(sa.case((Attendance.source == Source.QR_SCAN, 2), else_=0))
    found = find_attended(shape.who)
    if found is None:
        people: Any = attending(_asked(None, "origin_"), by_source=shape.origin_sources)
    else:
        rule, inner = found
        people = rule.now(_asked(inner, ""))
    return (
        people.add_columns(
            sa.type_coerce(registered + scanned, Code(AudienceSource)).label("source")
        )
        .group_by(None)
        .group_by(Attendance.person_id)
        .cte("attended")
        .prefix_with("MATERIALIZED")
    )


def _asked(inner: Any, prefix: str) -> Asked:
    return Asked(inner, prefix, PersonFacts, people_of)


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
