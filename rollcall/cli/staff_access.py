"""`flask staff invite` and what else lets somebody in or out: links and sessions."""

from datetime import datetime

import click
from flask import current_app

from rollcall.accounts.invitations import invite_staff, withdraw_invitation
from rollcall.accounts.lookups import find_own_organisation
from rollcall.accounts.resets import make_reset_link
from rollcall.accounts.sessions import count_sessions, list_sessions, say_browser
from rollcall.accounts.staff import end_staff_sessions
from rollcall.cli.common import acting, acting_options, acting_or_founding, emit, json_option
from rollcall.cli.staff import find_member, staff_commands
from rollcall.models import Role
from rollcall.wording import say_count, say_time


@staff_commands.command("invite")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option("--name", default="", help="How pages call them.")
@acting_options
@json_option
def invite(
    email: str, role: str, name: str, org_slug: str | None, as_email: str | None, as_json: bool
) -> None:
    """Invite EMAIL and print the link by which they choose a password.

    No mail is sent: pass the link on. It works once, within 7 days, and an earlier one is dead.
    """
    actor = acting_or_founding(org_slug, as_email)
    made = invite_staff(actor, email, role, name=name, by_mail=False)
    link = _public(made.path or "")
    text = f"{made.email} joins as {role} by this link, shown only now: {link}"
    emit({"id": made.staff_id, "email": made.email, "role": role, "link": link}, as_json, text)


@staff_commands.command("withdraw")
@click.argument("email")
@acting_options
@json_option
def withdraw(email: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Take the invitation of EMAIL back, where it has not been accepted."""
    actor = acting(org_slug, as_email)
    address = withdraw_invitation(actor, find_member(actor, email).id)
    emit({"email": address, "invited": False}, as_json, f"{address} is no longer invited.")


@staff_commands.command("reset-link")
@click.argument("email")
@acting_options
@json_option
def reset_link(email: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Print a link by which EMAIL chooses a new password.

    No mail is sent: pass the link on. It works once, within 1 hour.
    """
    actor = acting(org_slug, as_email)
    staff = find_member(actor, email)
    address, link = staff.email, _public(make_reset_link(actor, staff.id))
    text = f"{address} chooses a new password by this link, shown only now: {link}"
    emit({"email": address, "link": link}, as_json, text)


@staff_commands.command("sessions")
@click.argument("email")
@acting_options
@json_option
def sessions(email: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """List where EMAIL is logged in, what was seen last first."""
    actor = acting(org_slug, as_email)
    # Their addresses are nobody else's business but an admin's.
    actor.require(Role.ADMIN)
    staff = find_member(actor, email)
    zone = find_own_organisation(actor.organisation_id).timezone
    found = list_sessions(staff.id)
    data = [
        {
            "browser": say_browser(one.browser),
            "address": one.address,
            "logged_in_at": one.created_at,
            "last_seen_at": one.last_seen_at,
        }
        for one in found
    ]
    lines = [_describe(one["browser"], one["last_seen_at"], one["address"], zone) for one in data]
    more = count_sessions(staff.id) - len(found)
    if more:
        lines.append(f"and {say_count(more, 'more', 'more')}, seen longer ago")
    emit(data, as_json, lines or [f"{staff.email} is logged in nowhere."])


@staff_commands.command("end-sessions")
@click.argument("email")
@acting_options
@json_option
def end_sessions(email: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Log EMAIL out of every browser; they can log in again."""
    actor = acting(org_slug, as_email)
    staff = find_member(actor, email)
    address, ended = staff.email, end_staff_sessions(actor, staff.id)
    text = f"{address} has been logged out of {say_count(ended, 'browser')}."
    emit({"email": address, "sessions_ended": ended}, as_json, text)


def _describe(browser: str, seen: datetime, address: str | None, zone: str) -> str:
    origin = f" from {address}" if address else ""
    return f"{browser}{origin}, last seen {say_time(seen, zone)}"


def _public(path: str) -> str:
    return current_app.extensions["rollcall"].public_url + path
