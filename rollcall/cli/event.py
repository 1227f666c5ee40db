"""`flask event`: the events that people attend."""

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
from rollcall.events.figures import HeadCount, count_heads
from rollcall.events.records import EventDraft, EventLine, create_event, list_events
from rollcall.lookups import find_event
from rollcall.models import Event
from rollcall.wording import say_people, say_time

_choice = click.Choice(["earlier", "later"])


@command_group("event")
def event_commands() -> None:
    """Events and how many people attend them."""


@event_commands.command("create")
@click.argument("name")
@click.option("--slug", default="", help="Its short name; derived from NAME when left out.")
@click.option("--starts", required=True, help="Wall-clock time, such as 2026-11-28T19:00.")
@click.option("--ends", required=True, help="Wall-clock time, such as 2026-11-28T23:00.")
@click.option("--timezone", default="", help="Of both times; by default the organisation's.")
@click.option("--venue", default="")
@click.option("--city", default="")
@click.option("--starts-choice", type=_choice, help="Which one, where the clocks show it twice.")
@click.option("--ends-choice", type=_choice, help="Which one, where the clocks show it twice.")
@acting_options
@json_option
def create(org_slug: str | None, as_email: str | None, as_json: bool, **typed: Any) -> None:
    """Create the event NAME."""
    actor = acting(org_slug, as_email)
    event = find_event(actor.organisation_id, create_event(actor, EventDraft(**typed)))
    text = (
        f"Created {event.name} with the slug {event.slug}, "
        f"from {say_time(event.starts_at, event.timezone)}. Next: "
        f"flask people import FILE.csv --event {event.slug}"
    )
    emit(event_json(event, HeadCount()), as_json, text)


@event_commands.command("list")
@page_options("events")
@acting_options
@json_option
def show_all(
    limit: int, cursor: str | None, org_slug: str | None, as_email: str | None, as_json: bool
) -> None:
    """List the events, the latest first, with how many people attend."""
    actor = acting(org_slug, as_email)
    page = list_events(actor.organisation_id, cursor, limit)
    documents = [event_json(line.event, line.heads) for line in page.rows]
    lines = map(_describe, page.rows)
    emit_page(documents, page.next_cursor, as_json, lines, "There is no event yet.")


@event_commands.command("show")
@click.argument("slug")
@acting_options
@json_option
def show(slug: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Show the event SLUG and how many people attend it, by source."""
    actor = acting(org_slug, as_email)
    event = find_event(actor.organisation_id, slug)
    heads = count_heads([event.id])[event.id]
    lines = [
        _describe(EventLine(event, heads)),
        f"  registration only: {heads.registration_only:,}",
        f"  QR scan only: {heads.qr_scan_only:,}",
        f"  both: {heads.both:,}",
    ]
    emit(event_json(event, heads), as_json, lines)


def event_json(event: Event, heads: HeadCount) -> dict[str, Any]:
    """Return an event as the commands print it with --json."""
    return {
        "id": event.id,
        "slug": event.slug,
        "name": event.name,
        "starts_at": event.starts_at,
        "ends_at": event.ends_at,
        "timezone": event.timezone,
        "venue": event.venue,
        "city": event.city,
        "cancelled_at": event.cancelled_at,
        "attendance": heads.to_json(),
        "created_at": event.created_at,
    }


def _describe(line: EventLine) -> str:
    event = line.event
    starts = say_time(event.starts_at, event.timezone)
    cancelled = ", cancelled" if event.cancelled_at else ""
    return f"{event.slug}: {event.name}, {starts}, {say_people(line.heads.people)}{cancelled}"
