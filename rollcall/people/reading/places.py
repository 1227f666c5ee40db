"""Countries and time zones as forms write them."""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from zoneinfo import available_timezones

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS

from rollcall.people.reading.columns import heading_key
from rollcall.people.reading.country_names import FURTHER_NAMES, REGION_OF_THREE_LETTERS
from rollcall.text import normalize

_DIALLING_CODE = re.compile(
    r"(?:\+|\b00) ?(?P<written>[1-9][0-9]{0,2})(?:\.0)?\b"
    r"|^\(?(?P<alone>[1-9][0-9]{0,2})(?:\.0)?\)?$"
)
_TITLE = (
    r"(?:federal |islamic |socialist |democratic socialist |united |arab |plurinational |"
    r"bolivarian |co operative |cooperative |oriental |independent |federative |federated )?"
    r"(?:republic|kingdom|states?|federation|commonwealth|principality|sultanate|union) of"
)
# Before the name, or behind it as the United Nations sort them: "Iran (Islamic Republic of)".
_TITLES = re.compile(rf"^{_TITLE} | {_TITLE}$")
_FIRST_OF_FLAGS = 0x1F1E6  # regional indicator symbols, A to Z: two make a flag
_LONGEST_COUNTRY = 100
# Codes of two letters that are used and are not ISO's.
_OTHER_CODES = {"UK": "GB", "EL": "GR", "EN": "GB"}
# Dialling codes that many countries share in earnest: they tell the number's plan, not a home.
_SHARED_BY_MANY = (1, 7)


@lru_cache(maxsize=1024)
def read_country(text: str) -> str | None:
    """Return the country's two letters, or None where the text names none that is known.

    It is read by name in many languages, by ISO 3166's two or three letters, by its flag, by
    its dialling code unless that is one of many countries (+1), or by two of these that agree:
    "Germany (+49)".
    """
    return _read_region(text, _country_of_code)


@lru_cache(maxsize=1024)
def read_phone_country(text: str, default_country: str) -> str | None:
    """Return the country (two letters) whose numbers stand beside the text, or None.

    As `read_country`, and a dialling code of several countries means `default_country` if it is
    one of them, else the main one.
    """

    def region_of_code(code: int) -> str | None:
        regions = COUNTRY_CODE_TO_REGION_CODE[code]
        return default_country if default_country in regions else regions[0]

    return _read_region(text, region_of_code)


@lru_cache(maxsize=1024)
def read_timezone(text: str) -> str | None:
    """Return the IANA name of the time zone ("America/Toronto"), or None where it is none."""
    return _zones().get(text.strip().casefold())


@cache
def country_name(region: str | None) -> str:
    """Return the English name of a country of two letters, for use inside a sentence."""
    names = _locale_data().get(region or "", {})
    return names.get("aa") or names.get("en") or region or "no country"


def _read_region(text: str, region_of_code: Callable[[int], str | None]) -> str | None:
    written = normalize("NFKC", text[: _LONGEST_COUNTRY + 1]).strip()
    if len(written) > _LONGEST_COUNTRY:
        return None
    found = _DIALLING_CODE.search(written)
    if found is None:
        return _region_by_name(written)
    code = int(found["written"] or found["alone"])
    if code not in COUNTRY_CODE_TO_REGION_CODE:
        return None
    beside = written[: found.start()] + " " + written[found.end() :]
    if not heading_key(beside):
        return region_of_code(code)
    region = _region_by_name(beside)
    return region if region and phonenumbers.country_code_for_region(region) == code else None


def _country_of_code(code: int) -> str | None:
    region = COUNTRY_CODE_TO_REGION_CODE[code][0]
    return None if code in _SHARED_BY_MANY or region == "001" else region


def _region_by_name(text: str) -> str | None:
    flag = _read_flag(text)
    key = heading_key(text)
    words = key.split()
    if not words:
        return flag
    if key.isascii() and all(len(word) == 1 for word in words):
        words = ["".join(words)]  # U.K., U. S. A.
    # Accents are gone by now: Áo is Austria in Vietnamese, and AO Angola. So is Nga Russia.
    is_code = (text.isascii() or flag is not None) and text.strip() != "Nga"
    found = {_region_of_words(words, is_code)}
    for first in (1, len(words) - 1) if len(words) > 1 else ():
        if None in found or len(found) > 1:  # "DE Germany", "Germany (DE)"
            found = {
                _region_of_words(words[:first], is_code),
                _region_of_words(words[first:], is_code),
            }
    if flag:
        found.add(flag)
    return found.pop() if len(found) == 1 else None


def _region_of_words(words: list[str], may_be_code: bool) -> str | None:
    plain = " ".join(word for word in words if word != "the")
    code = plain.upper() if may_be_code else ""
    if code in SUPPORTED_REGIONS:
        return code
    by_name = _countries_by_name()
    region = _OTHER_CODES.get(code) or REGION_OF_THREE_LETTERS.get(code) or by_name.get(plain)
    region = region or by_name.get(_TITLES.sub("", plain))
    return region if region in SUPPORTED_REGIONS else None


def _read_flag(text: str) -> str | None:
    letters = [ord(c) - _FIRST_OF_FLAGS for c in text]
    flag = "".join(chr(ord("A") + letter) for letter in letters if 0 <= letter < 26)
    return flag if flag in SUPPORTED_REGIONS else None


@cache
def _countries_by_name() -> dict[str, str]:
    """Return each name, as `heading_key` gives it, that only one country has in any language."""
    # The library's own data names each country in many languages; "*aa" points at another.
    names: dict[str, set[str]] = {}
    for region, by_language in _locale_data().items():
        for name in by_language.values():
            if not name.startswith("*") and region in SUPPORTED_REGIONS:
                names.setdefault(_without_the(name), set()).add(region)
    known = {name: regions.pop() for name, regions in names.items() if len(regions) == 1}
    for region in SUPPORTED_REGIONS:
        known[_without_the(country_name(region))] = region
    return known | _names_in_time_zone_data() | FURTHER_NAMES


def _names_in_time_zone_data() -> dict[str, str]:
    lines = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if not line.startswith("#"))
    return {_without_the(name): region for region, name in pairs}


def _without_the(name: str) -> str:
    return " ".join(word for word in heading_key(name).split() if word != "the")


@cache
def _locale_data() -> dict[str, dict[str, str]]:
    # One file by itself: importing it the usual way loads the geography of every phone prefix
    # on earth with it, and takes five seconds at each start.
    file = Path(phonenumbers.__file__).parent / "geodata" / "locale.py"
    spec = spec_from_file_location("phonenumbers.geodata.locale", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LOCALE_DATA


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones() if "/" in name or name == "UTC"}
