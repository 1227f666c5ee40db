"""`flask audit`: who changed what, files of it, and whether it still is what was recorded."""

from typing import Any

import click

from rollcall.accounts.audit import (
    FORMATS,
    ORIGINS,
    AuditFilter,
    changed_fields,
    entry_document,
    export_entries,
    list_audit_entries,
    read_audit_filter,
    write_file,
)
from rollcall.accounts.audit_chain import ChainReport, read_kept_seal, verify_chain
from rollcall.accounts.audit_words import say_action, say_field, say_value
from rollcall.accounts.lookups import find_own_organisation, find_staff_by_email, list_organisations
from rollcall.actors import Actor
from rollcall.cli.common import (
    acting,
    acting_options,
    choose_organisation,
    command_group,
    emit,
    emit_page,
    json_option,
    page_options,
)
from rollcall.errors import InvalidInput, NotFound
from rollcall.models import AuditEntry, Organisation, Role
from rollcall.paging import check_page_length, read_cursor, write_cursor
from rollcall.wording import say_time


@command_group("audit")
def audit_commands() -> None:
    """Who changed what, when and from where."""


def filter_options(command: Any) -> Any:
    """Add the options of a filter, given to the command by their names."""
    for option in (
        click.option("--q", "text", default="", metavar="WORDS", help="Words in the change."),
        click.option("--to", "last_day", default="", metavar="DAY", help="The last day."),
        click.option(
            "--from",
            "first_day",
            default="",
            metavar="DAY",
            help="The first day, as 2026-11-29, in the organisation's zone.",
        ),
        click.option("--origin", type=click.Choice(list(ORIGINS)), help="Through which door."),
        click.option("--object", "about", nargs=2, metavar="TYPE ID", help="As campaign 12."),
        click.option("--staff", metavar="EMAIL", help="By whom."),
        click.option(
            "--action", default="", help="What was done: campaign.schedule, or all of campaign."
        ),
    ):
        command = option(command)
    return command


@audit_commands.command("list")
@filter_options
@page_options("entries")
@acting_options
@json_option
def show_all(
    limit: int,
    cursor: str | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
    **typed: Any,
) -> None:
    """List the entries, the newest first."""
    actor = _admin(org_slug, as_email)
    organisation = find_own_organisation(actor.organisation_id)
    check_page_length(limit)
    older_than = read_cursor(cursor, int)[0] if cursor else None
    page = list_audit_entries(
        actor.organisation_id, _filter(organisation, typed), older_than=older_than, limit=limit
    )
    following = write_cursor(page.older_than) if page.older_than else None
    lines = [line for entry in page.entries for line in _describe(entry, organisation)]
    documents = map(entry_document, page.entries)
    emit_page(documents, following, as_json, lines, "There is no such entry.")


@audit_commands.command("export")
@click.option(
    "--format", type=click.Choice(list(FORMATS)), default="csv", show_default=True, help="Which."
)
@filter_options
@acting_options
def export(format: str, org_slug: str | None, as_email: str | None, **typed: Any) -> None:
    """Print all entries of the filter, the oldest first, with their numbers and seals."""
    actor = _admin(org_slug, as_email)
    organisation = find_own_organisation(actor.organisation_id)
    entries = export_entries(actor.organisation_id, _filter(organisation, typed))
    for line in write_file(format, entries):
        click.echo(line, nl=False)


@audit_commands.command("verify")
@click.option("--org", "org_slug", metavar="SLUG", help="Only this organisation.")
@click.option(
    "--expect",
    metavar="NUMBER:SEAL",
    help="What an earlier check printed: shows a trail that was cut back or sealed anew.",
)
@json_option
def verify(org_slug: str | None, expect: str | None, as_json: bool) -> None:
    """Follow the chain of seals through the whole trail; the exit status is 1 where it is broken.

    Keep what is printed last somewhere else: against it nobody can cut the trail back unseen.
    """
    kept = read_kept_seal(expect) if expect is not None else None
    chosen = [choose_organisation(org_slug)] if org_slug or kept else list_organisations()
    found = [(one.slug, verify_chain(one.id, expect=kept)) for one in chosen]
    whole = all(report.unbroken for _, report in found)
    data = {
        "unbroken": whole,
        "organisations": [{"organisation": slug, **report.to_json()} for slug, report in found],
    }
    lines = [line for slug, report in found for line in _say_report(slug, report)]
    emit(data, as_json, lines or "There is no organisation yet.")
    if not whole:
        raise click.exceptions.Exit(1)


def _admin(org_slug: str | None, as_email: str | None) -> Actor:
    actor = acting(org_slug, as_email)
    actor.require(Role.ADMIN)
    return actor


def _filter(organisation: Organisation, typed: dict[str, Any]) -> AuditFilter:
    staff_id, about = None, typed["about"] or ("", "")
    if typed["staff"]:
        member = find_staff_by_email(typed["staff"])
        if member is None or member.organisation_id != organisation.id:
            raise NotFound(f"There is no staff member {typed['staff']} in this organisation.")
        staff_id = member.id
    try:
        return read_audit_filter(
            organisation.timezone,
            staff_id=staff_id,
            first_day=typed["first_day"],
            last_day=typed["last_day"],
            action=typed["action"],
            object_type=about[0],
            object_id=about[1],
            origin=typed["origin"] or "",
            text=typed["text"],
        )
    except InvalidInput as error:
        raise InvalidInput({f"--{name}": text for name, text in error.fields.items()}) from error


def _describe(entry: AuditEntry, organisation: Organisation) -> list[str]:
    zone, currency = organisation.timezone, organisation.currency
    who = entry.staff.email if entry.staff else ORIGINS.get(entry.origin, entry.origin)
    about = f"{entry.object_type} {entry.object_id}"
    number = f"{entry.number:,}" if entry.number else "-"
    lines = [
        f"{number:>7}  {say_time(entry.at, zone)}  {say_action(entry.action)} ({about}), {who}"
    ]
    for change in changed_fields(entry):
        before, after = (
            say_value(change.field, value, zone, currency)
            for value in (change.before, change.after)
        )
        was = f"{before} -> " if entry.before else ""
        lines.append(f"         {say_field(change.field)}: {was}{after}")
    return lines


def _say_report(slug: str, report: ChainReport) -> list[str]:
    lines = [f"{slug}: {report.sentence}"]
    if report.unbroken and report.last is not None:
        lines.append(f"  last number and seal: {report.last}")
    return lines
