"""`flask org`: the organisations of this installation."""

from typing import Any

import click

from rollcall.accounts.lookups import list_organisations
from rollcall.accounts.settings import (
    OFF,
    SENDING_HOURS,
    create_organisation,
    describe_settings,
    set_organisation,
)
from rollcall.campaigns.guards import describe_guard_limits, set_guard_limits
from rollcall.cli.common import acting_or_founding, command_group, emit, json_option
from rollcall.errors import InvalidInput
from rollcall.models import Organisation


@command_group("org")
def org_commands() -> None:
    """Organisations and what is set for them."""


@org_commands.command("create")
@click.argument("name")
@click.option("--slug", help="Its short name in commands; derived from NAME when left out.")
@click.option("--country", default="CA", show_default=True, help="Two letters, for phone numbers.")
@click.option("--timezone", default="America/Toronto", show_default=True)
@click.option(
    "--quiet-hours",
    default=SENDING_HOURS,
    show_default=True,
    help='When text messages may reach people, by their own clocks, or "off".',
)
@click.option("--address", default="", help="The postal address that stands below each e-mail.")
@json_option
def create(
    name: str,
    slug: str | None,
    country: str,
    timezone: str,
    quiet_hours: str,
    address: str,
    as_json: bool,
) -> None:
    """Create the organisation NAME."""
    organisation = create_organisation(
        name,
        slug=slug,
        country=country,
        timezone=timezone,
        quiet_hours=quiet_hours,
        address=address,
    )
    text = (
        f"Created {organisation.name} with the slug {organisation.slug}. Next: "
        f"flask staff create EMAIL --role super --org {organisation.slug}"
    )
    emit(_to_json(organisation), as_json, text)


@org_commands.command("set")
@click.argument("slug")
@click.option("--name")
@click.option("--country", help="Two letters, for phone numbers.")
@click.option("--timezone")
@click.option(
    "--quiet-hours",
    help='When text messages may reach people, by their own clocks, or "off"; takes a super.',
)
@click.option("--address", help="The postal address that stands below each e-mail.")
@click.option(
    "--rehearsals",
    metavar="24,1",
    help='How many hours before its time a campaign is rehearsed, up to five of them, or "off".',
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="ROLE.NAME=VALUE",
    help="Beyond it a campaign that this role scheduled stops for review, such as "
    "staff.growth_percent=200; empty is no limit; takes a super.",
)
@click.option("--as", "as_email", metavar="EMAIL", help="Who acts (default: the first super).")
@json_option
def change(
    slug: str,
    name: str | None,
    country: str | None,
    timezone: str | None,
    quiet_hours: str | None,
    address: str | None,
    rehearsals: str | None,
    limits: tuple[str, ...],
    as_email: str | None,
    as_json: bool,
) -> None:
    """Change what is set for the organisation SLUG."""
    actor = acting_or_founding(slug, as_email)
    if limits:
        set_guard_limits(actor, _read_limits(limits))
    organisation = set_organisation(
        actor,
        name=name,
        country=country,
        timezone=timezone,
        quiet_hours=quiet_hours,
        address=address,
        rehearsals=rehearsals,
    )
    emit(_to_json(organisation), as_json, _describe(organisation))


def _read_limits(given: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    limits: dict[str, dict[str, Any]] = {}
    for text in given:
        key, equals, value = text.partition("=")
        role, dot, name = key.strip().partition(".")
        if not (equals and dot):
            raise InvalidInput({"--limit": f"{text!r} can't be read; write staff.ceiling=500."})
        limits.setdefault(role, {})[name] = value == "true" if name == "fall_stops" else value
    return limits


@org_commands.command("list")
@json_option
def show_all(as_json: bool) -> None:
    """List the organisations."""
    organisations = list_organisations()
    lines = [_describe(one) for one in organisations] or ["There is no organisation yet."]
    emit([_to_json(one) for one in organisations], as_json, lines)


def _to_json(organisation: Organisation) -> dict[str, Any]:
    return {
        "id": organisation.id,
        "slug": organisation.slug,
        **describe_settings(organisation),
        "guard_limits": {
            role.value: limits.to_json()
            for role, limits in describe_guard_limits(organisation).items()
        },
        "created_at": organisation.created_at,
    }


def _describe(organisation: Organisation) -> str:
    given = describe_settings(organisation)
    return (
        f"{organisation.slug}: {given['name']}, {given['country']}, {given['timezone']}, "
        f"text messages {given['quiet_hours']}, rehearsals {_say_rehearsals(given['rehearsals'])}, "
        + (given["postal_address"].replace("\n", ", ") or "no postal address")
    )


def _say_rehearsals(hours: str) -> str:
    return hours if hours == OFF else f"{hours.replace(',', ' and ')} h before"
