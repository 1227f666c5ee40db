"""The one cause of each person who joined or left a list, told from what was recorded, in SQL.

Left is told from the reason that was stored; joined from why the person was left out when the
list was frozen, else from what was recorded since. What keeps no history is found by elimination,
and said with a "probably".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from rollcall.audience.criteria import Criteria, either
from rollcall.audience.criteria.criterion import Moved, Recorded, Rule, Unkept, Values
from rollcall.audience.criteria.table import attended_by, every_rule, unkept_in
from rollcall.audience.failing import criteria_checks
from rollcall.audience.funnel import EXCLUSIONS
from rollcall.audience.membership import read_shape
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
from rollcall.segments.causes import RESTORED as SEGMENT_RESTORED
from rollcall.segments.causes import UNKNOWN as SEGMENT_UNKNOWN
from rollcall.segments.causes import Changed, is_certain, rules_behind
from rollcall.segments.causes import causes_by_code as segment_causes_by_code
from rollcall.segments.difference import cause_of_move
from rollcall.segments.sides import Side
from rollcall.wording import say_reason

UNKNOWN = "unknown"
NOT_MET = Reason.CRITERIA_NO_LONGER_MET.key
RESTORED = "restored"
CANCELLED_THEN = "cancelled_then"
# Why somebody who was left out when the list was frozen is on the final one.
CLEARED = {
    Reason.NO_ADDRESS: "address_added",
    Reason.INVALID_ADDRESS: "address_mended",
    Reason.BLOCKED: "unblocked",
    Reason.OPTED_OUT: "opted_in",
    Reason.RECENTLY_MESSAGED: "window_passed",
    Reason.DUPLICATE_ADDRESS: "no_longer_duplicate",
    **dict.fromkeys(EXCLUSIONS, "no_longer_excluded"),
}
ARRIVALS = {Source.QR_SCAN: "attended", Source.REGISTRATION: "registered"}
_LABELS = {
    "attended": ("scanned a QR code since", "scanned a QR code since"),
    "registered": ("registered since", "registered since"),
    RESTORED: ("probably came back after cancelling", "probably came back after cancelling"),
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
    "segment_perhaps_changed": (
        "probably by another version of the segment",
        "probably by another version of the segment",
    ),
    "cancelled": ("cancelled or was refunded", "cancelled or were refunded"),
    CANCELLED_THEN: (
        "had probably cancelled, and came back later",
        "had probably cancelled, and came back later",
    ),
    UNKNOWN: ("for a reason that is not kept", "for reasons that are not kept"),
}
LEFT_REASONS = tuple(CLEARED)
# Found by elimination; what may have changed without a trace comes to these.
_GUESSED = (RESTORED, CANCELLED_THEN, "segment_perhaps_changed")


def every_cause() -> tuple[str, ...]:
    """Return the keys of all causes."""
    reasons = [reason.key for reason in LEFT_REASONS]
    return tuple(dict.fromkeys([*_labels(), *reasons, NOT_MET]))


def is_guessed(cause: str | None) -> bool:
    """Return whether the cause is found by elimination, and so said with a "probably"."""
    return cause in (*_GUESSED, *_drifts())


def say_cause(cause: str, people: int, channel: str = "sms", hours: int | None = 72) -> str:
    """Give the predicate for people of a cause, without the number in front."""
    forms = _labels().get(cause)
    if forms is None:
        return say_reason(cause, people, channel, hours)
    address = "e-mail address" if channel == "email" else "phone number"
    phrase = forms[0 if people == 1 else 1].format(address=address)
    return phrase.replace("a e-mail", "an e-mail")


def _labels() -> dict[str, tuple[str, str]]:
    """Return each cause's predicates about one person and about several."""
    found = dict(_LABELS)
    for rule in every_rule():
        moves = rule.history.moves if isinstance(rule.history, Recorded) else None
        if isinstance(moves, Moved) and rule.step is None:
            found |= {key: (one, several) for key, one, several in (moves.joined, moves.left)}
    return found | {key: (said, said) for key, said in _drifts().items()}


def _drifts() -> dict[str, str]:
    """Return what may have changed without a trace, alone or together, with its predicate."""
    kept = [rule.history for rule in every_rule() if rule.step is None]
    groups = list(dict.fromkeys(one for one in kept if isinstance(one, Unkept)))
    return {
        _name_drift(some): f"probably by another {either([one.noun for one in some])}"
        for size in range(1, len(groups) + 1)
        for some in combinations(groups, size)
    }


def _name_drift(some: Sequence[Unkept]) -> str:
    return f"{'_or_'.join(one.cause for one in some)}_changed"


def _drift(several: Sequence[Criteria]) -> str | None:
    """Return the key for what may have changed without a trace, None where nothing can have."""
    found = unkept_in(several)
    return _name_drift(found) if found else None


@dataclass(frozen=True)
class CauseQuery:
    """The column that holds each recipient's cause, None for those who stayed.

    `tables` are the recipients joined with all that the column reads; `values` its parameters.
    """

    column: ColumnElement[Any]
    tables: Any
    values: Values


def cause_query(campaign: Campaign, context: Context | None = None) -> CauseQuery:
    """Return the causes of a campaign's recipients, to be asked of some or of all of them.

    `context` is the campaign's, where there is one already.
    """
    context = context or context_of(campaign)
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
    """Return why each who is new on the final list joined: what was recorded tells it, or a guess.

    Whoever is not kept as left out, and met all that can be asked of that moment, can only have
    been kept out by what keeps no history.
    """
    whens: list[Any] = [(LeftOut.at_creation == reason, key) for reason, key in CLEARED.items()]
    own, frozen_at = context.own_criteria, context.campaign.frozen_at
    if own is None:
        return sa.case(*whens, else_=UNKNOWN)
    arrival = _arrival(context, own, frozen_at, values, "j_")
    for rule, passes in _recorded(context, own, facts, frozen_at, values, "j_"):
        moved: Any = rule.history.moves if isinstance(rule.history, Recorded) else None
        brought = moved.joined[0] if isinstance(moved, Moved) else _first_of(arrival, UNKNOWN)
        whens.append((sa.not_(passes), brought))
    segment = _entered(context, facts, values)
    if segment is not None:
        whens.append(segment)
    otherwise: Any = UNKNOWN
    if context.keeps_left_out:
        drifted = _drift([own])
        otherwise = drifted or (_first_of(arrival, RESTORED) if attended_by(own) else UNKNOWN)
    return sa.case(*whens, else_=otherwise)


def _left_cause(context: Context, facts: Any, values: Values) -> ColumnElement[Any]:
    """Return why each who is not on the final list left: the stored reason, or what lies behind.

    Whoever meets all that can be asked of that moment has changed without a trace since, and
    what that was is a guess.
    """
    whens: list[Any] = [(Recipient.left_reason == reason, reason.key) for reason in LEFT_REASONS]
    own, final_at = context.own_criteria, context.campaign.final_at
    if own is None:
        return sa.case(*whens, else_=NOT_MET)
    for rule, passes in _recorded(context, own, facts, final_at, values, "l_"):
        moved: Any = rule.history.moves if isinstance(rule.history, Recorded) else None
        whens.append((sa.not_(passes), moved.left[0] if isinstance(moved, Moved) else "cancelled"))
    drifted = _drift([own])
    otherwise: Any = drifted or (CANCELLED_THEN if attended_by(own) else NOT_MET)
    inside, outside = context.frozen_side, context.final_side
    if inside is not None and outside is not None:
        code, more = cause_of_move(inside, outside, facts, "ls_", context.known)
        values |= more
        keys = _segment_keys(
            inside,
            outside,
            came="cancelled",
            back=drifted or CANCELLED_THEN,
            drifted=_drift([own, *([outside.criteria] if outside.criteria else [])]),
            moved="left_segment",
            unknown=otherwise,
        )
        otherwise = sa.case(keys, value=code, else_=NOT_MET)
    return sa.case(*whens, else_=otherwise)


def _entered(context: Context, facts: Any, values: Values) -> Any:
    """Return the case of those whom the snapshot that the list was frozen from did not hold."""
    inside, outside = context.final_side, context.frozen_side
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
    code, more = cause_of_move(inside, outside, facts, "js_", context.known)
    values |= more
    # Where both the rules and the person changed, it is the old rules that they came to meet.
    asked = outside.criteria or Criteria()
    arrival = _arrival(context, asked, outside.moment, values, "ja_")
    keys = _segment_keys(
        inside,
        outside,
        came=_first_of(arrival, "entered_segment"),
        back=_first_of(arrival, RESTORED),
        drifted=_drift([outside.criteria] if outside.criteria else []),
        moved="entered_segment",
        unknown=UNKNOWN,
    )
    return sa.case(keys, value=code, else_=UNKNOWN)


def _first_of(arrival: Any, otherwise: str) -> Any:
    return otherwise if arrival is None else sa.func.coalesce(arrival, otherwise)


def _segment_keys(
    inside: Side,
    outside: Side,
    *,
    came: Any,
    back: Any,
    drifted: str | None,
    moved: str,
    unknown: Any,
) -> dict[int, Any]:
    """Return the key for each code by which a comparison of segments says what changed."""
    keys: dict[int, Any] = {}
    for code, cause in segment_causes_by_code().items():
        behind = rules_behind(cause.criterion)
        sure = is_certain(cause, inside, outside)
        if cause.criterion == SEGMENT_UNKNOWN:
            keys[code] = unknown
        elif cause.changed is Changed.DEFINITION:
            keys[code] = "segment_changed" if sure else "segment_perhaps_changed"
        elif cause.criterion == SEGMENT_RESTORED:
            keys[code] = back
        elif sure and behind and behind[0].attends and behind[0].step is None:
            keys[code] = came
        else:
            keys[code] = moved if sure or drifted is None else drifted
    return keys


def _recorded(
    context: Context,
    own: Criteria,
    facts: Any,
    moment: datetime | None,
    values: Values,
    prefix: str,
) -> list[tuple[Rule, ColumnElement[bool]]]:
    """Return each rule that has a history, with whether it was met as of the moment."""
    if moment is None:
        return []
    try:
        shape, more = read_shape(context.organisation_id, own, prefix, context.known)
    except InvalidInput:
        return []
    checks, at = criteria_checks(shape, prefix, facts, moment)
    values |= more | at
    strictest = {rule.key: rule for rule, _ in shape.strictest()}
    return [
        (strictest[check.rule], check.passes)
        for check in checks
        if check.passes is not None and check.rule in strictest
    ]


def _arrival(
    context: Context, criteria: Criteria, since: datetime | None, values: Values, prefix: str
) -> Any:
    """Return how the person's first attendance since then came in, NULL where there is none.

    One that still counted when the final list was made; where several events are asked for, at
    one that they had not come to before. None where no event is asked for.
    """
    attends = attended_by(criteria)
    if attends is None or since is None:
        return None
    try:
        events = context.known.event_ids(attends.slugs(criteria))
    except ValueError:
        return None
    values |= {f"{prefix}since": since, f"{prefix}until": context.campaign.final_at}
    values[f"{prefix}arrived_at"] = events
    by = list(criteria.sources) if attends.by_source and criteria.sources else None
    arrived = sa.select(sa.case(*((Attendance.source == s, key) for s, key in ARRIVALS.items())))
    arrived = arrived.where(
        Attendance.person_id == Recipient.person_id,
        Attendance.event_id.in_(sa.bindparam(f"{prefix}arrived_at", expanding=True)),
        Attendance.recorded_at > sa.bindparam(f"{prefix}since", type_=UTCDateTime),
        *_counted(Attendance, sa.bindparam(f"{prefix}until", type_=UTCDateTime), by),
    )
    if attends.needed(criteria) > 1:
        before = aliased(Attendance)
        arrived = arrived.where(
            ~sa.exists().where(
                before.person_id == Attendance.person_id,
                before.event_id == Attendance.event_id,
                *_counted(before, sa.bindparam(f"{prefix}since", type_=UTCDateTime), by),
            )
        )
    arrived = arrived.order_by(Attendance.recorded_at, Attendance.id).limit(1)
    return arrived.correlate(Recipient).scalar_subquery()


def _counted(table: Any, moment: Any, sources: list[Source] | None) -> list[ColumnElement[bool]]:
    """Return the conditions that an attendance of these sources counted at the moment."""
    counted = [
        table.recorded_at <= moment,
        sa.or_(table.cancelled.is_(False), table.cancelled_at > moment),
    ]
    return counted if sources is None else [*counted, table.source.in_(sources)]


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


def find_causes(
    campaign: Campaign, people: Sequence[int], context: Context | None = None
) -> dict[int, str]:
    """Return the causes of those of these people who joined or left."""
    query = cause_query(campaign, context)
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
