"""What may follow what in a plan: the one table of its actions, and the one way to do one.

A change is a conditional UPDATE whose row count is checked, so that of two that try at the
same moment one wins and the other is told.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from rollcall import clock
from rollcall.errors import Conflict
from rollcall.extensions import db
from rollcall.models import EventPlan, PlanState
from rollcall.models.plans import PlanState as S


@dataclass(frozen=True)
class PlanTransition:
    """From which state an action is allowed, where it leads, and how a refusal says it."""

    source: PlanState
    target: PlanState
    refusal: str


TRANSITIONS: dict[str, PlanTransition] = {
    "edit": PlanTransition(S.DRAFT, S.DRAFT, "it can't be edited"),
    "lock": PlanTransition(S.DRAFT, S.LOCKED, "it can't be locked"),
    "unlock": PlanTransition(S.LOCKED, S.DRAFT, "it can't be unlocked"),
    "start": PlanTransition(S.LOCKED, S.IN_PRODUCTION, "production can't be started"),
    "amend": PlanTransition(S.IN_PRODUCTION, S.IN_PRODUCTION, "it can't be amended"),
    "complete": PlanTransition(S.IN_PRODUCTION, S.COMPLETED, "it can't be completed"),
}

STATE_WORDS = {
    S.DRAFT: "a draft",
    S.LOCKED: "locked",
    S.IN_PRODUCTION: "in production",
    S.COMPLETED: "completed",
}

# The way out, where there is one.
_HINTS = {
    ("edit", S.LOCKED): "unlock it first",
    ("edit", S.IN_PRODUCTION): "amend it instead",
    ("start", S.DRAFT): "lock it first",
    ("start", S.IN_PRODUCTION): "it was started before",
    ("amend", S.DRAFT): "edit it instead",
    ("amend", S.LOCKED): "unlock and edit it instead",
    ("complete", S.DRAFT): "lock it and start production first",
    ("complete", S.LOCKED): "start production first",
}

CHANGED_MEANWHILE = (
    "Somebody else has changed this plan in the meantime: load the page again and look at it first."
)


def is_plan_action_allowed(action: str, state: PlanState | str) -> bool:
    """Return whether the table allows the action from this state."""
    return state == TRANSITIONS[action].source


def require_action(action: str, state: PlanState | str) -> None:
    """Raise Conflict, in a sentence that names the state, unless the table allows the action."""
    if is_plan_action_allowed(action, state):
        return
    words = STATE_WORDS[S(state)]
    hint = _HINTS.get((action, S(state)))
    sentence = f"This plan is {words}, so {TRANSITIONS[action].refusal}"
    raise Conflict(f"{sentence}: {hint}." if hint else f"{sentence}.")


def require_version(plan_version: int, version: int | None) -> None:
    """Raise Conflict when whoever acts has looked at an earlier version of the plan."""
    if version is not None and plan_version != version:
        raise Conflict(CHANGED_MEANWHILE)


def change_plan_state(plan: EventPlan, action: str) -> None:
    """Do the action to a plan inside the caller's transaction; its version goes up by one.

    Raises Conflict when its state does not allow it any more; then nothing has changed.
    """
    transition = TRANSITIONS[action]
    plan_id = plan.id
    changed = db.session.execute(
        sa.update(EventPlan)
        .where(EventPlan.id == plan_id, EventPlan.state == transition.source)
        .values(state=transition.target, version=EventPlan.version + 1, updated_at=clock.now())
        .returning(EventPlan.id)
        .execution_options(synchronize_session=False)
    ).all()
    db.session.expire(plan)
    if not changed:
        require_action(action, plan.state)
