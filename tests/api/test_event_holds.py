"""Rehearsals, and events that change, over the API."""

from datetime import UTC, datetime

import time_machine

from rollcall.models import Event, Organisation, Role
from tests.api.client import Program, make_token, problem_fields
from tests.factories import attend, make_people

FRIDAY = datetime(2026, 11, 27, 19, tzinfo=UTC)
CAMPAIGN = {
    "name": "Doors at seven",
    "channel": "sms",
    "message": "Hello",
    "targeting_criteria": {"events": ["party"]},
    "scheduled_local_time": "2026-11-29T10:00",
    "scheduled_timezone": "America/Toronto",
    "reprocess_audience_at_send": True,
    "schedule": True,
}


def test_a_moved_event_holds_and_its_campaign_moves_along(program: Program, party: Event):
    with time_machine.travel(FRIDAY, tick=False):
        made = program.post("/campaigns", {**CAMPAIGN, "not_after": "2026-11-29T17:00:00Z"})
        assert made.status_code == 201, made.text
        path = f"/campaigns/{made.get_json()['id']}"
        assert made.get_json()["held_for"] is None
        times = {"starts": "2026-12-05T19:00", "ends": "2026-12-05T23:00"}
        changed = program.call("PATCH", "/events/party", json=times)
        assert changed.get_json()["held_campaigns"] == [made.get_json()["id"]]
        held = program.get(path).get_json()
        assert held["status"] == "needs_review"
        assert held["held_for"]["change"] == "moved"
        assert held["held_for"]["from"]["starts_at"] == "2026-11-29T00:00:00+00:00"
        assert held["held_for"]["moved"]["scheduled_local_time"] == "2026-12-06T10:00"
        wrong = program.post(f"{path}/review", {"decision": "elsewhere"})
        assert "decision" in problem_fields(wrong)
        early = program.post(f"{path}/review", {"decision": "final"})
        assert early.status_code == 409
        assert "Its time is still to come" in early.get_json()["detail"]
        moved = program.post(f"{path}/review", {"decision": "move", "version": held["version"]})
        assert moved.status_code == 200, moved.text
        assert moved.get_json()["scheduled_at"] == "2026-12-06T15:00:00Z"
        assert moved.get_json()["not_after"] == "2026-12-06T17:00:00Z"
        assert moved.get_json()["held_for"] is None
        late = program.post(f"{path}/review", {"decision": "keep"})
    assert late.status_code == 409


def test_a_cancelled_event_is_marked_and_can_be_reopened(program: Program, party: Event):
    with time_machine.travel(FRIDAY, tick=False):
        campaign_id = program.post("/campaigns", CAMPAIGN).get_json()["id"]
        cancelled = program.post("/events/party/cancel").get_json()
        assert cancelled["cancelled_at"] == "2026-11-27T19:00:00Z"
        assert cancelled["held_campaigns"] == [campaign_id]
        assert cancelled["attendance"]["total"] == 3
        assert program.post("/events/party/cancel").status_code == 409
        move = program.post(f"/campaigns/{campaign_id}/review", {"decision": "move"})
        assert "no other time" in problem_fields(move)["decision"]
        reopened = program.post("/events/party/reopen").get_json()
        assert reopened["cancelled_at"] is None
        assert reopened["held_campaigns"] == [campaign_id]
        kept = program.post(f"/campaigns/{campaign_id}/review", {"decision": "keep"}).get_json()
    assert kept["status"] == "scheduled"
    assert program.get("/events").get_json()["data"][0]["cancelled_at"] is None


def test_others_neither_cancel_nor_rehearse(
    program: Program, reader: Program, stranger: Program, party: Event
):
    with time_machine.travel(FRIDAY, tick=False):
        campaign_id = program.post("/campaigns", CAMPAIGN).get_json()["id"]
        for path in ("/events/party/cancel", f"/campaigns/{campaign_id}/rehearse"):
            assert reader.post(path).status_code == 403
            assert stranger.post(path).status_code == 404
    assert stranger.get(f"/campaigns/{campaign_id}/rehearsals").status_code == 404


def test_a_rehearsal_is_gone_and_listed(app, program: Program, acme: Organisation, party: Event):
    staff = Program(app, make_token(acme, role=Role.STAFF))
    with time_machine.travel(FRIDAY, tick=False) as clock:
        campaign_id = staff.post("/campaigns", CAMPAIGN).get_json()["id"]
        path = f"/campaigns/{campaign_id}"
        attend(party, make_people(acme, 2))
        found = program.post(f"{path}/rehearse").get_json()
        assert found["outcome"] == "within_limits"
        assert found["sentence"] == "5 people (+2 since 14:00), within limits."
        assert (found["people"], found["joined"], found["change_percent"]) == (5, 2, 67)
        attend(party, make_people(acme, 9))
        clock.shift(60)
        stopped = program.post(f"{path}/rehearse").get_json()
        assert stopped["outcome"] == "review"
        assert stopped["blockers"] == [
            "The audience went from 3 to 14 people (+11, +367 %); the limit is 100 %."
        ]
        page = program.get(f"{path}/rehearsals?limit=1").get_json()
        assert [row["id"] for row in page["data"]] == [stopped["id"]]
        rest = program.get(f"{path}/rehearsals?cursor={page['next_cursor']}").get_json()
        assert rest["data"] == [found]
        assert program.get(path).get_json()["status"] == "scheduled"
        program.post(f"{path}/cancel")
        assert program.post(f"{path}/rehearse").status_code == 409
