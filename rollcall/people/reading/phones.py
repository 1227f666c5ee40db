"""Phone numbers as people and spreadsheets write them, brought to E.164."""

import re
import unicodedata
from collections.abc import Iterable

from phonenumbers import PhoneNumber

from rollcall.people.reading import dialling
from rollcall.people.reading.cells import clean_cell, shown
from rollcall.people.reading.dialling import TYPED_AT_HOME, UNKNOWN, Habit, digits_of, e164_of
from rollcall.people.reading.errors import UnreadableValue
from rollcall.text import normalize

__all__ = [
    "TYPED_AT_HOME",
    "UNKNOWN",
    "Habit",
    "find_phone_habit",
    "is_written_as_phone",
    "looks_like_phone",
    "normalise_phone",
    "possible_phones",
    "read_local_phone",
    "says_country_code",
]

# 4.16555E+09, or 4,16555E+09 where Excel speaks German or French.
_SCIENTIFIC = re.compile(r"^[+-]?\d+([.,]\d+)?[eE]\+?\d+$")
_WHOLE_FLOAT = re.compile(r"^(\+?\d{4,15})[.,]0+$")
# "p:" is how Meta's lead forms mark a phone.
_PREFIX = re.compile(
    r"^'?\s*(?:(?:tel|telephone|phone|mobile|mobil|cell|handy|sms|whatsapp|callto)\b\.?|[ptm])"
    r"\s*:\s*",
    re.IGNORECASE,
)
# A run of spaces is tried from its first one only: from each of them, a cell of spaces alone
# would take the square of its length.
_EXTENSION = re.compile(
    r"(?<![\s,;])[\s,;]*(;ext=|extension|ext|poste|durchwahl|dw|x|#)[\s.:]*\d{1,7}$", re.IGNORECASE
)
_DASHES = re.compile(r"[‐‑‒–—―−⁃﹣－]")
# Google's contacts write several values into one cell, with " ::: " between them.
_BETWEEN_TWO = re.compile(r":::|[;,|/&]|\bor\b|\band\b|\bou\b|\boder\b|\bund\b")
_PLAIN = re.compile(r"^\+?[0-9 ().-]+$")
_PLUS = re.compile(r"^\(?\s*\+\s*\(?\s*(?:00)?")
_DIALLED = re.compile(r"^\s*(?:00|011)")
_TRUNK_IN_BRACKETS = re.compile(r"\(\s*0\s*\)")
_FEWEST_DIGITS = 7


def normalise_phone(text: str, default_country: str, habit: Habit = UNKNOWN) -> str:
    """Return the phone in E.164 ("+14165550123"); raises UnreadableValue with the reason.

    A number without a country code is read as one of `default_country` (two letters), unless
    it can be one of another country as well: `dialling.settle` says what then decides.
    Extensions, spaces, "tel:", unicode digits and dashes, and invisible characters go. What
    Excel has turned into 4.16555E+09 has lost digits for ever, so that it is refused; a
    whole number that only gained ".0" has lost none and is read.
    """
    return _normalise(text, None, default_country.upper(), habit)


def read_local_phone(text: str, home: str, default_country: str, habit: Habit = UNKNOWN) -> str:
    """Return the phone in E.164 where the person's country, `home`, is known beside the default.

    Raises UnreadableValue with what is wrong.
    """
    return _normalise(text, home.upper(), default_country.upper(), habit)


def possible_phones(text: str, default_country: str) -> list[str]:
    """Return every phone, in E.164, that the text can mean: to look for, never to store."""
    phone = _as_typed(text)
    if not _PLAIN.match(phone) or not digits_of(phone):
        return []
    if _says_country_code(phone):
        number = _with_country_code(phone, default_country.upper())
        return [e164_of(number)] if number else []
    return dialling.possible_numbers(phone, default_country.upper())


def find_phone_habit(texts: Iterable[str], default_country: str) -> Habit:
    """Return how a column of phones writes those without a +, from its first cells."""
    typed = (_as_typed(text) for text in texts)
    plain = (phone for phone in typed if _PLAIN.match(phone) and digits_of(phone))
    return dialling.find_habit(plain, default_country.upper())


def is_written_as_phone(text: str, country: str) -> bool:
    """Return whether the text can only be a phone: by its +, or in the form of the country.

    Digits alone are not enough, unless they are a mobile number with the 0 in front.
    """
    phone = _as_typed(text)
    if not _PLAIN.match(phone) or not digits_of(phone):
        return False
    try:
        if _says_country_code(phone):
            return _with_country_code(phone, country) is not None
    except UnreadableValue:
        return False
    reading = dialling.read_national(phone, country)
    if reading is None:
        return False
    begins = phone.startswith("0") and not reading.mended and reading.is_mobile
    return begins or dialling.is_grouped_like(phone, reading)


def looks_like_phone(text: str) -> bool:
    """Return whether a cell holds a phone, mangled ones included, rather than a heading."""
    phone = _as_typed(text)
    if _SCIENTIFIC.match(phone):
        return True
    digits = sum(c.isdigit() for c in phone)
    return digits >= _FEWEST_DIGITS and not any(c.isalpha() for c in phone)


def _normalise(text: str, home: str | None, default: str, habit: Habit) -> str:
    phone = _as_typed(text)
    if not _PLAIN.match(phone):
        several = _several_in(phone)
        if len(several) > 1:
            return _only_one_of(phone, several, home, default, habit)
        _refuse_what_is_no_phone(phone)
    if _says_country_code(phone):
        number = _with_country_code(phone, home or default)
        found = e164_of(number) if number else None
    else:
        reading = dialling.settle(phone, home, default, habit) if digits_of(phone) else None
        found = reading.e164 if reading else None
    if found is None:
        raise UnreadableValue(_why_invalid(phone, home, default))
    return found


def _as_typed(text: str) -> str:
    """Return the number as somebody would type it: ASCII digits and dashes, no decorations."""
    phone = clean_cell(text)
    if not phone.isascii():
        phone = _DASHES.sub("-", normalize("NFKC", phone))
        phone = "".join(_ascii_digit(c) for c in phone)
    phone = _PREFIX.sub("", phone).lstrip("'").strip()
    whole = _WHOLE_FLOAT.match(phone)
    return whole.group(1) if whole else _EXTENSION.sub("", phone)


def _ascii_digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _several_in(phone: str) -> list[str]:
    parts = _BETWEEN_TWO.split(phone)
    return [part.strip() for part in parts if len(digits_of(part)) >= _FEWEST_DIGITS]


def _only_one_of(phone: str, parts: list[str], home: str | None, default: str, habit: Habit) -> str:
    """Return the phone that a cell repeats; raises UnreadableValue where it has several."""
    if len(parts) <= 3:
        try:
            found = {_normalise(part, home, default, habit) for part in parts}
        except UnreadableValue:
            found = set()
        if len(found) == 1:
            return found.pop()
    raise UnreadableValue(f"{shown(phone)} has more than one phone number; leave one")


def _refuse_what_is_no_phone(phone: str) -> None:
    if _SCIENTIFIC.match(phone):
        raise UnreadableValue(
            f"Excel turned this phone into the number {phone}, and its last digits are lost; "
            "format the column as text and export again"
        )
    if any(c.isalpha() for c in phone):
        raise UnreadableValue(f"{shown(phone)} is not a phone number: it has letters in it")


def says_country_code(text: str) -> bool:
    """Return whether a phone itself says of which country it is, with + or 00."""
    phone = _as_typed(text)
    return _says_country_code(phone) or phone.startswith("00")


def _says_country_code(phone: str) -> bool:
    """Return whether a + comes first, or a country code before the "(0)" that goes with it."""
    if _PLUS.match(phone):
        return True
    before, bracket, _ = phone.partition("(0)")
    return bool(bracket and digits_of(before))


def _with_country_code(phone: str, likely: str) -> PhoneNumber | None:
    """Return the valid number after its country code, or None.

    "+49 (0) 151" and "+49 0151" are written as much as "+49 151". Raises UnreadableValue where
    the number is another one with the 0 than without: in Italy both exist. `likely` is the
    country to try first.
    """
    rest = _PLUS.sub("", phone)
    if rest == phone:
        rest = _DIALLED.sub("", phone)
    ways = [digits_of(rest)]
    if "(" in rest:
        ways.append(digits_of(_TRUNK_IN_BRACKETS.sub("", rest)))
    found: dict[str, PhoneNumber] = {}
    for digits in ways:
        number = dialling.parse_international(digits)
        if number is not None and dialling.is_valid(number, likely):
            found[e164_of(number)] = number
    if len(found) > 1:
        raise UnreadableValue(
            f"{shown(phone)} can be {' or '.join(found)}; write it without brackets"
        )
    return next(iter(found.values()), None)


def _why_invalid(phone: str, home: str | None, default: str) -> str:
    if len(digits_of(phone)) < _FEWEST_DIGITS - 1:
        return f"{shown(phone)} is too short for a phone number"
    if _says_country_code(phone):
        return f"{shown(phone)} is not a phone number that exists; check its digits"
    countries = default if home in (None, default) else f"{default} or {home}"
    return (
        f"{shown(phone)} is not a phone number in {countries}; check its digits, "
        "or begin with + and the country code"
    )
