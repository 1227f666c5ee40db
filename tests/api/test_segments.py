"""Segments by the API: made, edited, captured, looked into, and decided on."""

from typing import Any

import pytest

from tests.api.client import Program, problem_fields
from tests.factories import attend, make_people

AT_THE_PARTY = {"name": "At the party", "slug": "guests", "criteria": {"events": ["party"]}}


@pytest.fixture
def guests(program: Program, party: Any) -> dict[str, Any]:
    """A segment of the three people at the party."""
    return program.post("/segments", AT_THE_PARTY).get_json()


@pytest.fixture
def friends(program: Program, party: Any) -> dict[str, Any]:
    """A list of two of the three people."""
    return program.post("/segments", {"name": "Friends", "people": [1, 2]}).get_json()


def scheduled(program: Program, slug: str, **criteria: Any) -> dict[str, Any]:
    """A campaign on the segment, scheduled for the far future."""
    chosen = {"segment": slug, "recent_message_hours": 0, **criteria}
    body = {
        "name": "Hello",
        "channel": "sms",
        "message": "Hello",
        "targeting_criteria": chosen,
        "scheduled_at": "2100-01-01T10:00:00Z",
        "schedule": True,
    }
    response = program.post("/campaigns", body)
    assert response.status_code == 201, response.text
    return response.get_json()


def ids(program: Program, path: str) -> list[int]:
    return [row["person_id"] for row in program.get(path).get_json()["data"]]


def test_a_segment_is_made_and_found_by_id_and_slug(program: Program, guests: dict[str, Any]):
    assert (guests["slug"], guests["kind"], guests["version"]) == ("guests", "dynamic", 1)
    assert guests["criteria"]["events"] == ["party"]
    assert guests["description"].startswith("People who registered for or attended")
    assert program.get("/segments/guests").get_json() == guests
    assert program.get(f"/segments/{guests['id']}").get_json() == guests
    listed = program.get("/segments?q=party").get_json()["data"]
    assert [row["slug"] for row in listed] == ["guests"]
    assert program.get("/segments?q=nothing").get_json()["data"] == []


def test_criteria_that_only_name_people_are_a_list_of_them(program: Program, party: Any):
    made = program.post("/segments", {"name": "Two", "criteria": {"people": [2, 1]}}).get_json()
    assert (made["kind"], made["listed"], made["criteria"]) == ("static", 2, None)
    assert ids(program, "/segments/two/members") == [1, 2]


def test_an_edit_makes_a_version_and_what_is_left_out_stays(program: Program, guests: Any):
    renamed = program.call("PATCH", "/segments/guests", json={"name": "Guests"}).get_json()
    assert (renamed["name"], renamed["version"]) == ("Guests", 1)
    narrowed = {"criteria": {"events": ["party"], "sources": ["qr_scan"]}, "version": 1}
    edited = program.call("PATCH", "/segments/guests", json=narrowed).get_json()
    assert (edited["name"], edited["version"]) == ("Guests", 2)
    assert [version["version"] for version in edited["versions"]] == [2, 1]
    assert ids(program, "/segments/guests/members") == []
    assert ids(program, "/segments/guests/members?version=1") == [1, 2, 3]
    stale = program.call("PATCH", "/segments/guests", json=narrowed)
    assert stale.status_code == 409
    assert "at version 2 now" in stale.get_json()["detail"]


def test_snapshots_are_taken_once_again_by_force_and_by_bump(
    program: Program, guests: Any, acme: Any, party: Any
):
    path = "/segments/guests/snapshots"
    taken = program.post(path)
    assert taken.status_code == 201
    first = taken.get_json()
    assert (first["version"], first["count"], first["taken"]) == (1, 3, True)
    assert program.get(taken.headers["Location"]).get_json()["id"] == first["id"]
    attend(party, make_people(acme, 1))
    again = program.post(path)
    assert (again.status_code, again.get_json()) == (200, {**first, "taken": False})
    forced = program.post(path, {"force": True}).get_json()
    assert (forced["version"], forced["number"], forced["count"]) == (1, 2, 4)
    bumped = program.post(path, {"bump_version": True}).get_json()
    assert (bumped["version"], bumped["number"], bumped["taken"]) == (2, 1, True)
    listed = program.get(path).get_json()["data"]
    assert [row["id"] for row in listed] == [bumped["id"], forced["id"], first["id"]]
    assert ids(program, f"/segments/guests/members?snapshot={first['id']}") == [1, 2, 3]


def test_members_come_in_pages_and_as_a_file(program: Program, guests: Any):
    page = program.get("/segments/guests/members?limit=2").get_json()
    assert [row["person_id"] for row in page["data"]] == [1, 2]
    rest = program.get(f"/segments/guests/members?cursor={page['next_cursor']}").get_json()
    assert [row["person_id"] for row in rest["data"]] == [3]
    file = program.get("/segments/guests/members", headers={"Accept": "text/csv"})
    assert file.mimetype == "text/csv"
    assert len(file.text.splitlines()) == 4
    assert "'+1" in file.text, "a phone must not be computed by a spreadsheet"


def test_a_newer_version_is_kept_or_adopted(program: Program, friends: Any):
    kept, adopted = (scheduled(program, "friends") for _ in range(2))
    program.call("PATCH", "/segments/friends", json={"people": [2, 3]})
    usage = program.get("/segments/friends/usage").get_json()
    assert usage["scheduled_by_version"] == [{"version": 1, "campaigns": 2, "needs_decision": 2}]
    assert {row["id"]: row["needs_decision"] for row in usage["scheduled"]} == {
        kept["id"]: True,
        adopted["id"]: True,
    }
    change = usage["scheduled"][0]["if_adopted"]
    assert (change["joined"], change["left"]) == (1, 1)
    decided = decide(program, kept, "keep")
    assert decided["settings"]["frozen_contact_ids"] == [1, 2]
    assert decided["targeting_criteria"]["segment"] == {"slug": "friends", "version": 1}
    decided = decide(program, adopted, "adopt")
    assert decided["settings"]["frozen_contact_ids"] == [2, 3]
    assert decided["settings"]["segment_version"] == 2
    usage = program.get("/segments/friends/usage").get_json()
    assert [row["needs_decision"] for row in usage["scheduled"]] == [False, False]


def decide(program: Program, campaign: dict[str, Any], decision: str) -> dict[str, Any]:
    body = {"decision": decision, "version": campaign["version"]}
    response = program.post(f"/campaigns/{campaign['id']}/segment-version", body)
    assert response.status_code == 200, response.text
    return response.get_json()


def test_a_decision_on_what_was_changed_meanwhile_is_refused(program: Program, friends: Any):
    campaign = scheduled(program, "friends")
    program.call("PATCH", "/segments/friends", json={"people": [3]})
    body = {"decision": "adopt", "version": campaign["version"] - 1}
    refused = program.post(f"/campaigns/{campaign['id']}/segment-version", body)
    assert refused.status_code == 409
    shown = program.get(f"/campaigns/{campaign['id']}").get_json()
    assert shown["settings"]["frozen_contact_ids"] == [1, 2]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "criteria"),
        ({"name": "x", "criteria": {}}, "events"),
        ({"name": "", "people": [1]}, "name"),
        ({"name": "x", "people": [1], "criteria": {"events": ["party"]}}, "people"),
        ({"name": "x", "people": [99]}, "people"),
        ({"name": "x", "people": ["1"]}, "people.0"),
        ({"name": "x", "slug": "Not a slug", "people": [1]}, "slug"),
        ({"name": "x", "slug": "guests", "people": [1]}, "slug"),
        ({"name": "x", "criteria": {"segment": "guests"}}, "segment"),
        ({"name": "x", "criteria": {"exclude_segments": ["guests"]}}, "exclude_segments"),
        ({"name": "x", "criteria": {"events": ["nothing"]}}, "events"),
    ],
)
def test_a_mistake_is_answered_by_its_field(
    program: Program, guests: Any, body: dict[str, Any], field: str
):
    response = program.post("/segments", body)
    assert response.status_code == 422, response.text
    (named,) = problem_fields(response)
    assert named.endswith(field)
    assert len(program.get("/segments").get_json()["data"]) == 1


def test_the_kind_stays(program: Program, guests: Any):
    response = program.call("PATCH", "/segments/guests", json={"people": [1]})
    assert response.status_code == 422
    assert "make a new segment" in problem_fields(response)["kind"]
