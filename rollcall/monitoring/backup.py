"""Backups: taken while Rollcall serves, and put back without a message going out twice.

A backup is put back in three steps, and only the last one touches the database: it is loaded
beside it, brought up to date there with all messages held, and then takes its place.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from rollcall.config import Settings
from rollcall.errors import Conflict, NotFound
from rollcall.extensions import db, pinned_connection, prepare_engine
from rollcall.monitoring.backup_postgresql import PostgresqlStore
from rollcall.monitoring.backup_sqlite import SqliteStore
from rollcall.monitoring.doctor_tables import MIGRATIONS
from rollcall.sending.installation import hold_restored_backup


class Store(Protocol):
    """What one kind of database has to be able to do."""

    def back_up(self, target: Path) -> None:
        """Write a consistent copy of the database, checked, to a file that isn't there yet."""
        ...

    def loaded(self, file: Path) -> AbstractContextManager["Loaded"]:
        """Load a backup beside the database, which nobody else may be using; gone afterwards."""
        ...


class Loaded(Protocol):
    """A backup that was loaded beside the database."""

    @property
    def url(self) -> sa.URL:
        """Where it can be worked on."""
        ...

    def take_place(self) -> str | None:
        """Let it take the database's place; return where the database until now is kept."""
        ...


@dataclass(frozen=True)
class Restored:
    """What became of the database."""

    revision: str  # of the backup's tables
    updated_to: str
    previous: str | None  # a file, or a database of the same server
    reason: str  # why messages are held


def take_backup(settings: Settings, file: Path, *, replace: bool = False) -> int:
    """Write the whole database to the file while others go on working; return its bytes.

    Raises Conflict where the file is there already (unless it is to be replaced), where the
    database is damaged, and where a program that it takes is missing.
    """
    url = sa.make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and file.resolve() == Path(url.database or "").resolve():
        raise Conflict("A backup can't take the place of the database itself.")
    if file.exists() and not replace:
        raise Conflict(f"{file} is there already. Name another file, or replace it with --force.")
    if not file.parent.is_dir():
        raise NotFound(f"There is no folder {file.parent}.")
    db.session.remove()
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        _store(settings).back_up(part)
        part.chmod(0o600)  # names, phones and addresses of everybody are in it
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def restore_backup(settings: Settings, file: Path) -> Restored:
    """Put a backup in the place of the database, its tables up to date and all messages held.

    Raises NotFound and Conflict where the file is no sound backup of this kind of database and
    where somebody has the database open; then nothing was touched.
    """
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    db.session.remove()
    db.engine.dispose()
    with _store(settings).loaded(file) as loaded:
        with _engine_of(loaded.url) as engine:
            revision = _revision_of(engine, file)
            _bring_up_to_date(engine)
            with pinned_connection(engine):
                reason = hold_restored_backup(settings)
            db.session.remove()
        previous = loaded.take_place()
    return Restored(revision, _head(), previous, reason)


def _store(settings: Settings) -> Store:
    url = sa.make_url(settings.database_url)
    return SqliteStore(url) if url.get_backend_name() == "sqlite" else PostgresqlStore(url)


@contextmanager
def _engine_of(url: sa.URL) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url, hide_parameters=True)
    prepare_engine(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def _revision_of(engine: sa.Engine, file: Path) -> str:
    """Return the revision of the backup's tables; raises Conflict where they are not Rollcall's."""
    with engine.connect() as connection:
        ours = sa.inspect(connection).has_table("organisation")
        heads = MigrationContext.configure(connection).get_current_heads()
    if not ours or len(heads) != 1:
        raise Conflict(f"{file} is no backup of Rollcall: its tables are missing.")
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if heads[0] not in known:
        raise Conflict(
            f"{file} was made by a newer version of Rollcall (its tables are of {heads[0]}). "
            "Update Rollcall first."
        )
    return heads[0]


def _bring_up_to_date(engine: sa.Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["engine"] = engine
    command.upgrade(config, "head")


def _head() -> str:
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert head is not None
    return head
