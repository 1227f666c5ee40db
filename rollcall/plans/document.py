"""A plan as JSON: the one object that the API and `flask plan show --json` give."""

from datetime import datetime
from typing import Any

from rollcall.models import PlanAmendment
from rollcall.plans.figures import compare_supplies, list_warnings
from rollcall.plans.records import Plan


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return everything about a plan.

    The three lists are what was planned: after the start of production, what the snapshot
    holds. `amended` is null before that.
    """
    started = plan.snapshot is not None
    return {
        "event": {"id": plan.event.id, "slug": plan.event.slug, "name": plan.event.name},
        "state": plan.state.value,
        "version": plan.version,
        "head_count": plan.people,
        **plan.planned.to_json(),
        "snapshot_taken_at": _moment(plan.snapshot.taken_at) if plan.snapshot else None,
        "snapshot_head_count": plan.snapshot.people if plan.snapshot else None,
        "amended": plan.items.to_json() if started else None,
        "difference": [one.to_json() for one in plan.differences],
        "supplies": [supply.to_json() for supply in compare_supplies(plan)],
        "warnings": list_warnings(plan),
        "updated_at": _moment(plan.updated_at),
    }


def amendment_document(row: PlanAmendment) -> dict[str, Any]:
    """Return one amendment: what, from, to, when, who, why."""
    return {
        "id": row.id,
        "kind": row.kind,
        "slug": row.slug,
        "field": row.field,
        "before": row.before,
        "after": row.after,
        "reason": row.reason,
        "amended_at": _moment(row.amended_at),
        "amended_by": row.amended_by.email if row.amended_by else None,
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
