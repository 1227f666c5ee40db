"""Backups: what is taken and put back, what is refused, and that nothing goes out afterwards."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from click.testing import Result

from app import create_app
from rollcall import clock
from rollcall.extensions import db
from rollcall.models import Installation, Organisation, StaffMail
from rollcall.sending.installation import find_hold, may_send
from tests.conftest import make_settings
from tests.factories import make_organisation, make_staff
from tests.migrations.conftest import REVISIONS
from tests.migrations.databases import Databases, looked_at, move
from tests.migrations.filling import fill_every_table

HEAD = REVISIONS[-1]
Run = Callable[..., Result]


@pytest.fixture
def own_app(databases: Databases, tmp_path: Path, postgresql_programs: None) -> Iterator[APIFlask]:
    """The application on a database that the test may put another in the place of."""
    url = databases.make()
    move(url, tmp_path, "head")
    app = create_app(make_settings(tmp_path / "instance", url))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def run(own_app: APIFlask) -> Run:
    def invoke(*arguments: str | Path) -> Result:
        return own_app.test_cli_runner().invoke(args=[str(one) for one in arguments])

    return invoke


def refused(result: Result, *words: str) -> None:
    """It failed with one line on stderr that says this."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


def slugs() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(Organisation.slug).order_by(Organisation.slug)))


def database_file(app: APIFlask) -> Path:
    return Path(app.extensions["rollcall"].database_url.removeprefix("sqlite:///"))


def test_what_was_taken_is_put_back_and_what_was_there_is_kept(
    run: Run, own_app: APIFlask, tmp_path: Path
):
    make_organisation("before")
    taken = run("backup", tmp_path / "one.backup")
    assert taken.exit_code == 0, taken.output
    assert (tmp_path / "one.backup").stat().st_mode & 0o777 == 0o600
    make_organisation("after")
    restored = run("restore", tmp_path / "one.backup")
    assert restored.exit_code == 0, restored.output
    assert slugs() == ["before"]
    [kept] = [line for line in restored.stdout.splitlines() if "is kept as" in line]
    name = kept.rstrip(".").split()[-1]
    ours = sa.make_url(own_app.extensions["rollcall"].database_url)
    with looked_at(ours.set(database=name).render_as_string(hide_password=False)) as connection:
        found = connection.scalars(sa.text("SELECT slug FROM organisation ORDER BY slug")).all()
    assert found == ["after", "before"]


def test_messages_are_held_also_where_no_mark_is_left(run: Run, own_app: APIFlask, tmp_path: Path):
    staff = make_staff()
    db.session.add(
        StaffMail(
            organisation_id=staff.organisation_id,
            address=staff.email,
            subject="Waits",
            text="",
            created_at=clock.now(),
            not_before=clock.now(),
        )
    )
    db.session.commit()
    assert may_send(own_app.extensions["rollcall"])
    assert run("backup", tmp_path / "one.backup").exit_code == 0
    restored = run("restore", tmp_path / "one.backup")
    assert "Nothing goes out until a super confirms that it may." in restored.stdout
    assert not may_send(own_app.extensions["rollcall"])
    assert find_hold() is not None
    waiting = db.session.scalars(sa.select(StaffMail).where(StaffMail.ended_at.is_(None))).all()
    assert [mail.subject for mail in waiting if mail.subject == "Waits"] == []
    status = run("restore", "status")
    assert "A backup was restored" in status.stdout
    assert "Confirm with: flask restore confirm" in status.stdout
    assert "A backup was restored" in run("doctor").stdout
    assert run("restore", "confirm").stdout == "Messages may go out.\n"
    assert may_send(own_app.extensions["rollcall"])


@pytest.mark.parametrize("revision", ["0001", "0004"])
def test_a_backup_of_an_earlier_version_is_brought_up_to_date_and_held(
    revision: str, databases: Databases, run: Run, own_app: APIFlask, tmp_path: Path
):
    old = databases.make()
    move(old, tmp_path, revision)
    with looked_at(old) as connection:
        fill_every_table(connection)
        connection.commit()
    other = create_app(make_settings(tmp_path / "old", old))
    with other.app_context():
        taken = other.test_cli_runner().invoke(args=["backup", str(tmp_path / "old.backup")])
        assert taken.exit_code == 0, taken.output
        db.engine.dispose()
    restored = run("restore", tmp_path / "old.backup")
    assert restored.exit_code == 0, restored.output
    assert f"Its tables were brought up to date, from {revision}." in restored.stdout
    assert slugs() == ["x1", "x2"]
    assert db.session.scalar(sa.text("SELECT version_num FROM alembic_version")) == HEAD
    assert db.session.get_one(Installation, 1).held_at is not None


def test_no_file_is_written_over_unless_that_is_wanted(
    run: Run, own_app: APIFlask, tmp_path: Path, database_kind: str
):
    file = tmp_path / "one.backup"
    file.write_text("something else")
    refused(run("backup", file), "is there already", "--force")
    assert file.read_text() == "something else"
    assert run("backup", file, "--force").exit_code == 0
    assert file.read_bytes()[:5] in (b"PGDMP", b"SQLit")
    refused(run("backup", tmp_path / "nowhere" / "one.backup"), "no folder")
    if database_kind == "sqlite":
        refused(run("backup", database_file(own_app), "--force"), "the database itself")
    assert slugs() == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".one")] == []


def test_what_is_no_backup_is_refused_and_nothing_is_touched(
    run: Run, own_app: APIFlask, tmp_path: Path, database_kind: str
):
    make_organisation("kept")
    refused(run("restore", tmp_path / "nothing.backup"), "no file")
    text = tmp_path / "text.backup"
    text.write_text("hello")
    refused(run("restore", text), "no SQLite database" if database_kind == "sqlite" else "pg_dump")
    other = tmp_path / "other.backup"
    other.write_bytes(b"PGDMP" if database_kind == "sqlite" else b"SQLite format 3\x00")
    refused(run("restore", other), "PostgreSQL", "DATABASE_URL")
    torn = tmp_path / "torn.backup"
    assert run("backup", torn).exit_code == 0
    whole = torn.read_bytes()
    torn.write_bytes(whole[: len(whole) // 2])
    refused(run("restore", torn), "damaged" if database_kind == "sqlite" else "pg_restore failed")
    assert slugs() == ["kept"]
    assert find_hold() is None
    assert run("doctor").exit_code == 0


def test_a_database_of_somebody_else_or_of_the_future_is_refused(
    databases: Databases, run: Run, own_app: APIFlask, tmp_path: Path
):
    make_organisation("kept")
    foreign = databases.make()
    with looked_at(foreign) as connection:
        connection.exec_driver_sql("CREATE TABLE recipes (id INTEGER PRIMARY KEY)")
        connection.commit()
    new = databases.make()
    move(new, tmp_path, "head")
    with looked_at(new) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for url, said in ((foreign, "no backup of Rollcall"), (new, "newer version")):
        file = tmp_path / f"{said[:2]}.backup"
        other = create_app(make_settings(tmp_path / said[:2], url))
        with other.app_context():
            assert other.test_cli_runner().invoke(args=["backup", str(file)]).exit_code == 0
            db.engine.dispose()
        refused(run("restore", file), said)
    assert slugs() == ["kept"]
    assert find_hold() is None


def test_nothing_is_restored_while_somebody_has_the_database_open(
    run: Run, own_app: APIFlask, tmp_path: Path
):
    make_organisation("kept")
    file = tmp_path / "one.backup"
    assert run("backup", file).exit_code == 0
    make_organisation("new")
    with looked_at(own_app.extensions["rollcall"].database_url) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM organisation")) == 2
        connection.rollback()  # idle, as a server is that nobody asks anything
        refused(run("restore", file), "in use", "Stop Rollcall first", "Nothing was changed")
    assert slugs() == ["kept", "new"]
    assert run("restore", file).exit_code == 0
    assert slugs() == ["kept"]


class TestOnSqlite:
    @pytest.fixture(autouse=True)
    def only_sqlite(self, database_kind: str) -> None:
        if database_kind != "sqlite":
            pytest.skip("about files")

    def test_a_copied_file_with_its_log_beside_is_no_backup(
        self, run: Run, own_app: APIFlask, tmp_path: Path
    ):
        make_organisation("kept")
        live = database_file(own_app)
        copied = tmp_path / "copied.sqlite"
        with looked_at(f"sqlite:///{live}") as connection:
            connection.exec_driver_sql("SELECT * FROM organisation").all()
            shutil.copy(live, copied)
            shutil.copy(f"{live}-wal", f"{copied}-wal")
        refused(run("restore", copied), "copied.sqlite-wal beside it", "flask backup")

    def test_an_index_that_lacks_rows_is_found(self, run: Run, own_app: APIFlask, tmp_path: Path):
        for number in range(3):
            make_organisation(f"kept{number}")
        file = tmp_path / "one.backup"
        assert run("backup", file).exit_code == 0
        leave_out_of_index(file)
        refused(run("restore", file), "is damaged", "index")
        db.engine.dispose()
        leave_out_of_index(database_file(own_app))
        good = tmp_path / "good.backup"
        refused(run("backup", good), "is damaged")
        assert not good.exists()

    def test_a_damaged_database_is_replaced_and_kept(
        self, run: Run, own_app: APIFlask, tmp_path: Path
    ):
        make_organisation("kept")
        file = tmp_path / "one.backup"
        assert run("backup", file).exit_code == 0
        db.engine.dispose()
        live = database_file(own_app)
        live.write_bytes(b"not a database any more" * 1000)
        live.with_name(f"{live.name}-wal").write_bytes(b"something old")
        restored = run("restore", file)
        assert restored.exit_code == 0, restored.output
        assert slugs() == ["kept"]
        kept, *_, wal = sorted(live.parent.glob(f"{live.name}.before-restore-*"))
        assert kept.read_bytes().startswith(b"not a database any more")
        assert wal.read_bytes() == b"something old"

    def test_where_there_is_no_database_yet_the_backup_becomes_it(
        self, run: Run, own_app: APIFlask, tmp_path: Path
    ):
        make_organisation("kept")
        file = tmp_path / "one.backup"
        assert run("backup", file).exit_code == 0
        db.session.remove()
        db.engine.dispose()
        live = database_file(own_app)
        live.unlink()
        restored = run("restore", file)
        assert restored.exit_code == 0, restored.output
        assert "is kept as" not in restored.stdout
        assert slugs() == ["kept"]
        assert find_hold() is not None


def leave_out_of_index(file: Path) -> None:
    """Let an index of an organisation's slug know of none of them, as a torn copy may."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        [page_size] = database.execute("PRAGMA page_size").fetchone()
        root = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'organisation'"
        ).fetchone()[0]
    pages = bytearray(file.read_bytes())
    start = (root - 1) * page_size
    # An empty leaf page of an index: its kind, no free block, no cell, cells begin at the end.
    pages[start : start + 8] = bytes([10, 0, 0, 0, 0, *page_size.to_bytes(2, "big"), 0])
    file.write_bytes(bytes(pages))


def test_without_pg_dump_it_is_said_what_is_missing(
    run: Run, tmp_path: Path, database_kind: str, monkeypatch: pytest.MonkeyPatch
):
    if database_kind != "postgresql":
        pytest.skip("SQLite needs no program")
    file = tmp_path / "one.backup"
    assert run("backup", file).exit_code == 0
    monkeypatch.setenv("PATH", "/nowhere")
    refused(run("backup", file, "--force"), "pg_dump is not installed", "postgresql-client")
    refused(run("restore", file), "pg_restore is not installed", "postgresql-client")
