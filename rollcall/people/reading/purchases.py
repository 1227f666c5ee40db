"""Rows of purchases: who spent how much and when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from rollcall.people.reading.amounts import read_amount, read_currency
from rollcall.people.reading.cells import shown
from rollcall.people.reading.contacts import Cells, Contact, read_contact
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.mapping import Mapping
from rollcall.people.reading.people import Rejection
from rollcall.people.reading.records import BrokenRecord
from rollcall.people.reading.statuses import AttendanceStatus, read_status
from rollcall.people.reading.table import Table
from rollcall.people.reading.times import read_moment

LONGEST_REFERENCE = 100
_NOT_PAID = (AttendanceStatus.CANCELLED, AttendanceStatus.REFUNDED, AttendanceStatus.NONE)


@dataclass(frozen=True, slots=True)
class PurchaseRow:
    """Money that somebody spent. `reference` is empty where the file has none.

    `paid` is false where the status says that nothing was paid in the end: such a purchase
    does not count, and takes back one that was read earlier.
    """

    line: int
    contact: Contact
    amount: Decimal
    currency: str
    purchased_at: datetime
    reference: str
    event: str
    paid: bool
    raw: list[str]


def read_purchase_rows(
    table: Table, mapping: Mapping, default_country: str, zone: ZoneInfo, currency: str
) -> Iterator[PurchaseRow | Rejection]:
    """Yield each row of the table as a purchase, or with the reason why it is none.

    `currency` is meant where neither the row nor the amount names one.
    """
    cells = Cells(table.header, mapping)
    reading = _Reading(mapping.day_first, table.delimiter == ";", default_country, zone, currency)
    for record in table.rows():
        if isinstance(record, BrokenRecord):
            yield Rejection(record.line, record.reason, [record.text])
            continue
        cells.row = record.cells
        try:
            yield reading.purchase(cells, record.line)
        except UnreadableValue as error:
            yield Rejection(record.line, error.reason, record.cells)


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the values of one file are to be understood."""

    day_first: bool
    decimal_comma: bool
    country: str
    zone: ZoneInfo
    currency: str

    def purchase(self, cells: Cells, line: int) -> PurchaseRow:
        amount, currency = self._money(cells)
        written = cells.get("purchased_at")
        if not written:
            raise UnreadableValue("the row does not say when the purchase was made")
        return PurchaseRow(
            line=line,
            contact=read_contact(cells, self.country),
            amount=amount,
            currency=currency,
            purchased_at=read_moment(
                written, self.zone, self.day_first, cells.get("purchased_clock")
            ),
            reference=_read_reference(cells),
            event=cells.get("event"),
            paid=read_status(cells.get("status")) not in _NOT_PAID,
            raw=cells.row,
        )

    def _money(self, cells: Cells) -> tuple[Decimal, str]:
        written = cells.get("amount")
        if not written:
            raise UnreadableValue("the row has no amount")
        amount, named = read_amount(written, self.decimal_comma)
        column = cells.get("currency")
        return amount, read_currency(column) if column else named or self.currency


def _read_reference(cells: Cells) -> str:
    """Return the order's reference, with the position where an order has several rows."""
    parts = [part for part in (cells.get("reference"), cells.get("position")) if part]
    reference = "/".join(parts) if cells.get("reference") else ""
    if len(reference) > LONGEST_REFERENCE:
        raise UnreadableValue(
            f"the reference {shown(reference)} is longer than {LONGEST_REFERENCE} characters"
        )
    return reference
