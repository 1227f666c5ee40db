"""Values found in what a gateway says, by JSON Pointer (RFC 6901)."""

import json
import re
from collections.abc import Sequence
from typing import Any

_WRITTEN = re.compile(r"(/([^~]|~[01])*)?")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
EACH = "*"


def check_pointer(text: str) -> str:
    """Return the pointer; raises ValueError for one that is none."""
    if not _WRITTEN.fullmatch(text):
        raise ValueError("must be a JSON Pointer, such as /messages/0/status")
    return text


def read_document(body: bytes) -> Any:
    """Return the JSON value in a body, None where there is none.

    Numbers stay texts, digit for digit: an id of twenty digits is not to be rounded.
    """
    try:
        return json.loads(body, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def find_all(document: Any, pointer: str) -> list[str | None]:
    """Return the texts at a pointer, None for each place where no text or number stands.

    `*` in the place of a number stands for every element of a list, so that there are several.
    """
    return [_say(value) for value in find_values(document, pointer)]


def find_text(document: Any, pointer: str | None) -> str:
    """Return the first text at the pointer, an empty one where there is none."""
    found = find_all(document, pointer) if pointer is not None else []
    return next((text for text in found if text), "")


def find_values(document: Any, pointer: str) -> list[Any]:
    """Return what stands at a pointer, whatever it is; None for each place where nothing does."""
    found = [document]
    for step in pointer.split("/")[1:]:
        found = [
            value
            for one in found
            for value in _step(one, step.replace("~1", "/").replace("~0", "~"))
        ]
    return found


def _step(value: Any, step: str) -> Sequence[Any]:
    if isinstance(value, dict):
        return [value.get(step)]
    if isinstance(value, list):
        if step == EACH:
            return value
        if _INDEX.fullmatch(step) and int(step) < len(value):
            return [value[int(step)]]
    return [None]


def _say(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None
