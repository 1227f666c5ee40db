"""CSV that people open in a spreadsheet: known as UTF-8, and without anything that computes."""

import csv
from collections.abc import Sequence
from io import StringIO

# By it spreadsheets know UTF-8; it stands in front of the first line.
BYTE_ORDER_MARK = "\ufeff"


def csv_line(cells: Sequence[str]) -> str:
    """Return one CSV line in which no cell can act as a formula."""
    buffer = StringIO()
    csv.writer(buffer).writerow([_without_formula(cell) for cell in cells])
    return buffer.getvalue()


def _without_formula(cell: str) -> str:
    # A spreadsheet computes what begins so; a quote in front makes it text. (OWASP, CSV injection)
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else cell
