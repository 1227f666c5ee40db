"""An audience evaluated once into a temporary table, outside of any write lock.

Five campaigns that evaluate inside SQLite's write lock queue for seconds; evaluated
into a table of the connection's own, only the insert of ready rows holds the lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria
from rollcall.audience.funnel import Funnel, count_funnel
from rollcall.audience.query import audience_select
from rollcall.extensions import db, pinned_connection
from rollcall.models import AudienceSource, Channel, Reason
from rollcall.models.types import Code

# A metadata of its own: migrations must not see a temporary table.
staged = sa.Table(
    "staged_audience",
    sa.MetaData(),
    sa.Column("person_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", Code(AudienceSource), nullable=False),
    sa.Column("reason", Code(Reason), nullable=False),
    sa.Column("country", sa.String(2), nullable=False),
    prefixes=["TEMPORARY"],
)


@contextmanager
def staged_audience(
    organisation_id: int, criteria: Criteria, channel: Channel, moment: datetime
) -> Iterator[Funnel]:
    """Evaluate the audience into `staged` for the block, which gets its funnel.

    The block may begin and commit transactions; the table lives until the block ends.
    """
    query = audience_select(organisation_id, criteria, channel, moment)
    with pinned_connection():
        connection = db.session.connection()
        staged.drop(connection, checkfirst=True)
        staged.create(connection)
        connection.execute(
            sa.insert(staged).from_select(
                ["person_id", "source", "reason", "country"], query.statement
            ),
            query.values,
        )
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("ANALYZE staged_audience"))
        funnel = count_funnel(sa.select(staged), {})
        db.session.commit()
        try:
            yield funnel
        finally:
            db.session.rollback()
            staged.drop(db.session.connection(), checkfirst=True)
            db.session.commit()
