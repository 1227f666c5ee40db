"""Whose number some digits are where no + says it: each way to read them, and a decision."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
)

from rollcall.people.reading.cells import shown
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.places import country_name

_NORTH_AMERICA = frozenset(COUNTRY_CODE_TO_REGION_CODE[1])
_NO_DIGITS = re.compile(r"\D+")
_DIGITS = re.compile(r"\d+")
_LONGEST = 15  # digits, country code and all (ITU-T E.164)
_FOR_NETWORKS = "001"  # the library's region of numbers that are of no country
_FEW = 3  # neighbours in a column, which are no coincidence
_MANY = 10  # neighbours of one kind to one of the other, which is the exception then
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


@dataclass(frozen=True, slots=True)
class Habit:
    """How the bare numbers of a column are written, counted over those that say it themselves.

    `home` can be read as numbers of the organisation's country only, `abroad` only with the
    country code of another one in front, and `own_code` begin with the organisation's own.
    """

    home: int = 0
    abroad: int = 0
    own_code: int = 0


UNKNOWN = Habit()
# What staff type into a field is of their own country unless it says otherwise.
TYPED_AT_HOME = Habit(home=_FEW)


@dataclass(frozen=True, slots=True)
class Reading:
    """A valid number that some digits can be; `mended` where the 0 in front was missing."""

    number: PhoneNumber
    e164: str
    with_code: bool = False
    mended: bool = False

    @property
    def code(self) -> int:
        """The country code."""
        return self.number.country_code or 0

    @property
    def is_mobile(self) -> bool:
        """Whether texts can reach it, as far as its digits tell."""
        return phonenumbers.number_type(self.number) in _MOBILE


def settle(phone: str, home: str | None, default: str, habit: Habit) -> Reading | None:
    """Return the number that digits without a + are, or None where they are none.

    `home` is the country that stands beside the phone, `default` that of the organisation.
    The digits are read as a national number of `home`, else of `default`, and as an
    international one without its + (or with 00 or 011). If that makes one valid number, it is
    the one. If it makes several, the first of these that tells them apart decides, and if none
    does the phone is ambiguous: UnreadableValue names the countries.

    1. The way in which the digits are grouped: only one of the numbers is written so.
    2. The country beside the phone: a number of another country loses. Only where the 0 in
       front is missing and the rest is a landline, it loses nothing to a mobile phone.
    3. Country code and mobile number of that same country, which as a number without its 0
       would be a landline: the country code it is.
    4. The habit of the column, found in numbers that can be read in one way only. Next to
       foreign ones alone it is international; next to both kinds nobody knows. Among those of
       the organisation's country it is one of them: in that very country after one such
       neighbour (or one with its code, if the foreign number were a landline), and with one
       foreign neighbour among ten; in another country with the same code, or where a mobile
       number lacks its 0, after three and with no foreign one.

    A missing 0 is put back where the country stands beside the phone, or onto mobile numbers.
    Landlines are of any length in some countries: half of all digits would become one.
    """
    national = read_national(phone, home or default)
    if national and _needs_no_comparison(phone, national):
        return national
    found = {}
    for reading in (_read_with_code(phone), national, _read_as_visitor(phone, home, default)):
        if reading:
            found.setdefault(reading.e164, reading)
    readings = list(found.values())
    if not readings:
        return None
    if len(readings) == 1:
        return _checked_if_mended(phone, readings[0], home)
    chosen = (
        _by_grouping(phone, readings)
        or _by_country(readings, home)
        or _by_own_code(readings, home or default)
        or (None if home else _by_habit(readings, default, habit))
    )
    if chosen is None:
        raise UnreadableValue(_say_ambiguous(phone, readings))
    return chosen


def find_habit(phones: Iterable[str], default: str) -> Habit:
    """Return how the bare numbers among the phones are written; see `Habit`."""
    home = abroad = own_code = 0
    for phone in phones:
        if phone.startswith(("+", "0", "(+", "(0")):
            continue
        national, international = read_national(phone, default), _read_with_code(phone)
        at_home = international is not None and international.code == _code_of(default)
        if international and (national is None or national.e164 == international.e164):
            own_code, abroad = own_code + at_home, abroad + (not at_home)
        elif national and international is None:
            home += 1
        elif national and international:
            own_code += _by_own_code([national, international], default) is international
    return Habit(home, abroad, own_code)


def possible_numbers(phone: str, default: str) -> list[str]:
    """Return every number, in E.164, that the digits can be: to look for, never to store."""
    readings = (read_national(phone, default), _read_with_code(phone))
    return list(dict.fromkeys(reading.e164 for reading in readings if reading))


def read_national(phone: str, country: str) -> Reading | None:
    """Return the valid number that is meant by the digits in the country, or None."""
    number = _north_american(phone, country) or parse(digits_of(phone), country)
    if number is None or not is_valid(number, country):
        return None
    mended = country not in _NORTH_AMERICA and _lacks_trunk(phone, number)
    return Reading(number, e164_of(number), mended=mended)


def parse(phone: str, country: str | None) -> PhoneNumber | None:
    """Return what the library makes of the text, valid or not, or None."""
    try:
        return phonenumbers.parse(phone, country)
    except NumberParseException:
        return None


def parse_international(digits: str) -> PhoneNumber | None:
    """Return what the library makes of digits that begin with a country code, or None."""
    if len(digits) == 11 and digits[0] == "1":
        return _north_american(digits, "US")
    return parse("+" + digits, None)


def is_valid(number: PhoneNumber, likely: str) -> bool:
    """Return whether such a number is given out; `likely` is the country to ask first.

    To find the region of a +1 number takes three times as long.
    """
    regions = COUNTRY_CODE_TO_REGION_CODE.get(number.country_code or 0, ())
    return (
        len(regions) > 1
        and likely in regions
        and phonenumbers.is_valid_number_for_region(number, likely)
    ) or phonenumbers.is_valid_number(number)


def e164_of(number: PhoneNumber) -> str:
    """Return the number in E.164: what the library's formatter gives, without its choices."""
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)}"


def digits_of(text: str) -> str:
    """Return the digits alone."""
    return _NO_DIGITS.sub("", text)


def _north_american(phone: str, country: str) -> PhoneNumber | None:
    """Return what the library's parser would, in a tenth of its time, for the plainest numbers.

    Most numbers of a North American list are ten digits, with or without the 1.
    """
    if country not in _NORTH_AMERICA:
        return None
    digits = digits_of(phone)
    if len(digits) == 10 or (len(digits) == 11 and digits[0] == "1"):
        return PhoneNumber(country_code=1, national_number=int(digits[-10:]))
    return None


def _lacks_trunk(phone: str, number: PhoneNumber) -> bool:
    digits = digits_of(phone)
    if digits != phonenumbers.national_significant_number(number):
        return False
    return digits != digits_of(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))


def _needs_no_comparison(phone: str, national: Reading) -> bool:
    """Return whether the 0 in front says that it is a national number: no country code has it."""
    digits = digits_of(phone)
    return digits[0] == "0" and not digits.startswith(("00", "011"))


def _read_with_code(phone: str) -> Reading | None:
    """Return the valid number whose country code comes first, after 00, 011 or nothing."""
    digits = digits_of(phone)
    for prefix in ("00", "011"):
        if digits.startswith(prefix):
            digits = digits[len(prefix) :]
            break
    region = _region_in_front(digits)
    if region is None:
        return None
    number = parse_international(digits)
    if number is None or not is_valid(number, region):
        return None
    reading = Reading(number, e164_of(number), with_code=True)
    # Some write the 0 of their country after its code. Landlines are believed less: mistyped
    # numbers become one.
    return reading if reading.e164[1:] == digits or reading.is_mobile else None


def _region_in_front(digits: str) -> str | None:
    """Return the main country whose code the digits begin with, if a number can be as long."""
    for length in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length] or 0))
        if regions is None or regions[0] == _FOR_NETWORKS or digits[0] == "0":
            continue
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(regions[0])
        rest = len(digits) - length
        described = metadata.general_desc if metadata else None
        lengths = described.possible_length if described else ()
        if rest in lengths or (digits[length : length + 1] == "0" and rest - 1 in lengths):
            return regions[0]
    return None


def _read_as_visitor(phone: str, home: str | None, default: str) -> Reading | None:
    """Return the number in the organisation's country of somebody who lives in another.

    Only where texts can reach it: landlines of some countries are whatever one mistypes.
    """
    if home is None or _code_of(home) == _code_of(default):
        return None
    reading = read_national(phone, default)
    return reading if reading and reading.is_mobile else None


def _code_of(country: str) -> int:
    return phonenumbers.country_code_for_region(country)


def _checked_if_mended(phone: str, reading: Reading, home: str | None) -> Reading:
    if reading.mended and home is None and not reading.is_mobile:
        if is_grouped_like(phone, reading):
            return reading
        raise UnreadableValue(
            f"{shown(phone)} may have lost the 0 in front; write it with its 0, or begin with + "
            "and the country code"
        )
    return reading


def _by_grouping(phone: str, readings: list[Reading]) -> Reading | None:
    grouped = [reading for reading in readings if is_grouped_like(phone, reading)]
    return grouped[0] if len(grouped) == 1 else None


def is_grouped_like(phone: str, reading: Reading) -> bool:
    """Return whether the digits stand in the groups in which its country writes the number."""
    typed = [len(group) for group in _DIGITS.findall(phone)]
    if len(typed) == 1:
        return False
    style = PhoneNumberFormat.INTERNATIONAL if reading.with_code else PhoneNumberFormat.NATIONAL
    usual = [
        len(group) for group in _DIGITS.findall(phonenumbers.format_number(reading.number, style))
    ]
    usual[0] -= max(0, sum(usual) - sum(typed))  # the 0 that is missing
    return typed == [group for group in usual if group > 0] or (
        reading.code == 1 and not reading.with_code and typed == [3, 7]
    )


def _by_country(readings: list[Reading], home: str | None) -> Reading | None:
    if home is None:
        return None
    own = [reading for reading in readings if reading.code == _code_of(home)]
    if len(own) != 1:
        return None
    if own[0].mended and not own[0].is_mobile:
        rivals = [reading for reading in readings if reading is not own[0]]
        return None if any(rival.is_mobile for rival in rivals) else own[0]
    return own[0]


def _by_own_code(readings: list[Reading], country: str) -> Reading | None:
    own = [reading for reading in readings if reading.code == _code_of(country)]
    coded = [reading for reading in own if reading.with_code]
    if len(own) == 2 and len(coded) == 1 and coded[0].is_mobile:
        other = own[0] if own[1] is coded[0] else own[1]
        return coded[0] if other.mended and not other.is_mobile else None
    return None


def _by_habit(readings: list[Reading], default: str, habit: Habit) -> Reading | None:
    coded = next(reading for reading in readings if reading.with_code)
    national = next(reading for reading in readings if not reading.with_code)
    if habit.abroad * _MANY > habit.home:
        return None if habit.home else coded
    if national.mended:
        if habit.own_code or habit.abroad:
            return None if habit.home else coded
        return national if national.is_mobile and habit.home >= _FEW else None
    is_near = phonenumbers.is_valid_number_for_region(national.number, default)
    if habit.home >= (1 if is_near else _FEW) and (is_near or not habit.abroad):
        return national
    # Its neighbours begin with the country code, as at home they may: "1 416 555 0123".
    return national if is_near and habit.own_code and not coded.is_mobile else None


def _say_ambiguous(phone: str, readings: list[Reading]) -> str:
    ways = " or ".join(
        f"{reading.e164} ({country_name(phonenumbers.region_code_for_number(reading.number))})"
        for reading in readings
    )
    return f"{shown(phone)} can be {ways}; begin with + and the country code"
