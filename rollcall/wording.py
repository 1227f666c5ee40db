"""How numbers, money, times and reasons are said to people, in one place for pages and commands.

Everything here is pure: a value goes in, a short English phrase comes out.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

_CURRENCY_SIGNS = {"USD": "$", "CAD": "CA$", "EUR": "€", "GBP": "£", "AUD": "A$", "NZD": "NZ$"}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

# A unit is used from one and a half of it upward: 29 hours say more than 1 day.
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))

STATE_LABELS = {
    "draft": "Draft",
    "scheduled": "Scheduled",
    "preparing": "Preparing",
    "needs_review": "Needs review",
    "sending": "Sending",
    "paused": "Paused",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
}

SOURCE_LABELS = {
    "registration": "Registration only",
    "qr_scan": "QR scan only",
    "both": "Registration and QR scan",
    "other": "Other",
}

# For each reason the wording for one person and for several; {address} and {hours} are filled in.
_REASONS = {
    "excluded_event": ("is at an event that is left out", "are at an event that is left out"),
    "excluded_segment": ("is in a segment that is left out", "are in a segment that is left out"),
    "excluded_campaign": (
        "is of an earlier campaign that is left out",
        "are of an earlier campaign that is left out",
    ),
    "no_address": ("has no {address}", "have no {address}"),
    "invalid_address": ("has an invalid {address}", "have an invalid {address}"),
    "blocked": ("is blocked", "are blocked"),
    "opted_out": ("opted out", "opted out"),
    "recently_messaged": (
        "had a message in the last {hours} hours",
        "had a message in the last {hours} hours",
    ),
    "duplicate_address": (
        "shares a {address} with somebody listed",
        "share a {address} with somebody listed",
    ),
    "criteria_no_longer_met": ("no longer matches the criteria", "no longer match the criteria"),
    "quiet_hours": ("was in quiet hours", "were in quiet hours"),
    "expired": (
        "still waited when the last time for sending came",
        "still waited when the last time for sending came",
    ),
    "set_aside": (
        "was set aside after the program failed at this message again and again",
        "were set aside after the program failed at these messages again and again",
    ),
    "dry_run": ("gets nothing from a dry run", "get nothing from a dry run"),
    "cancelled": ("was cancelled", "were cancelled"),
    "erased": ("was erased", "were erased"),
}


# What people are waiting for while a campaign goes out; {morning} is filled in.
_WAITS = {
    "quiet_hours": ("waits until {morning} at theirs", "wait until {morning} at theirs"),
    "provider_busy": ("is to be tried again", "are to be tried again"),
}


def say_number(value: float | Decimal) -> str:
    """Give a number with thousands separators: 1234567 becomes "1,234,567"."""
    return f"{value:,}"


def say_people(count: int) -> str:
    """Give a head count as a phrase: "1 person", "78 people", "1,200 people"."""
    return "1 person" if count == 1 else f"{count:,} people"


def say_count(count: int, one: str, several: str | None = None) -> str:
    """Give a count with its noun: "1 SMS part", "3 SMS parts"; `several` where "s" is wrong."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def say_signed(value: int) -> str:
    """Give a number that always shows its direction: "+334", "-90", and "0" for no change."""
    return f"{value:+,}" if value else "0"


def say_change(absolute: int, percent: int | None) -> str:
    """Give a change in people with its percent: "+334, +428 %".

    `percent` is None where the estimate was 0; then only the people are named, because no
    percentage of nothing exists.
    """
    if percent is None:
        return say_signed(absolute)
    return f"{say_signed(absolute)}, {say_signed(percent)} %"


def say_money(amount: Decimal | str, currency: str = "USD") -> str:
    """Give an amount with its currency sign: "$3.98", "CA$1,200.00", "CHF 5.00".

    Amounts are rounded half up to hundredths; an amount smaller than that keeps four decimals,
    so that a price of 0.0079 for one message is not shown as nothing.
    """
    value = Decimal(amount)
    smallest = Decimal("0.01") if value == 0 or abs(value) >= Decimal("0.01") else Decimal("0.0001")
    figure = f"{value.quantize(smallest, rounding=ROUND_HALF_UP):,}"
    sign = _CURRENCY_SIGNS.get(currency)
    return f"{sign}{figure}" if sign else f"{currency} {figure}"


def say_time(moment: datetime, zone: str = "UTC") -> str:
    """Give a moment as a wall clock in `zone` shows it, with the zone's name.

    For example "Sun 29 Nov 2026, 10:00 America/Toronto". `moment` must be aware.
    """
    local = moment.astimezone(ZoneInfo(zone))
    day = f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}"
    return f"{day}, {local:%H:%M} {zone}"


def say_relative(moment: datetime, now: datetime) -> str:
    """Give a moment as seen from `now`: "in 2 days", "5 minutes ago", "in 20 seconds", "now".

    Counts are rounded to the nearest whole unit: Sunday 10:00 is "in 2 days" on Friday at noon.
    app.js says the same while a page stays open.
    """
    seconds = (moment - now) / timedelta(seconds=1)
    if abs(seconds) < 1:
        return "now"
    phrase = _nearest_unit(abs(seconds))
    return f"in {phrase}" if seconds > 0 else f"{phrase} ago"


def say_duration(milliseconds: float) -> str:
    """Give a length of time: "41 ms", "3.2 s", "2 min 5 s", "1 h 10 min"."""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1_000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1_000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def say_reason(reason: str, count: int, channel: str = "sms", hours: int | None = 72) -> str:
    """Give the predicate for people left out by `reason`, without the number in front.

    For example "had a message in the last 72 hours" or "have no phone number". A reason that
    is not known here is shown by its own name, so that no reason is ever hidden.
    """
    forms = _REASONS.get(reason)
    if forms is None:
        return reason.replace("_", " ")
    address = "e-mail address" if channel == "email" else "phone number"
    phrase = forms[0 if count == 1 else 1].format(address=address, hours=hours)
    return phrase.replace("a e-mail", "an e-mail").replace("last 1 hours", "last hour")


def say_wait(reason: str, people: int, opens: time | None = None) -> str:
    """Give what people wait for, with their number: "88 wait until 8:00 at theirs".

    `opens` is when the organisation's messages may go out from; without it morning is said.
    """
    forms = _WAITS.get(reason)
    predicate = forms[0 if people == 1 else 1] if forms else f"wait: {say_reason(reason, people)}"
    return f"{people:,} {predicate.format(morning=say_clock(opens) if opens else 'morning')}"


def say_clock(moment: time) -> str:
    """Give a time of day as people say it: "8:00", "21:30"."""
    return f"{moment.hour}:{moment.minute:02d}"


def say_state(state: str) -> str:
    """Give a campaign's state as staff read it: "needs_review" becomes "Needs review"."""
    return STATE_LABELS.get(state, state.replace("_", " ").capitalize())


def say_source(source: str) -> str:
    """Give a source group of an audience as staff read it: "qr_scan" becomes "QR scan only"."""
    return SOURCE_LABELS.get(source, source.replace("_", " ").capitalize())


def _nearest_unit(seconds: float) -> str:
    name, length = next(
        (unit for unit in _UNITS if seconds >= 1.5 * unit[1]),
        _UNITS[-1],
    )
    return say_count(int(seconds / length + 0.5), name)


# The names under which templates use the functions above, as in {{ 1234|number }}.
FILTERS: dict[str, Callable[..., Any]] = {
    "number": say_number,
    "people": say_people,
    "count_of": say_count,
    "signed": say_signed,
    "change": say_change,
    "money": say_money,
    "exact_time": say_time,
    "relative_time": say_relative,
    "duration": say_duration,
    "reason": say_reason,
    "wait": say_wait,
    "clock": say_clock,
    "state": say_state,
    "source": say_source,
}


def moment_json(moment: datetime | None) -> str | None:
    """Return a moment in UTC as ISO 8601 with a Z, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
