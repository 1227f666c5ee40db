"""`flask notices`: what Rollcall has told a staff member."""

from typing import Any

import click

from rollcall.accounts.notices import list_notices, read_notices
from rollcall.cli.common import acting, acting_options, command_group, emit, json_option
from rollcall.models import Notice
from rollcall.wording import say_count, say_time


@command_group("notices")
def notices_commands() -> None:
    """What Rollcall has told a staff member: the one who acts, see --as."""


@notices_commands.command("list")
@click.option("--unread", is_flag=True, help="Only those that have not been read.")
@click.option("--limit", default=50, show_default=True, help="How many notices at most.")
@click.option("--cursor", help="The next_cursor of the page before, as JSON gave it.")
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
    data = {"data": [_to_json(notice) for notice in page.rows], "next_cursor": page.next_cursor}
    lines = [_describe(notice) for notice in page.rows] or ["There is no such notice."]
    if page.next_cursor:
        lines.append(f"There are more: --cursor {page.next_cursor}")
    emit(data, as_json, lines)


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
