"""Who comes to an event, written for many people at once inside the caller's transaction.

A registration that a file says is attended and another row says is cancelled counts as
attended: people buy two tickets and give one back. So withdrawals are held until the whole
file was read.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import Attendance, Source
from rollcall.models.types import IdList, IsOneOf
from rollcall.sql import insert_missing

ATTENDING = "attending"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """How somebody no longer attends. One never known to attend is noted only if `note_new`."""

    status: str  # cancelled, refunded
    occurred_at: datetime
    note_new: bool


def attend(
    event_id: int, source: Source, people: Mapping[int, datetime], now: datetime
) -> set[int]:
    """Let these people attend, each since the given moment; return those for whom it is news.

    Somebody who had cancelled attends again (A7). Who attends already is left as they are.
    """
    known = _known(event_id, source, people)
    missing = [
        _row(event_id, person_id, source, occurred_at, now)
        for person_id, occurred_at in people.items()
        if person_id not in known
    ]
    _insert_missing(missing)
    back = [person_id for person_id, cancelled in known.items() if cancelled]
    if back:
        db.session.execute(
            sa.update(Attendance)
            .where(_of(event_id, source, back))
            .values(cancelled=False, status=ATTENDING, cancelled_at=None)
            .execution_options(synchronize_session=False)
        )
    return {row["person_id"] for row in missing} | set(back)


def withdraw(
    event_id: int, source: Source, people: Mapping[int, Withdrawal], now: datetime
) -> set[int]:
    """Let these people no longer attend from that source; return those for whom it is news."""
    known = _known(event_id, source, people)
    missing = [
        _row(event_id, person_id, source, how.occurred_at, now)
        | {"cancelled": True, "status": how.status, "cancelled_at": now}
        for person_id, how in people.items()
        if person_id not in known and how.note_new
    ]
    _insert_missing(missing)
    gone = [person_id for person_id, cancelled in known.items() if not cancelled]
    for status in {people[person_id].status for person_id in gone}:
        some = [person_id for person_id in gone if people[person_id].status == status]
        db.session.execute(
            sa.update(Attendance)
            .where(_of(event_id, source, some))
            .values(cancelled=True, status=status, cancelled_at=now)
            .execution_options(synchronize_session=False)
        )
    return {row["person_id"] for row in missing} | set(gone)


def _known(event_id: int, source: Source, people: Collection[int]) -> dict[int, bool]:
    """Return who of them has an attendance there, and whether it is cancelled."""
    query = sa.select(Attendance.person_id, Attendance.cancelled)
    found = db.session.execute(query.where(_of(event_id, source, people)))
    return {row.person_id: row.cancelled for row in found}


def _of(event_id: int, source: Source, people: Collection[int]) -> sa.ColumnElement[bool]:
    return sa.and_(
        Attendance.event_id == event_id,
        Attendance.source == source,
        IsOneOf(Attendance.person_id, sa.literal(list(people), IdList)),
    )


def _row(
    event_id: int, person_id: int, source: Source, occurred_at: datetime, now: datetime
) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "person_id": person_id,
        "source": source,
        "cancelled": False,
        "status": ATTENDING,
        "occurred_at": occurred_at,
        "recorded_at": now,
        "cancelled_at": None,
    }


def _insert_missing(rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    # A scan at the door may have come first, between our look and this insert.
    db.session.connection().execute(insert_missing(Attendance), rows)
