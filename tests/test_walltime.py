"""Wall-clock times: golden cases of zones whose clocks do unusual things (C6)."""

from datetime import UTC, datetime

import pytest

from rollcall.errors import InvalidInput
from rollcall.walltime import (
    check_timezone,
    known_timezones,
    repeated_moments,
    resolve_wall_time,
)


@pytest.mark.parametrize(
    ("local", "zone", "choice", "utc"),
    [
        ("2026-11-29T10:00", "America/Toronto", None, "2026-11-29T15:00"),
        ("2026-11-29T10:00:30", "America/Toronto", None, "2026-11-29T15:00:30"),
        ("2026-11-29 10:00", "America/Toronto", None, "2026-11-29T15:00"),
        ("2026-07-01T10:00", "America/Toronto", None, "2026-07-01T14:00"),
        ("2026-03-08T01:59", "America/Toronto", None, "2026-03-08T06:59"),
        ("2026-03-08T03:00", "America/Toronto", None, "2026-03-08T07:00"),
        ("2026-11-01T01:30", "America/Toronto", "earlier", "2026-11-01T05:30"),
        ("2026-11-01T01:30", "America/Toronto", "later", "2026-11-01T06:30"),
        ("2026-11-01T02:00", "America/Toronto", None, "2026-11-01T07:00"),
        ("2026-11-29T10:00", "America/Toronto", "later", "2026-11-29T15:00"),
        ("2026-06-01T12:00", "Europe/Prague", None, "2026-06-01T10:00"),
        ("2026-10-25T02:30", "Europe/Prague", "earlier", "2026-10-25T00:30"),
        ("2026-10-25T02:30", "Europe/Prague", "later", "2026-10-25T01:30"),
        ("2026-01-10T09:00", "Australia/Lord_Howe", None, "2026-01-09T22:00"),
        ("2026-04-05T01:45", "Australia/Lord_Howe", "earlier", "2026-04-04T14:45"),
        ("2026-04-05T01:45", "Australia/Lord_Howe", "later", "2026-04-04T15:15"),
        ("2026-11-29T10:00", "Asia/Kathmandu", None, "2026-11-29T04:15"),
        ("2026-11-29T10:00", "Pacific/Apia", None, "2026-11-28T21:00"),
        ("2011-12-31T00:00", "Pacific/Apia", None, "2011-12-30T10:00"),
    ],
)
def test_a_wall_clock_time_is_one_moment(local, zone, choice, utc):
    moment = resolve_wall_time(local, zone, choice)
    assert moment == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("local", "zone", "offered"),
    [
        ("2026-03-08T02:30", "America/Toronto", "2026-03-08T03:00"),
        ("2026-03-29T02:00", "Europe/Prague", "2026-03-29T03:00"),
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-04T02:30"),
        ("2011-12-30T10:00", "Pacific/Apia", "2011-12-31T00:00"),
    ],
)
def test_a_skipped_time_is_refused_and_the_next_valid_one_offered(local, zone, offered):
    with pytest.raises(InvalidInput) as refused:
        resolve_wall_time(local, zone, "earlier", field="starts")
    assert f"The next time that exists is {offered}." in refused.value.fields["starts"]
    resolve_wall_time(offered, zone)


@pytest.mark.parametrize(
    ("local", "zone", "offsets"),
    [
        ("2026-11-01T01:30", "America/Toronto", ("UTC-04:00", "UTC-05:00")),
        ("2026-10-25T02:30", "Europe/Prague", ("UTC+02:00", "UTC+01:00")),
        ("2026-04-05T01:45", "Australia/Lord_Howe", ("UTC+11:00", "UTC+10:30")),
    ],
)
def test_a_repeated_time_asks_which_one(local, zone, offsets):
    with pytest.raises(InvalidInput) as refused:
        resolve_wall_time(local, zone, field="at")
    assert f"earlier ({offsets[0]}) or the later one ({offsets[1]})" in refused.value.fields["at"]


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-13-01T10:00", "2026-11-29", "2026-11-29T10:00Z", "10:00", "\0"]
)
def test_what_is_no_local_time_is_refused_with_an_example(text):
    with pytest.raises(InvalidInput) as refused:
        resolve_wall_time(text, "Europe/Prague", field="starts")
    assert "write it as 2026-11-29T10:00" in refused.value.fields["starts"]


@pytest.mark.parametrize("text", ["0001-01-01T00:00", "9999-12-31T23:59", "1969-12-31T10:00"])
def test_a_year_that_can_not_be_meant_is_refused(text):
    with pytest.raises(InvalidInput, match="can't be right"):
        resolve_wall_time(text, "Asia/Kathmandu")


@pytest.mark.parametrize("zone", ["", "Toronto", "EST5EDT", "../etc/passwd", "America/Torono"])
def test_an_unknown_time_zone_names_its_field(zone):
    with pytest.raises(InvalidInput) as refused:
        resolve_wall_time("2026-11-29T10:00", zone, timezone_field="zone")
    assert list(refused.value.fields) == ["zone"]


def test_a_choice_is_earlier_or_later():
    with pytest.raises(InvalidInput, match="earlier or later"):
        resolve_wall_time("2026-11-01T01:30", "America/Toronto", "second")


def test_every_time_zone_that_can_be_chosen_can_be_used():
    for zone in known_timezones():
        check_timezone(zone)
        resolve_wall_time("2026-07-15T12:00", zone)


def test_both_moments_of_a_repeated_time_are_known():
    earlier, later = repeated_moments("2026-11-01T01:30", "America/Toronto") or (None, None)
    assert earlier is not None
    assert later is not None
    assert (f"{earlier:%H:%M%z}", f"{later:%H:%M%z}") == ("01:30-0400", "01:30-0500")


@pytest.mark.parametrize(
    ("local", "timezone"),
    [
        ("2026-11-01T03:30", "America/Toronto"),
        ("2026-03-08T02:30", "America/Toronto"),
        ("soon", "America/Toronto"),
        ("2026-11-01T01:30", "Nowhere/Land"),
    ],
    ids=["once", "never", "no time", "no zone"],
)
def test_other_times_do_not_come_twice(local: str, timezone: str):
    assert repeated_moments(local, timezone) is None
