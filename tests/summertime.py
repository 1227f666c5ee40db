"""Days on which the clocks of Toronto change: of next year, whichever that is."""

from datetime import date, timedelta

from rollcall import clock

_SUNDAY = 6


def spring_forward() -> date:
    """The second Sunday of March, on which there is no 2:30 in Toronto."""
    return _sunday_from(date(clock.now().year + 1, 3, 8))


def fall_back() -> date:
    """The first Sunday of November, on which Toronto has 1:30 twice."""
    return _sunday_from(date(clock.now().year + 1, 11, 1))


def _sunday_from(day: date) -> date:
    return day + timedelta(days=(_SUNDAY - day.weekday()) % 7)
