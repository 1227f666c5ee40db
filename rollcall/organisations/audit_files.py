"""The audit trail as files: CSV for spreadsheets, JSON lines for programs."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from rollcall.spreadsheets import BYTE_ORDER_MARK, csv_line

FORMATS = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
COLUMNS = (
    *("number", "at", "staff", "origin", "address", "action", "object_type", "object_id"),
    *("before", "after", "seal"),
)


def write_file(format: str, entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a file of these entries; in a CSV no cell can act as a formula."""
    if format == "jsonl":
        for entry in entries:
            yield json.dumps(entry, ensure_ascii=False) + "\n"
        return
    yield BYTE_ORDER_MARK + csv_line(COLUMNS)
    for entry in entries:
        yield csv_line([_cell(entry[column]) for column in COLUMNS])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
