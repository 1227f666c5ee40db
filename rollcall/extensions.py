"""The Flask extensions, unbound, and the one way to write to the database.

`write()` is a transaction that begins as a writer. On SQLite a transaction that
begins by reading and then wants to write fails at once when somebody else wrote in
between, whatever the busy timeout; one that begins with BEGIN IMMEDIATE waits its turn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import DeclarativeBase

from rollcall import clock

BUSY_TIMEOUT_MS = 30_000

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_begin_as_writer: ContextVar[bool] = ContextVar("begin_as_writer", default=False)


class Base(DeclarativeBase):
    """What every table's class derives from."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class PinnableSession(Session):
    """A session that `pinned_connection` can hold to one connection across transactions."""

    pinned: Connection | None = None

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        """Return the pinned connection if there is one, else Flask-SQLAlchemy's choice."""
        return self.pinned if self.pinned is not None else super().get_bind(*args, **kwargs)


db = SQLAlchemy(model_class=Base, session_options={"class_": PinnableSession})
migrate = Migrate()

# Flask-SQLAlchemy makes its base class at run time, where no type checker sees it.
if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class NestedTransaction(RuntimeError):
    """A verb was called inside another verb's transaction: a mistake in the code."""


def end_reading() -> None:
    """End the transaction that reading has begun: before anybody waits, for whatever it is.

    While one is open SQLite can't empty its write-ahead log, which fills the disk in the end, and
    on PostgreSQL an update waits for it in vain. Raises NestedTransaction inside a `write()`.
    """
    session = db.session()
    if session.info.get("writing"):
        raise NestedTransaction("commit first, then wait")
    session.rollback()


def pause(seconds: float) -> None:
    """Let so much time pass with no transaction open; see `end_reading`."""
    end_reading()
    clock.sleep(seconds)


@contextmanager
def beginning_as_writer() -> Iterator[None]:
    """Let a transaction that begins in this block take SQLite's write lock with its BEGIN."""
    token = _begin_as_writer.set(True)
    try:
        yield
    finally:
        _begin_as_writer.reset(token)


@contextmanager
def write() -> Iterator[None]:
    """Run the block as one transaction that may write: committed at its end, or nothing happened.

    A read transaction that the session still has open is ended first. Raises
    NestedTransaction when the block of another `write()` is still open.
    """
    session = db.session()
    if session.info.get("writing"):
        raise NestedTransaction("one public verb is one transaction")
    session.commit()
    with beginning_as_writer():
        session.connection()
    session.info["writing"] = True
    try:
        yield
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop("writing", None)


@contextmanager
def pinned_connection(engine: Engine | None = None) -> Iterator[None]:
    """Keep the session on one connection across transactions, so that its temporary tables last.

    With `engine` it is a connection to that database instead of the application's own. Raises
    NestedTransaction inside a `write()`, whose first half would be committed by this.
    """
    session = cast(PinnableSession, db.session())
    if session.info.get("writing"):
        raise NestedTransaction("evaluate first, then write")
    if session.pinned is not None:
        yield
        return
    session.commit()
    with (engine or db.engine).connect() as connection:
        session.pinned = connection
        try:
            yield
            session.commit()
        finally:
            session.rollback()
            session.pinned = None


def prepare_engine(engine: Engine) -> None:
    """Set what each new connection needs: on SQLite WAL, foreign keys, durability, own BEGIN."""
    if engine.dialect.name != "sqlite":
        return
    event.listen(engine, "connect", _prepare_sqlite_connection)
    event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite_connection(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # the driver's own BEGIN comes too late: see `write`
    cursor = dbapi_connection.cursor()
    # The timeout comes first: switching to WAL itself needs a lock.
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA temp_store = FILE")
    cursor.execute("PRAGMA cache_size = -32000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _begin_as_writer.get() else "BEGIN")
