"""The options by which a command says whom it means, turned into criteria: one for each row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria, criteria_from_json, criteria_from_text
from rollcall.audience.criteria.criterion import Option
from rollcall.audience.criteria.table import TABLE
from rollcall.errors import InvalidInput
from rollcall.models import Organisation
from rollcall.people.picking import create_missing_people, pick_people_from_csv

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TYPES: dict[str, Any] = {"text": str, "number": int, "file": _FILE}


def criteria_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the targeting options, given to the command as the keywords of `read_criteria`."""
    command = click.option(
        "--criteria",
        "criteria_file",
        type=_FILE,
        help="Criteria as JSON in a file; instead of the other options.",
    )(command)
    # The last one is shown first.
    for row in reversed(TABLE):
        command = _option(row.key, row.option)(command)
    return command


def _option(key: str, option: Option) -> Callable[..., Any]:
    return click.option(
        option.flag,
        key,
        type=_TYPES[option.kind],
        multiple=option.multiple,
        metavar=option.metavar,
        help=option.help,
    )


create_people_option = click.option(
    "--create-people",
    is_flag=True,
    help="With --people: add those whom nobody here is but whose address is valid.",
)


def read_criteria(
    organisation: Organisation, options: dict[str, Any], adding: Actor | None = None
) -> Criteria:
    """Return the criteria that the options say; raises InvalidInput naming the option.

    With `adding`, that actor adds those of the CSV whom nobody here is yet.
    """
    if adding is not None and not options["people"]:
        raise InvalidInput({"--create-people": "This is for --people FILE.csv: give the file too."})
    if options["criteria_file"]:
        return criteria_from_text(options["criteria_file"].read_text(encoding="utf-8-sig"))
    data: dict[str, Any] = {}
    for row in TABLE:
        given = options[row.key]
        if row.option.kind == "file" and given:
            given = _read_people(organisation, given, adding)
        try:
            data[row.key] = row.option.read(given)
        except ValueError as error:
            raise InvalidInput({row.option.flag: str(error)}) from error
    return criteria_from_json(data)


def _read_people(organisation: Organisation, path: Path, adding: Actor | None) -> list[int]:
    with path.open("rb") as file:
        picked = pick_people_from_csv(organisation, file)
    if adding is not None:
        picked = create_missing_people(adding, picked)
    if picked.unknown:
        named = "; ".join(f"{what}: {why}" for what, why in picked.unknown[:5])
        more = len(picked.unknown) - 5
        raise InvalidInput({"--people": named + (f"; and {more} more" if more > 0 else "")})
    return list(picked.person_ids)
