"""A CSV file opened as a table: encoding, delimiter and header found out, rows streamed."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

from rollcall.people.reading.cells import clean_cell
from rollcall.people.reading.columns import is_known_heading
from rollcall.people.reading.emails import looks_like_email
from rollcall.people.reading.errors import UnreadableFile
from rollcall.people.reading.lines import BinaryFile, LineSource, LineTooLong
from rollcall.people.reading.phones import looks_like_phone
from rollcall.people.reading.records import BrokenRecord, Record, read_records

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_LINES = 200
SAMPLE_ROWS = 50
MOST_COLUMNS = 500


class Table:
    """A file's header and, once, its rows.

    `header` has a unique label for each column; `has_header` is false for a bare list of
    phones or addresses, whose columns are then "Column 1", "Column 2", … `sample` holds the
    first rows for the proposal of a mapping. `bytes_read` grows as rows are taken.
    """

    def __init__(self, file: BinaryFile) -> None:
        self._source = LineSource(file)
        self._lines = iter(self._source)
        head = list(islice(self._lines, SAMPLE_LINES))
        self._first_line, declared = _skip_declaration(head)
        self.delimiter = declared or _find_delimiter(head)
        rows = _sample_rows(head, self.delimiter)
        if not rows:
            raise UnreadableFile("the file is empty")
        self.has_header = not _is_data(rows[0])
        self.header = _labels(rows, self.has_header)
        self.sample = rows[1:] if self.has_header else rows
        self._head = head

    @property
    def encoding(self) -> str:
        """Return the encoding found so far, as people call it."""
        return self._source.encoding

    @property
    def bytes_read(self) -> int:
        """Return how much of the file was taken so far, for a progress bar."""
        return self._source.bytes_read

    def rows(self) -> Iterator[Record | BrokenRecord]:
        """Yield each data row with as many cells as the header has; can be asked for once.

        A row with more filled cells than columns, or with fewer, is broken: its values may
        have slipped under the wrong headings. A file without a header promises no width, so
        that short rows are filled up there.
        """
        lines = chain(self._head, self._lines)
        self._head = []
        heading_seen = not self.has_header
        for record in read_records(lines, self.delimiter, self._first_line):
            if not heading_seen and isinstance(record, Record):
                heading_seen = True
                continue
            yield record if isinstance(record, BrokenRecord) else self._fitted(record)

    def _fitted(self, record: Record) -> Record | BrokenRecord:
        width, cells = len(self.header), record.cells
        if len(cells) == width:
            return record
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            return Record(record.line, cells[:width])
        if len(cells) < width and not self.has_header:
            return Record(record.line, cells + [""] * (width - len(cells)))
        return BrokenRecord(
            record.line,
            f"the row has {_values(len(cells))}, the header {width}; "
            + ("a value with the delimiter in it needs quotes" if len(cells) > width else "")
            + ("the last ones are missing" if len(cells) < width else ""),
            self.delimiter.join(cells),
        )


def header_signature(header: list[str]) -> str:
    """Return what tells this header from others: equal for equal columns in equal order."""
    names = "\x1f".join(" ".join(name.casefold().split()) for name in header)
    return hashlib.sha256(names.encode()).hexdigest()


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _skip_declaration(head: list[str | LineTooLong]) -> tuple[int, str | None]:
    """Take off Excel's "sep=;" line; return the number of the next line, and the delimiter."""
    first = head[0] if head else ""
    if isinstance(first, str) and first[:4].casefold() == "sep=" and len(first.rstrip("\r\n")) == 5:
        head.pop(0)
        return 2, first[4]
    return 1, None


def _sample_rows(head: list[str | LineTooLong], delimiter: str) -> list[list[str]]:
    records = read_records(head, delimiter)
    return [r.cells for r in islice(records, SAMPLE_ROWS) if isinstance(r, Record)]


def _find_delimiter(head: list[str | LineTooLong]) -> str:
    """Return the delimiter under which the first lines look most like a table.

    Headings that are known weigh most, then rows of equal width, then many columns.
    """

    def likeness(delimiter: str) -> tuple[int, float, int]:
        rows = _sample_rows(head, delimiter)
        if not rows:
            return 0, 0.0, 0
        width, same = Counter(len(row) for row in rows).most_common(1)[0]
        known = sum(is_known_heading(cell) for cell in rows[0])
        return known, same / len(rows) if width > 1 else 0.0, width

    return max(DELIMITERS, key=likeness)


def _is_data(row: list[str]) -> bool:
    """Return whether the first row already is somebody: it has addresses rather than headings."""
    cells = [clean_cell(cell) for cell in row]
    headings = sum(is_known_heading(cell) for cell in cells)
    addresses = sum(looks_like_email(cell) or looks_like_phone(cell) for cell in cells if cell)
    return 0 < addresses >= headings


def _labels(rows: list[list[str]], has_header: bool) -> list[str]:
    """Return a label of its own for each column; raises UnreadableFile for too many of them."""
    if not has_header:
        width = max(len(row) for row in rows)
        _check_width(width)
        return [f"Column {n}" for n in range(1, width + 1)]
    cells = [clean_cell(cell) for cell in rows[0]]
    while cells and not cells[-1]:
        cells.pop()  # delimiters at the end of each line, as spreadsheets leave them
    _check_width(len(cells))
    labels: dict[str, None] = {}
    following: dict[str, int] = {}
    for number, cell in enumerate(cells, start=1):
        label, again = cell or f"Column {number}", following.get(cell, 2)
        while label in labels:
            label, again = f"{cell} ({again})", again + 1
        labels[label] = None
        following[cell] = again
    return list(labels)


def _check_width(columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise UnreadableFile(f"the first row has {columns} columns: not a list of people")
