"""Limits, directions and decisions over the API."""

from datetime import UTC, datetime

import pytest
import time_machine
from apiflask import APIFlask

from rollcall.extensions import db
from rollcall.models import Campaign, Event, Organisation, Role
from rollcall.sending.due import run_due_campaigns
from tests.api.client import Program, make_token, problem_fields
from tests.factories import attend, make_people

FRIDAY = datetime(2026, 11, 27, 19, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 29, 15, tzinfo=UTC)
CAMPAIGN = {
    "name": "Winner announcement",
    "channel": "sms",
    "message": "Congrats!",
    "targeting_criteria": {"events": ["party"]},
    "scheduled_local_time": "2026-11-29T10:00",
    "scheduled_timezone": "America/Toronto",
    "reprocess_audience_at_send": True,
    "schedule": True,
}


def test_a_stopped_campaign_is_decided_once(
    app: APIFlask, program: Program, acme: Organisation, party: Event
):
    attend(party, make_people(acme, 2))
    with time_machine.travel(FRIDAY, tick=False) as clock:
        body = {**CAMPAIGN, "guard_limits": {"growth_percent": 50, "budget": "100.00"}}
        made = program.post("/campaigns", body)
        assert made.status_code == 201, made.text
        path = f"/campaigns/{made.get_json()['id']}"
        assert made.get_json()["settings"]["guard_limits"]["growth_percent"] == 50
        attend(party, make_people(acme, 4))
        clock.move_to(SUNDAY)
        run_due_campaigns(app.extensions["rollcall"])
        stopped = program.get(path).get_json()
        assert stopped["status"] == "needs_review"
        assert "the limit is 50 %" in stopped["metadata"]["guards"]["blockers"][0]
        attend(party, make_people(acme, 1))
        again = program.post(f"{path}/review", {"decision": "final"})
        assert again.status_code == 409
        assert "The audience has changed since you looked" in again.get_json()["detail"]
        decided = program.post(f"{path}/review", {"decision": "final", "reason": "Yes."})
        assert decided.status_code == 200, decided.text
        run_due_campaigns(app.extensions["rollcall"])
        done = program.get(path).get_json()
        late = program.post(f"{path}/review", {"decision": "estimate"})
    assert done["status"] == "completed"
    assert done["metadata"]["review"]["reason"] == "Yes."
    assert late.status_code == 409


def test_staff_can_not_approve_what_their_role_may_not(
    app: APIFlask, program: Program, acme: Organisation, party: Event
):
    attend(party, make_people(acme, 1))
    staff = Program(app, make_token(acme, role=Role.STAFF))
    with time_machine.travel(FRIDAY, tick=False) as clock:
        made = staff.post("/campaigns", CAMPAIGN)
        attend(party, make_people(acme, 30))
        clock.move_to(SUNDAY)
        run_due_campaigns(app.extensions["rollcall"])
        refused = staff.post(f"/campaigns/{made.get_json()['id']}/review", {"decision": "final"})
    assert refused.status_code == 403
    assert "beyond what your role" in refused.get_json()["detail"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"audience_mode": "sideways"}, "audience_mode"),
        ({"audience_mode": "frozen"}, "audience_mode"),
        ({"min_growth": -1}, "min_growth"),
        ({"guard_limits": {"ceiling": 10_000_000}}, "guard_limits.ceiling"),
        ({"guard_limits": {"height": 5}}, "guard_limits.height"),
        ({"guard_limits": {"budget": "a lot"}}, "guard_limits.budget"),
    ],
)
def test_what_can_not_be_is_refused_by_its_field(program: Program, party: Event, given, field):
    with time_machine.travel(FRIDAY, tick=False):
        refused = program.post("/campaigns", {**CAMPAIGN, "schedule": False, **given})
    assert refused.status_code in (400, 422)
    assert set(problem_fields(refused)) == {field}


def test_the_direction_is_stored(program: Program, party: Event):
    with time_machine.travel(FRIDAY, tick=False):
        body = {**CAMPAIGN, "audience_mode": "additions", "min_growth": 20, "schedule": False}
        made = program.post("/campaigns", body).get_json()
    assert made["settings"]["audience_mode"] == "additions"
    assert made["settings"]["min_growth"] == 20
    assert db.session.get_one(Campaign, made["id"]).audience_mode == "additions"
