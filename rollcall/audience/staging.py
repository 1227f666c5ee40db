"""An audience evaluated once into a temporary table: see `rollcall.sql` for why."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria
from rollcall.audience.funnel import Funnel, count_funnel
from rollcall.audience.query import audience_select
from rollcall.models import AudienceSource, Channel, Reason
from rollcall.models.types import Code
from rollcall.sql import filled_temporary

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
    with filled_temporary(staged, query.statement, query.values):
        yield count_funnel(sa.select(staged), {}, query.exclusions)
