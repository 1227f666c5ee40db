"""Upgrading an empty database gives the models' tables, and what was there before is kept."""

from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from apiflask import APIFlask
from flask_migrate import upgrade

from app import create_app
from rollcall.extensions import db
from tests.conftest import make_settings
from tests.factories import NOON
from tests.migrations.databases import migrations_with


def test_upgrading_gives_the_models(app: APIFlask):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []


@pytest.mark.parametrize("earlier", [[], ["0002_at_c41884c"]], ids=["0002", "0002 without it"])
def test_people_who_were_known_before_get_the_zones_of_their_phones(
    earlier: list[str], bare_database: str, tmp_path: Path
):
    people = [
        (1, "+13055550123", "", "America/New_York US-FL"),
        (2, "+13055550124", "Europe/Paris", "Europe/Paris US-FL"),
        (3, None, "Europe/Paris", ""),
        (4, "+61412345678", "", "+61"),
    ]
    migrations = str(migrations_with(earlier, tmp_path))
    app = create_app(make_settings(tmp_path, bare_database))
    with app.app_context():
        upgrade(migrations, "0001")
        with db.engine.begin() as connection:
            _insert(connection, "organisation", id=1, slug="acme", name="Acme", country="CA")
            for person_id, phone, timezone, _ in people:
                _insert(connection, "person", id=person_id, phone=phone, timezone=timezone)
                _insert(connection, "person_facts", person_id=person_id)
        upgrade(migrations, "0005")
        upgrade()
        with db.engine.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT person_id, phone_zones FROM person_facts ORDER BY person_id"
            ).all()
        db.engine.dispose()
    assert [tuple(row) for row in found] == [(key, zones) for key, _, _, zones in people]


def _insert(connection: sa.Connection, table_name: str, /, **values: object) -> None:
    """Add a row as the database stood then; what is not given gets any value of its type."""
    table = sa.Table(table_name, sa.MetaData(), autoload_with=connection, resolve_fks=False)
    row: dict[str, object] = {}
    for column in table.columns:
        if column.name in values:
            row[column.name] = values[column.name]
        elif column.name == "organisation_id":
            row[column.name] = 1
        elif not column.nullable and column.server_default is None:
            row[column.name] = _any_value(column, values)
    connection.execute(table.insert(), [row])


def _any_value(column: sa.Column[object], values: dict[str, object]) -> object:
    kinds = {bool: False, int: 0, datetime: NOON, str: f"x{values.get('id', '')}"}
    return kinds[column.type.python_type]
