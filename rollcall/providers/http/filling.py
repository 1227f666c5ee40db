"""Fields of a request, filled in for one message and written by a serialiser.

A template is a text with `{names}`. It is filled in once, from left to right, and what is put in is
never looked at again; only then is the whole serialised. So nothing that stands in a message can
become a field, a quote or the end of a value.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from rollcall.messages.parts import count_parts
from rollcall.providers.base import OutgoingMessage

NAMES = ("to", "digits", "text", "reference", "receipt_url", "sender_name")
RECEIPT_URL = "{receipt_url}"
BY_ALPHABET = frozenset(("gsm7", "ucs2"))

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def check_template(text: str, allowed: tuple[str, ...] = NAMES) -> str:
    """Return the template; raises ValueError for a name that there is not, or a lone brace."""
    for piece in _PIECE.finditer(text):
        if piece[0] in ("{{", "}}"):
            continue
        if piece[1] not in allowed:
            names = ", ".join(f"{{{name}}}" for name in allowed)
            raise ValueError(
                f"holds {piece[0]!r}, which is none of {names}; a brace itself is written twice"
            )
    return text


def check_fields(fields: Mapping[str, Any], *, flat: bool) -> Mapping[str, Any]:
    """Return the fields; raises ValueError where one can't be filled in or, `flat`, not written."""
    for name, value in fields.items():
        values = value if isinstance(value, list) else [value]
        if flat and any(isinstance(one, dict) and not _is_choice(one) for one in values):
            raise ValueError(f"{name} can't be a table: only a JSON body can hold one")
        try:
            _check_value(value)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error
    return fields


def escape(text: str) -> str:
    """Return the text as a template that gives the text itself."""
    return text.replace("{", "{{").replace("}", "}}")


def values_of(message: OutgoingMessage) -> dict[str, str]:
    """Return what the names stand for in one message."""
    return {
        "to": message.address,
        "digits": message.address.removeprefix("+"),
        "text": message.text,
        "reference": message.reference,
        "receipt_url": message.receipt_url or "",
        "sender_name": message.sender_name,
    }


def fill(fields: Mapping[str, Any], message: OutgoingMessage) -> dict[str, Any]:
    """Return the fields with every template filled in.

    A field that is nothing but `{receipt_url}` is left out where there is no such address.
    """
    alphabet = "gsm7" if count_parts(message.text).encoding == "GSM-7" else "ucs2"
    return _fill_table(fields, values_of(message), alphabet)


def fill_text(template: str, values: Mapping[str, str]) -> str:
    """Return one template filled in."""
    return _PIECE.sub(lambda piece: piece[0][0] if not piece[1] else values[piece[1]], template)


def write_json(fields: Mapping[str, Any]) -> bytes:
    """Return the fields as a JSON object, in plain ASCII."""
    return json.dumps(fields).encode("ascii")


def write_form(fields: Mapping[str, Any]) -> bytes:
    """Return the fields as a form or a query; a list gives its name several times."""
    plain = {
        name: [_plain(one) for one in value] if isinstance(value, list) else _plain(value)
        for name, value in fields.items()
    }
    return urlencode(plain, doseq=True, errors="replace").encode("ascii")


def _fill(value: Any, values: Mapping[str, str], alphabet: str) -> Any:
    if isinstance(value, str):
        return fill_text(value, values)
    if isinstance(value, list):
        return [_fill(one, values, alphabet) for one in value]
    if isinstance(value, dict):
        if _is_choice(value):
            return _fill(value[alphabet], values, alphabet)
        return _fill_table(value, values, alphabet)
    return value


def _fill_table(
    table: Mapping[str, Any], values: Mapping[str, str], alphabet: str
) -> dict[str, Any]:
    return {
        name: _fill(value, values, alphabet)
        for name, value in table.items()
        if value != RECEIPT_URL or values["receipt_url"]
    }


def _check_value(value: Any) -> None:
    if isinstance(value, str):
        check_template(value)
    elif isinstance(value, list):
        for one in value:
            _check_value(one)
    elif isinstance(value, dict):
        if value.keys() & BY_ALPHABET and not _is_choice(value):
            raise ValueError("must name both gsm7 and ucs2, and nothing else")
        for one in value.values():
            _check_value(one)
    elif not isinstance(value, (bool, int, float)) or not math.isfinite(value):
        raise ValueError("must be a text, a number, true, false, a list or a table")


def _is_choice(value: Mapping[str, Any]) -> bool:
    return value.keys() == BY_ALPHABET


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
