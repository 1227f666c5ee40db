"""How many statements some work takes: all that reach the database but BEGIN and COMMIT."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from rollcall.extensions import db


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Give the statements of the block, in a session that knows nothing yet."""
    db.session.rollback()
    db.session.remove()
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        # SQLite's BEGIN is a statement of ours; PostgreSQL's is the driver's.
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
