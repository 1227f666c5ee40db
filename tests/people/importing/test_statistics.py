"""PostgreSQL knows how large the tables are while an import fills them."""

import io

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall.extensions import db
from rollcall.people.importing import statistics
from rollcall.people.imports import import_people
from tests.factories import make_actor


def test_the_planner_is_told_of_the_rows_of_an_import(
    app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "FIRST_AT_ROWS", 2)
    import_people(io.BytesIO(b"email\na@x.co\nb@x.co\nc@x.co\n"), make_actor())
    if db.engine.dialect.name == "postgresql":
        known = sa.text("SELECT reltuples FROM pg_class WHERE relname = 'person'")
        assert db.session.scalar(known) == 3
