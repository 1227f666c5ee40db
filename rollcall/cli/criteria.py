"""The options by which a command says whom it means, turned into criteria."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rollcall.audience.criteria import (
    DEFAULT_WINDOW_HOURS,
    Criteria,
    criteria_from_json,
    criteria_from_text,
)
from rollcall.errors import InvalidInput
from rollcall.models import Organisation
from rollcall.people.picking import pick_people_from_csv


def criteria_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the targeting options, given to the command as the keywords of `read_criteria`."""
    for option in (
        click.option(
            "--criteria",
            "criteria_file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Criteria as JSON in a file; instead of the other options.",
        ),
        click.option("--window", type=int, help="Anti-spam window in hours, 0 for off."),
        click.option("--city", "cities", multiple=True, help="Only people of this city."),
        click.option("--rfm", metavar="r=3-5,f=2-5,m=1-5", help="Only these scores."),
        click.option(
            "--people",
            "people_file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Exactly the people of this CSV.",
        ),
        click.option(
            "--source",
            "sources",
            multiple=True,
            help="registration or qr_scan; only these attendances count.",
        ),
        click.option("--event", "events", multiple=True, metavar="SLUG", help="Any of these."),
    ):
        command = option(command)
    return command


def read_criteria(organisation: Organisation, options: dict[str, Any]) -> Criteria:
    """Return the criteria that the options say; raises InvalidInput naming the option."""
    if options["criteria_file"]:
        return criteria_from_text(options["criteria_file"].read_text(encoding="utf-8-sig"))
    window = options["window"]
    data: dict[str, Any] = {
        "events": list(options["events"]),
        "sources": list(options["sources"]),
        "cities": list(options["cities"]),
        "rfm_filters": _read_rfm(options["rfm"]),
        "recent_message_hours": DEFAULT_WINDOW_HOURS if window is None else window,
    }
    if options["people_file"]:
        data["people"] = _read_people(organisation, options["people_file"])
    return criteria_from_json(data)


def _read_rfm(text: str | None) -> dict[str, list[int]] | None:
    if not text:
        return None
    found = {}
    for piece in text.split(","):
        letter, _, limits = piece.strip().partition("=")
        low, _, high = limits.partition("-")
        if not low.isdecimal() or not (high or low).isdecimal():
            raise InvalidInput({"--rfm": f"{piece!r} can't be read; write r=3-5,f=2-5,m=1-5."})
        found[letter.lower()] = [int(low), int(high or low)]
    return found


def _read_people(organisation: Organisation, path: Path) -> list[int]:
    with path.open("rb") as file:
        picked = pick_people_from_csv(organisation, file)
    if picked.unknown:
        named = "; ".join(f"{what}: {why}" for what, why in picked.unknown[:5])
        more = len(picked.unknown) - 5
        raise InvalidInput({"--people": named + (f"; and {more} more" if more > 0 else "")})
    return list(picked.person_ids)
