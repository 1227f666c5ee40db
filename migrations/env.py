"""Runs the migrations on the application's database; `flask db …` comes here."""

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy.types import TypeDecorator

config = context.config
extension = current_app.extensions["migrate"]
engine = extension.db.engine


def render_plain_types(kind: str, item: Any, _context: Any) -> str | bool:
    """Write our column types as what the database sees, so that migrations outlive our code."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


def run() -> None:
    """Upgrade online; Flask-Migrate passes what was configured in create_app."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Batch mode rebuilds tables, which foreign keys would forbid half-way through.
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.rollback()
        context.configure(
            connection=connection,
            target_metadata=extension.db.metadata,
            render_item=render_plain_types,
            **extension.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
