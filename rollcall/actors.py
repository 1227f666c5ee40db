"""Who acts, and the record of what they did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rollcall.sealing  # noqa: F401 (its listeners seal what is recorded here)
from rollcall import clock
from rollcall.errors import NotAllowed
from rollcall.extensions import db
from rollcall.models import AuditEntry, Role, StaffMember


@dataclass(frozen=True)
class Actor:
    """The one who acts: a staff member through some door, or the scheduler (no staff member)."""

    organisation_id: int
    staff_id: int | None
    role: Role
    origin: str  # browser, api, cli, scheduler
    address: str | None = None

    def require(self, role: Role) -> None:
        """Raise NotAllowed unless the actor's role may do what `role` may."""
        if not self.role.at_least(role):
            raise NotAllowed(
                f"Your role ({self.role}) does not allow this; it takes the role {role} or above."
            )


def actor_for(staff: StaffMember, origin: str, address: str | None = None) -> Actor:
    """Return the actor for a staff member who comes in by `origin`."""
    return Actor(staff.organisation_id, staff.id, staff.rank, origin, address)


def scheduler_actor(organisation_id: int) -> Actor:
    """Return the actor for what Rollcall does by itself when a time has come."""
    return Actor(organisation_id, None, Role.SUPER, "scheduler")


def record(
    actor: Actor,
    action: str,
    object_type: str,
    object_id: object,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an audit entry to the transaction that makes the change."""
    db.session.add(
        AuditEntry(
            organisation_id=actor.organisation_id,
            at=clock.now(),
            staff_id=actor.staff_id,
            origin=actor.origin,
            address=actor.address,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
        )
    )
