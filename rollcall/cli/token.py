"""`flask token`: programs that act as a staff member."""

from typing import Any

import click

from rollcall.accounts.lookups import find_staff_by_email
from rollcall.accounts.tokens import SCOPES, create_token, list_tokens, revoke_token
from rollcall.cli.common import acting, acting_options, command_group, emit, json_option
from rollcall.errors import NotFound
from rollcall.models import ApiToken


@command_group("token")
def token_commands() -> None:
    """API tokens."""


@token_commands.command("create")
@click.argument("name")
@click.option("--staff", "email", required=True, metavar="EMAIL", help="As whom it acts.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What it may do; may be repeated (default: everything).",
)
@acting_options
@json_option
def create(
    name: str,
    email: str,
    scopes: tuple[str, ...],
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """Make a token for the program NAME and print it, this once."""
    staff = find_staff_by_email(email)
    if staff is None:
        raise NotFound(f"There is no staff member {email}.")
    # An e-mail address logs in to one organisation only, so that it says which one is meant.
    actor = acting(org_slug or staff.organisation.slug, as_email)
    token = create_token(actor, name, staff.id, scopes or SCOPES)
    data = {"id": token.id, "name": name, "staff": staff.email, "token": token.plain}
    emit({**data, "scopes": list(scopes or SCOPES)}, as_json, token.plain)


@token_commands.command("list")
@acting_options
@json_option
def show_all(org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """List the tokens; what they are can't be shown again."""
    tokens = list_tokens(acting(org_slug, as_email).organisation_id)
    lines = [_describe(token) for token in tokens] or ["There is no token yet."]
    emit([_to_json(token) for token in tokens], as_json, lines)


@token_commands.command("revoke")
@click.argument("token_id", metavar="ID", type=int)
@acting_options
@json_option
def revoke(token_id: int, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Make the token ID useless from now on."""
    revoke_token(acting(org_slug, as_email), token_id)
    emit({"id": token_id, "revoked": True}, as_json, f"Token {token_id} is revoked.")


def _to_json(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "staff": token.staff.email,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }


def _describe(token: ApiToken) -> str:
    state = ", revoked" if token.revoked_at else ""
    return f"{token.id}: {token.name}, as {token.staff.email}, {' '.join(token.scopes)}{state}"
