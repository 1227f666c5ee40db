"""Long lists page by page: each page knows where the next one goes on (keyset paging)."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from rollcall.errors import InvalidInput

PAGE_LENGTH = 50
MAX_PAGE_LENGTH = 1_000

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list, and the cursor of those that follow (None on the last page)."""

    rows: list[Row]
    next_cursor: str | None


def cut_page(found: Sequence[Row], limit: int, place: Callable[[Row], Any]) -> Page[Row]:
    """Return the page of what was read: one row more than fits tells that there are others.

    `place` gives of its last row what the cursor is written of, one value or several.
    """
    rows = list(found[:limit])
    if len(found) <= limit:
        return Page(rows, None)
    at = place(rows[-1])
    return Page(rows, write_cursor(*at) if isinstance(at, tuple) else write_cursor(at))


def write_cursor(*values: str | int) -> str:
    """Return the place in a list as one word that is safe in an address."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type) -> list[Any]:
    """Return the values that `write_cursor` was given; raises InvalidInput for anything else."""
    refusal = _refuse_cursor()
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise refusal from error
    if not isinstance(values, list) or list(map(type, values)) != list(kinds):
        raise refusal
    if not all(map(_can_be_compared, values)):
        raise refusal
    return values


def read_moment_cursor(cursor: str) -> tuple[datetime, int]:
    """Return the moment and the id that a cursor was written of; raises InvalidInput."""
    text, row_id = read_cursor(cursor, str, int)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise _refuse_cursor()
        # At the ends of the calendar a moment exists in its own zone only.
        return moment.astimezone(UTC), row_id
    except (ValueError, OverflowError) as error:
        raise _refuse_cursor() from error


def _refuse_cursor() -> InvalidInput:
    return InvalidInput({"cursor": "This is not a page of this list; begin at its first page."})


def _can_be_compared(value: str | int) -> bool:
    """Return whether every database can compare the value with a column of its kind."""
    if isinstance(value, int):
        return abs(value) < 2**31
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def check_page_length(limit: int) -> int:
    """Return the limit; raises InvalidInput unless it is from 1 to MAX_PAGE_LENGTH."""
    if not 1 <= limit <= MAX_PAGE_LENGTH:
        raise InvalidInput({"limit": f"Ask for 1 to {MAX_PAGE_LENGTH:,} at once."})
    return limit
