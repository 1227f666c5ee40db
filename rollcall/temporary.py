"""A select's rows kept in a temporary table: evaluated outside of any write lock, used inside.

Five campaigns that evaluate inside SQLite's write lock queue for seconds; with the rows in a
table of the connection's own, only the insert of ready rows holds the lock.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db, pinned_connection


@contextmanager
def filled_temporary(
    table: sa.Table, rows: sa.Select[*tuple[Any, ...]], values: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Fill the temporary table for the block, which may begin and commit transactions.

    `rows` gives the table's columns in their order; `values` are its bound parameters. The
    table must be made with the prefix TEMPORARY and a metadata of its own, which migrations
    do not see.
    """
    with pinned_connection():
        connection = db.session.connection()
        table.drop(connection, checkfirst=True)
        table.create(connection)
        connection.execute(
            sa.insert(table).from_select(list(table.c.keys()), rows), dict(values or {})
        )
        if connection.dialect.name == "postgresql":
            # Without figures of the new table the planner takes it for small.
            connection.execute(sa.text(f"ANALYZE {table.name}"))
        db.session.commit()
        try:
            yield
        finally:
            db.session.rollback()
            table.drop(db.session.connection(), checkfirst=True)
            db.session.commit()
