"""Amendments: what was changed in a plan after production had started, by whom, and why."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.lookups import find_event
from rollcall.models import EventPlan, PlanAmendment
from rollcall.paging import (
    PAGE_LENGTH,
    Page,
    check_page_length,
    cut_page,
    read_cursor,
)
from rollcall.people.reading.cells import clean_cell
from rollcall.plans.changes import Change, Step, replay, steps_of
from rollcall.plans.items import ItemKind, PlanItems, items_of_json
from rollcall.plans.snapshot import find_plan_snapshot
from rollcall.plans.states import change_plan_state, require_action, require_version
from rollcall.plans.stored import find_row, locked_row

LONGEST_REASON = 500


def amend_plan(
    actor: Actor, event_key: int | str, change: Change, reason: str, version: int | None = None
) -> list[int]:
    """Store one change to a plan in production with its author and reason; returns the ids.

    Each number that changes is an amendment of its own. Raises Conflict, naming the state,
    unless the plan is in production; InvalidInput naming the field that is wrong; NotFound.
    """
    with write():
        event = find_event(actor.organisation_id, event_key)
        plan = locked_row(event)
        require_action("amend", plan.state if plan else "draft")
        assert plan is not None
        require_version(plan.version, version)
        reason = _check_reason(reason)
        rows = [
            PlanAmendment(
                plan_id=plan.id,
                kind=step.kind.value,
                slug=step.slug,
                field=step.field,
                before=step.before,
                after=step.after,
                reason=reason,
                amended_at=clock.now(),
                amended_by_id=actor.staff_id,
            )
            for step in steps_of(amended_items(plan), change)
        ]
        db.session.add_all(rows)
        db.session.flush()
        for row in rows:
            record(
                actor,
                "plan.amend",
                "event_plan",
                plan.id,
                before={"kind": row.kind, "slug": row.slug, "field": row.field, "is": row.before},
                after={"is": row.after, "reason": reason},
            )
        change_plan_state(plan, "amend")
        return [row.id for row in rows]


def amended_items(plan: EventPlan) -> PlanItems:
    """Return a plan in production, or completed, with everything that was amended."""
    snapshot = find_plan_snapshot(plan.id)
    assert snapshot is not None, "a plan in production has its snapshot"
    return replay(items_of_json(snapshot.content), steps_of_plan(plan.id))


def steps_of_plan(plan_id: int) -> Iterable[Step]:
    """Yield every step that was amended, in order."""
    rows = db.session.execute(
        sa.select(
            PlanAmendment.kind,
            PlanAmendment.slug,
            PlanAmendment.field,
            PlanAmendment.before,
            PlanAmendment.after,
        )
        .where(PlanAmendment.plan_id == plan_id)
        .order_by(PlanAmendment.id)
    )
    for kind, slug, field, before, after in rows:
        yield Step(ItemKind(kind), slug, field, before, after)


def list_amendments(
    organisation_id: int,
    event_key: int | str,
    cursor: str | None = None,
    limit: int = PAGE_LENGTH,
) -> Page[PlanAmendment]:
    """Return a page of an event's amendments, the newest first; raises NotFound."""
    check_page_length(limit)
    event = find_event(organisation_id, event_key)
    plan = find_row(event.id)
    if plan is None:
        return Page([], None)
    query = (
        sa.select(PlanAmendment)
        .where(PlanAmendment.plan_id == plan.id)
        .order_by(PlanAmendment.id.desc())
        .limit(limit + 1)
        .options(joinedload(PlanAmendment.amended_by))
    )
    if cursor:
        query = query.where(PlanAmendment.id < read_cursor(cursor, int)[0])
    rows = list(db.session.scalars(query))
    return cut_page(rows, limit, lambda row: row.id)


def _check_reason(reason: str) -> str:
    text = clean_cell(reason)
    if not text:
        raise InvalidInput({"reason": "Say why: whoever reads the plan later will ask."})
    if len(text) > LONGEST_REASON:
        raise InvalidInput({"reason": f"Use at most {LONGEST_REASON} characters."})
    return text
