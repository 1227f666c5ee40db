"""Phrases for people: figures, money, times and reasons as staff read them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from rollcall import wording

NOW = datetime(2026, 11, 27, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("absolute", "percent", "said"),
    [
        (334, 428, "+334, +428 %"),
        (-90, -90, "-90, -90 %"),
        (0, 0, "0, 0 %"),
        (12_000, 1_200, "+12,000, +1,200 %"),
        (412, None, "+412"),
    ],
)
def test_change_names_people_and_percent(absolute: int, percent: int | None, said: str) -> None:
    assert wording.say_change(absolute, percent) == said


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("3.98", "USD", "$3.98"),
        (Decimal("0.785"), "USD", "$0.79"),
        (Decimal("0"), "USD", "$0.00"),
        (Decimal("0.0079"), "USD", "$0.0079"),
        ("1200", "CAD", "CA$1,200.00"),
        ("5", "CHF", "CHF 5.00"),
    ],
)
def test_money_has_its_currency(amount: Decimal | str, currency: str, said: str) -> None:
    assert wording.say_money(amount, currency) == said


def test_exact_time_is_local_and_names_its_zone() -> None:
    moment = datetime(2026, 11, 29, 15, 0, tzinfo=UTC)
    assert wording.say_time(moment, "America/Toronto") == "Sun 29 Nov 2026, 10:00 America/Toronto"


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (timedelta(hours=44), "in 2 days"),
        (timedelta(hours=35, minutes=50), "in 36 hours"),
        (timedelta(minutes=100), "in 2 hours"),
        (timedelta(minutes=89), "in 89 minutes"),
        (timedelta(seconds=91), "in 2 minutes"),
        (timedelta(seconds=59.9), "in 60 seconds"),
        (timedelta(seconds=1), "in 1 second"),
        (timedelta(0), "now"),
        (timedelta(minutes=-5), "5 minutes ago"),
    ],
)
def test_relative_time(away: timedelta, said: str) -> None:
    assert wording.say_relative(NOW + away, NOW) == said


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (41, "41 ms"),
        (3_200, "3.2 s"),
        (125_000, "2 min 5 s"),
        (119_600, "2 min 0 s"),
        (4_200_000, "1 h 10 min"),
    ],
)
def test_duration(milliseconds: float, said: str) -> None:
    assert wording.say_duration(milliseconds) == said


@pytest.mark.parametrize(
    ("reason", "count", "channel", "hours", "said"),
    [
        ("recently_messaged", 80, "sms", 72, "had a message in the last 72 hours"),
        ("recently_messaged", 1, "sms", 1, "had a message in the last hour"),
        ("no_address", 1, "sms", 72, "has no phone number"),
        ("no_address", 8, "email", 72, "have no e-mail address"),
        ("duplicate_address", 1, "email", 72, "shares an e-mail address with somebody listed"),
        ("eaten_by_a_bear", 2, "sms", 72, "eaten by a bear"),
    ],
)
def test_reasons(reason: str, count: int, channel: str, hours: int, said: str) -> None:
    assert wording.say_reason(reason, count, channel, hours) == said


def test_one_person_is_not_people() -> None:
    assert wording.say_people(1) == "1 person"
    assert wording.say_people(1200) == "1,200 people"
