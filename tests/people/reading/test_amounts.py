"""Amounts are exact, whatever marks the file uses."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.people.reading.amounts import read_amount, read_currency
from rollcall.people.reading.errors import UnreadableValue


@pytest.mark.parametrize(
    ("written", "amount", "currency"),
    [
        ("25", "25", None),
        ("11.77", "11.77", None),
        ("11.770", "11.770", None),
        ("$1,234.50", "1234.50", None),
        ("1.234,50 €", "1234.50", "EUR"),
        ("CA$25.00", "25.00", "CAD"),
        ("USD 25.00", "25.00", "USD"),
        ("1'234.50", "1234.50", None),
        ("1\u202f234,50", "1234.50", None),
        ("1,234", "1234", None),
        ("0", "0", None),
    ],
)
def test_amount_is_read_exactly(written: str, amount: str, currency: str | None) -> None:
    assert read_amount(written) == (Decimal(amount), currency)


def test_one_mark_before_three_digits_depends_on_the_files_decimal_mark() -> None:
    assert read_amount("1.234", decimal_comma=True) == (Decimal(1234), None)
    assert read_amount("1.234", decimal_comma=False) == (Decimal("1.234"), None)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("free", "is not an amount"),
        ("", "is not an amount"),
        ("4e5", "is not an amount"),
        ("12..5", "is not an amount"),
        ("-25.00", "a refund is not a purchase"),
        ("(25.00)", "a refund is not a purchase"),
        ("9" * 30, "too large"),
    ],
)
def test_what_is_no_amount_is_refused(written: str, reason: str) -> None:
    with pytest.raises(UnreadableValue, match=reason):
        read_amount(written)


@given(st.decimals(0, 999_999_999, places=2, allow_nan=False))
def test_an_amount_survives_writing(amount: Decimal) -> None:
    assert read_amount(f"{amount:,.2f}")[0] == amount
    assert read_amount(f"{amount}")[0] == amount


@pytest.mark.parametrize(("written", "code"), [("usd", "USD"), ("€", "EUR"), (" CAD ", "CAD")])
def test_currency_becomes_three_letters(written: str, code: str) -> None:
    assert read_currency(written) == code


def test_unknown_currency_is_refused() -> None:
    with pytest.raises(UnreadableValue, match="write it as USD or CAD"):
        read_currency("dollars")
