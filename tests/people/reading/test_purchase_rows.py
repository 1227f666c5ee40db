"""Purchases are read with exact amounts, and refused rows say why."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from rollcall.people.reading.mapping import propose_mapping
from rollcall.people.reading.people import Rejection
from rollcall.people.reading.purchases import PurchaseRow, read_purchase_rows
from rollcall.people.reading.table import Table

FILES = Path(__file__).parents[1] / "files"


def read(data: bytes) -> list[PurchaseRow | Rejection]:
    table = Table(io.BytesIO(data))
    mapping = propose_mapping(table.header, table.sample, "purchases", "CA")
    return list(read_purchase_rows(table, mapping, "CA", ZoneInfo("America/Toronto"), "CAD"))


def test_purchases_file() -> None:
    rows = read((FILES / "purchases.csv").read_bytes())
    first, second, refunded = (row for row in rows if isinstance(row, PurchaseRow))
    assert (first.amount, first.currency) == (Decimal("1234.50"), "CAD")
    assert first.purchased_at == datetime(2026, 3, 2, 1, 15, tzinfo=UTC)
    assert (first.reference, first.event) == ("P-1", "spring")
    assert second.contact.phone == "+14165550123"
    assert second.currency == "CAD"  # the organisation's, as the row names none
    assert not refunded.paid
    refused = [(row.line, row.reason) for row in rows if isinstance(row, Rejection)]
    assert [line for line, _ in refused] == [5, 6, 7]
    assert "is not an amount" in refused[0][1]
    assert "a refund is not a purchase" in refused[1][1]
    assert "is not a date and time" in refused[2][1]


def test_each_ticket_of_an_order_is_a_purchase_of_its_own() -> None:
    rows = read((FILES / "eventbrite_attendees.csv").read_bytes())
    references = [row.reference for row in rows if isinstance(row, PurchaseRow)]
    assert references[:2] == ["7001234561/9100001", "7001234561/9100002"]


def test_a_semicolon_file_has_decimal_commas() -> None:
    (row,) = read(b"E-Mail;Betrag;Kaufdatum\na@example.de;1.234;21.11.2026\n")
    assert isinstance(row, PurchaseRow)
    assert row.amount == Decimal(1234)
