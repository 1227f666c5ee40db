"""The ground that everything stands on: moments, money, and how a transaction begins."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall import clock
from rollcall.extensions import NestedTransaction, db, pinned_connection, write
from rollcall.models import Organisation
from rollcall.models.types import Money, UTCDateTime

pytestmark = pytest.mark.usefixtures("app")


def add_organisation(slug: str = "acme") -> None:
    db.session.add(
        Organisation(slug=slug, name="Acme", country="CA", timezone="UTC", created_at=clock.now())
    )


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.datetimes(
        min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.timezones()
    )
)
def test_a_moment_comes_back_as_the_same_moment_in_utc(moment):
    with write():
        db.session.execute(sa.delete(Organisation))
        add_organisation()
        db.session.flush()
        db.session.execute(sa.update(Organisation).values(rfm_computed_at=moment))
    found = db.session.scalar(sa.select(Organisation.rfm_computed_at))
    assert found == moment.astimezone(UTC)
    assert found.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(sa.exc.StatementError, match="needs a time zone"):
        db.session.scalar(sa.select(sa.literal(datetime(2026, 11, 29, 10), UTCDateTime())))


def test_money_is_exact_to_the_millionth():
    amount = Decimal("0.000001")
    column = sa.literal(amount, Money())
    assert db.session.scalar(sa.select(sa.type_coerce(column + column, Money()))) == 2 * amount


def test_a_failing_transaction_leaves_nothing():
    def fail_half_way() -> None:
        with write():
            add_organisation()
            db.session.flush()
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail_half_way()
    assert db.session.scalar(sa.select(sa.func.count(Organisation.id))) == 0


def test_a_transaction_inside_another_is_a_mistake():
    with write(), pytest.raises(NestedTransaction), write():
        add_organisation()


def test_evaluating_inside_a_transaction_is_a_mistake_that_stores_nothing():
    """It would commit the half that was written so far."""

    def evaluate_half_way() -> None:
        with write():
            add_organisation()
            db.session.flush()
            with pinned_connection():
                pass

    with pytest.raises(NestedTransaction):
        evaluate_half_way()
    assert db.session.scalar(sa.select(sa.func.count(Organisation.id))) == 0


def test_a_transaction_that_follows_a_read_waits_its_turn_instead_of_failing(app):
    """On SQLite a deferred transaction that read first could not write after another writer."""
    assert db.session.scalar(sa.select(sa.func.count(Organisation.id))) == 0
    with db.engine.begin() as other:
        other.execute(
            sa.insert(Organisation).values(
                slug="other",
                name="Other",
                country="CA",
                timezone="UTC",
                currency="USD",
                is_demo=False,
                created_at=clock.now(),
            )
        )
    with write():
        add_organisation("mine")
    assert db.session.scalar(sa.select(sa.func.count(Organisation.id))) == 2
