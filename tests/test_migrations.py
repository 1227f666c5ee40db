"""Upgrading an empty database gives exactly the tables that the models describe."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from apiflask import APIFlask

from rollcall.extensions import db


def test_upgrading_gives_the_models(app: APIFlask):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []
