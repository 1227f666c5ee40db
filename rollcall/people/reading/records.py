"""Rows of cells out of lines, by the csv module, surviving quotes that are never closed."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rollcall.people.reading.lines import LineTooLong

LONGEST_RECORD_LINES = 200
LONGEST_RECORD_CHARACTERS = 128 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one row, and the physical line (from 1) where it begins."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A row that can't be split into cells, and why."""

    line: int
    reason: str
    text: str


class _TooMuch(Exception):
    """A row goes on for longer than any row does."""


class _Tape:
    """Lines that can be handed out again: what a row has taken is kept until it is complete."""

    def __init__(self, lines: Iterable[str | LineTooLong], first_line: int) -> None:
        self._lines = iter(lines)
        self._again: list[str | LineTooLong] = []
        self.taken: list[str | LineTooLong] = []
        self.number = first_line - 1  # of the line handed out last
        self.ran_out_inside_row = False
        self._characters = 0

    def __iter__(self) -> "_Tape":
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._next_from_file()
        self.number += 1
        self.taken.append(line)
        if isinstance(line, LineTooLong):
            raise line
        self._characters += len(line)
        if len(self.taken) > LONGEST_RECORD_LINES or self._characters > LONGEST_RECORD_CHARACTERS:
            raise _TooMuch
        return line

    def _next_from_file(self) -> str | LineTooLong:
        try:
            return next(self._lines)
        except StopIteration:
            # The csv module asks for more inside a row only where a quote is open.
            self.ran_out_inside_row = bool(self.taken)
            raise

    def begin_row(self) -> None:
        self.taken, self._characters, self.ran_out_inside_row = [], 0, False

    def give_back_all_but_first(self) -> str:
        """Make the row's further lines be read again; return its first one."""
        first, *rest = self.taken
        self._again.extend(reversed(rest))
        self.number -= len(rest)
        return "" if isinstance(first, LineTooLong) else first.rstrip("\r\n")


def read_records(
    lines: Iterable[str | LineTooLong], delimiter: str, first_line: int = 1
) -> Iterator[Record | BrokenRecord]:
    """Yield each row that is not blank; a row that can't be read costs its first line only.

    A quote that is never closed would swallow the rest of the file into one cell. Here it
    ends after LONGEST_RECORD_LINES or at the end of the file: that line is reported, and
    reading goes on with the next one.
    """
    tape = _Tape(lines, first_line)
    rows = csv.reader(tape, delimiter=delimiter)
    while True:
        tape.begin_row()
        start = tape.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except (_TooMuch, LineTooLong, csv.Error):
            yield _broken(start, tape)
            continue
        if tape.ran_out_inside_row:
            yield _broken(start, tape)
        elif any(cell.strip() for cell in cells):
            yield Record(start, cells)


def _broken(start: int, tape: _Tape) -> BrokenRecord:
    one_line = len(tape.taken) == 1 and not tape.ran_out_inside_row
    reason = (
        "this line is longer than a row can be"
        if one_line or isinstance(tape.taken[0], LineTooLong)
        else "a quotation mark opens in this line and is never closed"
    )
    return BrokenRecord(start, reason, tape.give_back_all_but_first())
