"""Amounts of money as exports write them."""

import re
from decimal import Decimal

from rollcall.people.reading.cells import clean_cell, shown
from rollcall.people.reading.errors import UnreadableValue

_SIGNS = {"€": "EUR", "£": "GBP", "¥": "JPY", "CA$": "CAD", "C$": "CAD", "US$": "USD", "A$": "AUD"}
_CODE = re.compile(r"\b[A-Z]{3}\b")
_NUMBER = re.compile(r"^\d+(?:[.,'\s\u00a0\u202f]\d+)*$")
_LARGEST = Decimal(10) ** 9


def read_amount(text: str, decimal_comma: bool = False) -> tuple[Decimal, str | None]:
    """Return the exact amount, and the currency (three letters) if the cell names one.

    "1,234.50", "1.234,50", "25,00 €" and "CA$25" are read. One mark before three digits is
    a thousands mark, unless it is the file's decimal mark (`decimal_comma`: the comma).
    Negative amounts raise UnreadableValue: a refund is a status, not a purchase.
    """
    written = clean_cell(text)
    currency = _currency(written)
    bare = re.sub(r"[^\d.,'\s-]", "", written).strip()
    negative = bare.startswith("-") or bare.endswith("-") or written.startswith("(")
    bare = bare.strip("- ")
    if not _NUMBER.match(bare) or re.search(r"\d[A-Za-z]+\d", written):
        raise UnreadableValue(f"{shown(written)} is not an amount; write it as 25.00")
    amount = Decimal(_plain(bare, decimal_comma))
    if amount > _LARGEST:
        raise UnreadableValue(f"{shown(written)} is too large for an amount")
    if negative and amount:
        raise UnreadableValue(f"{shown(written)} is negative; a refund is not a purchase")
    return amount, currency


def read_currency(text: str) -> str:
    """Return the currency as three letters; raises UnreadableValue."""
    written = clean_cell(text).upper()
    code = _SIGNS.get(written, written)
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise UnreadableValue(f"{shown(written)} is not a currency; write it as USD or CAD")
    return code


def _currency(written: str) -> str | None:
    code = _CODE.search(written)
    if code:
        return code.group()
    for sign in sorted(_SIGNS, key=len, reverse=True):
        if sign in written:
            return _SIGNS[sign]
    return None


def _plain(bare: str, decimal_comma: bool) -> str:
    """Return the digits with a point as decimal mark and no thousands marks."""
    bare = re.sub(r"['\s]", "", bare)
    last = max(bare.rfind("."), bare.rfind(","))
    if last < 0:
        return bare
    whole, mark, rest = bare[:last], bare[last], bare[last + 1 :]
    is_file_mark = mark == ("," if decimal_comma else ".")
    thousands = mark in whole or (len(rest) == 3 and not is_file_mark)
    digits = re.sub(r"[.,]", "", whole)
    return digits + rest if thousands else f"{digits}.{rest}"
