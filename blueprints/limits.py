"""The limits beyond which campaigns stop for review, by the role of who scheduled them."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import allow, current_actor, current_staff
from rollcall.campaigns.guards import GuardLimits, describe_guard_limits, set_guard_limits
from rollcall.errors import InvalidInput
from rollcall.models import Role

pages = Blueprint("limits", __name__, url_prefix="/settings/limits")
TYPED = ("growth_percent", "growth_people", "ceiling", "fall_percent", "minimum", "budget")


@pages.get("")
@allow(Role.ADMIN)
def edit() -> ResponseReturnValue:
    """Show the limits of each role."""
    return _page(_values(describe_guard_limits(current_staff().organisation)))


@pages.post("")
@allow(Role.SUPER)
def save() -> ResponseReturnValue:
    """Change the limits."""
    values = {
        role.value: {
            **{name: request.form.get(f"{role}.{name}", "").replace("\0", "") for name in TYPED},
            "fall_stops": request.form.get(f"{role}.fall_stops") == "1",
        }
        for role in Role
    }
    try:
        set_guard_limits(current_actor(), values)
    except InvalidInput as error:
        return _page(values, error.fields), 422
    flash("Saved. They hold for everything that is sent from now on.", "success")
    return redirect(url_for("limits.edit"))


def _values(limits: dict[Role, GuardLimits]) -> dict[str, dict[str, Any]]:
    return {
        role.value: {
            name: "" if limit is None else limit for name, limit in found.to_json().items()
        }
        for role, found in limits.items()
    }


def _page(values: dict[str, dict[str, Any]], errors: dict[str, str] | None = None) -> str:
    return render_template(
        "organisation/limits.html",
        values=values,
        errors=errors or {},
        roles=[role.value for role in Role],
        may_change=current_actor().role == Role.SUPER,
    )
