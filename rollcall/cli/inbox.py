"""`flask inbox`: what people wrote to our numbers, and whether it means stop."""

from typing import Any

import click

from rollcall.cli.common import (
    acting,
    acting_options,
    command_group,
    emit,
    emit_page,
    json_option,
    page_options,
)
from rollcall.people.inbox import (
    GIVEN,
    SAID,
    InboxLine,
    decide_inbound,
    find_inbound,
    list_inbox,
)
from rollcall.wording import say_time


@command_group("inbox")
def inbox_commands() -> None:
    """What people wrote to our numbers."""


@inbox_commands.command("list")
@click.option("--undecided", is_flag=True, help="Only what may be a stop and nobody has decided.")
@click.option("--search", default="", metavar="TEXT", help="Words, a phone, or a name.")
@page_options("messages")
@acting_options
@json_option
def show_all(
    undecided: bool,
    search: str,
    limit: int,
    cursor: str | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """List the messages, the newest first."""
    page = list_inbox(
        acting(org_slug, as_email).organisation_id,
        undecided=True if undecided else None,
        text=search,
        cursor=cursor,
        limit=limit,
    )
    documents, lines = map(_to_json, page.rows), map(_describe, page.rows)
    emit_page(documents, page.next_cursor, as_json, lines, "There is no such message.")


@inbox_commands.command("decide")
@click.argument("message_id", metavar="ID", type=int)
@click.argument("decision", metavar="stop|ignore", type=click.Choice(["stop", "ignore"]))
@acting_options
@json_option
def decide(
    message_id: int, decision: str, org_slug: str | None, as_email: str | None, as_json: bool
) -> None:
    """Opt the sender of the message ID out ("stop"), or note that it is no stop ("ignore")."""
    actor = acting(org_slug, as_email)
    decide_inbound(actor, message_id, decision)
    line = find_inbound(actor.organisation_id, message_id)
    emit(_to_json(line), as_json, _describe(line))


def _to_json(line: InboxLine) -> dict[str, Any]:
    message = line.message
    return {
        "id": message.id,
        "from": message.address,
        "text": message.text,
        "meaning": str(message.meaning),
        "decision": GIVEN.get(message.decision or ""),
        "decided_by": line.decided_by,
        "decided_at": message.decided_at,
        "person_id": message.person_id,
        "last_campaign_id": line.campaign_id,
        "received_at": message.received_at,
    }


def _describe(line: InboxLine) -> str:
    message = line.message
    what = str(message.meaning)
    if message.decision:
        what = f"{line.decided_by or 'somebody'} {SAID[message.decision]}"
    who = f"{line.person_name}, {message.address}" if line.person_name else message.address
    text = " ".join(message.text.split())
    return f"{message.id}: {say_time(message.received_at)}, {who}: {text!r} ({what})"
