"""What the API answers with: one object, or a page of a list with where the next one begins."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from flask import Response, current_app, json

from rollcall.paging import read_cursor, write_cursor

Row = TypeVar("Row")


def answer(data: Any, status: int = 200, location: str | None = None) -> Response:
    """Return `data` as JSON; `location` is the address of what was just made."""
    response = current_app.response_class(
        json.dumps(data) + "\n", status=status, mimetype="application/json"
    )
    if location is not None:
        response.headers["Location"] = location
    return response


def answer_page(documents: Iterable[dict[str, Any]], next_cursor: str | None) -> Response:
    """Return a page of a list; `next_cursor` is None on the last one."""
    return answer({"data": list(documents), "next_cursor": next_cursor})


def cut_page(
    rows: Sequence[Row], limit: int, id_of: Callable[[Row], int]
) -> tuple[Sequence[Row], str | None]:
    """Return at most `limit` rows of those read (one more than shown), and where to go on."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], write_cursor(id_of(rows[limit - 1]))


def read_id_cursor(cursor: str | None) -> int | None:
    """Return the id that `cut_page` wrote, None for the first page; raises InvalidInput."""
    return read_cursor(cursor, int)[0] if cursor else None


def moment_text(moment: datetime | None) -> str | None:
    """Return a moment in UTC as ISO 8601 with a Z, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
