"""`flask plan`: what is made for an event, its snapshot, and what was amended since."""

import json
from collections.abc import Callable
from pathlib import Path
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
from rollcall.errors import InvalidInput
from rollcall.plans.amendments import amend_plan, list_amendments
from rollcall.plans.changes import Change, ItemAddition, ItemRemoval, NumbersChange
from rollcall.plans.document import amendment_document, plan_document
from rollcall.plans.figures import compare_supplies, list_warnings, say_growth
from rollcall.plans.items import ItemKind, PlanItems
from rollcall.plans.reading import read_items
from rollcall.plans.records import (
    Plan,
    complete_plan,
    find_event_snapshot,
    find_plan,
    lock_plan,
    set_plan,
    start_production,
    unlock_plan,
)
from rollcall.plans.snapshot import snapshot_content
from rollcall.plans.states import STATE_WORDS
from rollcall.plans.words import say_amendment, say_difference, say_item
from rollcall.wording import say_people, say_time


@command_group("plan")
def plan_commands() -> None:
    """What is made for an event: recipes, finished goods, batch decisions."""


@plan_commands.command("show")
@click.argument("event")
@acting_options
@json_option
def show(event: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Show the plan of EVENT, what was amended in it, and whether it is enough."""
    actor = acting(org_slug, as_email)
    _emit_plan(find_plan(actor.organisation_id, event), as_json)


@plan_commands.command("set")
@click.argument("event")
@click.argument(
    "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--version", type=int, help="Refuse when the plan is no longer at this version.")
@acting_options
@json_option
def replace(
    event: str,
    file: Path,
    version: int | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """Replace everything in the draft plan of EVENT by what the JSON FILE says.

    The file holds the lists recipes, finished_goods and batch_decisions, each of them optional.
    """
    actor = acting(org_slug, as_email)
    set_plan(actor, event, read_items(_read_json(file)), version)
    _emit_plan(find_plan(actor.organisation_id, event), as_json)


@plan_commands.command("lock")
@click.argument("event")
@acting_options
@json_option
def lock(event: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Let nobody change the plan of EVENT until it is unlocked."""
    _act(lock_plan, event, org_slug, as_email, as_json)


@plan_commands.command("unlock")
@click.argument("event")
@acting_options
@json_option
def unlock(event: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Make the locked plan of EVENT a draft again."""
    _act(unlock_plan, event, org_slug, as_email, as_json)


@plan_commands.command("start")
@click.argument("event")
@acting_options
@json_option
def start(event: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Take the snapshot of the locked plan of EVENT and put it into production."""
    _act(start_production, event, org_slug, as_email, as_json)


@plan_commands.command("complete")
@click.argument("event")
@acting_options
@json_option
def complete(event: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Close the plan of EVENT: nothing in it can be amended any more."""
    _act(complete_plan, event, org_slug, as_email, as_json)


@plan_commands.command("snapshot")
@click.argument("event")
@acting_options
@json_option
def snapshot(event: str, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Print the plan of EVENT as it was when production started."""
    actor = acting(org_slug, as_email)
    taken = find_event_snapshot(actor.organisation_id, event)
    plan = find_plan(actor.organisation_id, event)
    at = say_time(taken.taken_at, plan.event.timezone)
    lines = [f"The plan of {plan.event.name}, as of {at}, for {say_people(taken.people)}:"]
    emit(snapshot_content(taken), as_json, lines + _describe_items(plan.planned))


@plan_commands.command("amendments")
@click.argument("event")
@page_options("amendments")
@acting_options
@json_option
def show_amendments(
    event: str,
    limit: int,
    cursor: str | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """List what was amended in the plan of EVENT, the newest first."""
    actor = acting(org_slug, as_email)
    plan = find_plan(actor.organisation_id, event)
    page = list_amendments(actor.organisation_id, event, cursor, limit)
    lines = [
        f"{say_time(row.amended_at, plan.event.timezone)}, "
        f"{row.amended_by.email if row.amended_by else 'Rollcall'}: "
        f"{say_amendment(plan, row)} ({row.reason})"
        for row in page.rows
    ]
    documents = map(amendment_document, page.rows)
    emit_page(documents, page.next_cursor, as_json, lines, "Nothing has been amended.")


@plan_commands.command("amend")
@click.argument("event")
@click.argument("kind", type=click.Choice([kind.value for kind in ItemKind]))
@click.argument("slug", default="")
@click.option("--reason", required=True, help="Why; kept with the amendment.")
@click.option(
    "--set", "numbers", multiple=True, metavar="FIELD=NUMBER", help="What a number becomes."
)
@click.option("--add", "name", metavar="NAME", help="Add an item of this name; SLUG is its own.")
@click.option("--recipe", default="", help="The recipe of a batch decision that is added.")
@click.option("--take-out", is_flag=True, help="Take the item SLUG out.")
@acting_options
@json_option
def amend(
    event: str,
    kind: str,
    slug: str,
    reason: str,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Amend the plan of EVENT in production: the item SLUG of KIND.

    For instance: flask plan amend gala finished_good gift-boxes --set quantity=420 --reason "…"
    """
    actor = acting(org_slug, as_email)
    amend_plan(actor, event, _read_change(kind, slug, **options), reason)
    _emit_plan(find_plan(actor.organisation_id, event), as_json)


def _act(
    verb: Callable[..., None],
    event: str,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    actor = acting(org_slug, as_email)
    verb(actor, event)
    _emit_plan(find_plan(actor.organisation_id, event), as_json)


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidInput({"FILE": f"This is not JSON: {error}."}) from error


def _read_change(
    kind: str, slug: str, numbers: tuple[str, ...], name: str | None, recipe: str, take_out: bool
) -> Change:
    if take_out and (name is not None or numbers):
        raise InvalidInput({"--take-out": "Either take an item out, or add or change one."})
    values = dict(_read_assignment(text) for text in numbers)
    if name is not None:
        item: dict[str, Any] = {"name": name, "slug": slug, **values}
        if recipe:
            item["recipe_slug"] = recipe
        return ItemAddition(kind, item, typed=True)
    if recipe:
        raise InvalidInput({"--recipe": "Only an item that is added names a recipe: use --add."})
    if not slug:
        raise InvalidInput({"SLUG": "Name the item by its slug."})
    return ItemRemoval(kind, slug) if take_out else NumbersChange(kind, slug, values, typed=True)


def _read_assignment(text: str) -> tuple[str, str]:
    field, sign, number = text.partition("=")
    if not sign:
        raise InvalidInput({"--set": f"Give FIELD=NUMBER, as quantity=420, not {text!r}."})
    return field.strip(), number


def _emit_plan(plan: Plan, as_json: bool) -> None:
    emit(plan_document(plan), as_json, _describe(plan))


def _describe(plan: Plan) -> list[str]:
    lines = [
        f"The plan of {plan.event.name} is {STATE_WORDS[plan.state]} (version {plan.version}), "
        f"for {say_people(plan.people)}.",
        *_describe_items(plan.items),
    ]
    if plan.differences:
        lines.append("Amended since production started:")
        lines += [f"  {say_difference(one)}" for one in plan.differences]
    warnings = list_warnings(plan)
    lines += [f"Warning: {text}" for text in warnings]
    growth = say_growth(plan)
    if growth and f"{growth}." not in warnings:
        lines.append(f"{growth}.")
    lines += [one.sentence for one in compare_supplies(plan) if one.sentence not in warnings]
    return lines


def _describe_items(items: PlanItems) -> list[str]:
    lines = []
    for kind in ItemKind:
        for item in items.of(kind):
            made_by = f" of {item.recipe_slug}" if kind is ItemKind.BATCH_DECISION else ""
            lines.append(f"  {kind.label} {item.slug}: {item.name}, {say_item(item)}{made_by}")
    return lines or ["  Nothing is planned."]
