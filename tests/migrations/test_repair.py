"""Databases made by migrations as they stood before they were changed become like all others."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import current_app

from rollcall.extensions import db
from rollcall.monitoring.doctor import examine
from tests.migrations.conftest import REVISIONS, Filled
from tests.migrations.databases import (
    Databases,
    differences,
    find_damage,
    looked_at,
    lost_rows,
    migrations_with,
    move,
    opened,
    read_rows,
    read_schema,
)
from tests.migrations.filling import fill_every_table

REPAIRED = "0006"
# What a database lacks that was made by main as it stood at these moments.
SKEWED = [
    (["0001_at_0257b77"], ["campaign.review_decision is missing"]),
    (["0002_at_c41884c"], ["index ix_inbound_message_undecided of inbound_message is missing"]),
    (["0002_at_1b43ceb"], ["index ix_inbound_message_undecided of inbound_message is missing"]),
    (
        ["0005_at_8a0a567"],
        [
            "staff_member.mail_notices is missing",
            "staff_member.session_key needs a value",
            "trial_message.campaign_id has to hold a value",
            "index ix_trial_message_staff_id of trial_message is missing",
            "trigger audit_entry_unchanged of audit_entry is missing",
            "trigger audit_entry_kept of audit_entry is missing",
        ],
    ),
    (
        ["0005_at_4dc1e4c"],
        [
            "staff_member.session_key needs a value",
            "trial_message.campaign_id has to hold a value",
            "index ix_trial_message_staff_id of trial_message is missing",
        ],
    ),
    (
        ["0005_at_341e73c"],
        [
            "trial_message.campaign_id has to hold a value",
            "index ix_trial_message_staff_id of trial_message is missing",
        ],
    ),
    (
        ["0001_at_0257b77", "0002_at_c41884c", "0005_at_8a0a567"],
        [
            "campaign.review_decision is missing",
            "index ix_inbound_message_undecided of inbound_message is missing",
            "staff_member.mail_notices is missing",
            "staff_member.session_key needs a value",
            "trial_message.campaign_id has to hold a value",
            "index ix_trial_message_staff_id of trial_message is missing",
            "trigger audit_entry_unchanged of audit_entry is missing",
            "trigger audit_entry_kept of audit_entry is missing",
        ],
    ),
]


def to_mend(url: str, folder: Path) -> list[str]:
    """What the doctor says of the tables."""
    with opened(url, folder):
        lines = examine(current_app.extensions["rollcall"]).lines
    return [str(line) for line in lines if line.subject == "tables" and not line.ok]


def say_it_is_at(url: str, revision: str) -> None:
    """Let the database pretend to be at this revision, without what that brings."""
    with looked_at(url) as connection:
        connection.execute(
            sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}
        )
        connection.commit()


@pytest.mark.parametrize(("earlier", "missing"), SKEWED, ids=lambda value: value[0][:15])
def test_a_skewed_database_becomes_like_all_others(
    earlier: list[str],
    missing: list[str],
    databases: Databases,
    filled: dict[str, Filled],
    tmp_path: Path,
):
    url = databases.make()
    move(url, tmp_path, "0005", migrations_with(earlier, tmp_path))
    with looked_at(url) as connection:
        fill_every_table(connection)
        connection.commit()
        before = read_rows(connection)
    assert "flask db upgrade" in to_mend(url, tmp_path)[0]

    unrepaired = databases.make(url)
    say_it_is_at(unrepaired, REPAIRED)
    move(unrepaired, tmp_path, "head")
    said = to_mend(unrepaired, tmp_path)
    assert sorted(said) == sorted(line for text in missing for line in said if text in line)
    assert len(said) == len(missing)

    move(url, tmp_path, "head")
    with opened(url, tmp_path), db.engine.connect() as connection:
        assert differences(read_schema(connection), filled[REVISIONS[-1]].schema) == []
        assert lost_rows(before, read_rows(connection)) == []
        assert find_damage(connection) == []
    assert to_mend(url, tmp_path) == []


def test_repairing_again_changes_nothing(
    databases: Databases, filled: dict[str, Filled], tmp_path: Path
):
    url = databases.make(filled[REPAIRED].url)
    say_it_is_at(url, "0005")
    move(url, tmp_path, REPAIRED)
    with looked_at(url) as connection:
        assert differences(read_schema(connection), filled[REPAIRED].schema) == []
        assert lost_rows(filled[REPAIRED].rows, read_rows(connection)) == []


CHANGES = [
    ("DROP TABLE left_out", "The table left_out is missing."),
    ("ALTER TABLE event DROP COLUMN cancelled_at", "The column event.cancelled_at is missing."),
    ("ALTER TABLE recipient DROP COLUMN held_at", "The column recipient.held_at is missing."),
    (
        "ALTER TABLE rehearsal ADD COLUMN mood VARCHAR(3)",
        None,  # who looks at the database with tools of their own may add to it
    ),
    ("CREATE TABLE notes_of_our_own (id INTEGER PRIMARY KEY)", None),
    ("CREATE INDEX of_our_own ON rehearsal (outcome)", None),
    ("DROP INDEX ix_person_phone", "The index ix_person_phone of person is missing."),
    ("DROP INDEX uq_alert_open", "The index uq_alert_open of alert is missing."),
    (
        "DROP INDEX uq_recipient_address",
        "The index uq_recipient_address of recipient is missing.",
    ),
]


@pytest.mark.parametrize(("statement", "said"), CHANGES, ids=lambda value: str(value)[:30])
def test_the_doctor_names_what_is_not_as_it_should_be(
    statement: str,
    said: str | None,
    databases: Databases,
    filled: dict[str, Filled],
    tmp_path: Path,
):
    url = databases.make(filled[REVISIONS[-1]].url)
    with looked_at(url) as connection:
        connection.exec_driver_sql(statement)
        connection.commit()
    assert [line.split(". ")[0] + "." for line in to_mend(url, tmp_path)] == (
        [f"mend  tables: {said}"] if said else []
    )
