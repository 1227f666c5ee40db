"""Rows of people: who, how they stand towards the event, and what they refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rollcall.people.reading.cells import shown
from rollcall.people.reading.contacts import Cells, Contact, read_contact
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.mapping import Mapping
from rollcall.people.reading.places import read_country, read_timezone
from rollcall.people.reading.records import BrokenRecord
from rollcall.people.reading.statuses import AttendanceStatus, read_status
from rollcall.people.reading.table import Table
from rollcall.people.reading.times import read_moment

LONGEST_CITY = 200
_YES = {
    *("yes", "y", "true", "t", "1", "x", "✓", "✔", "checked", "checked in", "attended", "present"),
    *("ja", "j", "wahr", "oui", "o", "vrai"),
}
_NO = {
    *("no", "n", "false", "f", "0", "never", "absent", "no show", "no-show"),
    *("not checked in", "not attended", "did not attend", "nein", "falsch", "non", "faux"),
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that can't go in: the line where it begins, why, and its cells as they stood."""

    line: int
    reason: str
    raw: list[str]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody in the file. Moments are aware UTC; unknown values are empty or None.

    `opted_out` has "sms" and "email" where the row says so; that a row does not say it means
    nothing. `checked_in` may be true without a time.
    """

    line: int
    contact: Contact
    city: str
    country: str
    timezone: str
    standing: AttendanceStatus
    registered_at: datetime | None
    checked_in: bool
    checked_in_at: datetime | None
    opted_out: frozenset[str]
    email_bounced: bool
    raw: list[str]


def read_people_rows(
    table: Table, mapping: Mapping, default_country: str, zone: ZoneInfo
) -> Iterator[PersonRow | Rejection]:
    """Yield each row of the table as a person, or with the reason why it is none.

    Phones without a country code are of the row's country or of `default_country`; times
    without an offset are of `zone`. A country or time zone that is not known is left empty.
    """
    cells = Cells(table.header, mapping)
    for record in table.rows():
        if isinstance(record, BrokenRecord):
            yield Rejection(record.line, record.reason, [record.text])
            continue
        cells.row = record.cells
        try:
            yield _read_person(cells, record.line, mapping.day_first, default_country, zone)
        except UnreadableValue as error:
            yield Rejection(record.line, error.reason, record.cells)


def _read_person(
    cells: Cells, line: int, day_first: bool, default_country: str, zone: ZoneInfo
) -> PersonRow:
    country = read_country(cells.get("country")) or ""
    standing = read_status(cells.get("status"))
    seen, seen_at = _read_check_in(cells.get("checked_in"), zone, day_first)
    registered = cells.get("registered_at")
    return PersonRow(
        line=line,
        contact=read_contact(cells, default_country, country),
        city=_read_city(cells.get("city")),
        country=country,
        timezone=read_timezone(cells.get("timezone")) or "",
        standing=standing,
        registered_at=(
            read_moment(registered, zone, day_first, cells.get("registered_clock"))
            if registered
            else None
        ),
        checked_in=seen or standing is AttendanceStatus.CHECKED_IN,
        checked_in_at=seen_at,
        opted_out=_read_opt_outs(cells, standing),
        email_bounced=standing is AttendanceStatus.CLEANED or _says_so(cells.get("email_bounced")),
        raw=cells.row,
    )


def _read_check_in(text: str, zone: ZoneInfo, day_first: bool) -> tuple[bool, datetime | None]:
    word = text.casefold()
    if not word or word in _NO:
        return False, None
    if word in _YES:
        return True, None
    return True, read_moment(text, zone, day_first)


def _read_city(text: str) -> str:
    if len(text) > LONGEST_CITY:
        raise UnreadableValue(f"the city {shown(text)} is longer than {LONGEST_CITY} characters")
    return text


def _read_opt_outs(cells: Cells, standing: AttendanceStatus) -> frozenset[str]:
    everything = _says_so(cells.get("opted_out"))
    by_email = standing is AttendanceStatus.UNSUBSCRIBED or _says_so(cells.get("email_opted_out"))
    by_sms = _says_so(cells.get("sms_opted_out"))
    return frozenset(
        channel
        for channel, refused in (("sms", by_sms), ("email", by_email))
        if refused or everything
    )


def _says_so(text: str) -> bool:
    """Return whether a cell says yes; a date says it too, and so does any word that isn't no.

    Whoever reads an opt-out column in doubt must not message.
    """
    return bool(text) and text.casefold() not in _NO
