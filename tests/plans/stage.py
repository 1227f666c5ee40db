"""Plans for tests: what stands in one, and everything that is stored of it."""

from typing import Any

import sqlalchemy as sa

from rollcall.actors import Actor
from rollcall.extensions import db
from rollcall.models import (
    AuditEntry,
    Event,
    EventPlan,
    PlanAmendment,
    PlanBatchDecision,
    PlanFinishedGood,
    PlanRecipe,
    PlanSnapshot,
    PlanState,
)
from rollcall.plans.items import PlanItems
from rollcall.plans.reading import read_items
from rollcall.plans.records import (
    complete_plan,
    lock_plan,
    set_plan,
    start_production,
    unlock_plan,
)

ITEMS: dict[str, Any] = {
    "recipes": [{"name": "Ginger cookies", "yield_per_batch": 80}],
    "finished_goods": [
        {"name": "gift boxes", "quantity": 300, "per_person": 1},
        {"name": "Sponsors' banners", "quantity": 4},
    ],
    "batch_decisions": [{"recipe_slug": "ginger-cookies", "batches": 4.5}],
}
ITEM_TABLES = (PlanRecipe, PlanFinishedGood, PlanBatchDecision)
TABLES = (EventPlan, *ITEM_TABLES, PlanSnapshot, PlanAmendment)
VERBS = {
    "lock": lock_plan,
    "unlock": unlock_plan,
    "start": start_production,
    "complete": complete_plan,
}
WAYS = {
    PlanState.DRAFT: (),
    PlanState.LOCKED: ("lock",),
    PlanState.IN_PRODUCTION: ("lock", "start"),
    PlanState.COMPLETED: ("lock", "start", "complete"),
}


def items(data: dict[str, Any] | None = None) -> PlanItems:
    return read_items(ITEMS if data is None else data)


def bring_to(
    actor: Actor, event: Event, state: PlanState, data: dict[str, Any] | None = None
) -> None:
    """Write the plan and bring it to the state by the verbs that lead there."""
    set_plan(actor, event.id, items(data))
    for verb in WAYS[state]:
        VERBS[verb](actor, event.id)


def stored(*tables: Any) -> dict[str, list[dict[str, Any]]]:
    """Every row of the plans' tables (or of these), as it is in the database."""
    db.session.rollback()
    return {
        table.__tablename__: [
            dict(row._mapping)
            for row in db.session.execute(
                sa.select(*table.__table__.columns).order_by(table.__table__.c.id)
            )
        ]
        for table in (tables or (*TABLES, AuditEntry))
    }


def state_of(event: Event) -> str:
    db.session.rollback()
    return db.session.scalars(
        sa.select(EventPlan.state).where(EventPlan.event_id == event.id)
    ).one()
