"""What the house adds to SQLAlchemy: temporary tables, upserts, prepared statements, capture.

Temporary tables: five campaigns that evaluate inside SQLite's write lock queue for seconds; with
the rows in a table of the connection's own, only the insert of ready rows holds the lock.

Prepared statements: SQLAlchemy looks at a statement anew each time it runs it, which costs more
than the database does for a handful of rows: sending was three times slower with it.

Capture is the one idea behind every snapshot: a segment's version, a campaign's list and an
event's plan are captured in the transaction that changes the state, before the change, with the
row that owns the snapshot locked, so that asking twice, or two at once, gives the same snapshot;
and where anything fails, state and snapshot are both as they were.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, CursorResult

from rollcall.extensions import db, pinned_connection


@contextmanager
def filled_temporary(
    table: sa.Table, rows: sa.Select[*tuple[Any, ...]], values: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Fill the temporary table for the block, which may begin and commit transactions.

    `rows` gives the table's columns in their order; `values` are its bound parameters. The
    table must be made with the prefix TEMPORARY and a metadata of its own, which migrations
    do not see.
    """
    with pinned_connection():
        connection = db.session.connection()
        table.drop(connection, checkfirst=True)
        table.create(connection)
        connection.execute(
            sa.insert(table).from_select(list(table.c.keys()), rows), dict(values or {})
        )
        if connection.dialect.name == "postgresql":
            # Without figures of the new table the planner takes it for small.
            connection.execute(sa.text(f"ANALYZE {table.name}"))
        db.session.commit()
        try:
            yield
        finally:
            db.session.rollback()
            table.drop(db.session.connection(), checkfirst=True)
            db.session.commit()


def upsert_into(model: type[Any]) -> Any:
    """Return an INSERT that can be told what to do where a unique key is there already."""
    dialect = db.session.connection().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(model)


def insert_missing(model: type[Any]) -> Any:
    """Return an INSERT that leaves out the rows whose unique key is there already."""
    return upsert_into(model).on_conflict_do_nothing()


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


Model = TypeVar("Model")
Snapshot = TypeVar("Snapshot")


def lock_row(model: type[Model], row_id: int) -> Model:
    """Return the row as it is now, and let nobody else change it until the transaction ends.

    On SQLite the transaction that writes holds everybody else off already. Raises
    sqlalchemy.exc.NoResultFound where there is no such row.
    """
    return db.session.get_one(model, row_id, populate_existing=True, with_for_update=True)


def capture_once(find: Callable[[], Snapshot | None], take: Callable[[], Snapshot]) -> Snapshot:
    """Return the snapshot that is there, else the one that is taken now.

    Call it inside the transaction that goes on to change the state, after `lock_row`.
    """
    require_transaction()
    found = find()
    return take() if found is None else found


def require_transaction() -> None:
    """Raise RuntimeError outside of a `write()`: a snapshot must be undone with its change."""
    if not db.session().info.get("writing"):
        raise RuntimeError("a snapshot is taken inside the transaction that changes the state")
