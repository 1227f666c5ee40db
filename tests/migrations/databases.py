"""Databases for the tests of migrations: made, copied, migrated, and looked at as they are."""

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask_migrate import downgrade, upgrade

from app import create_app
from rollcall.extensions import db
from tests.conftest import make_settings

Rows = dict[str, list[dict[str, Any]]]
MIGRATIONS = Path(__file__).parents[2] / "migrations"
EARLIER = Path(__file__).parents[1] / "data" / "migrations"


# Of all that make databases on one server; each worker has a server of its own.
_numbers = itertools.count()


class Databases:
    """Makes databases of one kind, each without a table or as a copy of another."""

    def __init__(self, folder: Path, server: str | None) -> None:
        self._folder = folder
        self._server = server

    def make(self, copied: str | None = None) -> str:
        """Return the URL of a new database; nobody may be using the one that is copied."""
        name = f"migrated{next(_numbers)}"
        if self._server is None:
            path = self._folder / f"{name}.sqlite"
            if copied is not None:
                shutil.copy(copied.removeprefix("sqlite:///"), path)
            return f"sqlite:///{path}"
        template = sa.make_url(copied).database if copied is not None else "template1"
        self._command(f"CREATE DATABASE {name} TEMPLATE {template}")
        url = sa.make_url(self._server).set(database=name)
        return url.render_as_string(hide_password=False)

    def _command(self, statement: str) -> None:
        assert self._server is not None
        engine = sa.create_engine(self._server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def opened(url: str, folder: Path) -> Iterator[None]:
    """Have the application on this database, whose last connection is closed with the block."""
    app = create_app(make_settings(folder, url))
    with app.app_context():
        try:
            yield
        finally:
            db.session.remove()
            db.engine.dispose()


def move(url: str, folder: Path, revision: str, migrations: Path = MIGRATIONS) -> None:
    """Bring the database up to a revision, or down to it with `-` before it."""
    run: Callable[..., None] = downgrade if revision.startswith("-") else upgrade
    with opened(url, folder):
        run(directory=str(migrations), revision=revision.removeprefix("-"))


def migrations_with(earlier: Sequence[str], folder: Path) -> Path:
    """Copy the migrations, some of them as they once stood."""
    migrations = shutil.copytree(MIGRATIONS, folder / "migrations")
    for name in earlier:
        [now] = migrations.glob(f"versions/{name[:4]}_*.py")
        shutil.copy(EARLIER / f"{name}.txt", now)
    return migrations


def read_rows(connection: sa.Connection) -> Rows:
    """Return every row of every table as the driver gives it."""
    names = sa.inspect(connection).get_table_names()
    return {
        name: [
            dict(row._mapping)
            for row in connection.exec_driver_sql(f"SELECT * FROM {name}")  # noqa: S608
        ]
        for name in names
        if name != "alembic_version"
    }


def lost_rows(before: Rows, after: Rows) -> list[str]:
    """Return what is not as it was, of the tables and columns that are in both."""
    lost = []
    for name in before.keys() & after.keys():
        if not before[name] + after[name]:
            continue
        columns = set.intersection(*(set(row) for row in before[name] + after[name]))
        was, now = (
            sorted(str([row[column] for column in sorted(columns)]) for row in rows)
            for rows in (before[name], after[name])
        )
        if was != now:
            lost.append(f"{name}: {was}, and now {now}")
    return lost


def read_schema(connection: sa.Connection) -> dict[str, Any]:
    """Return all that makes up the tables, their order of columns left out."""
    inspector = sa.inspect(connection)
    columns = {
        name: {
            column["name"]: (str(column["type"]), column["nullable"], column["default"])
            for column in found
        }
        for (_, name), found in inspector.get_multi_columns().items()
    }
    keys = {
        name: found["constrained_columns"] if found else []
        for (_, name), found in inspector.get_multi_pk_constraint().items()
    }
    return {
        "columns": columns,
        "keys": keys,
        "references": _by_name(inspector.get_multi_foreign_keys()),
        "unique": _by_name(inspector.get_multi_unique_constraints()),
        "indexes": _by_name(inspector.get_multi_indexes()),
        "triggers": _triggers(connection),
        "without rowid": _without_rowid(connection),
    }


def _by_name(tables: Any) -> dict[str, Any]:
    return {
        name: {thing["name"]: _plain(thing) for thing in found}
        for (_, name), found in tables.items()
    }


def _plain(value: Any) -> Any:
    """Write conditions out, which are objects that equal nothing but themselves."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value)


def differences(found: Any, meant: Any, path: str = "") -> list[str]:
    """Return where two schemas differ, each as a line."""
    if not (isinstance(found, dict) and isinstance(meant, dict)):
        return [] if found == meant else [f"{path}: {found}, should be {meant}"]
    return [
        line
        for key in sorted(found.keys() | meant.keys())
        for line in differences(found.get(key), meant.get(key), f"{path}/{key}")
    ]


def _without_rowid(connection: sa.Connection) -> dict[str, bool]:
    """Which tables SQLite keeps by their primary key, and not by a number of its own."""
    if connection.dialect.name != "sqlite":
        return {}
    made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    return {row.name: "WITHOUT ROWID" in row.sql.upper() for row in made}


def _triggers(connection: sa.Connection) -> dict[str, str]:
    statement = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    if connection.dialect.name != "sqlite":
        statement = (
            "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
            " UNION ALL SELECT proname, pg_get_functiondef(oid) FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace"
        )
    return {row[0]: row[1] for row in connection.exec_driver_sql(statement)}


def find_damage(connection: sa.Connection) -> list[Any]:
    """Return what the database itself finds wrong: its file, its indexes, its references."""
    if connection.dialect.name != "sqlite":
        return []  # nothing there can be written past its own checks
    said = list(connection.exec_driver_sql("PRAGMA integrity_check").scalars())
    return [
        *(line for line in said if line != "ok"),
        *connection.exec_driver_sql("PRAGMA foreign_key_check").all(),
        *([] if connection.exec_driver_sql("PRAGMA foreign_keys").scalar() else ["keys are off"]),
    ]


@contextmanager
def looked_at(url: str) -> Iterator[sa.Connection]:
    """Give a connection of the test's own, without anything that the application sets."""
    engine = sa.create_engine(url)
    with closing(engine.connect()) as connection:
        yield connection
    engine.dispose()
