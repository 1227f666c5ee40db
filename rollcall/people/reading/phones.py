"""Phone numbers as people and spreadsheets write them, brought to E.164."""

import re
import unicodedata

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumberFormat,
)

from rollcall.people.reading.cells import clean_cell, shown
from rollcall.people.reading.errors import UnreadableValue
from rollcall.text import normalize

# 4.16555E+09, or 4,16555E+09 where Excel speaks German or French.
_SCIENTIFIC = re.compile(r"^[+-]?\d+([.,]\d+)?[eE]\+?\d+$")
_WHOLE_FLOAT = re.compile(r"^(\+?\d{7,15})[.,]0+$")
_PREFIX = re.compile(r"^'?\s*(tel|phone|mobile|sms|whatsapp|callto)\s*:\s*", re.IGNORECASE)
# A run of spaces is tried from its first one only: from each of them, a cell of spaces alone
# would take the square of its length.
_EXTENSION = re.compile(
    r"(?<![\s,;])[\s,;]*(;ext=|extension|ext|poste|durchwahl|dw|x|#)[\s.:]*\d{1,7}$", re.IGNORECASE
)
_DASHES = re.compile(r"[‐‑‒–—―−⁃﹣－]")
_BETWEEN_TWO = re.compile(r"[;,|/&]|\bor\b|\band\b|\bou\b|\boder\b|\bund\b")
_NO_DIGITS = re.compile(r"\D+")
_PLAIN = re.compile(r"^\+?[0-9 ().-]+$")
_NORTH_AMERICA = frozenset(COUNTRY_CODE_TO_REGION_CODE[1])
_FEWEST_DIGITS = 7


def normalise_phone(text: str, default_country: str) -> str:
    """Return the phone in E.164 ("+14165550123"); raises UnreadableValue with the reason.

    A number without a country code is read as one of `default_country` (two letters).
    Extensions, spaces, "tel:", unicode digits and dashes, and invisible characters go. What
    Excel has turned into 4.16555E+09 has lost digits for ever, so that it is refused; a
    whole number that only gained ".0" has lost none and is read.
    """
    phone = _as_typed(text)
    if not _PLAIN.match(phone):
        _refuse_what_is_no_phone(phone)
    return _to_e164(phone, default_country.upper())


def read_local_phone(text: str, home: str, default_country: str) -> str:
    """Return the phone in E.164 where the person's country, `home`, is known beside the default.

    It is tried as a number of `home` first, unless it lacks the 0 that people there begin
    with: ten digits of a Canadian phone also make a German one. Raises UnreadableValue with
    what is wrong in `default_country`.
    """
    if _begins_as_at_home(text, home):
        orders = (home, default_country)
    else:
        orders = (default_country, home)
    reasons: dict[str, UnreadableValue] = {}
    for country in orders:
        try:
            return normalise_phone(text, country)
        except UnreadableValue as error:
            reasons[country] = error
    raise reasons[default_country]


def _begins_as_at_home(text: str, country: str) -> bool:
    metadata = PhoneMetadata.metadata_for_region(country)
    trunk = metadata.national_prefix if metadata else None
    return trunk != "0" or _as_typed(text).lstrip("( ").startswith("0")


def looks_like_phone(text: str) -> bool:
    """Return whether a cell holds a phone, mangled ones included, rather than a heading."""
    phone = _as_typed(text)
    if _SCIENTIFIC.match(phone):
        return True
    digits = sum(c.isdigit() for c in phone)
    return digits >= _FEWEST_DIGITS and not any(c.isalpha() for c in phone)


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


def _refuse_what_is_no_phone(phone: str) -> None:
    if _SCIENTIFIC.match(phone):
        raise UnreadableValue(
            f"Excel turned this phone into the number {phone}, and its last digits are lost; "
            "format the column as text and export again"
        )
    several = [part for part in _BETWEEN_TWO.split(phone) if len(_digits(part)) >= _FEWEST_DIGITS]
    if len(several) > 1:
        raise UnreadableValue(f"{shown(phone)} has more than one phone number; leave one")
    if any(c.isalpha() for c in phone):
        raise UnreadableValue(f"{shown(phone)} is not a phone number: it has letters in it")


def _digits(text: str) -> str:
    return _NO_DIGITS.sub("", text)


def _to_e164(phone: str, country: str) -> str:
    number = _parse(phone, country)
    if number is None and phone.startswith("00"):
        # Most of the world dials 00 for +, and some default countries (the US) do not.
        number = _parse("+" + phone[2:], country)
    if number is None:
        raise UnreadableValue(_why_invalid(phone, country))
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _parse(phone: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = _parse_north_american(phone, country) or phonenumbers.parse(phone, country)
    except NumberParseException:
        return None
    # The likeliest region first: to find the region of a +1 number takes three times as long.
    if phonenumbers.is_valid_number_for_region(number, country):
        return number
    return number if phonenumbers.is_valid_number(number) else None


def _parse_north_american(phone: str, country: str) -> phonenumbers.PhoneNumber | None:
    """Return what the library's parser would, in a tenth of its time, for the plainest numbers.

    Most numbers of a North American list are ten digits, with or without the 1 or +1.
    """
    if not _PLAIN.match(phone):
        return None
    digits = _digits(phone)
    if phone.startswith("+"):
        is_whole = len(digits) == 11 and digits[0] == "1"
    else:
        at_home = country in _NORTH_AMERICA
        is_whole = at_home and (len(digits) == 10 or (len(digits) == 11 and digits[0] == "1"))
    if not is_whole:
        return None
    return phonenumbers.PhoneNumber(country_code=1, national_number=int(digits[-10:]))


def _why_invalid(phone: str, country: str) -> str:
    if len(_digits(phone)) < _FEWEST_DIGITS - 1:
        return f"{shown(phone)} is too short for a phone number"
    if phone.startswith("+"):
        return f"{shown(phone)} is not a phone number that exists; check its digits"
    return (
        f"{shown(phone)} is not a phone number in {country}; check its digits, "
        "or begin with + and the country code"
    )
