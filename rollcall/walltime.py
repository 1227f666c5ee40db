"""Wall-clock times as people choose them, and the moments in UTC that they mean (C6).

Clocks that go forward skip times, clocks that go back repeat some. Neither is guessed: for a
skipped time the next valid one is offered, for a repeated one the person is asked which.
"""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import available_timezones

from whenever import PlainDateTime, RepeatedTime, SkippedTime, ZonedDateTime

from rollcall.errors import InvalidInput

CHOICES = ("earlier", "later")
EARLIEST_YEAR, LATEST_YEAR = 1970, 2200


def resolve_wall_time(
    local: str,
    timezone: str,
    choice: str | None = None,
    *,
    field: str = "local_time",
    timezone_field: str = "timezone",
) -> datetime:
    """Return the UTC moment at which a clock in `timezone` shows `local`.

    `local` is "YYYY-MM-DDTHH:MM" with or without seconds; `choice` ("earlier", "later") says
    which one is meant where the clock shows that time twice, and is ignored elsewhere. Raises
    InvalidInput naming `field` or `timezone_field`: for an unknown zone, an unreadable time, a
    skipped time (with the next valid one) and a repeated one without a choice (with both).
    """
    if choice not in (None, "", *CHOICES):
        raise InvalidInput({field: "Say earlier or later, for a time that comes twice."})
    check_timezone(timezone, timezone_field)
    plain = _read_plain(local, field)
    try:
        moment = plain.assume_tz(timezone, disambiguation="raise")
    except SkippedTime as error:
        raise InvalidInput({field: _say_skipped(plain, timezone)}) from error
    except RepeatedTime as error:
        if not choice:
            raise InvalidInput({field: _say_repeated(plain, timezone)}) from error
        later = choice == "later"
        moment = plain.assume_tz(timezone, disambiguation="later" if later else "earlier")
    return moment.to_stdlib().astimezone(UTC)


def repeated_moments(local: str, timezone: str) -> tuple[datetime, datetime] | None:
    """Return both moments, in `timezone`, at which a clock shows a time that comes twice.

    None for a time that comes once or never, and for what is no time or no time zone.
    """
    try:
        check_timezone(timezone)
        plain = _read_plain(local, "local_time")
    except InvalidInput:
        return None
    try:
        plain.assume_tz(timezone, disambiguation="raise")
    except SkippedTime:
        return None
    except RepeatedTime:
        earlier, later = (
            plain.assume_tz(timezone, disambiguation="earlier"),
            plain.assume_tz(timezone, disambiguation="later"),
        )
        return earlier.to_stdlib(), later.to_stdlib()
    return None


def check_timezone(timezone: str, field: str = "timezone") -> None:
    """Raise InvalidInput naming `field` unless this is a time zone such as America/Toronto."""
    if timezone not in known_timezones():
        raise InvalidInput(
            {field: f"There is no time zone {timezone!r}; write it as America/Toronto."}
        )


@cache
def known_timezones() -> frozenset[str]:
    """Return the names of all time zones that can be chosen (IANA: Area/City, or UTC)."""
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")


def _read_plain(local: str, field: str) -> PlainDateTime:
    try:
        plain = PlainDateTime.parse_iso(local.strip().replace(" ", "T"))
    except ValueError as error:
        raise InvalidInput(
            {field: f"{local[:40]!r} is not a date and time; write it as 2026-11-29T10:00."}
        ) from error
    if not EARLIEST_YEAR <= plain.year <= LATEST_YEAR:
        raise InvalidInput({field: f"The year {plain.year} can't be right; check the date."})
    return plain


def _next_valid(plain: PlainDateTime, timezone: str) -> str:
    before_the_gap = plain.assume_tz(timezone, disambiguation="earlier")
    transition = before_the_gap.next_transition()
    # A skipped time always has its gap ahead of it.
    assert transition is not None
    return transition.to_stdlib().strftime("%Y-%m-%dT%H:%M")


def _say_skipped(plain: PlainDateTime, timezone: str) -> str:
    return (
        f"{_say(plain)} does not exist in {timezone}: the clocks go forward then. "
        f"The next time that exists is {_next_valid(plain, timezone)}."
    )


def _say_repeated(plain: PlainDateTime, timezone: str) -> str:
    first = plain.assume_tz(timezone, disambiguation="earlier")
    second = plain.assume_tz(timezone, disambiguation="later")
    return (
        f"{_say(plain)} comes twice in {timezone}: the clocks go back then. Choose the earlier "
        f"({_say_instant(first)}) or the later one ({_say_instant(second)})."
    )


def _say(plain: PlainDateTime) -> str:
    return plain.format_iso(unit="minute")


def _say_instant(moment: ZonedDateTime) -> str:
    offset = f"{moment.to_stdlib():%z}"
    return f"UTC{offset[:3]}:{offset[3:]}"
