"""An event plan's snapshot, stored before production starts, in the same transaction (F2)."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor
from rollcall.events.figures import count_heads
from rollcall.extensions import db
from rollcall.models import EventPlan, PlanSnapshot
from rollcall.plans.items import ItemKind
from rollcall.plans.stored import item_ids, load_items
from rollcall.sql import capture_once

SNAPSHOT_VERSION = "1.0"

# The order in which a snapshot is given: PostgreSQL keeps the keys of JSON in one of its own.
_KEYS = (
    "snapshot_version",
    "created_at",
    "event",
    "head_count",
    *(kind.plural for kind in ItemKind),
)
_ITEM_KEYS = (
    *("id", "name", "slug", "recipe_id", "recipe_slug"),
    *("batches", "quantity", "per_person", "yield_per_batch"),
)


def find_plan_snapshot(plan_id: int) -> PlanSnapshot | None:
    """Return the plan's snapshot, or None while production has not started."""
    return db.session.scalar(sa.select(PlanSnapshot).where(PlanSnapshot.plan_id == plan_id))


def capture_plan_snapshot(actor: Actor, plan: EventPlan) -> PlanSnapshot:
    """Return the plan's snapshot, taken now where there is none yet.

    Call it inside the transaction that goes on to change the state, with the plan's row locked.
    """
    return capture_once(
        lambda: find_plan_snapshot(plan.id),
        lambda: _take(actor, plan),
    )


def snapshot_content(snapshot: PlanSnapshot) -> dict[str, Any]:
    """Return what the snapshot holds, its keys in the order of the contract."""
    content = {name: snapshot.content[name] for name in _KEYS}
    content["event"] = {name: content["event"][name] for name in ("id", "slug", "name")}
    for kind in ItemKind:
        content[kind.plural] = [_in_order(item) for item in content[kind.plural]]
    return content


def _take(actor: Actor, plan: EventPlan) -> PlanSnapshot:
    now = clock.now()
    people = count_heads([plan.event_id])[plan.event_id].people
    snapshot = PlanSnapshot(
        plan_id=plan.id,
        taken_at=now,
        taken_by_id=actor.staff_id,
        people=people,
        content={
            "snapshot_version": SNAPSHOT_VERSION,
            "created_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "event": {"id": plan.event_id, "slug": plan.event.slug, "name": plan.event.name},
            "head_count": people,
            **_items(plan.id),
        },
    )
    db.session.add(snapshot)
    db.session.flush()
    return snapshot


def _items(plan_id: int) -> dict[str, list[dict[str, Any]]]:
    ids = item_ids(plan_id)
    lists = {
        name: [{"id": ids[name][item["slug"]], **item} for item in items]
        for name, items in load_items(plan_id).to_json().items()
    }
    for decision in lists[ItemKind.BATCH_DECISION.plural]:
        decision["recipe_id"] = ids[ItemKind.RECIPE.plural][decision["recipe_slug"]]
    return lists


def _in_order(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in _ITEM_KEYS if name in item}
