"""Event plans through the API: written, locked, produced, amended, and what is wrong said."""

import pytest

from tests.api.client import Program, problem_fields
from tests.factories import attend, make_people
from tests.plans.stage import ITEMS, stored

PLAN = "/events/party/plan"


def put(program: Program, body, path: str = PLAN):
    return program.call("PUT", path, json=body)


@pytest.fixture
def started(program, party) -> Program:
    put(program, ITEMS)
    for action in ("lock", "start"):
        assert program.post(f"{PLAN}/{action}").status_code == 200
    return program


def test_a_plan_that_was_never_written_is_an_empty_draft(program, party):
    given = program.get(PLAN).get_json()
    assert (given["state"], given["version"], given["head_count"]) == ("draft", 1, 3)
    assert given["recipes"] == given["finished_goods"] == given["batch_decisions"] == []
    assert given["amended"] is given["updated_at"] is given["snapshot_taken_at"] is None
    assert stored()["event_plan"] == []


def test_what_is_written_is_answered_and_can_be_written_again(program, party):
    given = put(program, {**ITEMS, "version": 1}, "/events/1/plan").get_json()
    assert given["version"] == 2
    lists = {name: given[name] for name in ITEMS}
    assert lists["finished_goods"][0] == {
        "name": "gift boxes",
        "slug": "gift-boxes",
        "quantity": 300,
        "per_person": 1,
    }
    assert lists["batch_decisions"][0]["yield_per_batch"] == 80
    assert put(program, lists).get_json()["version"] == 2
    assert program.get(PLAN).get_json() == given
    assert put(program, {**ITEMS, "version": 1}).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"drinks": []}, "drinks"),
        ({"recipes": [{"name": "a"}]}, "recipes.0.yield_per_batch"),
        ({"recipes": [{"name": "a", "yield_per_batch": "1"}]}, "recipes.0.yield_per_batch"),
        ({"recipes": [{"name": "a", "yield_per_batch": -1}]}, "recipes.0.yield_per_batch"),
        ({"recipes": [{"name": "a", "yield_per_batch": 10**40}]}, "recipes.0.yield_per_batch"),
        ({"recipes": [{"name": "a", "yield_per_batch": True}]}, "recipes.0.yield_per_batch"),
        ({"recipes": [{"name": "a", "yield_per_batch": 1e-7}]}, "recipes.0.yield_per_batch"),
        ({"recipes": [{"name": " ", "yield_per_batch": 1}]}, "recipes.0.name"),
        ({"recipes": [{"name": "a", "slug": "A!", "yield_per_batch": 1}]}, "recipes.0.slug"),
        (
            {"batch_decisions": [{"recipe_slug": "a", "batches": 1}]},
            "batch_decisions.0.recipe_slug",
        ),
        ({"version": 0}, "version"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(program, party, body, field):
    response = put(program, body)
    assert response.status_code == 422
    assert list(problem_fields(response)) == [field]
    assert stored()["event_plan"] == []


def test_the_snapshot_is_there_once_production_has_started(program, party):
    missing = program.get(f"{PLAN}/snapshot")
    assert missing.status_code == 404
    assert missing.get_json()["detail"] == (
        "There is no snapshot of the plan of Party yet: it is taken when production starts."
    )
    put(program, ITEMS)
    refused = program.post(f"{PLAN}/start")
    assert refused.status_code == 409
    assert refused.get_json()["detail"] == (
        "This plan is a draft, so production can't be started: lock it first."
    )
    program.post(f"{PLAN}/lock")
    assert program.post(f"{PLAN}/start").get_json()["state"] == "in_production"
    given = program.get(f"{PLAN}/snapshot").get_json()
    assert set(given) == {
        *("snapshot_version", "created_at", "event", "head_count"),
        *("recipes", "finished_goods", "batch_decisions"),
    }
    assert given["batch_decisions"][0]["recipe_id"] == given["recipes"][0]["id"]
    again = program.post(f"{PLAN}/start")
    assert again.status_code == 409
    assert "This plan is in production" in again.get_json()["detail"]
    assert program.get(f"{PLAN}/snapshot").get_json() == given


def test_amendments_change_what_is_amended_and_nothing_else(started, acme, party):
    snapshot = started.get(f"{PLAN}/snapshot").get_json()
    body = {
        "action": "change",
        "kind": "finished_good",
        "slug": "gift-boxes",
        "numbers": {"quantity": 420, "per_person": None},
        "reason": "More came",
    }
    given = started.post(f"{PLAN}/amendments", body).get_json()
    assert given["finished_goods"][0]["quantity"] == 300
    assert given["amended"]["finished_goods"][0] == {
        "name": "gift boxes",
        "slug": "gift-boxes",
        "quantity": 420,
        "per_person": None,
    }
    assert [(one["field"], one["before"], one["after"]) for one in given["difference"]] == [
        ("quantity", 300, 420),
        ("per_person", 1, None),
    ]
    added = {"action": "add", "kind": "recipe", "reason": "why"}
    item = {"name": "Hot chocolate", "yield_per_batch": 12.5}
    assert started.post(f"{PLAN}/amendments", {**added, "item": item}).status_code == 200
    gone = {"action": "take_out", "kind": "finished_good", "slug": "sponsors-banners"}
    started.post(f"{PLAN}/amendments", {**gone, "reason": "They withdrew"})
    page = started.get(f"{PLAN}/amendments", query_string={"limit": 1}).get_json()
    [last] = page["data"]
    assert (last["slug"], last["after"], last["reason"]) == (
        *("sponsors-banners", None, "They withdrew"),
    )
    assert last["before"]["quantity"] == 4
    rest = started.get(f"{PLAN}/amendments?cursor={page['next_cursor']}").get_json()
    assert [one["slug"] for one in rest["data"]] == ["hot-chocolate", "gift-boxes", "gift-boxes"]
    assert started.get(f"{PLAN}/snapshot").get_json() == snapshot


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"kind": "drink"}, "kind"),
        ({"action": "eat"}, "action"),
        ({"slug": "nothing"}, "slug"),
        ({"numbers": {"batches": 2}}, "numbers.batches"),
        ({"numbers": {"quantity": 0.12345678}}, "numbers.quantity"),
        ({"numbers": {}}, "numbers"),
        ({"action": "add", "item": {"name": "a"}}, "item.quantity"),
        ({"action": "add", "item": {"name": "a", "quantity": 1, "batches": 1}}, "item.batches"),
    ],
)
def test_an_amendment_that_is_wrong_is_named_by_its_field(started, change, field):
    body = {
        "action": "change",
        "kind": "finished_good",
        "slug": "gift-boxes",
        "numbers": {"quantity": 420},
        "reason": "More came",
    }
    response = started.post(f"{PLAN}/amendments", {**body, **change})
    assert response.status_code == 422
    assert list(problem_fields(response)) == [field]
    assert started.get(f"{PLAN}/amendments").get_json()["data"] == []


def test_whoever_came_since_is_in_the_warnings(started, acme, party):
    attend(party, make_people(acme, 300))
    given = started.get(PLAN).get_json()
    assert given["warnings"] == [
        "303 people now, 3 when production started: +300.",
        "300 gift boxes for 303 people. At 1 each it takes 303: 3 are missing.",
    ]
    assert (given["head_count"], given["snapshot_head_count"]) == (303, 3)
    assert (given["supplies"][0]["needed"], given["supplies"][0]["missing"]) == (303, 3)


def test_a_repeated_request_with_a_key_does_nothing_twice(started):
    body = {"action": "take_out", "kind": "finished_good", "slug": "gift-boxes", "reason": "why"}
    key = {"Idempotency-Key": "once"}
    first = started.post(f"{PLAN}/amendments", body, headers=key)
    assert started.post(f"{PLAN}/amendments", body, headers=key).get_json() == first.get_json()
    assert len(started.get(f"{PLAN}/amendments").get_json()["data"]) == 1
