"""Whether the database's tables are what this version needs, by their revision and by a look.

The revision alone does not tell: a table may have been changed by hand, or have come from a
migration that was changed after it had landed.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from rollcall.extensions import db
from rollcall.monitoring.findings import CheckResult, good, mend
from rollcall.wording import say_count

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
TABLES = "tables"
# No model knows of these: without them somebody with the database could rewrite the audit trail.
TRIGGERS = ("audit_entry_unchanged", "audit_entry_kept")
MOST_NAMED = 10
HOW = (
    "Something changed them beside the migrations. Put back a backup from before that "
    "(flask restore FILE), or take a backup and change them by hand until this line is gone."
)


def examine_tables() -> list[CheckResult]:
    """Compare the revision, then every table, column, index and trigger; nothing is changed."""
    with db.engine.connect() as connection:
        current = set(MigrationContext.configure(connection).get_current_heads())
        if current != set(ScriptDirectory(str(MIGRATIONS)).get_heads()):
            return [_judge_revision(current)]
        found = [*_differences(connection), *_missing_triggers(connection)]
    if not found:
        return [good(TABLES, "They are as this version needs them.")]
    lines = [mend(TABLES, text, HOW) for text in found[:MOST_NAMED]]
    if len(found) > MOST_NAMED:
        more = say_count(len(found) - MOST_NAMED, "thing")
        lines.append(mend(TABLES, f"Beside these, {more} more.", HOW))
    return lines


def _judge_revision(current: set[str]) -> CheckResult:
    if not current:
        return mend(TABLES, "There are none yet.", "Create them: flask db upgrade")
    return mend(
        TABLES,
        f"They are of another version ({', '.join(sorted(current))}).",
        "Take a backup (flask backup FILE), then bring them up to date: flask db upgrade",
    )


def _differences(connection: sa.Connection) -> Iterator[str]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "include_object": _matters}
    )
    for found in compare_metadata(context, db.metadata):
        # What differs about one column comes as a list.
        for difference in found if isinstance(found, list) else [found]:
            yield _say(*difference)


def _matters(thing: Any, _name: str | None, kind: str, in_database: bool, counterpart: Any) -> bool:
    """Return whether Rollcall minds: what stands in the database beside its own rarely harms."""
    if not in_database or counterpart is not None:
        return True
    if kind == "column":  # no row can be added to a table that wants a value we know nothing of
        return not thing.nullable and thing.server_default is None
    return kind == "unique_constraint"


def _say(kind: str, *parts: Any) -> str:
    first, last = parts[0], parts[-1]
    match kind:
        case "add_table":
            return f"The table {first.name} is missing."
        case "add_column":
            return f"The column {parts[1]}.{last.name} is missing."
        case "remove_column":
            return f"The column {parts[1]}.{last.name} needs a value, and should not be there."
        case "add_index":
            return f"The index {first.name} of {first.table.name} is missing."
        case "add_constraint" | "add_fk":
            return f"The constraint {first.name} of {first.table.name} is missing."
        case "remove_constraint" | "remove_index" | "remove_fk":
            return f"{first.name} of {first.table.name} is not as it should be."
        case "modify_nullable":
            told = "has to hold a value, and should not" if last else "may be empty, and should not"
            return f"The column {parts[1]}.{parts[2]} {told}."
        case "modify_type":
            return f"The column {parts[1]}.{parts[2]} is {parts[-2]}, and should be {last}."
    return f"{kind.replace('_', ' ')}: {', '.join(map(str, parts))}."


def _missing_triggers(connection: sa.Connection) -> Iterable[str]:
    statement = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if connection.dialect.name != "sqlite":
        statement = (
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'audit_entry'::regclass"
            " AND tgenabled <> 'D'"
        )
    there = set(connection.scalars(sa.text(statement)))
    missing = (name for name in TRIGGERS if name not in there)
    return [f"The trigger {name} of audit_entry is missing." for name in missing]
