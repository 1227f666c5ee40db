"""What a plan holds: read from JSON and forms, with every mistake named by its place."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import PlanFinishedGood
from rollcall.plans.items import (
    LARGEST_NUMBER,
    ItemKind,
    items_of_json,
    number_json,
    number_of_json,
    number_text,
    say_quantity,
)
from rollcall.plans.reading import (
    MOST_ITEMS,
    NO_NUMBER,
    TOO_FINE,
    TOO_LARGE,
    read_items,
    read_number,
)
from rollcall.plans.records import find_plan, set_plan
from tests.plans.stage import ITEMS

MILLIONTHS = st.integers(0, LARGEST_NUMBER * 10**6).map(lambda n: Decimal(n).scaleb(-6))


def problems(data, **options) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refusal:
        read_items(data, **options)
    return refusal.value.fields


def boxes(**values) -> dict:
    return {"finished_goods": [{"name": "gift boxes", "quantity": 300, **values}]}


def test_what_is_left_out_is_made_up():
    items = read_items(ITEMS)
    [decision] = items.batch_decisions
    assert (decision.name, decision.slug) == ("Ginger cookies", "ginger-cookies")
    assert decision.yield_per_batch == 80
    assert [good.slug for good in items.finished_goods] == ["gift-boxes", "sponsors-banners"]
    assert read_items({}).to_json() == {
        "recipes": [],
        "finished_goods": [],
        "batch_decisions": [],
    }


def test_slugs_are_unique_within_their_kind_and_one_that_was_given_stays():
    names = [
        {"name": "Box", "quantity": 1},
        {"name": "Box", "quantity": 2},
        {"name": "Other", "slug": "box", "quantity": 3},
        {"name": "箱", "quantity": 4},
    ]
    items = read_items(
        {"finished_goods": names, "recipes": [{"name": "Box", "yield_per_batch": 1}]}
    )
    assert [good.slug for good in items.finished_goods] == [
        "box-2",
        "box-3",
        "box",
        "finished-good",
    ]
    assert items.recipes[0].slug == "box"
    long = [{"name": "x" * 200, "quantity": 1}, {"name": "x" * 200, "quantity": 1}]
    slugs = [good.slug for good in read_items({"finished_goods": long}).finished_goods]
    assert slugs == ["x" * 80, "x" * 78 + "-2"]


def test_a_recipe_is_called_by_its_slug_or_its_name():
    recipes = [
        {"name": "Cake", "slug": "a", "yield_per_batch": 1},
        {"name": "A", "yield_per_batch": 2},
    ]
    for called, found in (("a", "a"), ("cake", "a"), ("CAKE", "a"), ("a-2", "a-2")):
        data = {"recipes": recipes, "batch_decisions": [{"recipe_slug": called, "batches": 1}]}
        assert read_items(data).batch_decisions[0].recipe_slug == found


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (-1, NO_NUMBER),
        ("300", NO_NUMBER),
        (True, NO_NUMBER),
        (None, NO_NUMBER),
        ([], NO_NUMBER),
        (float("nan"), NO_NUMBER),
        (float("inf"), NO_NUMBER),
        (LARGEST_NUMBER + 1, TOO_LARGE),
        (1e300, TOO_LARGE),
        (10**40, TOO_LARGE),
        (0.0000001, TOO_FINE),
        (2.1234567, TOO_FINE),
    ],
)
def test_a_number_that_is_none_is_named_by_its_place(value, sentence):
    assert problems(boxes(quantity=value)) == {"finished_goods.0.quantity": sentence}


@pytest.mark.parametrize(
    "text", ["-1", "1,000", "1e3", "", " ", "²", "٣", "300 boxes", "NaN", "Infinity", "0x10", "."]
)
def test_a_text_of_a_form_that_is_no_number(text):
    assert problems(boxes(quantity=text), typed=True) == {"finished_goods.0.quantity": NO_NUMBER}


@pytest.mark.parametrize(
    ("value", "number"), [(0, "0"), (-0.0, "0"), (2.50, "2.5"), (0.1, "0.1"), (1e-6, "0.000001")]
)
def test_numbers_are_read_exactly(value, number):
    assert str(read_number(value).normalize()) in (number, str(Decimal(number).normalize()))
    assert read_number(f" {number} ", typed=True) == Decimal(number)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ([], "plan"),
        ({"drinks": []}, "drinks"),
        ({"recipes": {}}, "recipes"),
        ({"recipes": ["cake"]}, "recipes.0"),
        ({"recipes": [{"yield_per_batch": 1}]}, "recipes.0.name"),
        ({"recipes": [{"name": " \u200b ", "yield_per_batch": 1}]}, "recipes.0.name"),
        ({"recipes": [{"name": 5, "yield_per_batch": 1}]}, "recipes.0.name"),
        ({"recipes": [{"name": "x" * 201, "yield_per_batch": 1}]}, "recipes.0.name"),
        ({"recipes": [{"name": "a", "slug": "A B", "yield_per_batch": 1}]}, "recipes.0.slug"),
        ({"recipes": [{"name": "a", "slug": 7, "yield_per_batch": 1}]}, "recipes.0.slug"),
        ({"recipes": [{"name": "a", "color": "red", "yield_per_batch": 1}]}, "recipes.0.color"),
        ({"recipes": [{"name": "a"}]}, "recipes.0.yield_per_batch"),
        (boxes(per_person="x"), "finished_goods.0.per_person"),
        (
            {"finished_goods": [boxes()["finished_goods"][0] | {"slug": "a"} for _ in "12"]},
            "finished_goods.1.slug",
        ),
        ({"batch_decisions": [{"batches": 1}]}, "batch_decisions.0.recipe_slug"),
        (
            {"batch_decisions": [{"batches": 1, "recipe_slug": "cake"}]},
            "batch_decisions.0.recipe_slug",
        ),
        (
            {"recipes": [{"name": "a", "yield_per_batch": 1}] * (MOST_ITEMS + 1)},
            "recipes",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_place(data, place):
    assert list(problems(data)) == [place]


def test_every_mistake_is_named_at_once():
    data = {"recipes": [{"name": ""}], "finished_goods": [{"name": "a", "quantity": -1}]}
    assert list(problems(data)) == [
        *("recipes.0.name", "recipes.0.yield_per_batch", "finished_goods.0.quantity"),
    ]


@given(MILLIONTHS)
def test_json_gives_every_number_back_exactly(number):
    written = json.loads(json.dumps(number_json(number)))
    assert number_of_json(written) == number
    assert read_number(written) == number
    assert isinstance(written, int) == (number == int(number))
    assert read_number(number_text(number), typed=True) == number
    assert Decimal(say_quantity(number).replace(",", "")) == number


@pytest.mark.parametrize("number", ["0", "0.000001", "2.5", "999999999.999999", "1000000000"])
def test_the_database_gives_every_number_back_exactly(actor, gala, number):
    items = read_items(boxes(quantity=number), typed=True)
    set_plan(actor, gala.id, items)
    assert find_plan(actor.organisation_id, gala.id).items.finished_goods[0].quantity == Decimal(
        number
    )
    with write():
        assert db.session.query(PlanFinishedGood).one().quantity == Decimal(number)


def test_what_was_written_is_read_again():
    items = read_items(ITEMS)
    assert items_of_json(items.to_json()) == items
    assert read_items(items.to_json()) == items
    assert [len(items.of(kind)) for kind in ItemKind] == [1, 2, 1]
