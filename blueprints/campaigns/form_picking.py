"""Hand-picked people in the campaign form: pasted, read from a file, and added where unknown."""

import re
from dataclasses import replace
from typing import Any

from werkzeug.datastructures import FileStorage

from blueprints.campaigns.form_values import FormValues
from rollcall.actors import Actor
from rollcall.errors import InvalidInput
from rollcall.models import Organisation
from rollcall.people.picking import (
    Missing,
    Picked,
    create_missing_people,
    pick_people,
    pick_people_from_csv,
)

_SEPARATORS = re.compile(r"[\n\r,;\t]+")
# More unknown people than this are no slip any more but a file to be imported.
MOST_KEPT = 500


def pick_listed(
    values: FormValues, organisation: Organisation, file: FileStorage | None
) -> FormValues:
    """Return the form with the people of the pasted list and of the file among the picked.

    Whoever is unknown stays in the list, those of the file too, so that they can be added.
    """
    words = [word.strip() for word in _SEPARATORS.split(values.pasted) if word.strip()]
    pasted = pick_people(organisation, words) if words else Picked((), ())
    read, problem = _read_file(organisation, file)
    people = tuple(sorted({*values["people"], *pasted.person_ids, *read.person_ids}))
    return replace(
        values.with_chosen(people=people),
        pasted="\n".join([*(word for word, _ in pasted.unknown), *_lines(read.missing)]),
        unknown=(*pasted.unknown, *_said(read)),
        missing=(*pasted.missing, *read.missing[:MOST_KEPT]),
        file_problem=problem,
    )


def add_missing(values: FormValues, actor: Actor) -> FormValues:
    """Return the form with everybody added and picked whose address is valid but was unknown."""
    if not values.missing:
        return values
    addable = _words(values.missing)
    picked = create_missing_people(actor, Picked(values["people"], (), values.missing))
    left = [line for line in values.pasted.splitlines() if line not in addable]
    return replace(
        values.with_chosen(people=picked.person_ids),
        pasted="\n".join(left),
        unknown=tuple(entry for entry in values.unknown if entry[0] not in addable),
        missing=(),
        added=len(picked.created),
    )


def count_missing(missing: tuple[Missing, ...]) -> int:
    """Return how many people would be added: two lines with the same addresses are one."""
    return len({(one.contact.phone, one.contact.email) for one in missing})


def _read_file(organisation: Organisation, file: FileStorage | None) -> tuple[Picked, str | None]:
    if file is None or not file.filename:
        return Picked((), ()), None
    try:
        return pick_people_from_csv(organisation, file.stream), None  # type: ignore[arg-type]
    except InvalidInput as error:
        return Picked((), ()), next(iter(error.fields.values()))


def _lines(missing: tuple[Missing, ...]) -> list[str]:
    return [one.to_text() for one in missing[:MOST_KEPT]]


def _said(read: Picked) -> list[tuple[str, str]]:
    """Return what is unknown of the file, each with its line and, where there is one, its text."""
    texts = {one.word: one.to_text() for one in read.missing}
    said: list[Any] = [
        (texts.get(word, word), f"{reason} ({word})" if word in texts else reason)
        for word, reason in read.unknown
    ]
    return said


def _words(missing: tuple[Missing, ...]) -> set[str]:
    return {text for one in missing for text in (one.word, one.to_text())}
