"""Campaigns over the API, from the draft to the figures of the contract."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from apiflask import APIFlask

from rollcall.campaigns.drafts import NEEDS_EVENTS, NEEDS_TIME
from rollcall.campaigns.guards import DEFAULT_LIMITS
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import Campaign, CampaignState, Event, Organisation, Role, Source
from rollcall.sending.due import run_due_campaigns
from tests.api.client import Program, problem_fields
from tests.factories import attend, make_people, make_person, set_facts

FRIDAY = datetime(2026, 11, 27, 19, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 29, 15, tzinfo=UTC)

WINNER = {
    "name": "Winner announcement",
    "channel": "sms",
    "message": "Congrats to Sarah!",
    "targeting_criteria": {"events": ["party"], "sources": ["registration", "qr_scan"]},
    "scheduled_local_time": "2026-11-29T10:00:00",
    "scheduled_timezone": "America/Toronto",
    "reprocess_audience_at_send": True,
    "schedule": True,
}


def test_from_the_draft_to_the_figures(
    program: Program, acme: Organisation, party: Event, settings: Settings
):
    with time_machine.travel(FRIDAY, tick=False):
        created = program.post("/campaigns", WINNER)
        assert created.status_code == 201, created.text
        assert created.get_json()["status"] == "scheduled"
    attend(party, make_people(acme, 4), Source.QR_SCAN)
    set_facts(1, blocked=True)
    with time_machine.travel(SUNDAY, tick=False):
        assert run_due_campaigns(settings) == [1]
        shown = program.get("/campaigns/1").get_json()
    assert shown["id"] == 1
    assert shown["status"] == "completed"
    assert shown["total_recipients"] == 6
    assert shown["scheduled_at"] == "2026-11-29T15:00:00Z"
    assert shown["scheduled_timezone"] == "America/Toronto"
    assert shown["scheduled_local_time"] == "2026-11-29T10:00:00"
    assert shown["targeting_criteria"] == {
        "events": ["party"],
        "sources": ["registration", "qr_scan"],
        "rfm_filters": None,
        "recent_message_hours": 72,
    }
    assert shown["settings"] == {
        "recipient_mode": "events",
        "segment_id": None,
        "segment": None,
        "segment_version": None,
        "snapshot_mode": None,
        "segment_snapshot": None,
        "frozen_at": "2026-11-27T19:00:00Z",
        "frozen_contact_ids": [1, 2, 3],
        "original_segment_id": None,
        "audience_mode": "reprocess",
        "min_growth": None,
        "guard_limits": DEFAULT_LIMITS[Role.SUPER].to_json(),
        "on_failure": "fail",
        "quiet_hours": "wait",
    }
    metadata = shown["metadata"]
    assert metadata["reprocess_audience_at_send"] is True
    assert metadata["estimated_recipients"] == 3
    assert metadata["actual_recipients"] == 6
    assert metadata["audience_change_absolute"] == 3
    assert metadata["audience_change_percent"] == 100
    assert (metadata["joined"], metadata["left"]) == (4, 1)
    assert metadata["left_by_reason"] == {"blocked": 1}
    snapshots = metadata["audience_snapshot"]
    assert snapshots["at_creation"]["total"] == 3
    assert snapshots["at_send"]["by_source"] == {
        "registration": 2,
        "qr_scan": 4,
        "both": 0,
        "other": 0,
    }
    assert shown["results"]["sent"] + shown["results"]["delivered"] == 6
    assert shown["results"]["pending"] == 0
    assert shown["completed_at"] is not None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scheduled_local_time": None, "scheduled_timezone": None}, NEEDS_TIME),
        ({"targeting_criteria": {"people": [1, 2]}}, NEEDS_EVENTS),
    ],
)
@pytest.mark.parametrize("schedule", [True, False])
@time_machine.travel(FRIDAY, tick=False)
def test_what_reprocessing_requires(
    program: Program, party: Event, changes: dict[str, Any], sentence: str, schedule: bool
):
    response = program.post("/campaigns", {**WINNER, "schedule": schedule, **changes})
    assert response.status_code == 422
    assert problem_fields(response) == {"reprocess_audience_at_send": sentence}


def test_the_sentences_of_the_specification():
    assert NEEDS_TIME == "Audience reprocessing requires a scheduled send time"
    assert NEEDS_EVENTS == "Audience reprocessing requires event selection"


@pytest.mark.parametrize(
    ("given", "local", "zone", "at"),
    [
        (
            {"scheduled_at": "2026-11-29T10:00:00-05:00"},
            "2026-11-29T15:00:00",
            "UTC",
            "2026-11-29T15:00:00Z",
        ),
        (
            {"scheduled_at": "2027-11-07T06:30:00Z", "scheduled_timezone": "America/Toronto"},
            "2027-11-07T01:30:00",
            "America/Toronto",
            "2027-11-07T06:30:00Z",
        ),
        (
            {"scheduled_at": "2027-11-07T05:30:00Z", "scheduled_timezone": "America/Toronto"},
            "2027-11-07T01:30:00",
            "America/Toronto",
            "2027-11-07T05:30:00Z",
        ),
        (
            {
                "scheduled_local_time": "2027-11-07T01:30",
                "scheduled_timezone": "America/Toronto",
                "repeated_time": "later",
            },
            "2027-11-07T01:30",
            "America/Toronto",
            "2027-11-07T06:30:00Z",
        ),
    ],
)
@time_machine.travel(FRIDAY, tick=False)
def test_a_time_is_a_moment_or_a_wall_clock_time(
    program: Program, party: Event, given: dict[str, str], local: str, zone: str, at: str
):
    body = {**WINNER, "scheduled_local_time": None, "scheduled_timezone": None, **given}
    shown = program.post("/campaigns", body).get_json()
    assert shown["scheduled_local_time"] == local
    assert shown["scheduled_timezone"] == zone
    assert shown["scheduled_at"] == at


@time_machine.travel(FRIDAY, tick=False)
def test_editing_takes_a_scheduled_campaign_back_to_draft(program: Program, party: Event):
    version = program.post("/campaigns", WINNER).get_json()["version"]
    edit = {name: value for name, value in WINNER.items() if name != "schedule"}
    stale = program.call("PUT", "/campaigns/1", json={**edit, "version": version - 1})
    assert stale.status_code == 409
    edited = program.call("PUT", "/campaigns/1", json={**edit, "name": "New", "version": version})
    assert edited.status_code == 200, edited.text
    assert (edited.get_json()["name"], edited.get_json()["status"]) == ("New", "draft")
    again = program.post("/campaigns/1/schedule")
    assert again.get_json()["status"] == "scheduled"


@time_machine.travel(FRIDAY, tick=False)
def test_sending_now_pausing_and_cancelling(program: Program, party: Event):
    program.post("/campaigns", {**WINNER, "schedule": False, "reprocess_audience_at_send": False})
    sent = program.post("/campaigns/1/send").get_json()
    assert (sent["status"], sent["scheduled_at"]) == ("scheduled", "2026-11-27T19:00:00Z")
    paused = program.post("/campaigns/1/pause")
    assert paused.status_code == 409
    assert "scheduled" in paused.get_json()["detail"]
    cancelled = program.post("/campaigns/1/cancel").get_json()
    assert cancelled["status"] == "cancelled"
    assert program.post("/campaigns/1/send").status_code == 409


@time_machine.travel(FRIDAY, tick=False)
def test_a_review_is_decided(program: Program, party: Event):
    program.post("/campaigns", WINNER)
    db.session.get_one(Campaign, 1).state = CampaignState.NEEDS_REVIEW
    db.session.commit()
    wrong = program.post("/campaigns/1/review", {"decision": "maybe"})
    assert problem_fields(wrong).keys() == {"decision"}
    decided = program.post("/campaigns/1/review", {"decision": "estimate"})
    assert decided.get_json()["status"] == "preparing"


@time_machine.travel(FRIDAY, tick=False)
def test_a_preview_says_who_would_join(program: Program, acme: Organisation, party: Event):
    program.post("/campaigns", WINNER)
    attend(party, make_people(acme, 2), Source.QR_SCAN)
    shown = program.post("/campaigns/1/preview").get_json()
    assert shown["computed_for"] == "scheduled"
    assert shown["funnel"]["reachable"] == 5
    assert shown["if_sent_now"]["joined_by_source"] == {"qr_scan": 2}
    assert shown["if_sent_now"]["change_absolute"] == 2
    draft = program.post("/campaigns/1/duplicate").get_json()
    preview = program.post(f"/campaigns/{draft['id']}/preview").get_json()
    assert preview["if_sent_now"] is None
    assert preview["computed_for"] == "now"


def test_lists_go_on_from_page_to_page(program: Program, party: Event):
    for name in ("one", "two", "three"):
        body = {**WINNER, "name": name, "schedule": False, "reprocess_audience_at_send": False}
        body |= {"scheduled_local_time": None, "scheduled_timezone": None}
        assert program.post("/campaigns", body).status_code == 201
    first = program.get("/campaigns?limit=2").get_json()
    assert [campaign["name"] for campaign in first["data"]] == ["three", "two"]
    second = program.get(f"/campaigns?limit=2&cursor={first['next_cursor']}").get_json()
    assert [campaign["name"] for campaign in second["data"]] == ["one"]
    assert second["next_cursor"] is None
    program.post("/campaigns/2/cancel")
    drafts = program.get("/campaigns?status=draft").get_json()["data"]
    assert [campaign["id"] for campaign in drafts] == [3, 1]
    assert "status" in problem_fields(program.get("/campaigns?status=lost"))


@time_machine.travel(FRIDAY, tick=False)
def test_recipients_are_filtered_and_paged(
    program: Program, acme: Organisation, party: Event, settings: Settings
):
    program.post("/campaigns", WINNER)
    attend(party, make_person(acme, first_name="=1+1", last_name=""), Source.QR_SCAN)
    set_facts(2, opted_out_sms=True)
    with time_machine.travel(SUNDAY, tick=False):
        run_due_campaigns(settings)

    def ids(query: str) -> list[int]:
        rows = program.get(f"/campaigns/1/recipients?{query}").get_json()["data"]
        return [row["person_id"] for row in rows]

    assert ids("") == [1, 2, 3, 4]
    assert ids("change=joined") == [4]
    assert ids("change=left&reason=opted_out") == [2]
    assert ids("source=qr_scan") == [4]
    assert ids("q=%3D1%2B1") == [4]
    assert len(ids("status=sent")) + len(ids("status=delivered")) == 3
    page = program.get("/campaigns/1/recipients?limit=3").get_json()
    assert ids(f"limit=3&cursor={page['next_cursor']}") == [4]
    assert "status" in problem_fields(program.get("/campaigns/1/recipients?status=lost"))

    export = program.get("/campaigns/1/recipients?limit=1", headers={"Accept": "text/csv"})
    assert export.mimetype == "text/csv"
    assert len(export.text.splitlines()) == 5
    assert ",'=1+1," in export.text


def test_an_export_is_streamed_after_the_request_has_ended(
    app: APIFlask, program: Program, party: Event
):
    """As under a server, where no context is left of a request whose answer is being read."""
    content = {
        "name": "A",
        "channel": "sms",
        "message": "Hello",
        "targeting_criteria": {"events": ["party"]},
    }
    campaign_id = program.post("/campaigns", content).get_json()["id"]
    program.post(f"/campaigns/{campaign_id}/send")
    headers = {**program.headers, "Accept": "text/csv"}

    def download() -> str:
        path = f"/api/v1/campaigns/{campaign_id}/recipients"
        return app.test_client().get(path, headers=headers).text

    with ThreadPoolExecutor(1) as thread:
        assert len(thread.submit(download).result().splitlines()) == 4


def test_a_draft_that_can_not_be_scheduled_does_not_stay_behind(
    program: Program, party: Event, monkeypatch: pytest.MonkeyPatch
):
    """Between the check of a new campaign and its scheduling its time may pass."""
    with time_machine.travel(FRIDAY, tick=False) as clock:
        from blueprints.api import campaigns

        create = campaigns.create_campaign

        def create_slowly(*arguments: Any) -> int:
            campaign_id = create(*arguments)
            clock.move_to(SUNDAY)
            return campaign_id

        monkeypatch.setattr(campaigns, "create_campaign", create_slowly)
        response = program.post("/campaigns", WINNER)
    assert "has passed" in problem_fields(response)["scheduled_local_time"]
    assert db.session.get_one(Campaign, 1).state == CampaignState.CANCELLED
