"""Campaigns on segments, exclusions, hand-picked lists and top-ups by the API."""

from datetime import datetime
from typing import Any

import pytest

from rollcall.actors import actor_for
from rollcall.audience.criteria import Criteria
from rollcall.extensions import db
from rollcall.models import Campaign, Event, Organisation, Person, Role
from rollcall.segments.records import SegmentDraft, create_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.api.client import Program, problem_fields
from tests.factories import attend, make_people, make_staff

DRAFT = {
    "name": "Thanks",
    "channel": "sms",
    "message": "Thank you",
    "targeting_criteria": {"segment": "vip", "recent_message_hours": 0},
}


@pytest.fixture
def actor(acme: Organisation, party: Event) -> Any:
    """Somebody of Acme, with the segment VIP: whoever is at the party."""
    actor = actor_for(make_staff(Role.SUPER, acme), "browser")
    create_segment(actor, SegmentDraft("VIP", Criteria(events=("party",))))
    return actor


def create(program: Program, **changes: Any) -> Any:
    response = program.post("/campaigns", {**DRAFT, **changes})
    assert response.status_code == 201, response.text
    return response.get_json()


def act(program: Program, campaign: Any, verb: str) -> Any:
    response = program.post(f"/campaigns/{campaign['id']}/{verb}")
    assert response.status_code in (200, 201), response.text
    return response.get_json()


def test_the_snapshot_that_is_there_is_reused_unless_refreshed(
    program: Program, actor: Any, acme: Organisation, party: Event
):
    ensure_segment_snapshot(actor, "vip")
    attend(party, make_people(acme, 2))
    reused = act(program, create(program), "send")["settings"]
    assert (reused["snapshot_mode"], reused["segment_version"]) == ("reuse", 1)
    assert reused["segment_snapshot"]["count"] == 3
    fresh = act(program, create(program, snapshot_mode="refresh"), "send")["settings"]
    assert (fresh["segment_snapshot"]["number"], fresh["segment_snapshot"]["count"]) == (2, 5)
    bumped = act(program, create(program, bump_version=True), "send")["settings"]
    assert bumped["segment_version"] == 2
    forced = act(program, create(program, force_snapshot=True), "send")["settings"]
    assert forced["segment_snapshot"]["number"] == 2


@pytest.mark.usefixtures("actor")
def test_an_unsupported_mode_names_itself(program: Program):
    response = program.post("/campaigns", {**DRAFT, "snapshot_mode": "x"})
    assert response.status_code == 422
    assert problem_fields(response) == {
        "snapshot_mode": "Unsupported snapshot mode 'x': use reuse or refresh"
    }
    assert db.session.query(Campaign).count() == 0


@pytest.mark.usefixtures("actor")
def test_a_pinned_version_is_not_bumped(program: Program):
    body = {**DRAFT, "targeting_criteria": {"segment": {"slug": "vip", "version": 1}}}
    response = program.post("/campaigns", {**body, "bump_version": True})
    assert list(problem_fields(response)) == ["bump_version"]
    response = program.post(
        "/campaigns", {**DRAFT, "targeting_criteria": {"segment": {"slug": "vip", "version": 7}}}
    )
    assert "has no version 7" in problem_fields(response)["targeting_criteria.segment"]


@pytest.mark.usefixtures("actor")
def test_plain_slugs_and_ids_mean_the_same_as_objects(program: Program):
    earlier = create(program)["id"]
    plain = {
        "segment": "vip",
        "exclude_events": ["party"],
        "exclude_segments": ["vip"],
        "exclude_campaigns": [earlier],
    }
    full = {
        "segment": {"slug": "vip", "version": None},
        "exclude_events": ["party"],
        "exclude_segments": [{"slug": "vip"}],
        "exclude_campaigns": [{"id": earlier, "who": "planned"}],
    }
    stored = [
        create(program, targeting_criteria=criteria)["targeting_criteria"]
        for criteria in (plain, full)
    ]
    assert stored[0] == stored[1]
    assert stored[0]["exclude_campaigns"] == [{"id": earlier, "who": "planned"}]


@pytest.mark.usefixtures("actor")
def test_the_preview_has_a_line_for_each_exclusion(program: Program, acme: Organisation):
    nobody_there = program.post(
        "/audience/preview",
        {
            "criteria": {"segment": "vip", "exclude_segments": ["vip"], "recent_message_hours": 0},
            "channel": "sms",
        },
    ).get_json()
    assert nobody_there["funnel"]["excluded_segment"] == 3
    assert nobody_there["funnel"]["reachable"] == 0
    assert "excluded_event" not in nobody_there["funnel"]


@pytest.mark.usefixtures("actor")
def test_the_same_key_creates_one_campaign(program: Program):
    answers = [
        program.post("/campaigns", DRAFT, headers={"Idempotency-Key": "once"}).get_json()["id"]
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert db.session.query(Campaign).count() == 1


def test_a_top_up_is_made_of_a_completed_campaign(program: Program, actor: Any, party: Event):
    campaign = act(program, create(program), "send")
    refused = program.post(f"/campaigns/{campaign['id']}/top-up")
    assert refused.status_code == 409
    assert "completed; this one is scheduled" in refused.get_json()["detail"]
    stored = db.session.get_one(Campaign, campaign["id"])
    stored.state, stored.completed_at = "completed", datetime.fromisoformat("2026-11-27T12:00Z")
    db.session.commit()
    response = program.post(f"/campaigns/{campaign['id']}/top-up")
    assert response.status_code == 201, response.text
    top_up = response.get_json()
    assert response.headers["Location"].endswith(f"/campaigns/{top_up['id']}")
    assert (top_up["status"], top_up["name"]) == ("draft", "Top-up of Thanks")
    assert top_up["settings"]["snapshot_mode"] == "refresh"
    excluded = top_up["targeting_criteria"]["exclude_campaigns"]
    assert excluded == [{"id": campaign["id"], "who": "planned"}]


@pytest.mark.usefixtures("party")
def test_a_list_is_picked_and_its_unknown_are_added_when_asked(
    program: Program, reader: Program, acme: Organisation
):
    people = make_people(acme, [{"email": "known@example.org"}])
    body: Any = {"addresses": ["known@example.org", "new@example.org", "nonsense"]}
    found = reader.post("/people/pick", body).get_json()
    assert (found["people"], found["created"]) == (people, [])
    assert [entry["value"] for entry in found["unknown"]] == ["nonsense", "new@example.org"]
    assert "nobody in this organisation" in found["unknown"][1]["reason"]
    assert reader.post("/people/pick", {**body, "create": True}).status_code == 403
    made = program.post("/people/pick", {**body, "create": True}).get_json()
    assert made["people"] == [*people, *made["created"]]
    assert [entry["value"] for entry in made["unknown"]] == ["nonsense"]
    assert db.session.get_one(Person, made["created"][0]).email == "new@example.org"
