"""The statements of a comparison: who came, who went, who stayed, each with the cause."""

import enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from rollcall.audience.criteria.criterion import Values
from rollcall.audience.criteria.table import rule_of
from rollcall.audience.failing import (
    LISTED,
    Check,
    criteria_checks,
    first_failing,
    stricter_rules,
)
from rollcall.audience.membership import SetShape
from rollcall.audience.resolved import Resolved
from rollcall.models import Person, PersonFacts
from rollcall.models.types import UTCDateTime
from rollcall.segments.causes import (
    ADDED,
    NOTHING_TELLS,
    RESTORED,
    Cause,
    Changed,
    name_unkept,
)
from rollcall.segments.sides import Side, read_side, side_people

Moves = sa.Select[*tuple[Any, ...]]


class Movement(enum.StrEnum):
    """How somebody moved from the earlier side to the later one."""

    CAME = "came"
    WENT = "went"
    STAYED = "stayed"


def moves_select(earlier: Side, later: Side, movement: Movement) -> tuple[Moves, Values]:
    """Return `person_id` and the code of its `cause` for each person who moved so, and the values.

    The cause is None for those who stayed. Both sides must be staged.
    """
    if movement is Movement.STAYED:
        here = side_people(earlier, "earlier").subquery("here")
        there = side_people(later, "later").subquery("there")
        both = sa.exists().where(there.c.person_id == here.c.person_id)
        return sa.select(here.c.person_id, sa.null().label("cause")).where(both), {}
    if movement is Movement.WENT:
        return _moved(earlier, "earlier", later, "later")
    return _moved(later, "later", earlier, "earlier")


def _moved(
    inside: Side, inside_place: str, outside: Side, outside_place: str
) -> tuple[Moves, Values]:
    """Return those of `inside` who are not in `outside`."""
    here = side_people(inside, inside_place).subquery(f"in_{inside_place}")
    there = side_people(outside, outside_place).subquery(f"beside_{inside_place}")
    facts = aliased(PersonFacts)
    cause, values = cause_of_move(inside, outside, facts, f"{inside_place}_")
    return (
        sa.select(here.c.person_id, sa.cast(cause, sa.SmallInteger).label("cause"))
        .select_from(here)
        # An outer join: everybody who moved is counted, whatever is known of them.
        .outerjoin(facts, facts.person_id == here.c.person_id)
        .where(~sa.exists().where(there.c.person_id == here.c.person_id)),
        values,
    )


def cause_of_move(
    inside: Side, outside: Side, facts: Any, prefix: str, known: Resolved | None = None
) -> tuple[Any, Values]:
    """Return the number of the cause why somebody of `inside` is not in `outside`, and its values.

    `known` is what `outside` names, where that has been looked up already.

    The definition made the difference where that of `outside` leaves the person out as things
    stood when they were inside; else the person changed, and the cause is what that definition
    leaves them out for as things stood at its own moment. A criterion that is met by whoever
    meets that of `inside` needs no asking at the first moment: being inside proves it.
    """
    known = known or outside.known
    asked, values = _asked_then(inside, outside, facts, f"{prefix}d_", known)
    unread = {check.rule for check in asked if check.passes is None}
    shape, more = read_side(outside, f"{prefix}p_", known)
    checks, moment = criteria_checks(shape, f"{prefix}p_", facts, _past(outside))
    otherwise, created = _eliminate(outside, checks, unread, facts, f"{prefix}p_")
    values |= more | moment | created
    # What can't be read of the first moment, but is asked for by the stricter definition only
    # and leaves them out now, is laid to the definition.
    narrowed = [check for check in checks if check.rule in unread]
    changed = [check for check in checks if check.rule not in unread]
    cause = first_failing(narrowed, otherwise, _by_definition)
    cause = first_failing(changed, cause, _by_person)
    return first_failing(asked, cause, _by_definition), values


def _by_definition(rule: str) -> int:
    return Cause(Changed.DEFINITION, rule).code


def _by_person(rule: str) -> int:
    return Cause(Changed.PERSON, rule).code


def _asked_then(
    inside: Side, outside: Side, facts: Any, prefix: str, known: Resolved
) -> tuple[list[Check], Values]:
    """Return what the definition of `outside` asks more, as things stood when they were inside."""
    if inside.version_id == outside.version_id:
        return [], {}
    shape, values = read_side(outside, prefix, known)
    stricter = _stricter(inside, outside, shape)
    checks, moment = criteria_checks(shape, prefix, facts, _past(inside))
    return [check for check in checks if check.rule in stricter], values | moment


def _past(side: Side) -> Any:
    return None if side.is_now else side.moment


def _stricter(inside: Side, outside: Side, shape: SetShape) -> set[str]:
    if inside.criteria is None or outside.criteria is None:
        return {LISTED}
    return stricter_rules(outside.criteria, inside.criteria, shape)


def _eliminate(
    outside: Side, checks: list[Check], unread: set[str], facts: Any, prefix: str
) -> tuple[Any, Values]:
    """Return the cause for those whom no rule leaves out that can be read: a guess, and said so."""
    if outside.is_now:
        return sa.literal(NOTHING_TELLS.code), {}
    silent = [check.rule for check in checks if check.passes is None]
    # A change that is known outweighs one that can only be supposed.
    narrowed = [rule for rule in silent if rule in unread]
    if silent:
        changed = Changed.DEFINITION if narrowed else Changed.PERSON
        cause = Cause(changed, name_unkept(narrowed or silent))
    elif outside.criteria and any(rule_of(check.rule).attends for check in checks):
        cause = Cause(Changed.PERSON, RESTORED)
    else:
        cause = NOTHING_TELLS
    # Looked up by the person's key, and only for those who come so far.
    created_at = sa.select(Person.created_at).where(Person.id == facts.person_id).scalar_subquery()
    moment = sa.bindparam(f"{prefix}created", type_=UTCDateTime)
    added = Cause(Changed.PERSON, ADDED).code
    return sa.case((created_at > moment, added), else_=cause.code), {
        f"{prefix}created": outside.moment
    }
