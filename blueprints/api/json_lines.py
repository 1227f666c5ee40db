"""JSON lines of people, read as the CSV that the importer takes, a line at a time."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import Any, NamedTuple, Protocol

from rollcall.people.reading.mapping import Mapping

FIELDS = (
    "phone",
    "email",
    "first_name",
    "last_name",
    "name",
    "city",
    "country",
    "timezone",
    "status",
    "registered_at",
)
MAPPING = Mapping("people", {name: name for name in FIELDS})
LONGEST_LINE = 64 * 1024
MOST_KEPT = 1_000


class Lines(Protocol):
    """What is asked of a body: `readline`."""

    def readline(self, size: int, /) -> bytes: ...


class BadLine(NamedTuple):
    """A line that is no JSON object of texts, and why."""

    line: int
    reason: str


class JsonLinesFile:
    """A CSV file made of JSON lines while it is read; memory stays bounded.

    Line n of the JSON is line n + 1 of the CSV. A bad line becomes an empty one, and is kept
    in `bad_lines` (the first MOST_KEPT of them) and counted in `bad`.
    """

    def __init__(self, body: Lines) -> None:
        self._body = body
        self._pending = b""
        self._pieces = self._write()
        self.bad_lines: list[BadLine] = []
        self.bad = 0

    def read(self, size: int, /) -> bytes:
        """Return about `size` bytes of CSV, none at the end."""
        while len(self._pending) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._pending += piece
        found, self._pending = self._pending[:size], self._pending[size:]
        return found

    def _write(self) -> Iterator[bytes]:
        yield _csv_line(FIELDS)
        number = 0
        while line := self._read_line():
            number += 1
            if not line.strip():
                yield b"\n"
                continue
            try:
                yield _csv_line(_cells(line))
            except ValueError as error:
                self._refuse(number, str(error))
                yield b"\n"

    def _read_line(self) -> bytes:
        line = self._body.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := self._body.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
        return line

    def _refuse(self, number: int, reason: str) -> None:
        self.bad += 1
        if len(self.bad_lines) < MOST_KEPT:
            self.bad_lines.append(BadLine(number, reason))


def _cells(line: bytes) -> list[str]:
    """Return the texts of a line in the order of FIELDS; raises ValueError saying what is wrong."""
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("This line is not JSON.") from error
    if not isinstance(row, dict):
        raise ValueError('Write one object a line, such as {"phone": "+14165550123"}.')
    unknown = [name for name in row if name not in FIELDS]
    if unknown:
        raise ValueError(f"{unknown[0][:40]!r} is not known; known are {', '.join(FIELDS)}.")
    wrong = [name for name, value in row.items() if not isinstance(value, str | None)]
    if wrong:
        raise ValueError(f"{wrong[0]} must be a text.")
    # A line break inside a value would move the numbers of all lines after it.
    return [" ".join((row.get(name) or "").split()) for name in FIELDS]


def _csv_line(cells: "list[str] | tuple[str, ...]") -> bytes:
    buffer = StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode("utf-8", "replace")
