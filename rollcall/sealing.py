"""The chain of the audit trail: each entry is sealed together with the seal before it.

Entries are sealed when the transaction that recorded them ends. That takes the organisation's
AuditHead for the rest of the transaction, as the last lock it takes, so that two that end at the
same moment seal one after the other and neither waits for anything that the other holds.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Mapper, Session, SessionTransaction, object_session

from rollcall.extensions import PinnableSession
from rollcall.models import AuditEntry, AuditHead
from rollcall.sql import insert_missing

# Before the first entry there is no seal.
NO_SEAL = ""
UNSEALED = "unsealed audit entries"
BATCH = 500
Entry = Mapping[str, Any]  # an entry's row, by the names of its columns

_table = cast(sa.Table, AuditEntry.__table__)
_heads = cast(sa.Table, AuditHead.__table__)
# What an entry's seal covers.
SEALED_COLUMNS = (
    _table.c.id,
    _table.c.organisation_id,
    _table.c.at,
    _table.c.staff_id,
    _table.c.origin,
    _table.c.address,
    _table.c.action,
    _table.c.object_type,
    _table.c.object_id,
    _table.c.before,
    _table.c.after,
)


def seal_entry(entry: Entry, number: int, previous: str) -> str:
    """Return the seal of an entry, as its row reads, that has this number and follows this seal.

    It is the SHA-256, in hexadecimal, of a JSON object with sorted names and no spaces. What the
    change was is in it as a hash of its own, so that it could be erased one day with its hash
    kept, and the chain still be followed.
    """
    said = {column.name: entry[column.name] for column in SEALED_COLUMNS}
    return _hash(
        {
            **said,
            "at": entry["at"].isoformat(timespec="microseconds"),
            "before": _hash(entry["before"]),
            "after": _hash(entry["after"]),
            "number": number,
            "previous": previous,
        }
    )


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@event.listens_for(AuditEntry, "after_insert")
def _note_entry(_mapper: Mapper[Any], connection: sa.Connection, entry: AuditEntry) -> None:
    """Keep the id of each entry that this transaction has recorded.

    The entry itself may be forgotten by its session before the end.
    """
    session = object_session(entry)
    assert session is not None
    waiting = session.info.setdefault(UNSEALED, {})
    waiting.setdefault(entry.organisation_id, []).append(entry.id)


@event.listens_for(PinnableSession, "before_commit")
def _seal_recorded(session: Session) -> None:
    if session.in_nested_transaction():
        return  # the end of a savepoint is not the end of the transaction
    session.flush()
    waiting: dict[int, list[int]] = session.info.pop(UNSEALED, {})
    # In the order of their ids, so that nobody waits for somebody who waits for them.
    for organisation_id in sorted(waiting):
        _seal(session.connection(), organisation_id, sorted(waiting[organisation_id]))


@event.listens_for(PinnableSession, "after_soft_rollback")
def _forget_recorded(session: Session, ended: SessionTransaction) -> None:
    if not ended.nested:
        session.info.pop(UNSEALED, None)


def _seal(connection: sa.Connection, organisation_id: int, ids: list[int]) -> None:
    number, seal = _take_head(connection, organisation_id)
    # The first time also what was recorded before there were seals.
    found = _read_entries(connection, ids) if number else _read_all(connection, organisation_id)
    for batch in found:
        sealed = []
        for entry in batch:
            number, seal = number + 1, seal_entry(entry, number + 1, seal)
            sealed.append({"b_id": entry["id"], "number": number, "seal": seal})
        if sealed:
            connection.execute(sa.update(_table).where(_table.c.id == sa.bindparam("b_id")), sealed)
    connection.execute(
        sa.update(_heads)
        .where(_heads.c.organisation_id == organisation_id)
        .values(number=number, seal=seal)
    )


def _take_head(connection: sa.Connection, organisation_id: int) -> tuple[int, str]:
    head = sa.select(_heads.c.number, _heads.c.seal).where(
        _heads.c.organisation_id == organisation_id
    )
    row = connection.execute(head.with_for_update()).one_or_none()
    if row is None:
        # Another process may add it at the same moment.
        connection.execute(
            insert_missing(AuditHead).values(
                organisation_id=organisation_id, number=0, seal=NO_SEAL
            )
        )
        row = connection.execute(head.with_for_update()).one()
    return row.number, row.seal


def _read_entries(connection: sa.Connection, ids: list[int]) -> Iterator[list[Entry]]:
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        yield _read(connection, _table.c.id.in_(some))


def _read_all(connection: sa.Connection, organisation_id: int) -> Iterator[list[Entry]]:
    last = 0
    while True:
        batch = _read(connection, _table.c.organisation_id == organisation_id, _table.c.id > last)
        if not batch:
            return
        last = batch[-1]["id"]
        yield batch


def _read(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[Entry]:
    """Return entries as they read back: what the database keeps of a value is what is sealed."""
    statement = (
        sa.select(*SEALED_COLUMNS)
        .where(*conditions, _table.c.number.is_(None))
        .order_by(_table.c.id)
        .limit(BATCH)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]
