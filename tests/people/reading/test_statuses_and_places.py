"""Status words, countries and time zones of the field are understood."""

import pytest

from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.places import read_country, read_timezone
from rollcall.people.reading.statuses import AttendanceStatus, read_status


@pytest.mark.parametrize(
    ("word", "standing"),
    [
        ("", AttendanceStatus.ATTENDING),
        ("Attending", AttendanceStatus.ATTENDING),
        ("approved", AttendanceStatus.ATTENDING),
        ("bezahlt", AttendanceStatus.ATTENDING),
        ("Checked In", AttendanceStatus.CHECKED_IN),
        ("Not Attending", AttendanceStatus.CANCELLED),
        ("canceled", AttendanceStatus.CANCELLED),
        ("annulée", AttendanceStatus.CANCELLED),
        ("Refunded", AttendanceStatus.REFUNDED),
        ("pending_approval", AttendanceStatus.NONE),
        ("WAITLIST", AttendanceStatus.NONE),
        ("unsubscribed", AttendanceStatus.UNSUBSCRIBED),
        ("cleaned", AttendanceStatus.CLEANED),
    ],
)
def test_status_words_of_ticketing_tools(word: str, standing: AttendanceStatus) -> None:
    assert read_status(word) is standing


def test_an_unknown_status_is_refused_rather_than_guessed() -> None:
    with pytest.raises(UnreadableValue, match="the status “Gold” is not known"):
        read_status("Gold")


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("ca", "CA"),
        ("Canada", "CA"),
        ("Deutschland", "DE"),
        ("Frankreich", "FR"),
        ("USA", "US"),
        ("Atlantis", None),
        ("", None),
    ],
)
def test_country_by_code_or_by_name_in_several_languages(text: str, country: str | None) -> None:
    assert read_country(text) == country


def test_time_zone_by_its_name_only() -> None:
    assert read_timezone("america/toronto") == "America/Toronto"
    assert read_timezone("Eastern Time") is None
