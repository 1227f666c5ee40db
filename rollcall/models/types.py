"""Column types that behave alike on SQLite and PostgreSQL."""

import enum
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class UTCDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC; a naive one is refused, as it can't be known what it means.

    PostgreSQL keeps it as `timestamptz`; SQLite as text of fixed width, which sorts as time does.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment needs a time zone: {value!r}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Code(TypeDecorator[enum.IntEnum]):
    """An IntEnum kept as a small integer: rows that come in millions stay narrow."""

    impl = sa.SmallInteger
    cache_ok = True

    def __init__(self, codes: type[enum.IntEnum]) -> None:
        super().__init__()
        self.codes = codes

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self.codes(value)


Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Compared and ordered by code point on both databases, so that a prefix search is a range.
Key = sa.String().with_variant(sa.String(collation="C"), "postgresql")


class Money(TypeDecorator[Decimal]):
    """An amount kept as a whole number of millionths, so that sums are exact on both databases."""

    impl = sa.BigInteger
    cache_ok = True
    UNIT = Decimal(1_000_000)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int((value * self.UNIT).to_integral_value())

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(int(value)) / self.UNIT


class IdList(TypeDecorator[list[int]]):
    """Ids bound as one value, however many they are: no limit on variables is ever met."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.ARRAY(sa.BigInteger))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return value if dialect.name == "postgresql" else json.dumps(list(value))


class IsOneOf(FunctionElement[bool]):
    """Whether a column's value is in a bound IdList."""

    type = sa.Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        """Return the condition in parentheses.

        SQLite has no booleans, so that SQLAlchemy would compare the condition with 1, and then
        no index is used: looking up 25 people would read a million.
        """
        return Grouping(self)


@compiles(IsOneOf)
def _is_one_of_array(element: IsOneOf, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, ids = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} = ANY ({ids})"


@compiles(IsOneOf, "sqlite")
def _is_one_of_json(element: IsOneOf, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, ids = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 (bound values)


class EpochSeconds(FunctionElement[int]):
    """A moment as whole seconds since 1970, for cutting time into equal steps."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(EpochSeconds)
def _epoch_of_timestamptz(element: EpochSeconds, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"CAST(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **kwargs)}) AS BIGINT)"


@compiles(EpochSeconds, "sqlite")
def _epoch_of_text(element: EpochSeconds, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"CAST(strftime('%s', {compiler.process(element.clauses, **kwargs)}) AS INTEGER)"
