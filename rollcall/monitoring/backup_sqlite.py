"""A SQLite database's backups: made by SQLite's own backup interface, never by copying files.

A file that is copied while somebody writes is torn, and a file that is put back beside an old
`-wal` has that replayed over it. https://www.sqlite.org/howtocorrupt.html#_backup_or_restore_while_a_transaction_is_active
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from rollcall import clock
from rollcall.errors import Conflict

HEADER = b"SQLite format 3\x00"
PATIENCE = 5.0  # seconds that a lock of somebody else is waited for
BESIDE = ("-wal", "-shm", "-journal")


class SqliteStore:
    """The database in one file."""

    def __init__(self, url: sa.URL) -> None:
        self._path = Path(url.database or "").resolve()

    def back_up(self, target: Path) -> None:
        """Write a consistent copy to the file, which needs no other file beside it."""
        if not self._path.exists():
            raise Conflict(f"There is no database {self._path}.")
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
        with closing(_open(self._path)) as database, closing(_open(target)) as copy:
            database.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            _refuse_damaged(copy, f"The database {self._path}")

    @contextmanager
    def loaded(self, file: Path) -> Iterator["LoadedFile"]:
        """Check the file and load it beside the database, which is locked meanwhile."""
        with _locked(self._path) as database:
            beside = self._path.with_name(f".{self._path.name}.restoring")
            _remove(beside)
            try:
                _copy_checked(file, beside)
                yield LoadedFile(beside, self._path, database)
            finally:
                _remove(beside)


class LoadedFile:
    """A backup beside the database, which nobody else can open."""

    def __init__(self, path: Path, place: Path, database: sqlite3.Connection | None) -> None:
        self.url = sa.URL.create("sqlite", database=str(path))
        self._path = path
        self._place = place
        self._database = database

    def take_place(self) -> str | None:
        """Copy the database aside and write this one over it, in one transaction."""
        stamp = f"{clock.now():%Y%m%d-%H%M%S}"
        previous = self._place.with_name(f"{self._place.name}.before-restore-{stamp}")
        with closing(_open(self._path)) as loaded:
            _refuse_damaged(loaded, "The backup, once its tables were up to date,")
            if self._database is None:
                return self._be_first(loaded, previous)
            with closing(sqlite3.connect(previous)) as kept:
                self._database.backup(kept)
            previous.chmod(self._place.stat().st_mode & 0o777)
            loaded.backup(self._database)
        return str(previous)

    def _be_first(self, loaded: sqlite3.Connection, previous: Path) -> str | None:
        """Be the database where there is none, or none that SQLite can open."""
        moved = None
        for suffix in ("", *BESIDE):
            there = self._place.with_name(self._place.name + suffix)
            if there.exists():
                there.rename(previous.with_name(previous.name + suffix))
                moved = str(previous)
        with closing(sqlite3.connect(self._place)) as database:
            loaded.backup(database)
            database.execute("PRAGMA journal_mode = DELETE")
        return moved


@contextmanager
def _locked(path: Path) -> Iterator[sqlite3.Connection | None]:
    """Lock the database against everybody; None where there is none that can be opened.

    Whoever has a database in WAL mode open keeps it from leaving that mode, also while idle. With
    the mode its `-wal` goes, written into the database. Raises Conflict where it is in use.
    """
    if not path.exists() or path.stat().st_size == 0:
        yield None
        return
    with closing(_open(path)) as database:
        try:
            mode = database.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
            database.execute("COMMIT")  # the lock stays until the connection is closed
        except sqlite3.OperationalError as error:
            mode = f"locked: {error}"
        except sqlite3.DatabaseError:
            mode = None  # not a database any more, so that nobody can be working with it
        if mode not in ("delete", None):
            raise Conflict(
                f"{path} is in use. Stop Rollcall first: every flask serve, flask scheduler run "
                "and other program that has it open. Nothing was changed."
            )
        yield database if mode else None


def _copy_checked(file: Path, target: Path) -> None:
    """Copy a backup; raises Conflict where it is no sound database by itself."""
    with file.open("rb") as opened:
        start = opened.read(len(HEADER))
    if start.startswith(b"PGDMP"):
        raise Conflict(f"{file} is a backup of PostgreSQL, but DATABASE_URL names SQLite.")
    if start != HEADER:
        raise Conflict(f"{file} is no SQLite database.")
    wal = file.with_name(file.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        raise Conflict(
            f"{file} has {wal.name} beside it: it was copied or is being used, and is no backup. "
            "Make one with: flask backup FILE"
        )
    os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            closing(_open(file, "mode=ro&immutable=1")) as backup,
            closing(_open(target)) as copy,
        ):
            backup.backup(copy)
            _refuse_damaged(copy, f"The backup {file}")
    except sqlite3.DatabaseError as error:
        raise Conflict(f"{file} is damaged: {error}.") from error


def _refuse_damaged(database: sqlite3.Connection, what: str) -> None:
    said = [row[0] for row in database.execute("PRAGMA integrity_check(3)")]
    if said != ["ok"]:
        raise Conflict(f"{what} is damaged: {'; '.join(said)}.")
    lost = database.execute("PRAGMA foreign_key_check").fetchall()
    if lost:
        table, row, parent, _ = lost[0]
        raise Conflict(
            f"{what} is damaged: {len(lost)} rows refer to rows that don't exist, as row {row} of "
            f"{table} to {parent}."
        )


def _open(path: Path, how: str = "mode=rw") -> sqlite3.Connection:
    uri = f"file:{quote(str(path.resolve()))}?{how}"
    return sqlite3.connect(uri, timeout=PATIENCE, isolation_level=None, uri=True)


def _remove(path: Path) -> None:
    for suffix in ("", *BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
