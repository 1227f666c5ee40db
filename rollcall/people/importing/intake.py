"""Takes rows of people into the database, a batch a transaction, set by set."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rollcall import clock
from rollcall.extensions import db
from rollcall.models import Channel, Event, Person, PersonFacts, Source
from rollcall.models.types import IdList, IsOneOf
from rollcall.people.consent import suppress_addresses
from rollcall.people.facts import refresh_facts
from rollcall.people.identity import insert_people, load_known_people, lock_people
from rollcall.people.importing.drafts import FIELDS, Draft, empty_draft
from rollcall.people.importing.registrations import Withdrawal, attend, withdraw
from rollcall.people.importing.runs import RowCounts
from rollcall.people.reading.people import PersonRow, Rejection
from rollcall.people.reading.statuses import AttendanceStatus

BATCH_ROWS = 2_000
# More rows that say two people at once than this are rejected where they stand.
MOST_CONTESTED = 20_000
_ADDRESS = {Channel.SMS: "phone", Channel.EMAIL: "email"}
_OPTED_OUT = {
    Channel.SMS: PersonFacts.opted_out_sms,
    Channel.EMAIL: PersonFacts.opted_out_email,
}
# What somebody's facts row is derived from.
_READ_BY_FACTS = frozenset(["phone", "email", "timezone"])
_ATTENDS = (AttendanceStatus.ATTENDING, AttendanceStatus.CHECKED_IN)
_WITHDRAWS = {
    AttendanceStatus.CANCELLED: "cancelled",
    AttendanceStatus.REFUNDED: "refunded",
    AttendanceStatus.NONE: "cancelled",
}


class IdSet:
    """A set of ids at one bit each, so that a file of any length fits into memory."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """Put the id in."""
        place = number >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits)))
        self._bits[place] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] & (1 << (number & 7)))


@dataclass(slots=True)
class _Placed:
    """A row and whom it is about: a person's id, or a negative number for somebody new."""

    row: PersonRow
    key: int
    adds: bool
    person_id: int = 0
    changes: bool = False


class PeopleIntake:
    """Takes in one file's rows for one organisation and, if given, one event.

    It remembers which people the file has named already, and who withdrew, until the end:
    only then is it known whether another row says that they come.
    """

    def __init__(
        self, organisation_id: int, event: Event | None, source: Source, has_check_in: bool
    ) -> None:
        self._organisation_id = organisation_id
        self._event_id = event.id if event else None
        self._event_starts_at = event.starts_at if event else None
        self._source = source
        self._every_row_is_a_scan = source is Source.QR_SCAN and not has_check_in
        self._named = IdSet()
        self._attending = IdSet()
        self._withdrawals: dict[int, tuple[Withdrawal, bool]] = {}
        self._contested: list[PersonRow] = []
        self._contested_before = 0
        self._is_last_look = False

    def take_in(self, rows: Sequence[PersonRow]) -> RowCounts:
        """Store a batch inside the caller's transaction and return what became of its rows."""
        now, tally = clock.now(), RowCounts()
        lock_people(self._organisation_id)
        placed = self._place(rows, tally)
        drafts = self._draft(placed)
        facts_changed = self._store(placed, drafts, now)
        refresh_facts(self._organisation_id, facts_changed)
        news = self._opt_out(placed, drafts, now)
        news |= _mark_bounced(placed, drafts)
        news |= self._attend(placed, now)
        for one in placed:
            self._named.add(one.person_id)
            one.changes |= one.person_id in news
            news.discard(one.person_id)
            self._hold_withdrawal(one, now)
            if one.adds:
                tally.added += 1
            elif one.changes:
                tally.updated += 1
            else:
                tally.unchanged += 1
        return tally

    def contested(self) -> Iterator[list[PersonRow]]:
        """Yield, in batches, the rows that said two people at once, to be taken in once more.

        What later rows say of those people may tell them apart. A second import would find it
        told from the start, and must change nothing; so these rows are looked at until that
        settles none of them any more, and only then rejected.
        """
        while self._contested:
            rows, self._contested = self._contested, []
            # As many as before: another look would find the same.
            self._is_last_look = len(rows) == self._contested_before
            self._contested_before = len(rows)
            for start in range(0, len(rows), BATCH_ROWS):
                yield rows[start : start + BATCH_ROWS]

    def withdrawals(self) -> Iterator[dict[int, tuple[Withdrawal, bool]]]:
        """Yield, in batches, who no longer comes by any row of the file."""
        final = [
            (person_id, held)
            for person_id, held in self._withdrawals.items()
            if person_id not in self._attending
        ]
        for start in range(0, len(final), BATCH_ROWS):
            yield dict(final[start : start + BATCH_ROWS])

    def withdraw(self, people: dict[int, tuple[Withdrawal, bool]]) -> int:
        """Store a batch of withdrawals; return how many rows had been counted as unchanged."""
        if self._event_id is None:
            return 0
        how = {person_id: held[0] for person_id, held in people.items()}
        news = withdraw(self._event_id, Source.REGISTRATION, how, clock.now())
        return sum(people[person_id][1] for person_id in news)

    def _place(self, rows: Sequence[PersonRow], tally: RowCounts) -> list[_Placed]:
        """Find out whom each row is about; a row that says two people is rejected."""
        known = load_known_people(self._organisation_id, [row.contact for row in rows])
        placed: list[_Placed] = []
        for row in rows:
            rivals = known.rivals(row.contact)
            if rivals and len(self._contested) < MOST_CONTESTED and not self._is_last_look:
                self._contested.append(row)
                continue
            if rivals:
                tally.rejected.append(Rejection(row.line, _say_rivals(row, rivals), row.raw))
                continue
            key = known.match(row.contact)
            placed.append(_Placed(row, key or -len(placed) - 1, adds=key is None))
            known.learn(placed[-1].key, row.contact)
        return placed

    def _draft(self, placed: list[_Placed]) -> dict[int, Draft]:
        """Return what each person is after the batch, by key; notes which rows change them."""
        drafts = _load_drafts({one.key for one in placed if one.key > 0})
        touched: set[int] = set()
        for one in placed:
            draft = drafts.setdefault(one.key, empty_draft())
            first = one.key not in touched and (one.adds or one.key not in self._named)
            touched.add(one.key)
            one.changes = draft.take(one.row, may_replace=first)
        return drafts

    def _store(self, placed: list[_Placed], drafts: dict[int, Draft], now: datetime) -> set[int]:
        """Add the new people, change the known ones; return whose facts are other now."""
        new = [key for key in drafts if key < 0]
        added = insert_people([drafts[key].for_insert(self._organisation_id, now) for key in new])
        ids = dict(zip(new, added, strict=True))
        for one in placed:
            one.person_id = ids.get(one.key, one.key)
        changed = {key: draft for key, draft in drafts.items() if key > 0 and draft.changed}
        _update_people(changed, now)
        moved = {key for key, draft in changed.items() if draft.changed & _READ_BY_FACTS}
        return moved | set(added)

    def _opt_out(self, placed: list[_Placed], drafts: dict[int, Draft], now: datetime) -> set[int]:
        """Opt out whoever the file says opted out; return the people for whom it is news."""
        news: set[int] = set()
        for channel in Channel:
            addresses = {
                one.person_id: drafts[one.key].values[_ADDRESS[channel]]
                for one in placed
                if channel in one.row.opted_out and drafts[one.key].values[_ADDRESS[channel]]
            }
            if not addresses:
                continue
            here = IsOneOf(PersonFacts.person_id, sa.literal(list(addresses), IdList))
            query = sa.select(PersonFacts.person_id).where(here, _OPTED_OUT[channel].is_(False))
            news.update(db.session.scalars(query))
            suppress_addresses(
                self._organisation_id, channel, set(addresses.values()), "import", now
            )
        return news

    def _attend(self, placed: list[_Placed], now: datetime) -> set[int]:
        """Store registrations and scans; return the people for whom either is news."""
        if self._event_id is None or self._event_starts_at is None:
            return set()
        otherwise = min(now, self._event_starts_at)
        registered: dict[int, datetime] = {}
        scanned: dict[int, datetime] = {}
        for one in placed:
            row = one.row
            if self._source is Source.REGISTRATION and row.standing in _ATTENDS:
                registered.setdefault(one.person_id, row.registered_at or otherwise)
                self._attending.add(one.person_id)
            if self._is_scan(row):
                unnamed = row.registered_at if self._every_row_is_a_scan else None
                scanned.setdefault(one.person_id, row.checked_in_at or unnamed or otherwise)
        return attend(self._event_id, Source.REGISTRATION, registered, now) | attend(
            self._event_id, Source.QR_SCAN, scanned, now
        )

    def _is_scan(self, row: PersonRow) -> bool:
        return row.checked_in or (self._every_row_is_a_scan and row.standing in _ATTENDS)

    def _hold_withdrawal(self, one: _Placed, now: datetime) -> None:
        status = _WITHDRAWS.get(one.row.standing)
        if status is None or self._event_id is None or self._source is not Source.REGISTRATION:
            return
        how = Withdrawal(
            status,
            one.row.registered_at or now,
            note_new=one.row.standing is not AttendanceStatus.NONE,
        )
        unchanged = not one.adds and not one.changes
        self._withdrawals.setdefault(one.person_id, (how, unchanged))


def _load_drafts(ids: Collection[int]) -> dict[int, Draft]:
    columns = [getattr(Person, name) for name in FIELDS]
    query = sa.select(Person.id, *columns).where(IsOneOf(Person.id, sa.literal(list(ids), IdList)))
    return {
        row.id: Draft({name: getattr(row, name) for name in FIELDS})
        for row in db.session.execute(query)
    }


def _update_people(drafts: dict[int, Draft], now: datetime) -> None:
    if not drafts:
        return
    rows = [
        {f"new_{name}": value for name, value in draft.for_update().items()}
        | {"key": key, "now": now}
        for key, draft in drafts.items()
    ]
    names = [name.removeprefix("new_") for name in rows[0] if name.startswith("new_")]
    # Through the connection: one prepared statement for many rows, past the ORM's bookkeeping.
    db.session.connection().execute(
        sa.update(Person)
        .where(Person.id == sa.bindparam("key"))
        .values(
            updated_at=sa.bindparam("now"),
            **{name: sa.bindparam(f"new_{name}") for name in names},
        ),
        rows,
    )


def _mark_bounced(placed: list[_Placed], drafts: dict[int, Draft]) -> set[int]:
    """Mark e-mail addresses that bounced elsewhere as invalid; return for whom it is news."""
    bounced = [
        one.person_id
        for one in placed
        if one.row.email_bounced and one.row.contact.email == drafts[one.key].values["email"]
    ]
    if not bounced:
        return set()
    here = IsOneOf(PersonFacts.person_id, sa.literal(bounced, IdList))
    news = set(
        db.session.scalars(
            sa.select(PersonFacts.person_id).where(here, PersonFacts.email_invalid.is_(False))
        )
    )
    db.session.execute(
        sa.update(PersonFacts)
        .where(here)
        .values(email_invalid=True)
        .execution_options(synchronize_session=False)
    )
    return news


def _say_rivals(row: PersonRow, rivals: tuple[int, int]) -> str:
    one, other = (f"person {key}" if key > 0 else "an earlier row's person" for key in rivals)
    return (
        f"the phone {row.contact.phone} belongs to {one} and the e-mail {row.contact.email} to "
        f"{other}; leave out the address that is wrong, or correct those people first"
    )
