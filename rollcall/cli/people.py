"""`flask people import` and `flask purchases import`: files of other tools."""

import csv
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from rollcall.actors import Actor
from rollcall.cli.common import Failure, acting, acting_options, command_group, emit, json_option
from rollcall.errors import InvalidInput
from rollcall.models import Source
from rollcall.people.importing.runs import find_run, list_rejected, rejected_table
from rollcall.people.imports import Progress, import_people, import_purchases
from rollcall.wording import say_count, say_number

REJECTED_SHOWN, REJECTED_IN_JSON = 10, 1_000
Verb = Callable[..., dict[str, Any]]


@command_group("people")
def people_commands() -> None:
    """People who can be messaged."""


@command_group("purchases")
def purchases_commands() -> None:
    """What people spent: the ground of RFM scores."""


def _import_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add FILE, `--map`, `--rejected` and the options that every acting command has."""
    command = click.option(
        "--rejected",
        "rejected_file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the rejected rows there as CSV, with line and reason, to be mended.",
    )(command)
    command = click.option(
        "--map",
        "mapped",
        metavar='phone="Cell Phone"',
        multiple=True,
        help="Say which column holds something; remembered for files with the same header.",
    )(command)
    command = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))(
        command
    )
    return acting_options(json_option(command))


@people_commands.command("import")
@click.option("--event", "event_slug", metavar="SLUG", help="The event that these people attend.")
@click.option(
    "--source",
    type=click.Choice([source.key for source in Source]),
    default=Source.REGISTRATION.key,
    show_default=True,
    help="What a row is: a registration, or a scan at the door.",
)
@_import_options
def import_people_file(event_slug: str | None, source: str, **options: Any) -> None:
    """Take in the people of FILE, a CSV as a ticketing tool exports it.

    Good rows go in, each rejected one is named with its line and reason. Importing the same
    file again changes nothing.
    """
    _import(import_people, options, event_slug=event_slug, source=source)


@purchases_commands.command("import")
@_import_options
def import_purchases_file(**options: Any) -> None:
    """Take in the purchases of FILE; their people must be known already."""
    _import(import_purchases, options)


def _import(verb: Verb, options: dict[str, Any], **arguments: Any) -> None:
    actor = acting(options["org_slug"], options["as_email"])
    path: Path = options["file"]
    size = path.stat().st_size
    with path.open("rb") as file, _progress(size) as on_progress:
        report = verb(
            file,
            actor,
            corrections=_read_mapped(options["mapped"]),
            file_name=path.name,
            bytes_total=size,
            on_progress=on_progress,
            **arguments,
        )
    limit = REJECTED_IN_JSON if options["as_json"] else REJECTED_SHOWN
    rejected = _rejected_rows(actor, report, limit)
    if options["rejected_file"]:
        _write_rejected(actor, report, options["rejected_file"])
    emit(report | {"rejected_rows": rejected}, options["as_json"], _describe(report, rejected))


def _read_mapped(mapped: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in mapped]
    if wrong := [what for what, equals, _ in pairs if not equals]:
        raise InvalidInput({"--map": f'Write it as phone="Cell Phone", not {wrong[0]!r}.'})
    return {what.strip(): column.strip() for what, _, column in pairs}


@contextmanager
def _progress(size: int) -> Iterator[Progress | None]:
    """Show a bar on a terminal, on stderr so that the result can be piped; else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=size, label="Importing", file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)


def _rejected_rows(actor: Actor, report: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    run = find_run(actor.organisation_id, report["id"])
    rows = list_rejected(run, limit=limit)
    return [{"line": row.line, "reason": row.reason} for row in rows]


def _write_rejected(actor: Actor, report: dict[str, Any], path: Path) -> None:
    run = find_run(actor.organisation_id, report["id"])
    try:
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows(rejected_table(run))
    except OSError as error:
        raise Failure(
            f"The import is done, but {path} can't be written: {os.strerror(error.errno or 0)}."
        ) from error


def _describe(report: dict[str, Any], rejected: list[dict[str, Any]]) -> Iterator[str]:
    yield (
        f"{say_count(report['rows'], 'row')} of {report['file']}: "
        f"{say_number(report['added'])} added, {say_number(report['updated'])} updated, "
        f"{say_number(report['unchanged'])} unchanged, {say_number(report['rejected'])} rejected"
    )
    columns = (f"{what} from “{column}”" for what, column in report["mapping"].items())
    yield f"Read as: {', '.join(columns)}"
    for row in rejected:
        yield f"  line {row['line']}: {row['reason']}"
    if report["rejected"] > len(rejected):
        yield (
            f"  and {say_number(report['rejected'] - len(rejected))} more; "
            "--rejected FILE writes all of them"
        )
