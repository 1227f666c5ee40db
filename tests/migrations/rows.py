"""One row at a time, for a database as it stood at some revision."""

from datetime import datetime

import sqlalchemy as sa

from tests.factories import NOON


def insert(connection: sa.Connection, table_name: str, /, **values: object) -> None:
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
