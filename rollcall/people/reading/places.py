"""Countries and time zones as forms write them."""

from functools import cache
from zoneinfo import available_timezones

from phonenumbers import SUPPORTED_REGIONS
from phonenumbers.geodata.locale import LOCALE_DATA

# Names that people write and that the locale data does not have.
_ALSO = {
    "usa": "US", "u.s.a.": "US", "u.s.": "US", "united states of america": "US", "america": "US",
    "uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "great britain": "GB",
    "holland": "NL", "czech republic": "CZ", "czechia": "CZ",
}  # fmt: skip


def read_country(text: str) -> str | None:
    """Return the country's two letters, or None where the text names none that is known."""
    written = text.strip()
    if written.upper() in SUPPORTED_REGIONS:
        return written.upper()
    return _countries_by_name().get(written.casefold())


def read_timezone(text: str) -> str | None:
    """Return the IANA name of the time zone ("America/Toronto"), or None where it is none."""
    return _zones().get(text.strip().casefold())


@cache
def _countries_by_name() -> dict[str, str]:
    # The library's own data names each country in many languages; "*aa" points at another.
    names = {
        name.casefold(): region
        for region, by_language in LOCALE_DATA.items()
        for name in by_language.values()
        if not name.startswith("*") and region in SUPPORTED_REGIONS
    }
    return names | _ALSO


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones() if "/" in name or name == "UTC"}
