"""When a text message may reach a phone: quiet hours by the recipient's own clock (C14).

Pure: a phone number, a text that was derived from it, hours and a moment come in.

The zones text, kept in each person's facts, is words separated by spaces:

- `America/Toronto`: a time zone; where there are several, all of them must be awake;
- `+61`: too many zones to name, those of the numbers that begin so;
- `US`: the number is in the United States or one of its territories; `US-FL`, `US-TX`: with
  an area code of a state that has hours of its own;
- no zone among them: it is not known where the phone is (satellite phones, +1 800).

Rules from outside, applied on top of an organisation's own hours:

- United States: not before 8:00 or after 21:00 at the called party's location
  (47 CFR 64.1200(c)(1)).
- Florida: 8:00 to 20:00, and at most three in 24 hours to one person (Fla. Stat. 501.616(6));
  an area code of Florida is presumed to be somebody in Florida (501.059(8)(d)).
- Texas: 9:00 to 21:00, on Sundays from noon (Tex. Bus. & Com. Code 301.051).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from rollcall.messages.pricing import country_of_phone

MOST_ZONES_NAMED = 3
MOST_KEPT = 100_000
_HORIZON = timedelta(days=8)  # one of each weekday, and a day to spare
_SUNDAY = 6

# The library can tell a number's state too, but needs 200 MB and seconds to load for it; a test
# compares these with what it says.
FLORIDA = frozenset(
    "239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 941 "
    "954".split()
)
TEXAS = frozenset(
    "210 214 254 281 325 346 361 409 430 432 469 512 682 713 726 737 806 817 830 832 903 915 "
    "936 940 945 956 972 979".split()
)
_UNDER_US_LAW = frozenset(["US", "PR", "GU", "VI", "AS", "MP"])
# The country code 7 is shared; whatever begins with 77 is in Kazakhstan.
_COUNTRIES_WITHIN_CODES = ("77",)


@dataclass(frozen=True, slots=True)
class SendingHours:
    """The hours of a day in which messages may arrive: from `opens` until before `closes`."""

    opens: time
    closes: time

    def narrowed(self, other: "SendingHours") -> "SendingHours":
        """Return the hours that lie within both; none where `opens` is not before `closes`."""
        return SendingHours(max(self.opens, other.opens), min(self.closes, other.closes))


_UNITED_STATES = SendingHours(time(8), time(21))
_LAWS = {
    "US": _UNITED_STATES,
    "US-FL": SendingHours(time(8), time(20)),
    "US-TX": SendingHours(time(9), time(21)),
}
_TEXAN_SUNDAY = SendingHours(time(12), time(21))
_FLORIDA_A_DAY = 3


def phone_zones(phone_e164: str, person_timezone: str = "") -> str:
    """Return where texts to this number arrive, in the form described above; "" if unknown.

    The profile's own time zone goes before what the number says; the state's rules follow the
    number all the same, as the law presumes.
    """
    law = _law_of(phone_e164)
    zones = person_timezone if _zone(person_timezone) else _zones_of_number(phone_e164)
    return " ".join(word for word in (zones, law) if word)


def daily_limit(zones_text: str) -> int | None:
    """Return how many messages this person may get in 24 hours, None for no limit by law."""
    return _FLORIDA_A_DAY if "US-FL" in zones_text.split() else None


class SendingWindow:
    """Says when a message may go out to a phone, for one organisation's hours.

    `fallback_zones` speak for whoever's zone is not known: of these too, all must be awake.
    Remembers its answers, which are the same for everybody with the same zones text.
    """

    def __init__(self, hours: SendingHours, fallback_zones: Sequence[str]) -> None:
        self.hours = hours
        zones = [zone for zone in map(_zone, fallback_zones) if zone]
        self._fallback = tuple(zones) or (ZoneInfo("UTC"),)
        # For each zones text: from when, until when (not included), and the answer.
        self._answers: dict[str, tuple[datetime, datetime, datetime | None]] = {}

    def next_allowed(self, zones_text: str, moment: datetime) -> datetime | None:
        """Return None where a message may go out at `moment`, else the next time it may."""
        known = self._answers.get(zones_text)
        if known and known[0] <= moment < known[1]:
            return known[2]
        minute = moment.replace(second=0, microsecond=0)
        opening = self._search(_read_place(zones_text), moment)
        if opening <= moment:
            # Hours and the zones' offsets change on whole minutes only.
            self._answers[zones_text] = (minute, minute + timedelta(minutes=1), None)
            return None
        self._answers[zones_text] = (moment, opening, opening)
        return opening

    def _search(self, place: "_Place", moment: datetime) -> datetime:
        # Zones too far apart are never awake together (all of Russia within eight hours): then
        # the number says too little, and the fallback decides; in the end its first zone alone.
        choices = [place.zones, self._fallback] if place.zones else [self._fallback]
        for zones in choices:
            found = self._next_common(zones, place.laws, moment)
            if found:
                return found
        return self._next_common(self._fallback[:1], place.laws, moment) or moment + _HORIZON

    def _next_common(
        self, zones: Sequence[ZoneInfo], laws: tuple[str, ...], moment: datetime
    ) -> datetime | None:
        at = moment
        while at < moment + _HORIZON:
            latest = max(self._next_in(zone, laws, at) for zone in zones)
            if latest == at:
                return at
            at = latest
        return None

    def _next_in(self, zone: ZoneInfo, laws: tuple[str, ...], moment: datetime) -> datetime:
        if self._is_open(zone, laws, moment):
            return moment
        today = moment.astimezone(zone).date()
        for days in range(9):
            day = today + timedelta(days=days)
            openings = _openings(zone, day, self._hours_on(laws, day).opens)
            for opening in openings:
                if opening > moment and self._is_open(zone, laws, opening):
                    return opening
        return moment + _HORIZON

    def _is_open(self, zone: ZoneInfo, laws: tuple[str, ...], moment: datetime) -> bool:
        local = moment.astimezone(zone)
        hours = self._hours_on(laws, local.date())
        return hours.opens <= local.time() < hours.closes

    def _hours_on(self, laws: tuple[str, ...], day: date) -> SendingHours:
        return _hours_under(self.hours, laws, day.weekday() == _SUNDAY)


@dataclass(frozen=True, slots=True)
class _Place:
    zones: tuple[ZoneInfo, ...]
    laws: tuple[str, ...]


@lru_cache(maxsize=10_000)
def _read_place(zones_text: str) -> _Place:
    words = zones_text.split()
    names = [
        name
        for word in words
        for name in (TIMEZONE_DATA.get(word[1:], ()) if word.startswith("+") else (word,))
    ]
    zones = tuple(zone for zone in map(_zone, names) if zone)
    laws = tuple(word for word in words if word in _LAWS)
    # Of a number that could be anywhere nothing is known: then the strictest general rule.
    return _Place(zones, laws if words else ("US",))


@lru_cache(maxsize=1_000)
def _hours_under(own: SendingHours, laws: tuple[str, ...], is_sunday: bool) -> SendingHours:
    """Return the organisation's hours within the law's, on that kind of day.

    A day on which no hour is in both has none; the law's alone hold where no day has any.
    """
    if not laws:
        return own
    both = {sunday: own.narrowed(_legal_hours(laws, sunday)) for sunday in (False, True)}
    if any(hours.opens < hours.closes for hours in both.values()):
        return both[is_sunday]
    return _legal_hours(laws, is_sunday)


def _legal_hours(laws: tuple[str, ...], is_sunday: bool) -> SendingHours:
    hours = SendingHours(time.min, time.max)
    for law in laws:
        hours = hours.narrowed(_TEXAN_SUNDAY if law == "US-TX" and is_sunday else _LAWS[law])
    return hours


def _openings(zone: ZoneInfo, day: date, opens: time) -> list[datetime]:
    """Return the moments of the day, in order, at which the hours can begin.

    Usually one. Where the clocks go back it can come twice; where they go forward over it, the
    hours begin with the first moment that exists.
    """
    local = datetime.combine(day, opens, zone)
    moments = {local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
    moments.update(_transitions(zone, day))
    return sorted(moments)


def _transitions(zone: ZoneInfo, day: date) -> Iterator[datetime]:
    low, high = (
        datetime.combine(midnight, time(0), zone).astimezone(UTC)
        for midnight in (day, day + timedelta(days=1))
    )
    before, after = (moment.astimezone(zone).utcoffset() for moment in (low, high))
    if before == after:
        return
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    yield high


@cache
def _zone(name: str) -> ZoneInfo | None:
    # A word such as US is no zone although a folder of that name exists.
    if "/" not in name and name != "UTC":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _law_of(phone: str) -> str:
    if not phone.startswith("+1") or country_of_phone(phone) not in _UNDER_US_LAW:
        return ""
    area = phone[2:5]
    if area in FLORIDA:
        return "US-FL"
    return "US-TX" if area in TEXAS else "US"


def _zones_of_number(phone: str) -> str:
    digits = phone.removeprefix("+")
    code = _calling_code(digits)
    if not code or code not in TIMEZONE_DATA:
        return ""
    if len(TIMEZONE_DATA[code]) > 1 and not _is_geographic(phone):
        code = next((part for part in _COUNTRIES_WITHIN_CODES if digits.startswith(part)), code)
        # Toll-free and the like in North America: from Guam to Newfoundland, which says nothing.
        return "" if code == "1" else _name_zones(code)
    for length in range(TIMEZONE_LONGEST_PREFIX, len(code), -1):
        if digits[:length] in TIMEZONE_DATA:
            return _name_zones(digits[:length])
    return "" if code == "1" else _name_zones(code)


def _name_zones(prefix: str) -> str:
    names = TIMEZONE_DATA[prefix]
    return " ".join(names) if len(names) <= MOST_ZONES_NAMED else f"+{prefix}"


def _calling_code(digits: str) -> str:
    for length in (1, 2, 3):
        if digits[:length].isdigit() and int(digits[:length]) in _CALLING_CODES:
            return digits[:length]
    return ""


_CALLING_CODES = frozenset(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)

# As with countries: asking the library what kind of number it is takes a tenth of a millisecond,
# and the first digits decide it.
_TELLING_CHARACTERS = len("+") + 7
_geographic_by_prefix: dict[str, bool] = {}


def _is_geographic(phone: str) -> bool:
    """Return whether the digits of the number say where it is, as those of mobiles often do not.

    In North America they do, or no zone is known of them.
    """
    if phone.startswith("+1"):
        return True
    prefix = phone[:_TELLING_CHARACTERS]
    known = _geographic_by_prefix.get(prefix)
    if known is not None:
        return known
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return False
    kind = phonenumbers.number_type(number)
    geographic = phonenumbers.is_number_type_geographical(kind, number.country_code or 0)
    given_out = kind != phonenumbers.PhoneNumberType.UNKNOWN
    if given_out and len(_geographic_by_prefix) < MOST_KEPT:
        _geographic_by_prefix[prefix] = geographic
    return geographic
