"""RFM scores by quintiles within the organisation (A5): recency, frequency, monetary, 1 to 5.

People are ranked by the moment of their last purchase, by how many purchases they made and by
what they spent in all. The fifth of them that bought last, most often, or most gets 5.
Equal values get equal scores, so that a fifth can be larger or smaller than a fifth: who
stands in a tie gets the score of the tie's best for recency, so that the most recent
purchase is always a 5, and that of its lowest for the others, so that one purchase is a 1.
"""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.extensions import db, write
from rollcall.models import Organisation, Person, PersonFacts, Purchase, RfmScore
from rollcall.models.types import Money, UTCDateTime
from rollcall.sql import filled_temporary

NIGHTLY_HOUR = 3

# A metadata of its own: migrations must not see a temporary table.
_computed = sa.Table(
    "computed_rfm",
    sa.MetaData(),
    sa.Column("person_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("last_purchase_at", UTCDateTime, nullable=False),
    sa.Column("purchases", sa.Integer, nullable=False),
    sa.Column("spent", Money, nullable=False),
    sa.Column("recency", sa.SmallInteger, nullable=False),
    sa.Column("frequency", sa.SmallInteger, nullable=False),
    sa.Column("monetary", sa.SmallInteger, nullable=False),
    prefixes=["TEMPORARY"],
)
_SCORES = ("recency", "frequency", "monetary")


def compute_rfm(actor: Actor) -> int:
    """Score everybody of the organisation who ever bought anything; return how many that is.

    Whoever has no purchases (any more) loses the scores. Amounts are added up as they are,
    whatever their currency: no exchange rates are known here.
    """
    # Ranking a million people takes seconds, so it is done before the write lock is taken.
    with filled_temporary(_computed, _scores(actor.organisation_id)), write():
        return _store(actor)


def find_organisations_to_score() -> list[int]:
    """Return the organisations that were not scored since three o'clock of their last night."""
    now = clock.now()
    return [
        organisation.id
        for organisation in db.session.scalars(sa.select(Organisation))
        if organisation.rfm_computed_at is None
        or organisation.rfm_computed_at < _last_night(now, organisation.timezone)
    ]


def _last_night(now: datetime, timezone: str) -> datetime:
    local = now.astimezone(ZoneInfo(timezone))
    night = local.replace(hour=NIGHTLY_HOUR, minute=0, second=0, microsecond=0)
    return night if night <= local else night - timedelta(days=1)


def _scores(organisation_id: int) -> sa.Select[*tuple[Any, ...]]:
    last, purchases, spent = (
        sa.func.max(Purchase.purchased_at).label("last_purchase_at"),
        sa.func.count().label("purchases"),
        sa.func.sum(sa.cast(Purchase.amount, sa.BigInteger)).label("spent"),
    )
    buyers = (
        sa.select(Purchase.person_id, last, purchases, spent)
        .where(Purchase.organisation_id == organisation_id)
        .group_by(Purchase.person_id)
        .cte("buyers")
    )
    return sa.select(
        buyers.c.person_id,
        buyers.c.last_purchase_at,
        buyers.c.purchases,
        buyers.c.spent,
        6 - _quintile(buyers.c.last_purchase_at.desc()),
        _quintile(buyers.c.purchases),
        _quintile(buyers.c.spent),
    )


def _quintile(order: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """Return which fifth of all people a person is in, 1 the first; ties share the earliest."""
    ahead = sa.func.rank().over(order_by=order) - 1
    return sa.cast(1 + (5 * ahead) // sa.func.count().over(), sa.SmallInteger)


def _store(actor: Actor) -> int:
    organisation_id = actor.organisation_id
    db.session.execute(
        sa.delete(RfmScore)
        .where(RfmScore.organisation_id == organisation_id)
        .execution_options(synchronize_session=False)
    )
    columns = list(_computed.c.keys())
    db.session.execute(
        sa.insert(RfmScore).from_select(
            ["organisation_id", *columns],
            sa.select(sa.literal(organisation_id), *_computed.c).join(
                # Somebody may have been erased since the scores were computed.
                Person,
                Person.id == _computed.c.person_id,
            ),
        )
    )
    _mirror(organisation_id)
    now = clock.now()
    db.session.execute(
        sa.update(Organisation)
        .where(Organisation.id == organisation_id)
        .values(rfm_computed_at=now)
    )
    people = db.session.scalar(
        sa.select(sa.func.count()).where(RfmScore.organisation_id == organisation_id)
    )
    record(actor, "rfm.compute", "organisation", organisation_id, after={"people": people})
    return people or 0


def _mirror(organisation_id: int) -> None:
    """Bring the scores into the facts rows, touching only those that change."""
    changed = sa.or_(
        *(getattr(PersonFacts, name).is_distinct_from(_computed.c[name]) for name in _SCORES)
    )
    db.session.execute(
        sa.update(PersonFacts)
        .where(
            PersonFacts.person_id == _computed.c.person_id,
            PersonFacts.organisation_id == organisation_id,
            changed,
        )
        .values({name: _computed.c[name] for name in _SCORES})
        .execution_options(synchronize_session=False)
    )
    without = ~sa.exists().where(_computed.c.person_id == PersonFacts.person_id)
    db.session.execute(
        sa.update(PersonFacts)
        .where(
            PersonFacts.organisation_id == organisation_id,
            PersonFacts.recency.is_not(None),
            without,
        )
        .values(dict.fromkeys(_SCORES))
        .execution_options(synchronize_session=False)
    )
    db.session.expire_all()
