"""The one cause of each person who joined or left a list, told from what was recorded, in SQL.

Left is told from the reason that was stored; joined from why the person was left out when the
list was frozen, else from what was recorded since. Scores and cities keep no history: they are
found by elimination, and said with a "probably".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from rollcall.audience.criteria import Criteria
from rollcall.audience.failing import Criterion, criteria_checks
from rollcall.audience.membership import Values, find_event_ids, read_shape
from rollcall.errors import InvalidInput
from rollcall.explanations.context import Context, context_of
from rollcall.extensions import db
from rollcall.models import (
    Attendance,
    Campaign,
    LeftOut,
    PersonFacts,
    Reason,
    Recipient,
    SegmentMember,
    Source,
)
from rollcall.models.types import IdList, IsOneOf, UTCDateTime
from rollcall.segments.causes import CAUSE_OF_CODE, Changed, Elimination
from rollcall.segments.difference import cause_of_move
from rollcall.segments.sides import Side
from rollcall.wording import say_reason

UNKNOWN = "unknown"
NOT_MET = Reason.CRITERIA_NO_LONGER_MET.key
# Why somebody who was left out when the list was frozen is on the final one.
CLEARED = {
    Reason.NO_ADDRESS: "address_added",
    Reason.INVALID_ADDRESS: "address_mended",
    Reason.BLOCKED: "unblocked",
    Reason.OPTED_OUT: "opted_in",
    Reason.RECENTLY_MESSAGED: "window_passed",
    Reason.DUPLICATE_ADDRESS: "no_longer_duplicate",
    Reason.EXCLUDED_EVENT: "no_longer_excluded",
    Reason.EXCLUDED_SEGMENT: "no_longer_excluded",
    Reason.EXCLUDED_CAMPAIGN: "no_longer_excluded",
}
ARRIVALS = {Source.QR_SCAN: "attended", Source.REGISTRATION: "registered"}
# Found by elimination, as nothing keeps what scores and cities were.
PROBABLE = ("scores_changed", "city_changed", "scores_or_city_changed")
_LABELS = {
    "attended": ("scanned a QR code since", "scanned a QR code since"),
    "registered": ("registered since", "registered since"),
    "restored": ("came back after cancelling", "came back after cancelling"),
    "address_added": ("has a {address} now", "have a {address} now"),
    "address_mended": ("has a valid {address} now", "have a valid {address} now"),
    "unblocked": ("was unblocked", "were unblocked"),
    "opted_in": ("opted in again", "opted in again"),
    "window_passed": (
        "no longer had a message within the window",
        "no longer had a message within the window",
    ),
    "no_longer_duplicate": (
        "no longer shares a {address} with somebody listed",
        "no longer share a {address} with somebody listed",
    ),
    "no_longer_excluded": ("is no longer excluded", "are no longer excluded"),
    "segment_changed": (
        "by another version of the segment",
        "by another version of the segment",
    ),
    "entered_segment": ("came into the segment", "came into the segment"),
    "left_segment": ("left the segment", "left the segment"),
    "cancelled": ("cancelled or was refunded", "cancelled or were refunded"),
    "scores_changed": ("probably by another score", "probably by another score"),
    "city_changed": ("probably by another city", "probably by another city"),
    "scores_or_city_changed": (
        "probably by another score or city",
        "probably by another score or city",
    ),
    UNKNOWN: ("for a reason that is not kept", "for reasons that are not kept"),
}
LEFT_REASONS = tuple(CLEARED)
CAUSES = tuple(dict.fromkeys([*_LABELS, *(reason.key for reason in LEFT_REASONS), NOT_MET]))


def say_cause(cause: str, people: int, channel: str = "sms", hours: int | None = 72) -> str:
    """Give the predicate for people of a cause, without the number in front."""
    forms = _LABELS.get(cause)
    if forms is None:
        return say_reason(cause, people, channel, hours)
    address = "e-mail address" if channel == "email" else "phone number"
    phrase = forms[0 if people == 1 else 1].format(address=address)
    return phrase.replace("a e-mail", "an e-mail")


@dataclass(frozen=True)
class CauseQuery:
    """The column that holds each recipient's cause, None for those who stayed.

    `tables` are the recipients joined with all that the column reads; `values` its parameters.
    """

    column: ColumnElement[Any]
    tables: Any
    values: Values


def cause_query(campaign: Campaign) -> CauseQuery:
    """Return the causes of a campaign's recipients, to be asked of some or of all of them."""
    context = context_of(campaign)
    facts = aliased(PersonFacts)
    same_person = sa.and_(
        LeftOut.campaign_id == Recipient.campaign_id, LeftOut.person_id == Recipient.person_id
    )
    tables = sa.join(Recipient, LeftOut, same_person, isouter=True)
    tables = sa.join(tables, facts, facts.person_id == Recipient.person_id, isouter=True)
    if campaign.final_at is None or campaign.frozen_at is None:
        return CauseQuery(sa.cast(sa.null(), sa.String), tables, {})
    values: Values = {"organisation_id": campaign.organisation_id}
    joined = _joined_cause(context, facts, values)
    left = _left_cause(context, facts, values)
    column = sa.case(
        (Recipient.in_estimate.is_(False), joined), (Recipient.in_final.is_(False), left)
    )
    return CauseQuery(column, tables, values)


def _joined_cause(context: Context, facts: Any, values: Values) -> ColumnElement[Any]:
    campaign = context.campaign
    whens: list[Any] = [(LeftOut.at_creation == reason, key) for reason, key in CLEARED.items()]
    own = context.own_criteria
    if own is None:
        return sa.case(*whens, else_=UNKNOWN)
    arrival = _arrival(context, own, campaign.frozen_at, values, "j_")
    for passes in _attendance_checks(context, own, facts, campaign.frozen_at, values, "j_"):
        whens.append((sa.not_(passes), _first_of(arrival, UNKNOWN)))
    segment = _entered(context, facts, values)
    if segment is not None:
        whens.append(segment)
    otherwise: Any = UNKNOWN
    if context.keeps_left_out:
        drifted = _drift([own])
        otherwise = drifted or (_first_of(arrival, "restored") if own.events else UNKNOWN)
    return sa.case(*whens, else_=otherwise)


def _left_cause(context: Context, facts: Any, values: Values) -> ColumnElement[Any]:
    """Return why each who is not on the final list left: the stored reason, or what lies behind.

    Where only events and sources are asked for, nothing but a cancellation can make somebody no
    longer match: it is the cause even where the person has come back since.
    """
    whens: list[Any] = [(Recipient.left_reason == reason, reason.key) for reason in LEFT_REASONS]
    own, final_at = context.own_criteria, context.campaign.final_at
    if own is None:
        return sa.case(*whens, else_=NOT_MET)
    for passes in _attendance_checks(context, own, facts, final_at, values, "l_"):
        whens.append((sa.not_(passes), "cancelled"))
    drifted = _drift([own])
    otherwise: Any = drifted or ("cancelled" if own.events else NOT_MET)
    inside, outside = context.frozen_side, context.segment_side(final_at) if final_at else None
    if inside is not None and outside is not None:
        code, more = cause_of_move(inside, outside, facts, "ls_")
        values |= more
        own_and_segment = [own, *([outside.criteria] if outside.criteria else [])]
        keys = _segment_keys(
            came="cancelled",
            back=drifted or "cancelled",
            drifted=_drift(own_and_segment),
            moved="left_segment",
            unknown=otherwise,
        )
        otherwise = sa.case(keys, value=code, else_=NOT_MET)
    return sa.case(*whens, else_=otherwise)


def _entered(context: Context, facts: Any, values: Values) -> Any:
    """Return the case of those whom the snapshot that the list was frozen from did not hold."""
    outside, final_at = context.frozen_side, context.campaign.final_at
    inside = context.segment_side(final_at) if final_at else None
    if inside is None or outside is None:
        return None
    member = sa.exists().where(
        SegmentMember.snapshot_id == sa.literal(outside.snapshot_id),
        SegmentMember.person_id == Recipient.person_id,
    )
    return (sa.not_(member), _entered_cause(context, inside, outside, facts, values))


def _entered_cause(
    context: Context, inside: Side, outside: Side, facts: Any, values: Values
) -> ColumnElement[Any]:
    code, more = cause_of_move(inside, outside, facts, "js_")
    values |= more
    # Where both the rules and the person changed, it is the old rules that they came to meet.
    asked = outside.criteria or Criteria()
    arrival = _arrival(context, asked, outside.moment, values, "ja_")
    keys = _segment_keys(
        came=_first_of(arrival, "entered_segment"),
        back=_first_of(arrival, "restored"),
        drifted=_drift([outside.criteria] if outside.criteria else []),
        moved="entered_segment",
        unknown=UNKNOWN,
    )
    return sa.case(keys, value=code, else_=UNKNOWN)


def _first_of(arrival: Any, otherwise: str) -> Any:
    return otherwise if arrival is None else sa.func.coalesce(arrival, otherwise)


def _segment_keys(
    *, came: Any, back: Any, drifted: str | None, moved: str, unknown: Any
) -> dict[int, Any]:
    """Return the key for each code by which a comparison of segments says what changed."""
    keys: dict[int, Any] = {}
    for code, cause in CAUSE_OF_CODE.items():
        if cause.criterion is Elimination.UNKNOWN:
            keys[code] = unknown
        elif cause.changed is Changed.DEFINITION:
            keys[code] = "segment_changed"
        elif cause.criterion is Elimination.RESTORED:
            keys[code] = back
        elif cause.criterion in _ATTENDING:
            keys[code] = came
        else:
            keys[code] = drifted if drifted and cause.criterion in _UNKEPT else moved
    return keys


_ATTENDING = (Criterion.EVENTS, Criterion.SOURCES)
_UNKEPT = (
    *(Criterion.RECENCY, Criterion.FREQUENCY, Criterion.MONETARY, Criterion.CITIES),
    *(Elimination.SCORES, Elimination.SCORES_OR_CITIES),
)


def _drift(several: Sequence[Criteria]) -> str | None:
    """Return the key for what may have changed without a trace, None where nothing can have."""
    scores = any(criteria.scores for criteria in several)
    cities = any(criteria.cities for criteria in several)
    if scores and cities:
        return "scores_or_city_changed"
    if scores:
        return "scores_changed"
    return "city_changed" if cities else None


def _attendance_checks(
    context: Context,
    own: Criteria,
    facts: Any,
    moment: datetime | None,
    values: Values,
    prefix: str,
) -> list[ColumnElement[bool]]:
    """Return the checks of attendance as it was recorded by the moment."""
    if moment is None or not own.events:
        return []
    try:
        shape, more = read_shape(context.organisation_id, own, prefix)
    except InvalidInput:
        return []
    checks, at = criteria_checks(shape, prefix, facts, moment)
    values |= more | at
    return [
        check.passes
        for check in checks
        if check.criterion in _ATTENDING and check.passes is not None
    ]


def _arrival(
    context: Context, criteria: Criteria, since: datetime | None, values: Values, prefix: str
) -> Any:
    """Return how the person's first attendance since then came in, NULL where there is none.

    One that still counted when the final list was made. None where no event is asked for.
    """
    if not criteria.events or since is None:
        return None
    try:
        events = find_event_ids(context.organisation_id, criteria.events)
    except InvalidInput:
        return None
    values |= {f"{prefix}since": since, f"{prefix}until": context.campaign.final_at}
    values[f"{prefix}arrived_at"] = events
    until = sa.bindparam(f"{prefix}until", type_=UTCDateTime)
    arrived = sa.select(sa.case(*((Attendance.source == s, key) for s, key in ARRIVALS.items())))
    arrived = arrived.where(
        Attendance.person_id == Recipient.person_id,
        Attendance.event_id.in_(sa.bindparam(f"{prefix}arrived_at", expanding=True)),
        Attendance.recorded_at > sa.bindparam(f"{prefix}since", type_=UTCDateTime),
        Attendance.recorded_at <= until,
        sa.or_(Attendance.cancelled.is_(False), Attendance.cancelled_at > until),
    )
    if criteria.sources:
        arrived = arrived.where(Attendance.source.in_(list(criteria.sources)))
    arrived = arrived.order_by(Attendance.recorded_at, Attendance.id).limit(1)
    return arrived.correlate(Recipient).scalar_subquery()


@dataclass(frozen=True)
class CauseCounts:
    """How many people stayed, joined and left, the latter two by cause; the largest first."""

    kept: int
    joined: dict[str, int]
    left: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the counts as the API gives them."""
        return {
            "kept": self.kept,
            "joined": sum(self.joined.values()),
            "joined_by_cause": self.joined,
            "left": sum(self.left.values()),
            "left_by_cause": self.left,
        }


def count_causes(campaign: Campaign) -> CauseCounts:
    """Return how many people of a campaign's lists each cause has; those who stayed have none."""
    query = cause_query(campaign)
    moved = Recipient.in_estimate.is_distinct_from(Recipient.in_final)
    # In a subquery, so that the database sees the same expression where it groups by it.
    rows = (
        sa.select(Recipient.in_estimate.label("was_in"), query.column.label("cause"))
        .select_from(query.tables)
        .where(Recipient.campaign_id == campaign.id, moved)
        .subquery("moved")
    )
    people = sa.func.count()
    counted = db.session.execute(
        sa.select(rows.c.was_in, rows.c.cause, people)
        .group_by(rows.c.was_in, rows.c.cause)
        .order_by(people.desc(), rows.c.cause),
        query.values,
    ).all()
    kept = db.session.scalar(
        sa.select(people).where(
            Recipient.campaign_id == campaign.id, sa.not_(moved), Recipient.in_final.is_(True)
        )
    )
    return CauseCounts(
        kept=kept or 0,
        joined={row.cause or UNKNOWN: row[2] for row in counted if not row.was_in},
        left={row.cause or NOT_MET: row[2] for row in counted if row.was_in},
    )


def find_causes(campaign: Campaign, people: Sequence[int]) -> dict[int, str]:
    """Return the causes of those of these people who joined or left."""
    query = cause_query(campaign)
    rows = db.session.execute(
        sa.select(Recipient.person_id, query.column.label("cause"))
        .select_from(query.tables)
        .where(
            Recipient.campaign_id == campaign.id,
            IsOneOf(Recipient.person_id, sa.literal(list(people), IdList)),
            Recipient.in_estimate.is_distinct_from(Recipient.in_final),
        ),
        query.values,
    )
    return {row.person_id: row.cause for row in rows if row.cause is not None}
