"""From every revision, with rows in every table, up and down: no row and no reference is lost."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask_migrate import upgrade as run_upgrade
from sqlalchemy.exc import DBAPIError

from rollcall.extensions import db
from tests.migrations.conftest import REVISIONS, Filled
from tests.migrations.databases import (
    MIGRATIONS,
    Databases,
    Rows,
    differences,
    find_damage,
    looked_at,
    lost_rows,
    move,
    opened,
    read_rows,
    read_schema,
)

HEAD = REVISIONS[-1]
# The way back from 0005 gives a column back without what was in it, and so with a default.
GIVEN_BACK = tuple(
    "/columns/staff_member/session_key: "
    f"""('VARCHAR(32)', False, "{default}"), should be ('VARCHAR(32)', False, None)"""
    for default in ("''", "''::character varying")
)


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_row_outlives_an_upgrade_and_the_way_back(
    revision: str, filled: dict[str, Filled], databases: Databases, tmp_path: Path
):
    url = databases.make(filled[revision].url)
    rows = go(url, tmp_path, "head", filled[revision].rows, filled[HEAD])
    for earlier in reversed(REVISIONS[:-1]):
        rows = go(url, tmp_path, f"-{earlier}", rows, filled[earlier])


def go(url: str, folder: Path, revision: str, before: Rows, meant: Filled) -> Rows:
    """Bring the database there, look at all of it, and return its rows."""
    move(url, folder, revision)
    with opened(url, folder), db.engine.connect() as connection:
        after = read_rows(connection)
        assert lost_rows(before, after) == []
        assert find_damage(connection) == []
        found = differences(read_schema(connection), meant.schema)
        assert [line for line in found if line not in GIVEN_BACK] == []
    return after


def write_migration(folder: Path, upgrade: str) -> Path:
    """Copy the migrations, and put one more on top of them."""
    migrations = shutil.copytree(MIGRATIONS, folder / "migrations")
    text = f'revision = "next"\ndown_revision = "{HEAD}"\nfrom alembic import op\n'
    (migrations / "versions" / "next.py").write_text(f"{text}\ndef upgrade():\n{upgrade}\n")
    return migrations


FAILS_AT_ITS_END = """
    with op.batch_alter_table("staff_member", recreate="always") as batch:
        batch.drop_column("name")
    op.drop_table("rejected_row")
    op.execute("UPDATE organisation SET name = 'changed'")
    op.execute("SELECT * FROM nowhere")
"""
LOSES_WHAT_ROWS_REFER_TO = """
    op.execute("UPDATE organisation SET name = 'changed'")
    op.execute("DELETE FROM staff_member WHERE id = 1")
"""


@pytest.mark.parametrize("upgrade", [FAILS_AT_ITS_END, LOSES_WHAT_ROWS_REFER_TO])
def test_an_upgrade_that_fails_leaves_the_database_as_it_was(
    upgrade: str,
    filled: dict[str, Filled],
    databases: Databases,
    tmp_path: Path,
    database_kind: str,
    caplog: pytest.LogCaptureFixture,
):
    migrations = write_migration(tmp_path, upgrade)
    url = databases.make(filled[HEAD].url)
    with opened(url, tmp_path):
        for _ in range(2):  # also the second time on the connections of the first
            with pytest.raises((SystemExit, DBAPIError)):
                run_upgrade(directory=str(migrations))
            with db.engine.connect() as connection:
                assert find_damage(connection) == []
    if database_kind == "sqlite" and upgrade == LOSES_WHAT_ROWS_REFER_TO:
        assert "Nothing was changed" in caplog.text
        assert "of api_token refers to staff_member" in caplog.text
    with looked_at(url) as connection:
        assert lost_rows(filled[HEAD].rows, read_rows(connection)) == []
        assert differences(read_schema(connection), filled[HEAD].schema) == []
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == HEAD
