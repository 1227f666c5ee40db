"""`flask staff`: who may log in."""

import sys
from typing import Any

import click

from rollcall.accounts.invitations import list_invitations
from rollcall.accounts.lookups import find_staff_by_email, list_staff
from rollcall.accounts.passwords import make_password
from rollcall.accounts.staff import create_staff, deactivate_staff, set_password
from rollcall.actors import Actor
from rollcall.cli.common import (
    acting,
    acting_options,
    acting_or_founding,
    command_group,
    emit,
    json_option,
)
from rollcall.errors import NotFound
from rollcall.models import Role, StaffMember

password_option = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from the first line of stdin; else one is made and printed once.",
)


@command_group("staff")
def staff_commands() -> None:
    """Staff members: who may log in, and with which role."""


@staff_commands.command("create")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option("--name", default="", help="How pages call them.")
@password_option
@acting_options
@json_option
def create(
    email: str,
    role: str,
    name: str,
    password_stdin: bool,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """Let EMAIL log in."""
    actor = acting_or_founding(org_slug, as_email)
    password = _read_password() if password_stdin else make_password()
    staff = create_staff(actor, email, role, password, name=name)
    text = [f"{staff.email} can log in to {staff.organisation.name} as {staff.role}."]
    _emit_with_password(staff, as_json, text, None if password_stdin else password)


@staff_commands.command("set-password")
@click.argument("email")
@password_option
@acting_options
@json_option
def change_password(
    email: str,
    password_stdin: bool,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """Give EMAIL a new password and end all their sessions."""
    actor = acting(org_slug, as_email)
    staff = find_member(actor, email)
    password = _read_password() if password_stdin else make_password()
    set_password(actor, staff.id, password)
    text = [f"{staff.email} has a new password, and their sessions have ended."]
    _emit_with_password(staff, as_json, text, None if password_stdin else password)


@staff_commands.command("deactivate")
@click.argument("email")
@acting_options
@json_option
def deactivate(email: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Let EMAIL log in no more."""
    actor = acting(org_slug, as_email)
    staff = find_member(actor, email)
    deactivate_staff(actor, staff.id)
    emit(_to_json(staff), as_json, f"{staff.email} can no longer log in.")


@staff_commands.command("list")
@acting_options
@json_option
def show_all(org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """List the staff members, and who is invited to be one."""
    organisation_id = acting_or_founding(org_slug, as_email).organisation_id
    members = list_staff(organisation_id)
    invited = [invitation.member for invitation in list_invitations(organisation_id)]
    lines = [_describe(member) for member in members] or ["Nobody can log in yet."]
    lines += [f"{_describe(member)}, invited" for member in invited]
    data = [_to_json(member) for member in members]
    data += [_to_json(member, invited=True) for member in invited]
    emit(data, as_json, lines)


def find_member(actor: Actor, email: str) -> StaffMember:
    """Return the organisation's staff member with this e-mail address; raises NotFound."""
    staff = find_staff_by_email(email)
    if staff is None or staff.organisation_id != actor.organisation_id:
        raise NotFound(f"There is no staff member {email} in this organisation.")
    return staff


def _read_password() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _emit_with_password(
    staff: StaffMember, as_json: bool, text: list[str], made: str | None
) -> None:
    """Print what was done; a password that was made here is shown this once."""
    data = _to_json(staff)
    if made is not None:
        data["password"] = made
        text = [*text, f"Password, shown only now: {made}"]
    emit(data, as_json, text)


def _to_json(staff: StaffMember, *, invited: bool = False) -> dict[str, Any]:
    return {
        "id": staff.id,
        "email": staff.email,
        "name": staff.name,
        "role": str(staff.role),
        "active": staff.active,
        "invited": invited,
        "organisation": staff.organisation.slug,
        "last_login_at": staff.last_login_at,
    }


def _describe(staff: StaffMember) -> str:
    name = f" ({staff.name})" if staff.name else ""
    return f"{staff.email}{name}: {staff.role}{'' if staff.active else ', deactivated'}"
