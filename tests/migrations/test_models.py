"""Upgrading an empty database gives the models' tables, and what was there before is kept."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from apiflask import APIFlask
from flask_migrate import upgrade

from app import create_app
from rollcall.extensions import db
from tests.conftest import make_settings
from tests.migrations.databases import migrations_with
from tests.migrations.rows import insert


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
            insert(connection, "organisation", id=1, slug="acme", name="Acme", country="CA")
            for person_id, phone, timezone, _ in people:
                insert(connection, "person", id=person_id, phone=phone, timezone=timezone)
                insert(connection, "person_facts", person_id=person_id)
        upgrade(migrations, "0005")
        upgrade()
        with db.engine.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT person_id, phone_zones FROM person_facts ORDER BY person_id"
            ).all()
        db.engine.dispose()
    assert [tuple(row) for row in found] == [(key, zones) for key, _, _, zones in people]
