"""Moments as ticketing tools and spreadsheets write them."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from rollcall.people.reading.cells import clean_cell, shown
from rollcall.people.reading.errors import UnreadableValue

_YEAR_FIRST = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_YEAR_LAST = re.compile(r"^(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d{2})(?!\d)")
_NAMED_MONTH = re.compile(
    r"^(?:[A-Za-z]{3,9},?\s+)?(?:(?P<d1>\d{1,2})(?:st|nd|rd|th|\.)?[\s-]+(?P<m1>[^\W\d_]{3,9})\.?"
    r"|(?P<m2>[^\W\d_]{3,9})\.?\s+(?P<d2>\d{1,2})(?:st|nd|rd|th)?),?[\s-]+(?P<y>\d{4})"
)
_CLOCK = re.compile(
    r"^(?P<h>\d{1,2})[:.h](?P<m>\d{2})(?:[:.](?P<s>\d{2}))?(?:[.,]\d+)?"
    r"(?:\s*(?P<half>[AaPp]\.?[Mm]\.?))?"
    r"(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2}))?\s*$"
)
_JOINT = re.compile(r"^(?:[T,]|\s+(?:at|um|à|@)\s|\s)\s*")

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january janvier januar jan janv",
            "february février fevrier februar feb févr fév",
            "march mars märz maerz mar mär mrz",
            "april avril apr avr",
            "may mai",
            "june juin juni jun",
            "july juillet juli jul juil",
            "august août aout aug",
            "september septembre sep sept",
            "october octobre oktober oct okt",
            "november novembre nov",
            "december décembre decembre dezember dec déc dez",
        ),
        start=1,
    )
    for name in names.split()
}

# Countries whose people write the month first in figures; Canada does both, its exports this.
_MONTH_FIRST = frozenset({"US", "CA", "PH", "PR", "GU"})


def read_moment(text: str, zone: ZoneInfo, day_first: bool, clock: str = "") -> datetime:
    """Return the aware UTC moment that a cell means; raises UnreadableValue with the reason.

    A time without an offset is one of `zone`. `day_first` reads 03/04/2026 as 3 April. A
    date alone is its midnight; `clock` is the time of day where it has a column of its own.
    """
    written = f"{clean_cell(text)} {clean_cell(clock)}".strip()
    iso = _read_iso(written)
    if iso is None:
        day, rest = _read_day(written, day_first)
        iso = _read_clock(day, _JOINT.sub("", rest, count=1), written)
    return (iso if iso.tzinfo else iso.replace(tzinfo=zone)).astimezone(UTC)


def guess_day_first(samples: Iterable[str], country: str) -> bool:
    """Return whether dates in figures put the day first, from the samples, else the country."""
    for sample in samples:
        match = _YEAR_LAST.match(clean_cell(sample))
        if not match:
            continue
        first, second = int(match.group(1)), int(match.group(3))
        if first > 12:
            return True
        if second > 12:
            return False
    return country.upper() not in _MONTH_FIRST


def _read_iso(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 1970 <= moment.year <= 2200 else None


def _read_day(written: str, day_first: bool) -> tuple[date, str]:
    """Return the day that the text begins with, and what follows it."""
    if match := _YEAR_FIRST.match(written):
        year, month, day = (int(g) for g in match.groups())
    elif match := _YEAR_LAST.match(written):
        first, dot, second, year = match.group(1), match.group(2), match.group(3), match.group(4)
        month, day = int(first), int(second)
        if day_first or dot == ".":
            month, day = day, month
        year = int(year) + (2000 if len(year) == 2 else 0)
    elif (match := _NAMED_MONTH.match(written)) and (month := _month(match)):
        year, day = int(match["y"]), int(match["d1"] or match["d2"])
    else:
        raise _unreadable(written)
    try:
        return _sensible(date(year, month, day)), written[match.end() :]
    except ValueError as error:
        raise _unreadable(written) from error


def _month(match: re.Match[str]) -> int | None:
    return _MONTHS.get((match["m1"] or match["m2"]).casefold())


def _sensible(day: date) -> date:
    if not 1970 <= day.year <= 2200:
        raise ValueError("no event was then")
    return day


def _read_clock(day: date, rest: str, written: str) -> datetime:
    if not rest.strip():
        return datetime.combine(day, time())
    match = _CLOCK.match(rest.strip())
    if not match:
        raise _unreadable(written)
    hour = int(match["h"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
    try:
        moment = datetime.combine(day, time(hour, int(match["m"]), int(match["s"] or 0)))
        return moment if not match["zone"] else _with_offset(moment, match["zone"])
    except ValueError as error:
        raise _unreadable(written) from error


def _with_offset(moment: datetime, zone: str) -> datetime:
    if zone in ("Z", "UTC", "GMT"):
        return moment.replace(tzinfo=UTC)
    offset = zone if len(zone) > 3 else zone + "00"
    return datetime.strptime(f"{moment.isoformat()} {offset}", "%Y-%m-%dT%H:%M:%S %z")


def _unreadable(written: str) -> UnreadableValue:
    return UnreadableValue(f"{shown(written)} is not a date and time; write it as 2026-11-28 19:30")
