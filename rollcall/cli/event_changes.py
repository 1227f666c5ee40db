"""`flask event edit`, `cancel`, `reopen`: changes that hold the event's scheduled campaigns."""

from dataclasses import replace
from typing import Any

import click

from rollcall.campaigns.event_holds import Holding, cancel_event, edit_event, reopen_event
from rollcall.cli.common import acting, acting_options, emit, json_option
from rollcall.cli.event import event_commands, event_json
from rollcall.events.figures import count_heads
from rollcall.events.records import draft_of_event
from rollcall.lookups import find_event
from rollcall.wording import say_time

_choice = click.Choice(["earlier", "later"])


@event_commands.command("edit")
@click.argument("slug")
@click.option("--name")
@click.option("--starts", help="Wall-clock time, such as 2026-11-28T19:00.")
@click.option("--ends", help="Wall-clock time, such as 2026-11-28T23:00.")
@click.option("--timezone", help="Of both times.")
@click.option("--venue")
@click.option("--city")
@click.option("--starts-choice", type=_choice, help="Which one, where the clocks show it twice.")
@click.option("--ends-choice", type=_choice, help="Which one, where the clocks show it twice.")
@acting_options
@json_option
def edit(
    slug: str, org_slug: str | None, as_email: str | None, as_json: bool, **typed: str | None
) -> None:
    """Change the event SLUG; what is left out stays.

    Where its times or its zone change, its scheduled campaigns are held for a decision.
    """
    actor = acting(org_slug, as_email)
    event = find_event(actor.organisation_id, slug)
    given: dict[str, Any] = {name: text for name, text in typed.items() if text is not None}
    holding = edit_event(actor, event.id, replace(draft_of_event(event), **given))
    _show(actor.organisation_id, slug, holding, as_json)


def _verb(name: str, change: Any, told: str) -> None:
    @event_commands.command(name, help=told)
    @click.argument("slug")
    @acting_options
    @json_option
    def command(slug: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
        actor = acting(org_slug, as_email)
        holding = change(actor, find_event(actor.organisation_id, slug).id)
        _show(actor.organisation_id, slug, holding, as_json)


_verb(
    "cancel",
    cancel_event,
    "Mark the event SLUG as cancelled; its scheduled campaigns are held for a decision.",
)
_verb("reopen", reopen_event, "Let the cancelled event SLUG take place after all.")


def _show(organisation_id: int, slug: str, holding: Holding, as_json: bool) -> None:
    event = find_event(organisation_id, slug)
    data = {
        **event_json(event, count_heads([event.id])[event.id]),
        "held_campaigns": [touched.campaign_id for touched in holding.held],
        "going_out": [touched.campaign_id for touched in holding.going_out],
    }
    state = "cancelled" if event.cancelled_at else "takes place"
    lines = [f"{event.slug}: {event.name}, {say_time(event.starts_at, event.timezone)}, {state}"]
    if holding.sentence():
        lines.append(holding.sentence())
    if holding.held:
        first = holding.held[0].campaign_id
        lines.append(f"Decide on each, such as: flask campaign review {first} --decision keep")
    emit(data, as_json, lines)
