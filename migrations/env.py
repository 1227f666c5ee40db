"""Runs the migrations on the application's database; `flask db …` comes here.

An upgrade is one transaction, so that one that fails leaves the database as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import Connection
from sqlalchemy.types import TypeDecorator

from rollcall.extensions import beginning_as_writer

config = context.config
extension = current_app.extensions["migrate"]
# Whoever restores a backup brings it up to date before it takes the database's place.
engine = config.attributes.get("engine") or extension.db.engine
MOST_NAMED = 5  # rows without what they refer to, in an error


def render_plain_types(kind: str, item: Any, _context: Any) -> str | bool:
    """Write our column types as what the database sees, so that migrations outlive our code."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


@contextmanager
def foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Let SQLite rebuild tables that others refer to, as batch mode does; on again afterwards.

    SQLite ignores this PRAGMA inside a transaction, and SQLAlchemy begins one with the first
    statement that it runs itself. So the driver is told, and told before anything else.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.rollback()
        driver.execute("PRAGMA foreign_keys = ON")


def refuse_lost_references(connection: Connection) -> None:
    """Raise CommandError, which takes all of it back, where a row refers to one that isn't there.

    PostgreSQL sees to this itself.
    """
    if connection.dialect.name != "sqlite":
        return
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if lost:
        named = "; ".join(
            f"row {row} of {table} refers to {parent}"
            for table, row, parent, _ in lost[:MOST_NAMED]
        )
        raise CommandError(
            f"Nothing was changed: {len(lost)} rows would refer to rows that don't exist "
            f"({named}). Where `PRAGMA foreign_key_check` finds them in the database as it is, "
            "take a backup, remove these rows, and try again. Else the migration is wrong: "
            "report it."
        )


def run() -> None:
    """Upgrade online; Flask-Migrate passes what was configured in create_app."""
    with engine.connect() as connection, foreign_keys_off(connection):
        connection.detach()  # whatever happens, nobody else is given it afterwards
        context.configure(
            connection=connection,
            target_metadata=extension.db.metadata,
            render_item=render_plain_types,
            # SQLite's driver is told to leave BEGIN to us, so that tables too can be taken back.
            transactional_ddl=True,
            **extension.configure_args,
        )
        with beginning_as_writer(), context.begin_transaction():
            context.run_migrations()
            refuse_lost_references(connection)


run()
