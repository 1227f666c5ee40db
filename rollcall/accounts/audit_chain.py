"""Whether the audit trail still is what was recorded: its chain of seals, followed to the end.

Whoever can write to the database and knows how entries are sealed could seal a whole trail anew.
So the last number and seal are to be kept elsewhere as well: against them such a trail is known.
"""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import AuditEntry, AuditHead
from rollcall.sealing import NO_SEAL, SEALED_COLUMNS, seal_entry
from rollcall.wording import say_count, say_number

BATCH = 1_000
LARGEST_NUMBER = 2**31 - 1


@dataclass(frozen=True)
class KeptSeal:
    """The number and seal of an entry as they were noted outside of the database."""

    number: int
    seal: str

    def __str__(self) -> str:
        return f"{self.number}:{self.seal}"


@dataclass(frozen=True)
class Fault:
    """The first place at which the trail is not what was recorded."""

    kind: str  # altered, removed, inserted, cut, rebuilt
    number: int | None  # of the entry that is not as it was, or not there
    entry_id: int | None
    text: str


@dataclass(frozen=True)
class ChainReport:
    """What following the chain found; `entries` are all there are, `looked_at` those followed."""

    entries: int
    looked_at: int
    last: KeptSeal | None
    fault: Fault | None
    checked_at: datetime

    @property
    def unbroken(self) -> bool:
        """Return whether every entry that was looked at is as it was recorded."""
        return self.fault is None

    @property
    def sentence(self) -> str:
        """Return what was found, for people."""
        if self.fault is not None:
            return self.fault.text
        if self.last is None:
            return (
                f"{say_count(self.entries, 'entry', 'entries')}, not sealed yet: "
                "the next change seals them."
                if self.entries
                else "No entry yet."
            )
        followed = "" if self.looked_at == self.last.number else self._say_window()
        return f"{say_count(self.entries, 'entry', 'entries')}, chain unbroken{followed}."

    def _say_window(self) -> str:
        return f" (the last {say_number(self.looked_at)} looked at)"

    def to_json(self) -> dict[str, Any]:
        """Return the report as the API and the command line give it."""
        return {
            "unbroken": self.unbroken,
            "entries": self.entries,
            "looked_at": self.looked_at,
            "last_number": self.last.number if self.last else None,
            "last_seal": self.last.seal if self.last else None,
            "fault": asdict(self.fault) if self.fault else None,
            "checked_at": self.checked_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


@dataclass(frozen=True)
class _Ends:
    """The ends of the trail, all of one moment."""

    head: KeptSeal
    highest: int
    unsealed: int
    first_unsealed: int | None

    @property
    def entries(self) -> int:
        """Return how many were recorded: numbers have no gap, so that none has to be counted."""
        return self.head.number + self.unsealed


def read_kept_seal(text: str) -> KeptSeal:
    """Return the number and seal that somebody kept as NUMBER:SEAL; raises InvalidInput."""
    found = re.fullmatch(r"\s*(\d{1,10}):([0-9a-fA-F]{64})\s*", text)
    if found is None or not 1 <= int(found[1]) <= LARGEST_NUMBER:
        raise InvalidInput(
            {"expect": "Give what an earlier check printed: a number, a colon and 64 characters."}
        )
    return KeptSeal(int(found[1]), found[2].lower())


def count_entries(organisation_id: int) -> int:
    """Return how many entries the organisation's trail has, as its chain counts them."""
    return _read_ends(organisation_id).entries


def verify_chain(
    organisation_id: int, *, last: int | None = None, expect: KeptSeal | None = None
) -> ChainReport:
    """Follow the chain of an organisation's trail and return what was found.

    All of it, or only the `last` entries. `expect` is what was kept of an earlier check: it shows
    a trail that was cut back or sealed anew as a whole. Nothing is changed, and entries that are
    added meanwhile are left for the next time.
    """
    ends = _read_ends(organisation_id)
    first = 1 if last is None else max(1, ends.head.number - last + 1)
    fault = (
        _check_expected(organisation_id, ends, expect)
        or _follow(organisation_id, first, ends.head)
        or _check_ends(organisation_id, ends)
    )
    return ChainReport(
        entries=ends.entries,
        looked_at=max(0, ends.head.number - first + 1),
        last=ends.head if ends.head.number else None,
        fault=fault,
        checked_at=clock.now(),
    )


def _read_ends(organisation_id: int) -> _Ends:
    # One statement, so that all of it is of one moment on both databases.
    of_organisation = AuditEntry.organisation_id == organisation_id
    sealed = sa.select(sa.func.max(AuditEntry.number)).where(of_organisation)
    unsealed = (of_organisation, AuditEntry.number.is_(None))
    stored = sa.select(AuditHead).where(AuditHead.organisation_id == organisation_id).subquery()
    row = db.session.execute(
        sa.select(
            sa.select(stored.c.number).scalar_subquery(),
            sa.select(stored.c.seal).scalar_subquery(),
            sealed.scalar_subquery(),
            sa.select(sa.func.count()).select_from(AuditEntry).where(*unsealed).scalar_subquery(),
            sa.select(sa.func.min(AuditEntry.id)).where(*unsealed).scalar_subquery(),
        )
    ).one()
    number, seal, highest, without, first_unsealed = row
    head = KeptSeal(number or 0, seal or NO_SEAL)
    return _Ends(head, highest or 0, without or 0, first_unsealed)


def _follow(organisation_id: int, first: int, head: KeptSeal) -> Fault | None:
    """Seal each entry again, from the number `first` to the head, and compare."""
    previous, wanted = _seal_before(organisation_id, first), first
    while wanted <= head.number:
        rows = _read_numbered(organisation_id, wanted)
        for row in rows:
            if row["number"] != wanted:
                return _say_removed(wanted, row["number"] - 1)
            if previous is None or seal_entry(row, wanted, previous) != row["seal"]:
                return _say_altered(row)
            if wanted == head.number:
                return None if row["seal"] == head.seal else _say_head_differs(row)
            previous, wanted = row["seal"], wanted + 1
        if not rows:
            return _say_cut(wanted, head.number)
    return None


def _seal_before(organisation_id: int, number: int) -> str | None:
    """Return the stored seal before this number; None where there is none and should be."""
    if number == 1:
        return NO_SEAL
    return db.session.scalar(
        sa.select(AuditEntry.seal).where(
            AuditEntry.organisation_id == organisation_id, AuditEntry.number == number - 1
        )
    )


def _read_numbered(organisation_id: int, first: int) -> list[dict[str, Any]]:
    found = db.session.execute(
        sa.select(*SEALED_COLUMNS, AuditEntry.number, AuditEntry.seal)
        .where(AuditEntry.organisation_id == organisation_id, AuditEntry.number >= first)
        .order_by(AuditEntry.number)
        .limit(BATCH)
    )
    return [dict(row) for row in found.mappings()]


def _check_ends(organisation_id: int, ends: _Ends) -> Fault | None:
    if ends.highest > ends.head.number:
        number = ends.head.number + 1
        return Fault(
            "inserted",
            number,
            _id_of(organisation_id, number),
            f"Entry {say_number(number)} was put in after the last one that Rollcall sealed.",
        )
    # Before the first seal all of them are from before there were seals.
    if ends.unsealed and ends.head.number:
        return Fault(
            "inserted",
            None,
            ends.first_unsealed,
            f"The entry with the id {ends.first_unsealed} has no seal: it was not recorded by "
            "Rollcall but put in.",
        )
    return None


def _check_expected(organisation_id: int, ends: _Ends, expect: KeptSeal | None) -> Fault | None:
    if expect is None:
        return None
    if expect.number > ends.head.number:
        return Fault(
            "cut",
            ends.head.number + 1,
            None,
            f"The trail ends at entry {say_number(ends.head.number)}, but it had "
            f"{say_number(expect.number)} when the seal was kept: its end was cut off.",
        )
    entry_id, seal = db.session.execute(
        sa.select(AuditEntry.id, AuditEntry.seal).where(
            AuditEntry.organisation_id == organisation_id, AuditEntry.number == expect.number
        )
    ).one_or_none() or (None, None)
    if seal == expect.seal:
        return None
    return Fault(
        "rebuilt",
        expect.number,
        entry_id,
        f"Entry {say_number(expect.number)} has another seal than the one that was kept: the trail "
        "was changed at it or before it, and sealed anew.",
    )


def _id_of(organisation_id: int, number: int) -> int | None:
    return db.session.scalar(
        sa.select(AuditEntry.id).where(
            AuditEntry.organisation_id == organisation_id, AuditEntry.number == number
        )
    )


def _say_altered(row: dict[str, Any]) -> Fault:
    number = row["number"]
    return Fault(
        "altered",
        number,
        row["id"],
        f"Entry {say_number(number)} ({row['action']} of {row['object_type']} "
        f"{row['object_id']}) does not fit its seal: it, or its place in the trail, was changed.",
    )


def _say_removed(first: int, last: int) -> Fault:
    which = f"Entry {say_number(first)} is"
    if last > first:
        which = f"Entries {say_number(first)} to {say_number(last)} are"
    return Fault("removed", first, None, f"{which} not there any more.")


def _say_cut(first: int, last: int) -> Fault:
    return Fault("cut", first, None, f"{_say_removed(first, last).text} The trail's end is gone.")


def _say_head_differs(row: dict[str, Any]) -> Fault:
    number = row["number"]
    return Fault(
        "rebuilt",
        number,
        row["id"],
        f"The last entry, {say_number(number)}, has another seal than the one that Rollcall noted "
        "when it was recorded: the trail was changed and sealed anew.",
    )
