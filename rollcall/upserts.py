"""Inserting what may be there already, when two processes do it at the same moment."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from rollcall.extensions import db


def upsert_into(model: type[Any]) -> Any:
    """Return an INSERT that can be told what to do where a unique key is there already."""
    dialect = db.session.connection().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(model)


def insert_missing(model: type[Any]) -> Any:
    """Return an INSERT that leaves out the rows whose unique key is there already."""
    return upsert_into(model).on_conflict_do_nothing()
