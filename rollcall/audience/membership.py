"""Which people criteria, a segment or a snapshot hold, as conditions that queries share.

The audience query narrows people by these conditions and adds to them what a channel asks;
a segment's members are the people who meet them, whatever the channel.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.audience.criteria.criterion import Asked, Lookup, People, Rule, Values
from rollcall.audience.criteria.table import every_criterion, every_rule, rule_of
from rollcall.audience.resolved import Resolved, resolve
from rollcall.errors import InvalidInput
from rollcall.models import PersonFacts, Reason, SegmentListing, SegmentMember

# The members that a snapshot is about to be taken of: see `rollcall.segments.snapshots`.
staged_members = sa.Table(
    "staged_members",
    sa.MetaData(),
    sa.Column("person_id", sa.Integer, primary_key=True, autoincrement=False),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True)
class CriteriaShape:
    """Which rules are on, each with all that the text of its condition depends on."""

    on: tuple[tuple[str, Hashable], ...] = ()

    def rules(self) -> Iterator[tuple[Rule, Hashable]]:
        """Yield the rules that are on with their shapes, in the order of the table."""
        shapes = dict(self.on)
        return ((rule, shapes[rule.key]) for rule in every_rule() if rule.key in shapes)

    def strictest(self) -> Iterator[tuple[Rule, Hashable]]:
        """Yield those that no other one implies, with the exclusions."""
        implied = {key for name, _ in self.on for key in rule_of(name).implies}
        return ((rule, shape) for rule, shape in self.rules() if rule.key not in implied)

    @property
    def exclusions(self) -> tuple[Reason, ...]:
        """Return the funnel's steps that these criteria add."""
        return tuple(rule.step for rule, _ in self.rules() if rule.step is not None)


# What a segment is at the moment: the members of a snapshot, those about to become one, a
# list of people, or the criteria of a version.
SetShape = CriteriaShape | Literal["snapshot", "staged", "listing"]


def read_shape(
    organisation_id: int, criteria: Criteria, prefix: str = "", known: Resolved | None = None
) -> tuple[CriteriaShape, Values]:
    """Return the shape of the criteria and the values of its parameters, each with the prefix.

    `known` is what they name, where that has been looked up already. Raises InvalidInput naming
    every event, segment or campaign that there is not.
    """
    found = known or resolve(organisation_id, criteria)
    lookup = Lookup(found.event_ids, found.check_campaigns, partial(_set_of, found))
    on: list[tuple[str, Hashable]] = []
    values: Values = {}
    problems: dict[str, str] = {}
    for row in every_criterion():
        for rule in row.rules:
            try:
                bound = rule.bind(criteria, lookup)
            except ValueError as error:
                problems.setdefault(row.key, str(error))
                continue
            if bound is not None:
                on.append((rule.key, bound[0]))
                values |= bound[1]
    if problems:
        raise InvalidInput(problems)
    return CriteriaShape(tuple(on)), {prefix + name: value for name, value in values.items()}


def _set_of(known: Resolved, choice: SegmentChoice, prefix: str) -> tuple[SetShape, Values]:
    try:
        return read_set(known, choice, prefix)
    except InvalidInput as error:
        raise ValueError(next(iter(error.fields.values()))) from error


def read_set(known: Resolved, choice: SegmentChoice, prefix: str = "") -> tuple[SetShape, Values]:
    """Return the shape of a segment's people and its values; raises InvalidInput for no such."""
    version = known.find_version(choice)
    if choice.staged:
        return "staged", {}
    if choice.snapshot is not None:
        return "snapshot", {f"{prefix}snapshot_id": choice.snapshot}
    return read_version(known, version.id, version.criteria, prefix)


def read_version(
    known: Resolved, version_id: int, criteria: Criteria | None, prefix: str = ""
) -> tuple[SetShape, Values]:
    """Return the shape of the people whom a segment's version holds now, and its values."""
    if criteria is None:
        return "listing", {f"{prefix}version_id": version_id}
    return read_shape(known.organisation_id, criteria, prefix, known)


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
    tables, excluded = join_excluded(facts, shape, prefix, facts)
    conditions = [
        *matching(shape, prefix, facts),
        *(left_out.is_(None) for _, left_out in excluded),
    ]
    return sa.select(facts.person_id).select_from(tables).where(*conditions)


def matching(
    shape: CriteriaShape, prefix: str, facts: Any, but: Rule | None = None
) -> list[ColumnElement[bool]]:
    """Return the conditions on a row of facts, but for exclusions and the one that is named."""
    conditions: list[ColumnElement[bool]] = [
        facts.organisation_id == sa.bindparam("organisation_id")
    ]
    for rule, inner in shape.strictest():
        if rule.step is not None or rule is but:
            continue
        fits: Any = rule.now(Asked(inner, prefix, facts, people_of))
        if isinstance(fits, sa.Select):
            fits = facts.person_id.in_(evaluated_once(fits, f"{prefix}{rule.key}_people"))
        conditions.append(fits)
    return conditions


def find_attended(shape: CriteriaShape) -> tuple[Rule, Hashable] | None:
    """Return the rule by which people attend what is chosen, None where no event is."""
    attending = ((rule, inner) for rule, inner in shape.strictest() if rule.step is None)
    return next(((rule, inner) for rule, inner in attending if rule.attends), None)


def join_excluded(
    tables: Any, shape: CriteriaShape, prefix: str, facts: Any
) -> tuple[Any, list[tuple[Reason, ColumnElement[int]]]]:
    """Return the tables joined with those whom each exclusion leaves out.

    Beside each step of the funnel stands a column, which is NULL for whoever stays. A join
    serves both databases at any size: PostgreSQL goes through a set that a subquery looks into
    row by row once it outgrows its memory.
    """
    columns: list[tuple[Reason, ColumnElement[int]]] = []
    for rule, inner in shape.rules():
        if rule.step is None:
            continue
        people = _selected(rule.now(Asked(inner, prefix, facts, people_of)))
        left_out = people.distinct().cte(f"{prefix}{rule.step.key}").prefix_with("MATERIALIZED")
        same_person = left_out.c.person_id == facts.person_id
        tables = sa.join(tables, left_out, same_person, isouter=True)
        columns.append((rule.step, left_out.c.person_id))
    return tables, columns


def _selected(people: Any) -> Any:
    """Return the people as one select, also where they are several together."""
    return (
        sa.select(people.subquery().c.person_id)
        if isinstance(people, sa.CompoundSelect)
        else people
    )


def evaluated_once(people: Any, name: str) -> People:
    """Return the same people, from a set of that name that is evaluated once and looked into.

    SQLite would otherwise walk some of these sets again for each person.
    """
    members = people.cte(name).prefix_with("MATERIALIZED")
    return sa.select(members.c.person_id)
