"""`flask notices`: what Rollcall has told a staff member."""

from typing import Any

import click

from rollcall.accounts.notices import list_notices, read_notices
from rollcall.cli.common import (
    acting,
    acting_options,
    command_group,
    emit_page,
    json_option,
    page_options,
)
from rollcall.models import Notice
from rollcall.wording import say_count, say_time


@command_group("notices")
def notices_commands() -> None:
    """What Rollcall has told a staff member: the one who acts, see --as."""


@notices_commands.command("list")
@click.option("--unread", is_flag=True, help="Only those that have not been read.")
@page_options("notices")
@acting_options
@json_option
def show_all(
    unread: bool,
    limit: int,
    cursor: str | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """List the notices, the newest first; what has not been read has a star."""
    actor = acting(org_slug, as_email)
    page = list_notices(actor, cursor, limit, unread=True if unread else None)
    documents, lines = map(_to_json, page.rows), map(_describe, page.rows)
    emit_page(documents, page.next_cursor, as_json, lines, "There is no such notice.")


@notices_commands.command("read")
@click.argument("notice_id", metavar="[ID]", type=int, required=False)
@acting_options
def read(notice_id: int | None, org_slug: str | None, as_email: str | None) -> None:
    """Mark the notice ID as read, or all of them."""
    read_now = read_notices(acting(org_slug, as_email), notice_id)
    click.echo(f"{say_count(read_now, 'notice')} marked as read.")


def _to_json(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "kind": notice.kind,
        "title": notice.title,
        "text": notice.text,
        "path": notice.path,
        "created_at": notice.created_at,
        "read_at": notice.read_at,
    }


def _describe(notice: Notice) -> str:
    star = " " if notice.read_at else "*"
    return f"{notice.id:>6} {star} {say_time(notice.created_at)}  {notice.title}"
