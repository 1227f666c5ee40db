"""Amendments: what, from, to, who, why; the snapshot with all of them is the plan as it is."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.models import PlanSnapshot, PlanState
from rollcall.plans.amendments import amend_plan, list_amendments
from rollcall.plans.changes import (
    ItemAddition,
    ItemRemoval,
    NumbersChange,
    difference,
    replay,
    steps_of,
)
from rollcall.plans.items import ItemKind, PlanItems
from rollcall.plans.reading import read_items
from rollcall.plans.records import find_plan
from rollcall.plans.side_by_side import items_beside
from rollcall.plans.words import say_amendment, say_difference
from tests.factories import make_actor
from tests.plans.stage import ITEMS, bring_to, items, stored

BOXES = ("finished_good", "gift-boxes")


@pytest.fixture
def started(actor, gala):
    bring_to(actor, gala, PlanState.IN_PRODUCTION)
    return gala


def amend(actor, event, change, reason="More came than had registered"):
    return amend_plan(actor, event.id, change, reason)


def plan_of(actor, event):
    return find_plan(actor.organisation_id, event.id)


def test_a_number_is_amended_with_author_and_reason(actor, started):
    before = stored(PlanSnapshot)
    amend(actor, started, NumbersChange(*BOXES, {"quantity": 420}))
    plan = plan_of(actor, started)
    assert plan.items.find(ItemKind.FINISHED_GOOD, "gift-boxes").quantity == 420
    assert plan.planned == items()
    assert stored(PlanSnapshot) == before
    [row] = list_amendments(actor.organisation_id, started.id).rows
    assert (row.kind, row.slug, row.field, row.before, row.after) == (
        *BOXES,
        *("quantity", 300, 420),
    )
    assert (row.reason, row.amended_by_id) == ("More came than had registered", actor.staff_id)
    assert say_amendment(plan, row) == "gift boxes: quantity from 300 to 420"
    assert [say_difference(one) for one in plan.differences] == [
        "gift boxes: quantity from 300 to 420 (+120)"
    ]


def test_several_numbers_are_several_amendments_in_one_step(actor, started):
    numbers = {"quantity": 250.5, "per_person": None}
    assert len(amend(actor, started, NumbersChange(*BOXES, numbers))) == 2
    plan = plan_of(actor, started)
    assert plan.items.find(ItemKind.FINISHED_GOOD, "gift-boxes").per_person is None
    assert [say_difference(one) for one in plan.differences] == [
        "gift boxes: quantity from 300 to 250.5 (-49.5)",
        "gift boxes: per person from 1 to none",
    ]
    [line, _] = items_beside(plan.planned, plan.items, ItemKind.FINISHED_GOOD)
    assert (line.before, line.after, line.difference) == (
        *("300, 1 a person", "250.5"),
        "-49.5, per person taken out",
    )


def test_an_item_is_added_and_taken_out(actor, started):
    amend(actor, started, ItemAddition("finished_good", {"name": "Stickers", "quantity": 500}))
    addition = {"name": "More", "recipe_slug": "ginger cookies", "batches": 2}
    amend(actor, started, ItemAddition("batch_decision", addition))
    amend(actor, started, ItemRemoval("finished_good", "sponsors-banners"))
    plan = plan_of(actor, started)
    assert [good.name for good in plan.items.finished_goods] == ["gift boxes", "Stickers"]
    assert plan.items.batch_decisions[1].to_json() == {
        "name": "More",
        "slug": "more",
        "recipe_slug": "ginger-cookies",
        "batches": 2,
        "yield_per_batch": 80,
    }
    assert [say_difference(one) for one in plan.differences] == [
        "Sponsors' banners: finished good taken out, quantity 4",
        "Stickers: finished good added, quantity 500",
        "More: batch decision added, batches 2, yield per batch 80",
    ]
    lines = items_beside(plan.planned, plan.items, ItemKind.FINISHED_GOOD)
    assert [line.difference for line in lines] == [None, "taken out", "added"]


def test_what_is_taken_out_can_come_back_and_then_nothing_differs(actor, started):
    item = items().finished_goods[1].to_json()
    amend(actor, started, ItemRemoval("finished_good", item["slug"]))
    amend(actor, started, ItemAddition("finished_good", item))
    plan = plan_of(actor, started)
    assert plan.items == plan.planned
    assert plan.differences == []
    assert len(list_amendments(actor.organisation_id, started.id).rows) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (NumbersChange("drink", "gift-boxes", {"quantity": 1}), "kind"),
        (NumbersChange("finished_good", "nothing", {"quantity": 1}), "slug"),
        (NumbersChange("finished_good", "sponsors-banners", {"batches": 1}), "batches"),
        (NumbersChange(*BOXES, {"quantity": -1}), "quantity"),
        (NumbersChange(*BOXES, {"quantity": None}), "quantity"),
        (NumbersChange(*BOXES, {"quantity": 300}), "quantity"),
        (NumbersChange(*BOXES, {}), "numbers"),
        (ItemAddition("finished_good", {"name": "", "quantity": 1}), "name"),
        (ItemAddition("finished_good", {"name": "a", "slug": "gift-boxes", "quantity": 1}), "slug"),
        (ItemAddition("batch_decision", {"recipe_slug": "bread", "batches": 1}), "recipe_slug"),
        (ItemRemoval("finished_good", "nothing"), "slug"),
        (ItemRemoval("recipe", "ginger-cookies"), "slug"),
    ],
)
def test_what_cannot_be_amended_is_refused_naming_the_field(actor, started, change, field):
    before = stored()
    with pytest.raises(InvalidInput) as refusal:
        amend(actor, started, change)
    assert list(refusal.value.fields) == [field]
    assert stored() == before


@pytest.mark.parametrize("reason", ["", "  \u200b", "x" * 501])
def test_a_reason_is_needed(actor, started, reason):
    before = stored()
    with pytest.raises(InvalidInput) as refusal:
        amend(actor, started, NumbersChange(*BOXES, {"quantity": 1}), reason)
    assert list(refusal.value.fields) == ["reason"]
    assert stored() == before


def test_a_recipe_goes_once_no_batch_decision_needs_it(actor, started):
    amend(actor, started, ItemRemoval("batch_decision", "ginger-cookies"))
    amend(actor, started, ItemRemoval("recipe", "ginger-cookies"))
    assert plan_of(actor, started).items.recipes == ()


def test_whoever_looked_at_an_older_version_is_told(actor, started):
    version = plan_of(actor, started).version
    amend(actor, started, NumbersChange(*BOXES, {"quantity": 420}))
    with pytest.raises(Conflict, match="Somebody else has changed this plan"):
        amend_plan(actor, started.id, NumbersChange(*BOXES, {"quantity": 1}), "why", version)


def test_another_organisation_amends_nothing_and_lists_nothing(actor, started):
    stranger = make_actor()
    with pytest.raises(NotFound):
        amend(stranger, started, NumbersChange(*BOXES, {"quantity": 1}))
    with pytest.raises(NotFound):
        list_amendments(stranger.organisation_id, started.id)


def test_the_list_goes_on_page_by_page_the_newest_first(actor, started):
    for quantity in range(301, 306):
        amend(actor, started, NumbersChange(*BOXES, {"quantity": quantity}))
    seen, cursor = [], None
    while True:
        page = list_amendments(actor.organisation_id, "gala", cursor, 2)
        seen += [row.after for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [305, 304, 303, 302, 301]


NUMBERS = st.sampled_from([0, 1, 2.5, 80, 300, 0.000001, 1_000_000_000])
SLUGS = st.sampled_from(["gift-boxes", "sponsors-banners", "ginger-cookies", "a", "b"])
KINDS = st.sampled_from([kind.value for kind in ItemKind])
FIELDS = st.sampled_from(["quantity", "per_person", "yield_per_batch", "batches"])
CHANGES = st.one_of(
    st.builds(
        NumbersChange,
        KINDS,
        SLUGS,
        st.dictionaries(FIELDS, st.one_of(st.none(), NUMBERS), min_size=1, max_size=2),
    ),
    st.builds(ItemRemoval, KINDS, SLUGS),
    st.builds(
        lambda slug, n: ItemAddition("finished_good", {"name": slug, "slug": slug, "quantity": n}),
        SLUGS,
        NUMBERS,
    ),
    st.builds(
        lambda slug, n: ItemAddition("recipe", {"name": slug, "slug": slug, "yield_per_batch": n}),
        SLUGS,
        NUMBERS,
    ),
    st.builds(
        lambda slug, recipe, n: ItemAddition(
            "batch_decision", {"name": slug, "slug": slug, "recipe_slug": recipe, "batches": n}
        ),
        SLUGS,
        SLUGS,
        NUMBERS,
    ),
)


def by_hand(plan: dict[str, list[dict[str, Any]]], change: Any) -> None:
    """Make a change that was accepted, in plain Python on plain JSON."""
    rows = plan[f"{change.kind}s"]
    if isinstance(change, ItemRemoval):
        rows[:] = [row for row in rows if row["slug"] != change.slug]
    elif isinstance(change, NumbersChange):
        next(row for row in rows if row["slug"] == change.slug).update(change.numbers)
    elif change.kind == "finished_good":
        rows.append({"per_person": None, **change.item})
    elif change.kind == "recipe":
        rows.append(dict(change.item))
    else:
        recipe = next(r for r in plan["recipes"] if r["slug"] == change.item["recipe_slug"])
        rows.append({**change.item, "yield_per_batch": recipe["yield_per_batch"]})


@given(st.lists(CHANGES, max_size=12))
def test_any_sequence_replays_to_what_plain_python_gives(changes):
    start = read_items(ITEMS)
    expected = start.to_json()
    steps: list[Any] = []
    for change in changes:
        now = replay(start, steps)
        try:
            new = steps_of(now, change)
        except InvalidInput:
            assert replay(start, steps) == now
            continue
        steps += new
        by_hand(expected, change)
    amended = replay(start, steps)
    assert amended.to_json() == expected
    assert undo(amended, difference(start, amended)) == sorted_items(start)
    assert undo(start, difference(amended, start)) == sorted_items(amended)


def undo(items: PlanItems, differences: list[Any]) -> dict[str, dict[str, Any]]:
    """What a plan was before these differences, by kind and slug: the difference adds up."""
    plan = sorted_items(items)
    for one in differences:
        rows = plan[one.kind.plural]
        if one.field is not None:
            rows[one.slug][one.field] = one.before
        elif one.before is None:
            del rows[one.slug]
        else:
            rows[one.slug] = one.before
    return plan


def sorted_items(items: PlanItems) -> dict[str, dict[str, Any]]:
    return {name: {row["slug"]: row for row in rows} for name, rows in items.to_json().items()}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(CHANGES, min_size=1, max_size=8))
def test_any_sequence_in_the_database_leaves_the_snapshot_alone(actor, started, changes):
    """Each example goes on where the last one ended: the longer, the better."""
    before = stored(PlanSnapshot)
    expected = plan_of(actor, started).items.to_json()
    for change in changes:
        try:
            amend(actor, started, change)
        except InvalidInput:
            continue
        by_hand(expected, change)
    plan = plan_of(actor, started)
    assert plan.items.to_json() == expected
    assert plan.planned == items()
    assert stored(PlanSnapshot) == before
