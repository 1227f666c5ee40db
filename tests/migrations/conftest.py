"""Databases at every revision, each with rows in every table; built once a worker."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from tests.migrations.databases import (
    MIGRATIONS,
    Databases,
    Rows,
    looked_at,
    move,
    read_rows,
    read_schema,
)
from tests.migrations.filling import fill_every_table

REVISIONS = sorted(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


@dataclass(frozen=True)
class Filled:
    """A database at a revision: what is in it, and what its tables are made of."""

    url: str
    rows: Rows
    schema: dict[str, Any]


@pytest.fixture(scope="session")
def databases(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Databases:
    server = None if database_kind == "sqlite" else request.getfixturevalue("postgresql_url")
    return Databases(tmp_path_factory.mktemp("migrated"), server)


@pytest.fixture
def bare_database(databases: Databases) -> str:
    """The URL of a database without a single table."""
    return databases.make()


@pytest.fixture(scope="session")
def filled(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Filled]:
    """By revision a database with rows in every table, to be copied and not to be changed."""
    folder: Path = tmp_path_factory.mktemp("instance")
    found: dict[str, Filled] = {}
    empty: str | None = None
    for revision in REVISIONS:
        empty = databases.make(empty)
        move(empty, folder, revision)
        url = databases.make(empty)
        with looked_at(url) as connection:
            fill_every_table(connection)
            connection.commit()
            rows = read_rows(connection)
            assert all(rows.values()), "of an empty table nothing could be lost"
            found[revision] = Filled(url, rows, read_schema(connection))
    return found
