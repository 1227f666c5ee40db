"""Countries and time zones as forms write them."""

from functools import cache, lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from zoneinfo import available_timezones

import phonenumbers
from phonenumbers import SUPPORTED_REGIONS

# Names that people write and that the locale data does not have.
_ALSO = {
    "usa": "US", "u.s.a.": "US", "u.s.": "US", "united states of america": "US", "america": "US",
    "uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "great britain": "GB",
    "holland": "NL", "czech republic": "CZ", "czechia": "CZ",
}  # fmt: skip


@lru_cache(maxsize=1024)
def read_country(text: str) -> str | None:
    """Return the country's two letters, or None where the text names none that is known."""
    written = text.strip()
    if written.upper() in SUPPORTED_REGIONS:
        return written.upper()
    return _countries_by_name().get(written.casefold())


@lru_cache(maxsize=1024)
def read_timezone(text: str) -> str | None:
    """Return the IANA name of the time zone ("America/Toronto"), or None where it is none."""
    return _zones().get(text.strip().casefold())


@cache
def _countries_by_name() -> dict[str, str]:
    # The library's own data names each country in many languages; "*aa" points at another.
    names = {
        name.casefold(): region
        for region, by_language in _locale_data().items()
        for name in by_language.values()
        if not name.startswith("*") and region in SUPPORTED_REGIONS
    }
    return names | _ALSO


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
