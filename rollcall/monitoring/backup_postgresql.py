"""A PostgreSQL database's backups, by PostgreSQL's own programs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from rollcall import clock
from rollcall.errors import Conflict, NotFound

HEADER = b"PGDMP"
TRIES = 20
LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer ones


class PostgresqlStore:
    """The database on a server."""

    def __init__(self, url: sa.URL) -> None:
        self._url = url

    def back_up(self, target: Path) -> None:
        """Write a consistent copy in pg_dump's own format, and read its list of contents."""
        target.touch(0o600)
        _run(self._url, "pg_dump", "--format=custom", *_ANYBODY, f"--file={target}")
        _run(None, "pg_restore", "--list", str(target))

    @contextmanager
    def loaded(self, file: Path) -> Iterator["LoadedDatabase"]:
        """Load the file into a new database, which is gone afterwards unless it took over."""
        _check_kind(file)
        _run(None, "pg_restore", "--list", str(file))
        with _server(self._url) as server:
            _refuse_used(server, self._url)
            name = f"{_name(self._url)[: LONGEST_NAME - 10]}_restoring"
            server.exec_driver_sql(f"DROP DATABASE IF EXISTS {_quote(name)}")
            _create_like(server, name, _name(self._url))
            try:
                url = self._url.set(database=name)
                _run(url, "pg_restore", "--exit-on-error", *_ANYBODY, str(file))
                yield LoadedDatabase(url, self._url, server)
            finally:
                server.exec_driver_sql(f"DROP DATABASE IF EXISTS {_quote(name)} WITH (FORCE)")


class LoadedDatabase:
    """A backup in a database of its own."""

    def __init__(self, url: sa.URL, place: sa.URL, server: sa.Connection) -> None:
        self.url = url
        self._place = place
        self._server = server

    def take_place(self) -> str | None:
        """Rename both databases in one transaction, which takes that nobody is using them."""
        stamp = f"_before_restore_{clock.now():%Y%m%d_%H%M%S}"
        ours, previous = _name(self._place), _name(self._place)[: LONGEST_NAME - len(stamp)] + stamp
        there = _exists(self._server, ours)
        _refuse_used(self._server, self._place)
        renames = [(ours, previous)] * there + [(_name(self.url), ours)]
        statements = (f"ALTER DATABASE {_quote(a)} RENAME TO {_quote(b)}" for a, b in renames)
        try:
            self._server.exec_driver_sql("BEGIN")
            for statement in statements:
                self._server.exec_driver_sql(statement)
            self._server.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            self._server.exec_driver_sql("ROLLBACK")
            raise Conflict(
                f"The database can't be renamed: {_first_line(str(error.orig))}"
            ) from error
        return f"the database {previous}" if there else None


# Owners and grants are the server's own affair: who restores owns it.
_ANYBODY = ("--no-owner", "--no-privileges")


def _check_kind(file: Path) -> None:
    with file.open("rb") as opened:
        start = opened.read(16)
    if start.startswith(b"SQLite format 3"):
        raise Conflict(f"{file} is a SQLite database, but DATABASE_URL names PostgreSQL.")
    if not start.startswith(HEADER):
        raise Conflict(f"{file} is no backup in pg_dump's custom format.")


@contextmanager
def _server(url: sa.URL) -> Iterator[sa.Connection]:
    """Give a connection to another database of the same server, with no transaction."""
    other = "template1" if _name(url) == "postgres" else "postgres"
    engine = sa.create_engine(url.set(database=other), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _refuse_used(server: sa.Connection, url: sa.URL) -> None:
    connected = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = :name AND backend_type = 'client backend'"
    )
    others = 0
    for _ in range(TRIES):
        others = server.scalar(connected, {"name": _name(url)})
        if not others:
            return
        clock.sleep(0.1)  # our own, closed a moment ago, may be among them
    raise Conflict(
        f"{_name(url)} is in use, by {others} connections. Stop Rollcall first: every flask "
        "serve, flask scheduler run and other program that has it open. Nothing was changed."
    )


def _create_like(server: sa.Connection, name: str, model: str) -> None:
    """Make an empty database that sorts and encodes as the present one does, where there is one."""
    row = server.execute(
        sa.text(
            "SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype"
            " FROM pg_database WHERE datname = :name"
        ),
        {"name": model},
    ).one_or_none()
    like = (
        f" ENCODING '{row.encoding}' LC_COLLATE '{row.datcollate}' LC_CTYPE '{row.datctype}'"
        if row
        else ""
    )
    try:
        server.exec_driver_sql(f"CREATE DATABASE {_quote(name)} TEMPLATE template0{like}")
    except DBAPIError as error:
        raise Conflict(
            f"The backup is loaded into a new database, which can't be made: "
            f"{_first_line(str(error.orig))}. Let the role do it: ALTER ROLE … CREATEDB"
        ) from error


def _exists(server: sa.Connection, name: str) -> bool:
    there = sa.text("SELECT count(*) FROM pg_database WHERE datname = :name")
    return bool(server.scalar(there, {"name": name}))


def _run(url: sa.URL | None, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's; raises NotFound without it, Conflict where it fails."""
    path = shutil.which(program)
    if path is None:
        raise NotFound(
            f"{program} is not installed. It comes with PostgreSQL's client programs, in Debian: "
            "apt-get install postgresql-client"
        )
    environment = dict(os.environ)
    if url is not None:
        # The password goes where other users of the machine don't see it.
        if url.password:
            environment["PGPASSWORD"] = str(url.password)
        plain = url.set(drivername="postgresql", password=None)
        arguments = (f"--dbname={plain.render_as_string()}", *arguments)
    found = subprocess.run(
        [path, "--no-password", *arguments] if url is not None else [path, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode != 0:
        raise Conflict(f"{program} failed: {_first_line(found.stderr)}")


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else "it gave no reason"


def _name(url: sa.URL) -> str:
    return str(url.database)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
