"""Who attends: recorded for one person or for thousands, cancelled, refunded (A7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.lookups import find_event
from rollcall.models import Attendance, Person, Source
from rollcall.models.types import IdList, IsOneOf
from rollcall.people.arrivals import take_in_people
from rollcall.people.details import PERSON_FIELDS, CheckedPerson, PersonDraft, check_person
from rollcall.people.importing.registrations import Withdrawal, attend, withdraw
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.statuses import AttendanceStatus, read_status
from rollcall.people.records import LARGEST_ID, default_country, find_person

MOST_AT_ONCE = 20_000
WITHDRAWN = ("cancelled", "refunded")
_KEYS = ("id", "status", *PERSON_FIELDS)


@dataclass(frozen=True)
class Rejected:
    """A row that did not go in: its place in the list, from 0, and why."""

    index: int
    reason: str


@dataclass(frozen=True)
class AttendanceReport:
    """What became of the rows: each is counted once.

    `added` did not attend before, `restored` had cancelled, `withdrawn` no longer attend;
    `people_added` says how many of the people were not known.
    """

    added: int = 0
    restored: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    people_added: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the report as the API gives it."""
        return {
            "added": self.added,
            "restored": self.restored,
            "withdrawn": self.withdrawn,
            "unchanged": self.unchanged,
            "people_added": self.people_added,
            "rejected": [{"index": row.index, "reason": row.reason} for row in self.rejected],
        }


@dataclass(frozen=True)
class _Row:
    index: int
    person: CheckedPerson | int
    status: str


def record_attendance(
    actor: Actor,
    event_id: int,
    people: Sequence[Mapping[str, Any] | int],
    source: Source,
    occurred_at: datetime | None = None,
) -> AttendanceReport:
    """Let people attend an event from one source; good rows go in, the others are reported.

    A row is a person's id, or a mapping with `id`, or with `phone` or `email` and what else
    is known of the person (see PersonDraft); its `status` may say that the person cancelled
    or got the money back. Whoever is not known is added. `occurred_at` is aware; by default
    it is now. Doing it again changes nothing. Raises NotFound for the event, InvalidInput
    for more than MOST_AT_ONCE rows.
    """
    if len(people) > MOST_AT_ONCE:
        raise InvalidInput({"people": f"Send at most {MOST_AT_ONCE:,} people at once."})
    if occurred_at is not None and occurred_at.tzinfo is None:
        raise InvalidInput({"occurred_at": "Give the time with its zone, as 2026-11-28T19:05Z."})
    rows, rejected = _read_rows(actor.organisation_id, people)
    with write():
        event = find_event(actor.organisation_id, event_id)
        report = _store(actor.organisation_id, event.id, rows, source, occurred_at, rejected)
        if report.added or report.restored or report.withdrawn:
            counts = {**report.to_json(), "rejected": len(report.rejected)}
            after = {"source": source.key, **{what: n for what, n in counts.items() if n}}
            record(actor, "attendance.record", "event", event_id, after=after)
    return report


def cancel_attendance(
    actor: Actor,
    event_id: int,
    person_id: int,
    status: str = "cancelled",
    source: Source = Source.REGISTRATION,
) -> None:
    """Let one attendance no longer count, as cancelled or refunded; the row itself stays.

    Doing it again only changes the status. A later registration restores it, and a QR scan
    counts by itself. Raises NotFound for an event, person or attendance that is not there.
    """
    if status not in WITHDRAWN:
        raise InvalidInput({"status": "Say cancelled or refunded."})
    with write():
        event = find_event(actor.organisation_id, event_id)
        person = find_person(actor.organisation_id, person_id)
        attendance = db.session.scalar(
            sa.select(Attendance).filter_by(event_id=event.id, person_id=person.id, source=source)
        )
        if attendance is None:
            raise NotFound("This person has no such attendance at this event.")
        before = attendance.status
        if before == status:
            return
        attendance.cancelled, attendance.status = True, status
        attendance.cancelled_at = attendance.cancelled_at or clock.now()
        record(
            actor,
            f"attendance.{status}",
            "event",
            event_id,
            before={"person": person.id, "source": source.key, "status": before},
            after={"person": person.id, "source": source.key, "status": status},
        )


def _read_rows(
    organisation_id: int, people: Sequence[Mapping[str, Any] | int]
) -> tuple[list[_Row], list[Rejected]]:
    country = default_country(organisation_id)
    rows: list[_Row] = []
    rejected: list[Rejected] = []
    for index, given in enumerate(people):
        try:
            rows.append(_read_row(index, given, country))
        except InvalidInput as error:
            rejected.append(Rejected(index, str(error)))
    return rows, rejected


def _read_row(index: int, given: Mapping[str, Any] | int, country: str) -> _Row:
    if type(given) is int:
        return _Row(index, given, "")
    if not isinstance(given, Mapping):
        raise InvalidInput({"people": 'Give an id, or an object such as {"phone": "…"}.'})
    unknown = [str(key) for key in given if key not in _KEYS]
    if unknown:
        known = ", ".join(_KEYS)
        raise InvalidInput({key[:40]: f"This is not known; known are {known}." for key in unknown})
    texts = {key: value for key, value in given.items() if key != "id" and value is not None}
    wrong = {key: "Give a text." for key, value in texts.items() if not isinstance(value, str)}
    if wrong:
        raise InvalidInput(wrong)
    status = _read_status(texts.pop("status", ""))
    if given.get("id") is None:
        return _Row(index, check_person(PersonDraft(**texts), country), status)
    if type(given["id"]) is not int or texts:
        raise InvalidInput({"id": "Give the id as a number, and nothing else about the person."})
    return _Row(index, given["id"], status)


def _read_status(text: str) -> str:
    """Return `cancelled` or `refunded`, or nothing for somebody who attends."""
    try:
        standing = read_status(text)
    except UnreadableValue as error:
        raise InvalidInput({"status": f"{error.reason}."}) from error
    if standing in (AttendanceStatus.ATTENDING, AttendanceStatus.CHECKED_IN):
        return ""
    if standing in WITHDRAWN:
        return str(standing)
    raise InvalidInput({"status": "Say registered, cancelled or refunded; others do not attend."})


def _store(
    organisation_id: int,
    event_id: int,
    rows: list[_Row],
    source: Source,
    occurred_at: datetime | None,
    rejected: list[Rejected],
) -> AttendanceReport:
    now = clock.now()
    by_id = {row.index: row.person for row in rows if isinstance(row.person, int)}
    known = _known_ids(organisation_id, list(by_id.values()))
    rejected += [
        Rejected(index, f"There is nobody with the number {person_id}.")
        for index, person_id in by_id.items()
        if person_id not in known
    ]
    described = {row.index: row.person for row in rows if isinstance(row.person, CheckedPerson)}
    arrivals = take_in_people(organisation_id, list(described.values()), now)
    ids = dict(zip(described, arrivals.ids, strict=True))
    ids |= {index: person_id for index, person_id in by_id.items() if person_id in known}
    statuses: dict[int, set[str]] = {}
    for row in rows:
        if row.index in ids:
            statuses.setdefault(ids[row.index], set()).add(row.status)
    counts = _apply(event_id, source, statuses, occurred_at or now, now)
    return AttendanceReport(
        **counts,
        unchanged=len(ids) - sum(counts.values()),
        people_added=len(arrivals.added),
        rejected=sorted(rejected, key=lambda row: row.index),
    )


def _apply(
    event_id: int,
    source: Source,
    statuses: Mapping[int, set[str]],
    occurred_at: datetime,
    now: datetime,
) -> dict[str, int]:
    """Store how each person stands, and count for whom that is news.

    Of several rows about one person, one that attends outweighs those that withdraw: people
    buy two tickets and give one back.
    """
    attending = {person_id: occurred_at for person_id, several in statuses.items() if "" in several}
    leaving = {
        person_id: Withdrawal(max(several), occurred_at, note_new=True)
        for person_id, several in statuses.items()
        if "" not in several
    }
    had_cancelled = _cancelled(event_id, source, list(attending))
    news = attend(event_id, source, attending, now)
    gone = withdraw(event_id, source, leaving, now)
    return {
        "added": len(news - had_cancelled),
        "restored": len(news & had_cancelled),
        "withdrawn": len(gone),
    }


def _known_ids(organisation_id: int, ids: list[int]) -> set[int]:
    wanted = [person_id for person_id in ids if 0 < person_id <= LARGEST_ID]
    return set(
        db.session.scalars(
            sa.select(Person.id).where(
                Person.organisation_id == organisation_id,
                IsOneOf(Person.id, sa.literal(wanted, IdList)),
            )
        )
    )


def _cancelled(event_id: int, source: Source, ids: list[int]) -> set[int]:
    return set(
        db.session.scalars(
            sa.select(Attendance.person_id).where(
                Attendance.event_id == event_id,
                Attendance.source == source,
                Attendance.cancelled.is_(True),
                IsOneOf(Attendance.person_id, sa.literal(ids, IdList)),
            )
        )
    )
