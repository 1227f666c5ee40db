"""Trying a campaign out over the API: dry run, a test to oneself, and who else wants the people."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from apiflask import APIFlask

from rollcall.models import Event, Organisation
from rollcall.sending.due import run_due_campaigns
from tests.api.client import Program, problem_fields
from tests.factories import attend, make_people

FRIDAY = datetime(2026, 11, 27, 19, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 29, 15, tzinfo=UTC)
CAMPAIGN = {
    "name": "Winner announcement",
    "channel": "sms",
    "message": "Congrats %%FIRST_NAME%%!",
    "targeting_criteria": {"events": ["party"]},
    "scheduled_local_time": "2026-11-29T10:00",
    "scheduled_timezone": "America/Toronto",
    "schedule": True,
}


def create(program: Program, **changes: Any) -> dict[str, Any]:
    made = program.post("/campaigns", {**CAMPAIGN, **changes})
    assert made.status_code == 201, made.text
    return made.get_json()


def test_a_dry_run_and_the_real_one(
    app: APIFlask, program: Program, acme: Organisation, party: Event
):
    with time_machine.travel(FRIDAY, tick=False) as clock:
        made = create(program, dry_run_address="(416) 555-0199", dry_run_limit=2)
        assert made["dry_run"]["address"] == "+14165550199"
        assert made["dry_run"]["messages"] == []
        assert made["metadata"]["reprocess_audience_at_send"] is True
        [listed] = program.get("/campaigns").get_json()["data"]
        assert listed["dry_run"] is True
        attend(party, make_people(acme, 10))
        clock.move_to(SUNDAY)
        run_due_campaigns(app.extensions["rollcall"])
        done = program.get(f"/campaigns/{made['id']}").get_json()
        real = program.post(f"/campaigns/{made['id']}/for-real")
    assert (done["status"], done["total_recipients"]) == ("completed", 13)
    assert done["results"]["held_back_by_reason"] == {"dry_run": 13}
    found = done["dry_run"]
    assert [one["outcome"] for one in found["messages"]] == ["accepted", "accepted"]
    assert found["messages"][0]["message"].startswith("Congrats First")
    assert (found["cost"], found["currency"]) == ("0.13", "USD")
    assert real.status_code == 201
    assert (real.get_json()["dry_run"], real.get_json()["status"]) == (None, "draft")
    assert real.headers["Location"].endswith(f"/campaigns/{real.get_json()['id']}")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"dry_run_address": "12"}, "dry_run_address"),
        ({"dry_run_address": ""}, "dry_run_address"),
        ({"dry_run_address": "+14165550199", "dry_run_limit": 51}, "dry_run_limit"),
        ({"dry_run_address": "+14165550199", "dry_run_limit": "5"}, "dry_run_limit"),
        ({"dry_run_limit": 5}, "dry_run_limit"),
    ],
)
def test_what_is_wrong_is_named(program: Program, party: Event, body: dict[str, Any], field: str):
    refused = program.post("/campaigns", {**CAMPAIGN, "schedule": False} | body)
    assert refused.status_code == 422
    assert field in problem_fields(refused)


def test_a_test_of_the_message(program: Program, acme: Organisation, party: Event):
    attend(party, make_people(acme, 1))
    made = create(program, schedule=False, scheduled_local_time="2100-01-01T10:00")
    path = f"/campaigns/{made['id']}/test"
    assert problem_fields(program.post(path)) == {"address": "Give the phone that it is to go to."}
    sent = program.post(path, {"address": "416 555 0199"})
    assert sent.get_json() == {
        "address": "+14165550199",
        "accepted": True,
        "answer": "Simulator took it. It should be there in a minute.",
    }
    for _ in range(9):
        assert program.post(path, {"address": "416 555 0199"}).status_code == 200
    refused = program.post(path, {"address": "416 555 0199"})
    assert refused.status_code == 429
    assert "10 tests within a minute" in refused.get_json()["detail"]


def test_collisions(program: Program, acme: Organisation, party: Event):
    people = make_people(acme, 5)
    attend(party, people)
    with time_machine.travel(FRIDAY, tick=False):
        first = create(
            program,
            name="Doors open at 7",
            scheduled_local_time="2026-11-28T18:00",
            targeting_criteria={"people": people[:2], "recent_message_hours": 1},
        )
        winner = create(program)
        alone = program.get(f"/campaigns/{first['id']}/collisions").get_json()["collisions"]
        found = program.get(f"/campaigns/{winner['id']}/collisions").get_json()["collisions"]
        preview = program.post(f"/campaigns/{winner['id']}/preview").get_json()
    assert [(one["campaign_id"], one["people"]) for one in found["loses"]] == [(first["id"], 2)]
    assert (found["people"], found["would_get_it"], found["messages_lost"]) == (8, 6, 2)
    assert found["best_order"] == {
        "campaigns": ["Winner announcement", "Doors open at 7"],
        "messages_lost": 0,
    }
    assert "16 h before (window 72 h)" in found["sentences"][0]
    assert preview["collisions"] == found
    assert [one["people"] for one in alone["takes"]] == [2]
