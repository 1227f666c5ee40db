"""Which rule leaves somebody out, at this moment or at an earlier one, as SQL.

What keeps its moments can be asked how it stood then. A rule without history can be asked of
now only, and `passes` is None else.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from rollcall.audience.criteria import Criteria
from rollcall.audience.criteria.criterion import Asked, Recorded, Rule, Values
from rollcall.audience.criteria.table import every_rule
from rollcall.audience.membership import CriteriaShape, SetShape, people_of
from rollcall.extensions import db
from rollcall.models import Person, PersonFacts
from rollcall.models.types import IdList, IsOneOf

# A set that is given by no rules, a list or a snapshot, leaves out whoever is not on it.
LISTED = "people"


@dataclass(frozen=True)
class Check:
    """One rule, and whether a row of facts meets it: None where nothing tells any more."""

    rule: str
    passes: ColumnElement[bool] | None


def first_failing(
    checks: Iterable[Check], otherwise: Any, number: Callable[[str], int]
) -> ColumnElement[int]:
    """Return what `number` gives for the first rule that a person fails, or `otherwise`."""
    failing = [
        (sa.not_(check.passes), number(check.rule)) for check in checks if check.passes is not None
    ]
    return sa.case(*failing, else_=otherwise) if failing else otherwise


def criteria_checks(
    shape: SetShape, prefix: str, facts: Any, moment: datetime | None = None
) -> tuple[list[Check], Values]:
    """Return a check for each rule that is on, and the values that they add.

    `facts` is what has the person's row of PersonFacts; `prefix` is the one by which the shape
    was read. Without a moment they are asked of now; an earlier one is told from what was
    recorded by then.
    """
    if not isinstance(shape, CriteriaShape):
        asked = Asked(shape, prefix, facts, people_of, one_by_one=True)
        return [Check(LISTED, asked.among(people_of(shape, prefix)))], {}
    checks = [
        Check(rule.key, _passes(rule, Asked(inner, prefix, facts, people_of, True), moment))
        for rule, inner in shape.rules()
    ]
    return checks, {} if moment is None else {f"{prefix}moment": moment}


def _passes(rule: Rule, asked: Asked, moment: datetime | None) -> ColumnElement[bool] | None:
    fits: Any = rule.now(asked) if moment is None else _fitted(rule, asked)
    if fits is None:
        return None
    met = asked.among(fits) if isinstance(fits, sa.Select | sa.CompoundSelect) else fits
    return met if rule.step is None else sa.not_(met)


def _fitted(rule: Rule, asked: Asked) -> Any:
    return rule.history.then(asked) if isinstance(rule.history, Recorded) else None


def stricter_rules(wanted: Criteria, met: Criteria, shape: SetShape) -> set[str]:
    """Return which rules of `wanted`, whose shape it is, can leave out who meets those of `met`."""
    if not isinstance(shape, CriteriaShape):
        return {LISTED}
    return {rule.key for rule, _ in shape.rules() if not rule.proved_by(wanted, met)}


def facts_columns() -> list[Any]:
    """Return the columns of a person and their facts that rules read, each once."""
    return list(dict.fromkeys(column for rule in every_rule() for column in rule.reads))


def read_facts(people: Sequence[int]) -> Sequence[Any]:
    """Return of each of these people all that rules read, with `id` and `created_at`."""
    if not people:
        return []
    return db.session.execute(
        sa.select(Person.id, Person.created_at, *facts_columns())
        .outerjoin(PersonFacts, PersonFacts.person_id == Person.id)
        .where(IsOneOf(Person.id, sa.literal(list(people), IdList)))
    ).all()
