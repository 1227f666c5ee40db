"""The one idea behind every snapshot: it is there before the state changes, and there is one.

A segment's version, a campaign's list and an event's plan are captured in the same way: in
the transaction that changes the state, before the change, with the row that owns the snapshot
locked, so that asking twice, or two at once, gives the same snapshot; and where anything
fails, state and snapshot are both as they were.
"""

from collections.abc import Callable
from typing import TypeVar

from rollcall.extensions import db

Row = TypeVar("Row")
Snapshot = TypeVar("Snapshot")


def lock_row(model: type[Row], row_id: int) -> Row:
    """Return the row as it is now, and let nobody else change it until the transaction ends.

    On SQLite the transaction that writes holds everybody else off already. Raises
    sqlalchemy.exc.NoResultFound where there is no such row.
    """
    return db.session.get_one(model, row_id, populate_existing=True, with_for_update=True)


def capture_once(find: Callable[[], Snapshot | None], take: Callable[[], Snapshot]) -> Snapshot:
    """Return the snapshot that is there, else the one that is taken now.

    Call it inside the transaction that goes on to change the state, after `lock_row`.
    """
    require_transaction()
    found = find()
    return take() if found is None else found


def require_transaction() -> None:
    """Raise RuntimeError outside of a `write()`: a snapshot must be undone with its change."""
    if not db.session().info.get("writing"):
        raise RuntimeError("a snapshot is taken inside the transaction that changes the state")
