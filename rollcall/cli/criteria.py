"""The options by which a command says whom it means, turned into criteria."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rollcall.actors import Actor
from rollcall.audience.criteria import (
    DEFAULT_WINDOW_HOURS,
    Criteria,
    Reached,
    criteria_from_json,
    criteria_from_text,
)
from rollcall.errors import InvalidInput
from rollcall.models import Organisation
from rollcall.people.picking import create_missing_people, pick_people_from_csv

# The last one is shown first.
_OPTIONS = (
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
    click.option(
        "--exclude-campaign",
        "exclude_campaigns",
        multiple=True,
        metavar="ID[:planned|sent|delivered]",
        help="Leave out the people of this campaign (default: all on its list).",
    ),
    click.option(
        "--exclude-segment",
        "exclude_segments",
        multiple=True,
        metavar="SLUG[@VERSION]",
        help="Leave out the people of this segment.",
    ),
    click.option(
        "--exclude-event",
        "exclude_events",
        multiple=True,
        metavar="SLUG",
        help="Leave out the people of this event.",
    ),
    click.option(
        "--segment",
        metavar="SLUG[@VERSION]",
        help="The people of this segment, live or as one of its versions says.",
    ),
    click.option("--event", "events", multiple=True, metavar="SLUG", help="Any of these."),
)


def criteria_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the targeting options, given to the command as the keywords of `read_criteria`."""
    for option in _OPTIONS:
        command = option(command)
    return command


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
    if adding is not None and not options["people_file"]:
        raise InvalidInput({"--create-people": "This is for --people FILE.csv: give the file too."})
    if options["criteria_file"]:
        return criteria_from_text(options["criteria_file"].read_text(encoding="utf-8-sig"))
    window = options["window"]
    data: dict[str, Any] = {
        "events": list(options["events"]),
        "sources": list(options["sources"]),
        "cities": list(options["cities"]),
        "rfm_filters": _read_rfm(options["rfm"]),
        "exclude_events": list(options["exclude_events"]),
        "exclude_segments": [
            _read_segment(text, "--exclude-segment") for text in options["exclude_segments"]
        ],
        "exclude_campaigns": [_read_campaign(text) for text in options["exclude_campaigns"]],
        "recent_message_hours": DEFAULT_WINDOW_HOURS if window is None else window,
    }
    if options["segment"]:
        data["segment"] = _read_segment(options["segment"], "--segment")
    if options["people_file"]:
        data["people"] = _read_people(organisation, options["people_file"], adding)
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


def _read_segment(text: str, option: str) -> dict[str, Any]:
    slug, at, version = text.partition("@")
    if at and not _is_number(version):
        raise InvalidInput({option: f"{text!r} can't be read; write SLUG or SLUG@4."})
    return {"slug": slug, "version": int(version) if at else None}


def _read_campaign(text: str) -> dict[str, Any]:
    number, colon, who = text.partition(":")
    if not _is_number(number) or (colon and who not in list(Reached)):
        raise InvalidInput(
            {
                "--exclude-campaign": f"{text!r} can't be read; write a campaign's number, "
                f"alone or with one of {', '.join(Reached)}: 12:sent."
            }
        )
    return {"id": int(number), "who": who or Reached.PLANNED.value}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


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
