"""Statements that are compiled once and then run by the driver, for loops that run all day.

SQLAlchemy looks at a statement anew each time it runs it, which costs more than the database
does for a handful of rows: sending was three times slower with it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult

Row = Mapping[str, Any]


class PreparedStatement:
    """A statement with named parameters, run for one set of values or for many.

    What it returns are the driver's own values: use it where those are numbers and texts.
    """

    def __init__(self, statement: Any, names: Sequence[str]) -> None:
        """`names` are all the parameters that each run gives a value for."""
        self._statement = statement
        self._names = tuple(names)
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, values: Row | Sequence[Row]) -> CursorResult[Any]:
        """Run the statement; with several sets of values once for each, in one go."""
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = _Compiled(self._statement, self._names, connection)
            self._compiled[dialect.name] = compiled
        if isinstance(values, Mapping):
            return connection.exec_driver_sql(compiled.text, compiled.bind(values))
        return connection.exec_driver_sql(compiled.text, [compiled.bind(row) for row in values])


class _Compiled:
    def __init__(self, statement: Any, names: tuple[str, ...], connection: Connection) -> None:
        is_insert = isinstance(statement, sa.Insert)
        compiled: Any = statement.compile(
            dialect=connection.dialect, column_keys=list(names) if is_insert else None
        )
        self.text: str = compiled.string
        processors: Mapping[str, Callable[[Any], Any]] = compiled._bind_processors
        fixed = compiled.construct_params(dict.fromkeys(names), _check=False)
        self._parts = [
            (name, name in names, processors.get(name), _process(processors, name, value, names))
            for name, value in fixed.items()
        ]
        order = compiled.positiontup
        if order is not None:
            parts = {part[0]: part for part in self._parts}
            self._parts = [parts[name] for name in order]
        self._positional = order is not None
        self._order = [part[0] for part in self._parts]
        self._last: dict[str, tuple[Any, Any]] = {}

    def bind(self, row: Row) -> Any:
        """Return the values as the driver wants them: in their places, or by name."""
        values = [
            self._convert(name, process, row[name]) if given else fixed
            for name, given, process, fixed in self._parts
        ]
        if self._positional:
            return tuple(values)
        return dict(zip(self._order, values, strict=True))

    def _convert(self, name: str, process: Callable[[Any], Any] | None, value: Any) -> Any:
        if process is None:
            return value
        # Of many rows nearly all share their moment, and often their price.
        known, converted = self._last.get(name, _NOTHING)
        if known is value:
            return converted
        converted = process(value)
        self._last[name] = (value, converted)
        return converted


_NOTHING = (object(), None)


def _process(
    processors: Mapping[str, Callable[[Any], Any]], name: str, value: Any, names: Sequence[str]
) -> Any:
    if name in names:
        return None
    process = processors.get(name)
    return process(value) if process else value
