"""Moments as exports write them become aware UTC."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.times import guess_day_first, read_moment

TORONTO = ZoneInfo("America/Toronto")
EVENING = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-21 19:30",
        "2026-11-21T19:30:00",
        "2026-11-22T00:30:00Z",
        "2026-11-22T00:30:00.000Z",
        "2026-11-21 19:30:00-05:00",
        "2026/11/21 19:30",
        "11/21/2026 7:30 PM",
        "11/21/26 19:30",
        "21.11.2026 19:30",
        "Nov 21, 2026 7:30 pm",
        "November 21st, 2026 at 7:30 PM",
        "Saturday, 21 November 2026 19:30",
        "21 novembre 2026 19h30",
        "21. Nov. 2026 19:30",
        "2026-11-22 00:30 UTC",
    ],
)
def test_one_moment_written_in_many_ways(written: str) -> None:
    assert read_moment(written, TORONTO, day_first=False) == EVENING


def test_a_time_of_day_may_stand_in_a_column_of_its_own() -> None:
    assert read_moment("2026-11-21", TORONTO, False, clock="19:30:00") == EVENING


def test_a_date_alone_is_its_midnight_in_the_zone() -> None:
    assert read_moment("19970101", TORONTO, False) == datetime(1997, 1, 1, 5, tzinfo=UTC)


def test_figures_are_read_in_the_order_of_the_file() -> None:
    april = read_moment("03/04/2026", ZoneInfo("UTC"), day_first=True)
    march = read_moment("03/04/2026", ZoneInfo("UTC"), day_first=False)
    assert (april.day, april.month, march.day, march.month) == (3, 4, 4, 3)


@pytest.mark.parametrize(
    ("samples", "country", "day_first"),
    [
        (["03/04/2026", "25/04/2026"], "US", True),
        (["03/04/2026", "04/25/2026"], "GB", False),
        (["03/04/2026"], "US", False),
        (["03/04/2026"], "GB", True),
        (["2026-04-03", ""], "DE", True),
    ],
)
def test_the_order_of_day_and_month_comes_from_the_file_first(
    samples: list[str], country: str, day_first: bool
) -> None:
    assert guess_day_first(samples, country) is day_first


@pytest.mark.parametrize(
    "written", ["soon", "45982", "31/02/2026", "2026-13-01", "0001-01-01", "25:00", "Foo 3, 2026"]
)
def test_what_is_no_moment_is_refused(written: str) -> None:
    with pytest.raises(UnreadableValue, match="is not a date and time"):
        read_moment(written, TORONTO, day_first=False)


@given(st.text(max_size=40), st.booleans())
def test_any_text_is_an_aware_moment_or_refused(text: str, day_first: bool) -> None:
    try:
        moment = read_moment(text, TORONTO, day_first)
    except UnreadableValue:
        return
    assert moment.tzinfo is UTC
