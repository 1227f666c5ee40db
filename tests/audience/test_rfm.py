"""RFM scores (A5), compared with a computation of their own on real purchases."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine

from rollcall.audience.rfm import compute_rfm, find_organisations_to_score
from rollcall.extensions import db, write
from rollcall.models import Organisation, Person, PersonFacts, Purchase, RfmScore
from tests.factories import (
    NOON,
    make_actor,
    make_organisation,
    make_people,
    make_person,
    make_purchase,
)

CDNOW = Path(__file__).parent.parent / "data" / "cdnow.csv.gz"


def read_cdnow() -> list[tuple[int, datetime, Decimal]]:
    with gzip.open(CDNOW, "rt", encoding="utf-8") as file:
        return [
            (
                int(row["customer"]),
                datetime.fromisoformat(row["date"]).replace(tzinfo=UTC),
                Decimal(row["amount"]),
            )
            for row in csv.DictReader(file)
        ]


def independent_scores(
    purchases: list[tuple[int, datetime, Decimal]],
) -> dict[int, tuple[int, int, int]]:
    """R, F and M by plain counting: how many others stand below, or above for recency."""
    last: dict[int, datetime] = {}
    times: defaultdict[int, int] = defaultdict(int)
    spent: defaultdict[int, Decimal] = defaultdict(Decimal)
    for person, at, amount in purchases:
        last[person] = max(at, last.get(person, at))
        times[person] += 1
        spent[person] += amount
    recency = fifths_beyond(last, lambda one, other: other > one)
    frequency = fifths_beyond(times, lambda one, other: other < one)
    monetary = fifths_beyond(spent, lambda one, other: other < one)
    return {
        person: (
            5 - recency[last[person]],
            1 + frequency[times[person]],
            1 + monetary[spent[person]],
        )
        for person in last
    }


def fifths_beyond(
    values: Mapping[int, Any], is_beyond: Callable[[Any, Any], bool]
) -> dict[Any, int]:
    """For each value that occurs, how many whole fifths of all people have one beyond it."""
    counts: defaultdict[Any, int] = defaultdict(int)
    for value in values.values():
        counts[value] += 1
    ordered = sorted(counts)
    if ordered and is_beyond(ordered[0], ordered[-1]):
        ordered.reverse()
    fifths: dict[Any, int] = {}
    beyond = 0
    for value in ordered:
        fifths[value] = 5 * beyond // len(values)
        beyond += counts[value]
    return fifths


def stored_scores() -> dict[int, tuple[int, int, int]]:
    rows = db.session.execute(
        sa.select(RfmScore.person_id, RfmScore.recency, RfmScore.frequency, RfmScore.monetary)
    )
    return {row.person_id: (row.recency, row.frequency, row.monetary) for row in rows}


def facts_scores() -> dict[int, tuple[int, int, int]]:
    rows = db.session.execute(
        sa.select(
            PersonFacts.person_id, PersonFacts.recency, PersonFacts.frequency, PersonFacts.monetary
        ).where(PersonFacts.recency.is_not(None))
    )
    return {row.person_id: (row.recency, row.frequency, row.monetary) for row in rows}


def test_the_scores_of_the_cdnow_purchases_agree_with_an_independent_computation(app):
    purchases = read_cdnow()
    assert len(purchases) == 69_659
    acme = make_organisation()
    customers = sorted({customer for customer, _, _ in purchases})
    ids = dict(
        zip(
            customers,
            make_people(acme, [{"phone": None, "email": None}] * len(customers)),
            strict=True,
        )
    )
    with write():
        db.session.execute(
            sa.insert(Purchase),
            [
                {
                    "organisation_id": acme.id,
                    "person_id": ids[customer],
                    "reference": str(number),
                    "amount": amount,
                    "currency": "USD",
                    "purchased_at": at,
                }
                for number, (customer, at, amount) in enumerate(purchases)
            ],
        )
    assert compute_rfm(make_actor(acme)) == 23_570
    expected = {ids[c]: scores for c, scores in independent_scores(purchases).items()}
    assert stored_scores() == expected
    assert facts_scores() == expected
    assert {score for scores in expected.values() for score in scores} == {1, 2, 3, 4, 5}


def test_the_raw_values_are_kept_beside_the_scores(app):
    acme = make_organisation()
    person = make_person(acme)
    make_purchase(person, "19.99", NOON - timedelta(days=9))
    make_purchase(person, "0.01", NOON - timedelta(days=3))
    compute_rfm(make_actor(acme))
    score = db.session.get_one(RfmScore, person.id)
    assert score.last_purchase_at == NOON - timedelta(days=3)
    assert score.purchases == 2
    assert score.spent == Decimal("20.00")


@pytest.mark.parametrize(
    ("amounts", "monetary"),
    [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ([7, 7, 7, 7, 7], [1, 1, 1, 1, 1]),
        ([1, 1, 1, 1, 9], [1, 1, 1, 1, 5]),
        ([1, 9, 9, 9, 9], [1, 2, 2, 2, 2]),
        ([3], [1]),
    ],
)
def test_equal_values_share_the_score_of_the_lowest(app, amounts, monetary):
    acme = make_organisation()
    people = [db.session.get_one(Person, number) for number in make_people(acme, len(amounts))]
    for person, amount in zip(people, amounts, strict=True):
        make_purchase(person, Decimal(amount))
    compute_rfm(make_actor(acme))
    stored = stored_scores()
    assert [stored[person.id][2] for person in people] == monetary
    # All bought at the same moment: the most recent one there is.
    assert {scores[0] for scores in stored.values()} == {5}


def test_whoever_has_no_purchases_any_more_loses_the_scores(app):
    acme = make_organisation()
    actor = make_actor(acme)
    stays, goes = (db.session.get_one(Person, number) for number in make_people(acme, 2))
    make_purchase(stays)
    refunded = make_purchase(goes)
    assert compute_rfm(actor) == 2
    with write():
        db.session.delete(refunded)
    assert compute_rfm(actor) == 1
    assert list(stored_scores()) == list(facts_scores()) == [stays.id]


def test_another_organisations_people_are_neither_ranked_nor_touched(app):
    acme, other = make_organisation(), make_organisation()
    mine, theirs = make_person(acme), make_person(other)
    make_purchase(mine, "1.00")
    make_purchase(theirs, "1000.00")
    assert compute_rfm(make_actor(other)) == 1
    before = stored_scores()
    assert compute_rfm(make_actor(acme)) == 1
    assert stored_scores() == {**before, mine.id: (5, 1, 1)}
    assert db.session.get_one(Organisation, acme.id).rfm_computed_at is not None


def test_without_any_purchase_nobody_is_scored(app):
    acme = make_organisation()
    make_person(acme)
    assert compute_rfm(make_actor(acme)) == 0
    assert stored_scores() == facts_scores() == {}


def test_scores_are_due_once_a_night_at_three_of_the_organisation(app):
    with time_machine.travel(datetime(2026, 11, 27, 7, 0, tzinfo=UTC), tick=False) as clock:
        actor = make_actor(make_organisation(timezone="America/Toronto"))  # there it is 2 am
        assert find_organisations_to_score() == [actor.organisation_id]
        compute_rfm(actor)
        assert find_organisations_to_score() == []
        clock.shift(3600)  # 3 am
        assert find_organisations_to_score() == [actor.organisation_id]
        compute_rfm(actor)
        clock.shift(23 * 3600)
        assert find_organisations_to_score() == []
