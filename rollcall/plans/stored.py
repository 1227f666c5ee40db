"""The rows of a plan and its items: found, made, read and replaced, in the caller's transaction."""

from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.extensions import db
from rollcall.models import (
    Event,
    EventPlan,
    PlanBatchDecision,
    PlanFinishedGood,
    PlanRecipe,
    PlanState,
)
from rollcall.plans.items import BatchDecision, FinishedGood, PlanItems, Recipe
from rollcall.sql import insert_missing, lock_row

FIRST_VERSION = 1


def find_row(event_id: int) -> EventPlan | None:
    """Return the event's plan, or None where none was ever stored."""
    return db.session.scalar(
        sa.select(EventPlan)
        .where(EventPlan.event_id == event_id)
        .execution_options(populate_existing=True)
    )


def locked_row(event: Event, *, make: bool = False) -> EventPlan | None:
    """Return the event's plan as it is now, locked until the transaction ends.

    `make` stores an empty draft where there is none; of two at once both get the same one.
    """
    if make:
        now = clock.now()
        values = {
            "organisation_id": event.organisation_id,
            "event_id": event.id,
            "state": PlanState.DRAFT,
            "version": FIRST_VERSION,
            "created_at": now,
            "updated_at": now,
        }
        db.session.execute(insert_missing(EventPlan).values(**values))
    row = find_row(event.id)
    return None if row is None else lock_row(EventPlan, row.id)


def load_items(plan_id: int) -> PlanItems:
    """Return what the plan's rows say, in the order in which they were written."""
    slugs: dict[int, str] = {}
    recipes, finished_goods, batch_decisions = [], [], []
    for row in _rows(PlanRecipe, plan_id):
        slugs[row.id] = row.slug
        recipes.append(Recipe(row.name, row.slug, row.yield_per_batch))
    for row in _rows(PlanFinishedGood, plan_id):
        finished_goods.append(FinishedGood(row.name, row.slug, row.quantity, row.per_person))
    for row in _rows(PlanBatchDecision, plan_id):
        recipe_slug = slugs[row.recipe_id]
        batch_decisions.append(
            BatchDecision(row.name, row.slug, recipe_slug, row.batches, row.yield_per_batch)
        )
    return PlanItems(tuple(recipes), tuple(finished_goods), tuple(batch_decisions))


def item_ids(plan_id: int) -> dict[str, dict[str, int]]:
    """Return the id of each item's row, by the name of its list and its slug."""
    return {
        name: {row.slug: row.id for row in _rows(model, plan_id)}
        for name, model in (
            ("recipes", PlanRecipe),
            ("finished_goods", PlanFinishedGood),
            ("batch_decisions", PlanBatchDecision),
        )
    }


def replace_items(plan_id: int, items: PlanItems) -> None:
    """Store these items in place of all that the plan has."""
    for model in (PlanBatchDecision, PlanFinishedGood, PlanRecipe):
        db.session.execute(
            sa.delete(model)
            .where(model.plan_id == plan_id)
            .execution_options(synchronize_session=False)
        )
    _insert(PlanRecipe, plan_id, [vars(recipe) for recipe in items.recipes])
    _insert(PlanFinishedGood, plan_id, [vars(good) for good in items.finished_goods])
    recipe_ids = item_ids(plan_id)["recipes"]
    _insert(
        PlanBatchDecision,
        plan_id,
        [
            {
                "recipe_id": recipe_ids[decision.recipe_slug],
                "slug": decision.slug,
                "name": decision.name,
                "batches": decision.batches,
                "yield_per_batch": decision.yield_per_batch,
            }
            for decision in items.batch_decisions
        ],
    )


def _rows(model: type[Any], plan_id: int) -> list[Any]:
    return list(
        db.session.execute(
            sa.select(*model.__table__.columns).where(model.plan_id == plan_id).order_by(model.id)
        )
    )


def _insert(model: type[Any], plan_id: int, rows: list[dict[str, Any]]) -> None:
    if rows:
        # Row by row inside the driver, so that the ids follow the order of the plan.
        db.session.execute(sa.insert(model), [{**row, "plan_id": plan_id} for row in rows])
