"""Rows for every table of a database as it stood at any revision, all of them linked."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROWS = 2  # of each table; the second of a table that refers to itself refers to the first
# What a migration reads, and so has to make sense of.
MEANT: dict[tuple[str, str], Any] = {
    ("person", "phone"): "+13055550123",
    ("person", "timezone"): "America/New_York",
    ("campaign", "targeting_criteria"): '{"events": ["x1"], "exclude_events": ["x2"]}',
}


def fill_every_table(connection: sa.Connection) -> None:
    """Add two rows to each table, with every reference set and no column left empty."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    filled: set[str] = set()
    later: list[sa.Column[Any]] = []
    for table in _in_order(metadata.tables.values()):
        ahead = [column for column in table.columns if not _referred(column) <= filled]
        connection.execute(table.insert(), [_row(table, n, ahead) for n in range(1, ROWS + 1)])
        filled.add(table.name)
        later += ahead
    for column in later:
        _refer(connection, column)


def _in_order(tables: Iterable[sa.Table]) -> list[sa.Table]:
    """Put each table behind those it refers to; where they go in a circle, those it has to."""
    ordered: list[sa.Table] = []
    left = sorted((t for t in tables if t.name != "alembic_version"), key=lambda table: table.name)
    while left:
        names = {table.name for table in ordered}
        ready = [table for table in left if _needed(table) <= names]
        chosen = min(ready, key=lambda table: (not _wanted(table) <= names, table.name))
        ordered.append(chosen)
        left.remove(chosen)
    return ordered


def _needed(table: sa.Table) -> set[str]:
    needed = (_referred(column) for column in table.columns if not column.nullable)
    return set().union(*needed)


def _wanted(table: sa.Table) -> set[str]:
    return set().union(*(_referred(column) for column in table.columns)) - {table.name}


def _referred(column: sa.Column[Any]) -> set[str]:
    return {key.column.table.name for key in column.foreign_keys}


def _row(table: sa.Table, number: int, ahead: list[sa.Column[Any]]) -> dict[str, Any]:
    empty = {column.name for column in ahead}
    return {
        column.name: None if column.name in empty else _value(column, number)
        for column in table.columns
    }


def _value(column: sa.Column[Any], number: int) -> Any:
    if (column.table.name, column.name) in MEANT:
        return MEANT[column.table.name, column.name]
    if column.foreign_keys:
        return number
    kinds: dict[type, Any] = {
        bool: False,
        int: number,
        float: float(number),
        str: f"x{number}",
        object: {"x": number},  # JSON
        datetime: NOON,
        date: NOON.date(),
        time: time(12, 0),
    }
    return kinds[column.type.python_type]


def _refer(connection: sa.Connection, column: sa.Column[Any]) -> None:
    """Let every row refer to the first one there."""
    [key] = column.foreign_keys
    first = connection.scalar(sa.select(sa.func.min(key.column)))
    connection.execute(sa.update(column.table).values({column: first}))
