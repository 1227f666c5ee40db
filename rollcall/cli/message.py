"""`flask message`: what a text takes on the wire. Needs no database and no organisation."""

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

import click

from rollcall.messages.parts import ForcingCharacter, MessageParts, count_parts
from rollcall.wording import say_count


class WrongInput(click.ClickException):
    """What was given can't be used: one line on stderr, and the exit status of wrong use."""

    exit_code = 2


@click.group("message")
def message_commands() -> None:
    """Look at a message before anybody gets it."""


@message_commands.command("parts")
@click.argument("text", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_parts(text: str | None, as_json: bool) -> None:
    """Count the SMS parts of TEXT and name what forces UCS-2.

    Without TEXT, or with "-", the text is read from stdin. A JSON list of texts on stdin gives a
    JSON list of results.
    """
    given = _read_stdin() if text is None or text == "-" else text
    if isinstance(given, list):
        click.echo(json.dumps([_to_json(count_parts(one)) for one in given], indent=2))
    elif as_json:
        click.echo(json.dumps(_to_json(count_parts(given)), indent=2))
    else:
        click.echo("\n".join(_describe(count_parts(given))))


def _read_stdin() -> str | list[str]:
    """Read one text, or a JSON list of texts; the newline that ends the last line is no part."""
    try:
        raw = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrongInput("stdin is not UTF-8. Save the text as UTF-8 and try again.") from error
    text = re.sub(r"\r?\n\Z", "", raw)
    try:
        texts = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return text
    if not isinstance(texts, list):
        return text
    for number, item in enumerate(texts, start=1):
        if not isinstance(item, str):
            raise WrongInput(f"Item {number} of the JSON list is not a text. Put it in quotes.")
    return texts


def _to_json(counted: MessageParts) -> dict[str, Any]:
    return {
        "encoding": counted.encoding,
        "parts": counted.parts,
        "characters": counted.characters,
        "units": counted.units,
        "units_left": counted.units_left,
        "forces_ucs2": [forcing._asdict() for forcing in counted.forces_ucs2],
    }


def _describe(counted: MessageParts) -> Iterable[str]:
    yield f"{say_count(counted.parts, 'SMS part')}, {counted.encoding}"
    yield (
        f"{say_count(counted.characters, 'character')}, {say_count(counted.units, 'unit')}, "
        f"{counted.units_left} left in this part"
    )
    if counted.forces_ucs2:
        yield "These characters force UCS-2:"
    first_of_each: dict[str, ForcingCharacter] = {}
    for forcing in counted.forces_ucs2:
        first_of_each.setdefault(forcing.character, forcing)
    yield from (f"  {_describe_forcing(forcing)}" for forcing in first_of_each.values())


def _describe_forcing(forcing: ForcingCharacter) -> str:
    # Control characters and halves of surrogate pairs can't be shown on every terminal.
    shown = f"{forcing.character}  " if forcing.character[0].isprintable() else ""
    return f"{shown}{forcing.name}, first at position {forcing.position}{_advise(forcing)}"


def _advise(forcing: ForcingCharacter) -> str:
    if forcing.suggestion is None:
        return ""
    blank = {"": "leave it out", " ": "use a plain space", "\n": "use a plain line break"}
    return ": " + blank.get(forcing.suggestion, f"use {forcing.suggestion} instead")
