"""The guards' limits of an organisation: what differs from the defaults, for each role (D4)."""

from collections.abc import Mapping
from typing import Any

from rollcall.actors import Actor, record
from rollcall.campaigns.guards import DEFAULT_LIMITS, GuardLimits, read_limits, role_limits
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import Organisation, Role


def set_guard_limits(
    actor: Actor, given: Mapping[str, Mapping[str, Any]]
) -> dict[Role, GuardLimits]:
    """Change the limits that are given, by role, and return those that hold then.

    An empty value is no limit; what is not named stays. Takes a super: limits are what keeps
    the others from a mistake. Raises NotAllowed, or InvalidInput naming each as "staff.ceiling".
    """
    actor.require(Role.SUPER)
    wanted = _read(given)
    with write():
        organisation = db.session.get_one(
            Organisation, actor.organisation_id, populate_existing=True, with_for_update=True
        )
        before = organisation.guard_limits or {}
        after = {role.value: {**before.get(role, {}), **wanted.get(role, {})} for role in Role}
        after = {role: _different(Role(role), limits) for role, limits in after.items()}
        after = {role: limits for role, limits in after.items() if limits}
        if after != before:
            organisation.guard_limits = after or None
            changes = {"before": {"limits": before}, "after": {"limits": after}}
            record(actor, "organisation.limits", "organisation", organisation.id, **changes)
        return describe_guard_limits(organisation)


def describe_guard_limits(organisation: Organisation) -> dict[Role, GuardLimits]:
    """Return the limits that hold for campaigns that each role schedules."""
    return {role: role_limits(role, organisation.guard_limits) for role in Role}


def _read(given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    problems: dict[str, str] = {}
    wanted: dict[str, dict[str, Any]] = {}
    for role, limits in given.items():
        if role not in list(Role):
            problems[role] = f"This is not a role; known are {', '.join(Role)}."
            continue
        try:
            wanted[role] = read_limits(limits, f"{role}.")
        except InvalidInput as error:
            problems |= error.fields
    if problems:
        raise InvalidInput(problems)
    return wanted


def _different(role: Role, limits: dict[str, Any]) -> dict[str, Any]:
    """Return only what differs from the defaults, so that these can change for who left them."""
    defaults = DEFAULT_LIMITS[role].to_json()
    return {name: limit for name, limit in limits.items() if limit != defaults[name]}
