"""Plans: which action is allowed from which state, what is captured, and what failures leave."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall import clock
from rollcall.actors import Actor
from rollcall.errors import Conflict, NotFound
from rollcall.extensions import db, write
from rollcall.models import AuditEntry, EventPlan, PlanSnapshot, PlanState
from rollcall.plans.amendments import amend_plan
from rollcall.plans.changes import NumbersChange
from rollcall.plans.records import (
    find_event_snapshot,
    find_plan,
    lock_plan,
    set_plan,
    start_production,
    unlock_plan,
)
from rollcall.plans.snapshot import capture_plan_snapshot, snapshot_content
from rollcall.plans.states import TRANSITIONS
from tests.factories import attend, make_actor, make_people
from tests.failing import break_everywhere
from tests.plans.stage import ITEM_TABLES, ITEMS, VERBS, bring_to, items, state_of, stored
from tests.waiting import HANGS

OTHER = {"finished_goods": [{"name": "gift boxes", "quantity": 500}]}


def act(actor: Actor, event, action: str) -> None:
    if action == "edit":
        set_plan(actor, event.id, items(OTHER))
    elif action == "amend":
        change = NumbersChange("finished_good", "gift-boxes", {"quantity": 301})
        amend_plan(actor, event.id, change, "One more guest")
    else:
        VERBS[action](actor, event.id)


ALLOWED = {
    ("edit", "draft"): "draft",
    ("lock", "draft"): "locked",
    ("unlock", "locked"): "draft",
    ("start", "locked"): "in_production",
    ("amend", "in_production"): "in_production",
    ("complete", "in_production"): "completed",
}
NAMED = {
    "draft": "This plan is a draft, so ",
    "locked": "This plan is locked, so ",
    "in_production": "This plan is in production, so ",
    "completed": "This plan is completed, so ",
}


@pytest.mark.parametrize("state", list(PlanState))
@pytest.mark.parametrize("action", TRANSITIONS)
def test_every_action_from_every_state(actor, gala, action, state):
    bring_to(actor, gala, state)
    before = stored()
    target = ALLOWED.get((action, state.value))
    if target is None:
        with pytest.raises(Conflict) as refusal:
            act(actor, gala, action)
        assert str(refusal.value).startswith(NAMED[state])
        assert stored() == before
    else:
        act(actor, gala, action)
        after = stored()
        assert state_of(gala) == target
        assert after["event_plan"][0]["version"] == before["event_plan"][0]["version"] + 1
        entry = [one for one in after["audit_entry"] if one not in before["audit_entry"]][-1]
        assert (entry["action"], entry["staff_id"]) == (f"plan.{action}", actor.staff_id)


def test_starting_a_draft_says_what_to_do_first(actor, gala):
    with pytest.raises(Conflict) as refusal:
        start_production(actor, gala.id)
    assert str(refusal.value) == (
        "This plan is a draft, so production can't be started: lock it first."
    )
    assert stored()["event_plan"] == []


def test_a_plan_that_was_never_written_is_an_empty_draft_and_looking_stores_nothing(actor, gala):
    plan = find_plan(actor.organisation_id, "gala")
    assert (plan.state, plan.version, plan.people, bool(plan.items)) == ("draft", 1, 3, False)
    assert stored()["event_plan"] == []


def test_what_is_written_is_stored_and_read_in_its_order(actor, gala):
    set_plan(actor, gala.id, items())
    plan = find_plan(actor.organisation_id, gala.id)
    assert plan.items == items()
    assert plan.version == 2
    rows = stored()
    assert rows["plan_finished_good"][0]["quantity"] == 300
    assert rows["plan_batch_decision"][0]["recipe_id"] == rows["plan_recipe"][0]["id"]
    assert (
        rows["audit_entry"][-1]["after"]["finished_goods"]
        == (plan.items.to_json()["finished_goods"])
    )


def test_writing_the_same_again_changes_nothing(actor, gala):
    set_plan(actor, gala.id, items())
    before = stored()
    set_plan(actor, gala.id, items(), version=2)
    assert stored() == before


def test_an_older_version_is_refused(actor, gala):
    set_plan(actor, gala.id, items(), version=1)
    before = stored()
    for verb in (lambda: set_plan(actor, gala.id, items(OTHER), 1), lambda: lock_plan(actor, 1, 1)):
        with pytest.raises(Conflict, match="Somebody else has changed this plan"):
            verb()
    assert stored() == before
    lock_plan(actor, gala.id, version=2)
    assert state_of(gala) == "locked"


def test_another_organisation_finds_no_plan(actor, gala):
    set_plan(actor, gala.id, items())
    stranger = make_actor()
    before = stored()
    for verb in (*VERBS.values(), lambda *a: set_plan(*a, items(OTHER))):
        with pytest.raises(NotFound):
            verb(stranger, gala.id)
    with pytest.raises(NotFound):
        find_plan(stranger.organisation_id, "gala")
    assert stored() == before


def test_starting_captures_everything(actor, gala):
    before = clock.now()
    bring_to(actor, gala, PlanState.IN_PRODUCTION)
    rows = stored()
    [recipe], [boxes, banners], [batches] = (rows[table.__tablename__] for table in ITEM_TABLES)
    content = snapshot_content(find_event_snapshot(actor.organisation_id, gala.id))
    moment = content.pop("created_at")
    assert before - timedelta(seconds=1) <= datetime.fromisoformat(moment) <= clock.now()
    assert moment.endswith("Z")
    assert content == {
        "snapshot_version": "1.0",
        "event": {"id": gala.id, "slug": "gala", "name": "The Gala"},
        "head_count": 3,
        "recipes": [
            {
                "id": recipe["id"],
                "name": "Ginger cookies",
                "slug": "ginger-cookies",
                "yield_per_batch": 80,
            }
        ],
        "finished_goods": [
            {
                "id": boxes["id"],
                "name": "gift boxes",
                "slug": "gift-boxes",
                "quantity": 300,
                "per_person": 1,
            },
            {
                "id": banners["id"],
                "name": "Sponsors' banners",
                "slug": "sponsors-banners",
                "quantity": 4,
                "per_person": None,
            },
        ],
        "batch_decisions": [
            {
                "id": batches["id"],
                "name": "Ginger cookies",
                "slug": "ginger-cookies",
                "recipe_id": recipe["id"],
                "recipe_slug": "ginger-cookies",
                "batches": 4.5,
                "yield_per_batch": 80,
            }
        ],
    }
    assert list(content) == [
        *("snapshot_version", "event", "head_count"),
        *("recipes", "finished_goods", "batch_decisions"),
    ]
    [snapshot] = rows["plan_snapshot"]
    assert (snapshot["people"], snapshot["taken_by_id"]) == (3, actor.staff_id)


def test_an_empty_plan_goes_all_the_way(actor, gala):
    lock_plan(actor, gala.id)
    start_production(actor, gala.id)
    content = find_event_snapshot(actor.organisation_id, "gala").content
    assert content["recipes"] == content["finished_goods"] == content["batch_decisions"] == []
    assert state_of(gala) == "in_production"


def test_capturing_twice_gives_the_same_snapshot(actor, acme, gala):
    bring_to(actor, gala, PlanState.LOCKED)
    plan = db.session.scalars(sa.select(EventPlan)).one()
    with write():
        first = capture_plan_snapshot(actor, plan).id
    before = stored(PlanSnapshot)
    attend(gala, make_people(acme, 2))
    with write():
        assert capture_plan_snapshot(actor, plan).id == first
    start_production(actor, gala.id)
    assert stored(PlanSnapshot) == before


def test_a_capture_outside_of_a_transaction_is_a_mistake(actor, gala):
    bring_to(actor, gala, PlanState.LOCKED)
    plan = db.session.scalars(sa.select(EventPlan)).one()
    with pytest.raises(RuntimeError, match="inside the transaction"):
        capture_plan_snapshot(actor, plan)
    assert stored(PlanSnapshot) == {"plan_snapshot": []}


def test_an_unlocked_plan_can_be_edited_and_what_is_captured_is_the_edit(actor, gala):
    bring_to(actor, gala, PlanState.LOCKED)
    unlock_plan(actor, gala.id)
    set_plan(actor, gala.id, items(OTHER))
    lock_plan(actor, gala.id)
    start_production(actor, gala.id)
    content = find_event_snapshot(actor.organisation_id, "gala").content
    assert [good["quantity"] for good in content["finished_goods"]] == [500]
    assert content["recipes"] == []


def test_there_is_no_snapshot_before_production_starts(actor, gala):
    bring_to(actor, gala, PlanState.LOCKED)
    with pytest.raises(NotFound, match="it is taken when production starts"):
        find_event_snapshot(actor.organisation_id, "gala")


def at_once(app: APIFlask, work, times: int = 2) -> list[Exception | None]:
    """Do the work in so many threads that all begin together; what each of them raised."""
    gate = threading.Barrier(times)

    def run() -> Exception | None:
        with app.app_context():
            try:
                gate.wait(HANGS)
                work()
            except Exception as error:
                return error
            finally:
                db.session.remove()
            return None

    with ThreadPoolExecutor(times) as pool:
        return [future.result(HANGS) for future in [pool.submit(run) for _ in range(times)]]


@pytest.mark.parametrize("turn", range(5))
def test_of_many_starts_at_once_one_wins_and_one_snapshot_is_stored(app, actor, gala, turn):
    bring_to(actor, gala, PlanState.LOCKED)
    event_id = gala.id
    db.session.remove()
    errors = at_once(app, lambda: start_production(actor, event_id), times=4)
    refusals = [error for error in errors if error is not None]
    assert len(refusals) == 3
    assert {type(error) for error in refusals} == {Conflict}
    assert {str(error) for error in refusals} == {
        "This plan is in production, so production can't be started: it was started before."
    }
    rows = stored()
    assert len(rows["plan_snapshot"]) == 1
    assert rows["event_plan"][0]["state"] == "in_production"
    assert sum(entry["action"] == "plan.start" for entry in rows["audit_entry"]) == 1


@pytest.mark.parametrize("turn", range(3))
def test_first_writes_at_once_make_one_plan(app, actor, gala, turn):
    event_id = gala.id
    db.session.remove()
    errors = at_once(app, lambda: set_plan(actor, event_id, items()), times=4)
    assert errors == [None] * 4
    rows = stored()
    assert len(rows["event_plan"]) == len(rows["plan_recipe"]) == 1


def test_wherever_the_start_fails_nothing_has_changed(actor, gala):
    bring_to(actor, gala, PlanState.LOCKED)
    event_id = gala.id
    before = stored()

    def nothing_changed(statement: str) -> None:
        assert stored() == before, f"after the failure of: {statement}"

    failed = break_everywhere(lambda: start_production(actor, event_id), nothing_changed)
    assert any(statement.startswith("INSERT INTO plan_snapshot") for statement in failed)
    assert any(statement.startswith("UPDATE event_plan") for statement in failed)
    assert any(statement.startswith("INSERT INTO audit_entry") for statement in failed)
    captured = next(n for n, text in enumerate(failed) if "INSERT INTO plan_snapshot" in text)
    changed = next(n for n, text in enumerate(failed) if "UPDATE event_plan" in text)
    assert captured < changed, "the snapshot is stored before the state changes"
    rows = stored()
    assert rows["event_plan"][0]["state"] == "in_production"
    assert len(rows["plan_snapshot"]) == 1


@pytest.mark.parametrize("action", ["edit", "lock", "unlock", "amend", "complete"])
def test_wherever_another_action_fails_nothing_has_changed(actor, gala, action):
    bring_to(actor, gala, TRANSITIONS[action].source)
    db.session.refresh(gala)
    before = stored()

    def nothing_changed(statement: str) -> None:
        assert stored() == before, f"after the failure of: {statement}"

    break_everywhere(lambda: act(actor, gala, action), nothing_changed)
    after = stored()
    assert after["event_plan"][0]["state"] == TRANSITIONS[action].target
    assert len(after["audit_entry"]) == len(before["audit_entry"]) + 1


def test_a_first_write_that_fails_leaves_no_plan(actor, gala):
    event_id = gala.id

    def nothing_there(statement: str) -> None:
        rows = stored()
        assert rows["event_plan"] == rows["plan_recipe"] == rows["audit_entry"] == [], statement

    break_everywhere(lambda: set_plan(actor, event_id, items()), nothing_there)
    assert len(stored()["plan_finished_good"]) == len(ITEMS["finished_goods"])
    assert db.session.scalars(sa.select(AuditEntry.action)).all() == ["plan.edit"]
