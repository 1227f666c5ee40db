"""An event's plan: found, written, locked, put into production, completed.

An event that never had a plan is shown as an empty draft; its row is made by the first write.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from rollcall.actors import Actor, record
from rollcall.errors import NotFound
from rollcall.events.figures import count_heads
from rollcall.extensions import write
from rollcall.lookups import find_event
from rollcall.models import Event, EventPlan, PlanSnapshot, PlanState
from rollcall.plans.amendments import steps_of_plan
from rollcall.plans.changes import Difference, difference, replay
from rollcall.plans.items import PlanItems, items_of_json
from rollcall.plans.snapshot import capture_plan_snapshot, find_plan_snapshot
from rollcall.plans.states import change_plan_state, require_action, require_version
from rollcall.plans.stored import FIRST_VERSION, find_row, load_items, locked_row, replace_items


@dataclass(frozen=True)
class Plan:
    """A plan as it stands, beside how many people attend the event now.

    `planned` is what was written, and once production has started what the snapshot holds;
    `items` is that with everything amended since.
    """

    event: Event
    state: PlanState
    version: int
    people: int
    planned: PlanItems
    items: PlanItems
    snapshot: PlanSnapshot | None = field(repr=False, default=None)
    updated_at: datetime | None = None

    @property
    def is_stored(self) -> bool:
        """Return whether anybody has ever written anything into it."""
        return self.updated_at is not None

    @property
    def growth(self) -> int | None:
        """Return how many more people attend than when production started; None before."""
        return None if self.snapshot is None else self.people - self.snapshot.people

    @cached_property
    def differences(self) -> list[Difference]:
        """Return everything that was amended since the snapshot, as a net difference."""
        return difference(self.planned, self.items)


def find_plan(organisation_id: int, event_key: int | str) -> Plan:
    """Return the plan of an event, by the event's id or slug; raises NotFound for no such event."""
    event = find_event(organisation_id, event_key)
    people = count_heads([event.id])[event.id].people
    row = find_row(event.id)
    if row is None:
        nothing = PlanItems()
        return Plan(event, PlanState.DRAFT, FIRST_VERSION, people, nothing, nothing)
    snapshot = find_plan_snapshot(row.id)
    if snapshot is None:
        planned = items = load_items(row.id)
    else:
        planned = items_of_json(snapshot.content)
        items = replay(planned, steps_of_plan(row.id))
    return Plan(
        event,
        PlanState(row.state),
        row.version,
        people,
        planned,
        items,
        snapshot,
        row.updated_at,
    )


def find_event_snapshot(organisation_id: int, event_key: int | str) -> PlanSnapshot:
    """Return the snapshot of an event's plan; raises NotFound while there is none."""
    plan = find_plan(organisation_id, event_key)
    if plan.snapshot is None:
        raise NotFound(
            f"There is no snapshot of the plan of {plan.event.name} yet: "
            "it is taken when production starts."
        )
    return plan.snapshot


def set_plan(
    actor: Actor, event_key: int | str, items: PlanItems, version: int | None = None
) -> None:
    """Replace everything in a draft by these items; what is the same already changes nothing.

    Raises Conflict, naming the state, when the plan is no draft, and when it is no longer at
    `version`; NotFound for no such event.
    """

    def replace(plan: EventPlan) -> dict[str, Any] | None:
        before = load_items(plan.id)
        if items == before:
            return None
        replace_items(plan.id, items)
        return {"before": before.to_json(), "after": items.to_json()}

    _act(actor, event_key, "edit", version, replace)


def lock_plan(actor: Actor, event_key: int | str, version: int | None = None) -> None:
    """Let nobody change a draft any more until it is unlocked; an empty one may be locked too.

    Raises Conflict, naming the state, unless it is a draft; NotFound.
    """
    _act(actor, event_key, "lock", version)


def unlock_plan(actor: Actor, event_key: int | str, version: int | None = None) -> None:
    """Make a locked plan a draft again; raises Conflict, naming the state, or NotFound."""
    _act(actor, event_key, "unlock", version)


def start_production(actor: Actor, event_key: int | str, version: int | None = None) -> None:
    """Store the snapshot of a locked plan and put it into production, both or neither.

    Raises Conflict, naming the state, unless it is locked; NotFound.
    """

    def capture(plan: EventPlan) -> dict[str, Any]:
        snapshot = capture_plan_snapshot(actor, plan)
        return {"after": {"snapshot_id": snapshot.id, "people": snapshot.people}}

    _act(actor, event_key, "start", version, capture)


def complete_plan(actor: Actor, event_key: int | str, version: int | None = None) -> None:
    """Close a plan in production: nothing in it can be amended any more.

    Raises Conflict, naming the state, unless it is in production; NotFound.
    """
    _act(actor, event_key, "complete", version)


def _act(
    actor: Actor,
    event_key: int | str,
    action: str,
    version: int | None,
    before_change: Callable[[EventPlan], dict[str, Any] | None] | None = None,
) -> None:
    """Do one action in one transaction: first `before_change`, then the change of state.

    `before_change` gives what is audited of it, or None where there is nothing to do.
    """
    with write():
        event = find_event(actor.organisation_id, event_key)
        plan = locked_row(event, make=action in ("edit", "lock"))
        state = PlanState.DRAFT if plan is None else plan.state
        require_action(action, state)
        assert plan is not None
        require_version(plan.version, version)
        done: dict[str, Any] | None = before_change(plan) if before_change else {}
        if done is None:
            return
        change_plan_state(plan, action)
        record(
            actor,
            f"plan.{action}",
            "event_plan",
            plan.id,
            before={"state": state, **done.get("before", {})},
            after={"state": plan.state, **done.get("after", {})},
        )
