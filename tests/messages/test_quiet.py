"""Quiet hours: where a phone is, when it may be texted, and when next."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import geocoder
from phonenumbers.tzdata import TIMEZONE_DATA

from rollcall.messages.quiet import (
    FLORIDA,
    TEXAS,
    SendingHours,
    SendingWindow,
    daily_limit,
    phone_zones,
)

DAYTIME = SendingHours(time(8), time(21))


@pytest.mark.parametrize(
    ("phone", "zones"),
    [
        ("+14165550123", "America/Toronto"),
        ("+12125550123", "America/New_York US"),
        ("+13055550123", "America/New_York US-FL"),
        ("+12145550123", "America/Chicago US-TX"),
        ("+19155550123", "America/Denver US-TX"),
        ("+12085550100", "America/Boise America/Los_Angeles US"),
        ("+17875550100", "America/Puerto_Rico US"),
        ("+18765550100", "America/Jamaica"),
        ("+18005550123", "US"),
        ("+4915112345678", "Europe/Berlin"),
        ("+420601000001", "Europe/Prague"),
        ("+447911123456", "+44"),
        ("+61412345678", "+61"),
        ("+61891234567", "Australia/Adelaide Australia/Perth"),
        ("+79161234567", "+7"),
        ("+77011234567", "Asia/Almaty Asia/Aqtobe"),
        ("+34612345678", "Atlantic/Canary Europe/Madrid"),
        ("+34922123456", "Atlantic/Canary"),
        ("+883510000000", ""),
        ("+870773111632", ""),
        ("+999", ""),
        ("", ""),
    ],
)
def test_a_number_says_where_it_is_or_that_it_does_not_say(phone, zones):
    assert phone_zones(phone) == zones


def test_the_profile_goes_before_the_number_and_the_states_rules_stay():
    assert phone_zones("+13055550123", "America/Denver") == "America/Denver US-FL"
    assert phone_zones("+18005550123", "America/Denver") == "America/Denver US"
    assert phone_zones("+883510000000", "Asia/Tokyo") == "Asia/Tokyo"
    assert phone_zones("+14165550123", "Nowhere/Land") == "America/Toronto"


def test_the_longest_text_fits_into_its_column():
    longest = max(
        (names for names in TIMEZONE_DATA.values() if len(names) <= 3),
        key=lambda names: len(" ".join(names)),
    )
    assert len(" ".join(longest)) + len(" US-FL") <= 200


def test_the_area_codes_of_both_states_are_those_that_the_library_knows():
    def area_codes(state: str, letters: str) -> set[str]:
        found = set()
        for area in range(200, 1000):
            number = phonenumbers.PhoneNumber(
                country_code=1, national_number=area * 10_000_000 + 5_550_123
            )
            said = geocoder.description_for_number(number, "en")
            if said == state or said.endswith(f", {letters}"):
                found.add(str(area))
        return found

    assert area_codes("Florida", "FL") == FLORIDA
    assert area_codes("Texas", "TX") == TEXAS


def test_only_florida_limits_how_many_a_day():
    assert daily_limit("America/New_York US-FL") == 3
    assert daily_limit("America/Chicago US-TX") is None
    assert daily_limit("") is None


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def local_opening(zones: str, text: str, zone: str, hours: SendingHours = DAYTIME) -> str:
    """When they may next be texted, as a clock in the zone shows it; "" for now."""
    found = SendingWindow(hours, ["America/Toronto"]).next_allowed(zones, at(text, zone))
    return f"{found.astimezone(ZoneInfo(zone)):%a %H:%M}" if found else ""


@pytest.mark.parametrize(
    ("zones", "moment", "zone", "opening"),
    [
        # 26 November 2026 is a Thursday.
        ("America/Toronto", "2026-11-26T07:59:59", "America/Toronto", "Thu 08:00"),
        ("America/Toronto", "2026-11-26T08:00", "America/Toronto", ""),
        ("America/Toronto", "2026-11-26T20:59:59", "America/Toronto", ""),
        ("America/Toronto", "2026-11-26T21:00", "America/Toronto", "Fri 08:00"),
        ("America/New_York US-FL", "2026-11-26T19:59", "America/New_York", ""),
        ("America/New_York US-FL", "2026-11-26T20:00", "America/New_York", "Fri 08:00"),
        ("America/Chicago US-TX", "2026-11-26T08:30", "America/Chicago", "Thu 09:00"),
        ("America/Chicago US-TX", "2026-11-28T21:00", "America/Chicago", "Sun 12:00"),
        ("America/Chicago US-TX", "2026-11-29T11:59", "America/Chicago", "Sun 12:00"),
        ("America/Chicago US-TX", "2026-11-29T12:00", "America/Chicago", ""),
        # Whoever may be in either of two zones waits for the later morning.
        (
            "America/Boise America/Los_Angeles US",
            "2026-11-26T08:30",
            "America/Boise",
            "Thu 09:00",
        ),
        # All of Australia, and the islands that belong to it.
        ("+61", "2026-11-26T10:00", "Australia/Sydney", "Thu 12:30"),
        # Unknown: as at the event, in Toronto here.
        ("", "2026-11-26T07:00", "America/Toronto", "Thu 08:00"),
        ("US", "2026-11-26T07:00", "America/Toronto", "Thu 08:00"),
    ],
)
def test_the_rules_table(zones, moment, zone, opening):
    assert local_opening(zones, moment, zone) == opening


def test_the_law_narrows_an_organisations_longer_hours_for_its_numbers_only():
    long = SendingHours(time(6), time(23))
    assert local_opening("Europe/Berlin", "2026-11-26T06:30", "Europe/Berlin", long) == ""
    opening = local_opening("America/New_York US", "2026-11-26T06:30", "America/New_York", long)
    assert opening == "Thu 08:00"


def test_shorter_hours_of_an_organisation_hold_everywhere():
    short = SendingHours(time(10), time(18))
    assert (
        local_opening("America/Chicago US-TX", "2026-11-26T09:30", "America/Chicago", short)
        == "Thu 10:00"
    )
    assert (
        local_opening("America/New_York US-FL", "2026-11-26T18:00", "America/New_York", short)
        == "Fri 10:00"
    )


def test_where_no_hour_is_in_both_the_law_holds():
    night = SendingHours(time(21), time(23))
    found = local_opening("America/New_York US", "2026-11-26T22:00", "America/New_York", night)
    assert found == "Fri 08:00"


def test_a_sunday_without_an_hour_in_both_has_none():
    mornings = SendingHours(time(8), time(12))
    found = local_opening("America/Chicago US-TX", "2026-11-28T13:00", "America/Chicago", mornings)
    assert found == "Mon 09:00"


def test_an_unknown_number_keeps_the_strictest_general_rule_too():
    long = SendingHours(time(6), time(23))
    assert local_opening("", "2026-11-26T06:30", "America/Toronto", long) == "Thu 08:00"


def test_zones_that_are_never_awake_together_are_judged_as_unknown():
    short = SendingHours(time(9), time(17))
    # From Bucharest to Kamchatka it is nine hours in winter, and more than the window has.
    assert local_opening("+7", "2026-11-26T10:00", "America/Toronto", short) == ""
    assert local_opening("+7", "2026-11-26T08:00", "America/Toronto", short) == "Thu 09:00"
    apart = SendingWindow(short, ["America/Toronto", "Asia/Tokyo"])
    assert apart.next_allowed("", at("2026-11-26T10:00", "America/Toronto")) is None


def test_of_several_events_all_must_be_awake_for_a_number_that_says_nothing():
    window = SendingWindow(DAYTIME, ["America/Toronto", "America/Vancouver"])
    found = window.next_allowed("", at("2026-11-26T08:00", "America/Toronto"))
    assert found == at("2026-11-26T08:00", "America/Vancouver")


def test_hours_that_begin_in_the_gap_begin_where_the_clock_goes_on():
    # In Toronto 2:00 to 3:00 does not exist on 8 March 2026.
    early = SendingHours(time(2, 30), time(21))
    window = SendingWindow(early, ["UTC"])
    found = window.next_allowed("America/Toronto", at("2026-03-08T01:00", "America/Toronto"))
    assert found == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


ZONES = (
    "America/Toronto",
    "America/New_York US-FL",
    "America/Chicago US-TX",
    "America/Boise America/Los_Angeles US",
    "America/St_Johns",
    "Europe/London",
    "Australia/Lord_Howe",
    "Australia/Adelaide Australia/Perth",
    "Pacific/Chatham",
    "+61",
    "+7",
    "US",
    "",
)
LAWS = {"US": (480, 1260), "US-FL": (480, 1200), "US-TX": (540, 1260)}


def is_allowed(zones: str, hours: SendingHours, fallback: str, moment: datetime) -> bool:
    """The rules once more, by the minutes of each zone's day."""
    words = zones.split() or ["US"]
    names = [name for word in words for name in TIMEZONE_DATA.get(word[1:], [word])]
    for name in [name for name in names if "/" in name] or [fallback]:
        local = moment.astimezone(ZoneInfo(name))
        opens = hours.opens.hour * 60 + hours.opens.minute
        closes = hours.closes.hour * 60 + hours.closes.minute
        for word in words:
            if word in LAWS:
                opens, closes = max(opens, LAWS[word][0]), min(closes, LAWS[word][1])
            if word == "US-TX" and local.strftime("%A") == "Sunday":
                opens = max(opens, 720)
        if not opens <= local.hour * 60 + local.minute < closes:
            return False
    return True


# Within two days of the clocks' changes, and anywhere in a year.
near_a_change = st.builds(
    lambda day, minutes: (
        datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.sampled_from(["2026-03-08", "2026-11-01", "2026-03-29", "2026-10-25", "2026-04-05"]),
    st.integers(-2_000, 2_000),
)
any_moment = st.builds(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes),
    st.integers(0, 525_600),
)
any_hours = st.builds(
    lambda opens, length: SendingHours(
        time(opens // 60, opens % 60),
        time(min(opens + length, 1_439) // 60, min(opens + length, 1_439) % 60),
    ),
    # Some begin in the hours that the clocks skip or repeat.
    st.one_of(st.integers(60, 180), st.integers(0, 600)),
    st.integers(720, 1_200),
)


@given(st.sampled_from(ZONES), any_hours, st.one_of(near_a_change, any_moment))
def test_the_next_time_is_the_first_minute_that_the_rules_allow(zones, hours, moment):
    window = SendingWindow(hours, ["America/Toronto"])
    found = window.next_allowed(zones, moment)
    for minute in range(4 * 1_440):
        tried = moment + timedelta(minutes=minute)
        if is_allowed(zones, hours, "America/Toronto", tried):
            assert (found or moment) == tried
            return
    # Only zones that are never awake together find no time in four days.
    assert zones in ("+61", "+7")


@given(
    st.sampled_from(ZONES),
    st.lists(st.integers(0, 4_000), min_size=2, max_size=12),
    st.integers(0, 59),
)
def test_what_is_remembered_is_what_a_fresh_question_gives(zones, minutes, seconds):
    start = datetime(2026, 10, 31, seconds % 24, tzinfo=UTC)
    remembering = SendingWindow(DAYTIME, ["America/Toronto"])
    for minute in minutes:
        moment = start + timedelta(minutes=minute, seconds=seconds)
        fresh = SendingWindow(DAYTIME, ["America/Toronto"])
        assert remembering.next_allowed(zones, moment) == fresh.next_allowed(zones, moment)
