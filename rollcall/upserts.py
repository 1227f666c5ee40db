"""Inserting what may be there already, when two processes do it at the same moment."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from rollcall.extensions import db


def insert_missing(model: type[Any]) -> Any:
    """Return an INSERT that leaves out the rows whose unique key is there already."""
    dialect = db.session.connection().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(model).on_conflict_do_nothing()
