"""Staff members: who may log in, and with which role."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import allow, current_actor
from rollcall.accounts.invitations import find_invitation, list_invitations
from rollcall.accounts.lookups import find_staff, list_staff
from rollcall.accounts.sessions import count_sessions
from rollcall.accounts.staff import (
    create_staff,
    deactivate_staff,
    edit_staff,
    end_staff_sessions,
    reactivate_staff,
    set_password,
)
from rollcall.errors import InvalidInput
from rollcall.models import Role

pages = Blueprint("staff", __name__, url_prefix="/staff")


@pages.get("")
@allow(Role.ADMIN)
def index() -> ResponseReturnValue:
    """List the organisation's staff members, and who is invited to be one."""
    actor = current_actor()
    return render_template(
        "staff/index.html",
        members=list_staff(actor.organisation_id),
        invitations=list_invitations(actor.organisation_id),
        my_role=actor.role,
    )


@pages.get("/new")
@allow(Role.ADMIN)
def new() -> ResponseReturnValue:
    """Show the form for a new staff member."""
    return render_template("staff/new.html", roles=_roles(), values={"role": "staff"}, errors={})


@pages.post("/new")
@allow(Role.ADMIN)
def create() -> ResponseReturnValue:
    """Add a staff member."""
    form = request.form
    try:
        staff = create_staff(
            current_actor(),
            form.get("email", ""),
            form.get("role", ""),
            form.get("password", ""),
            name=form.get("name", ""),
        )
    except InvalidInput as error:
        page = render_template("staff/new.html", roles=_roles(), values=form, errors=error.fields)
        return page, 422
    flash(f"{staff.email} can log in now. Tell them their password.", "success")
    return redirect(url_for("staff.index"))


@pages.get("/<int:staff_id>")
@allow(Role.ADMIN)
def edit(staff_id: int) -> ResponseReturnValue:
    """Show a staff member and what can be changed."""
    return _edit_page(staff_id)


@pages.post("/<int:staff_id>")
@allow(Role.ADMIN)
def save(staff_id: int) -> ResponseReturnValue:
    """Change name and role."""
    form = request.form
    try:
        edit_staff(current_actor(), staff_id, name=form.get("name", ""), role=form.get("role", ""))
    except InvalidInput as error:
        return _edit_page(staff_id, form, error.fields), 422
    flash("Saved.", "success")
    return redirect(url_for("staff.index"))


@pages.post("/<int:staff_id>/password")
@allow(Role.ADMIN)
def change_password(staff_id: int) -> ResponseReturnValue:
    """Give somebody a new password."""
    try:
        set_password(current_actor(), staff_id, request.form.get("password", ""))
    except InvalidInput as error:
        return _edit_page(staff_id, errors=error.fields), 422
    flash("The new password is set, and their sessions have ended. Tell them.", "success")
    return redirect(url_for("staff.edit", staff_id=staff_id))


@pages.post("/<int:staff_id>/sessions/end")
@allow(Role.ADMIN)
def end_sessions(staff_id: int) -> ResponseReturnValue:
    """Log somebody out of every browser."""
    end_staff_sessions(current_actor(), staff_id)
    flash("They are logged out everywhere, and can log in again.", "success")
    return redirect(url_for("staff.edit", staff_id=staff_id))


@pages.post("/<int:staff_id>/deactivate")
@allow(Role.ADMIN)
def deactivate(staff_id: int) -> ResponseReturnValue:
    """Let somebody log in no more."""
    deactivate_staff(current_actor(), staff_id)
    flash("They can no longer log in, and their sessions and tokens have ended.", "success")
    return redirect(url_for("staff.index"))


@pages.post("/<int:staff_id>/reactivate")
@allow(Role.ADMIN)
def reactivate(staff_id: int) -> ResponseReturnValue:
    """Let somebody log in again."""
    reactivate_staff(current_actor(), staff_id)
    flash("They can log in again, with the password they had.", "success")
    return redirect(url_for("staff.index"))


def _edit_page(
    staff_id: int,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> str:
    actor = current_actor()
    member = find_staff(actor.organisation_id, staff_id)
    return render_template(
        "staff/edit.html",
        member=member,
        may_change=actor.role.at_least(member.rank),
        is_self=member.id == actor.staff_id,
        invitation=find_invitation(member),
        session_count=count_sessions(member.id),
        roles=_roles(),
        values=values or {"name": member.name, "role": member.role},
        errors=errors or {},
    )


def _roles() -> list[Role]:
    """Return the roles that the logged-in staff member may give."""
    return [role for role in Role if current_actor().role.at_least(role)]
