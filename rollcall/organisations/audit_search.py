"""Looking for a text in stored JSON, as it stands in the database: on both of them."""

import json
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db


def holds_text(column: Any, text: str) -> sa.ColumnElement[bool]:
    """Return whether the JSON of a column holds the text, in any letter case.

    SQLite keeps JSON with every letter beyond ASCII written as \\u00e9, PostgreSQL as it is. On
    SQLite the case counts in those letters.
    """
    on_sqlite = db.session.connection().dialect.name == "sqlite"
    written = json.dumps(text, ensure_ascii=on_sqlite)[1:-1]
    return sa.cast(column, sa.Text).icontains(written, autoescape=True)
