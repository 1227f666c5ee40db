"""Comparing two sides of a segment by the API: counts, causes, people in pages and as CSV (B4)."""

import csv
import io
from typing import Any

import pytest

from tests.api.client import Program, problem_fields

HERE = "/segments/guests/compare"


@pytest.fixture
def guests(program: Program, party: Any) -> dict[str, Any]:
    """A segment of the three people at the party, with a snapshot; then one leaves, two come."""
    body = {"name": "At the party", "slug": "guests", "criteria": {"events": ["party"]}}
    program.post("/segments", body)
    taken = program.post("/segments/guests/snapshots").get_json()
    gone = {"people": [1], "source": "registration"}
    assert program.post("/events/party/attendance/cancel", gone).status_code == 200
    new = [{"email": "one@example.org"}, {"email": "two@example.org"}]
    come = {"people": new, "source": "qr_scan"}
    assert program.post("/events/party/attendance", come).status_code == 200
    return taken


def test_the_newest_snapshot_is_compared_with_now(program: Program, guests: dict[str, Any]):
    found = program.get(HERE).get_json()
    assert found["from"]["snapshot_id"] == guests["id"]
    assert (found["from"]["people"], found["to"]["people"]) == (3, 4)
    assert (found["came"], found["went"], found["stayed"]) == (2, 1, 2)
    assert found["went_by_cause"][0]["cause"] == "person.events"
    assert found["went_by_cause"][0]["certain"] is True
    named = program.get(f"{HERE}?from=v1&to=now:1").get_json()
    assert {**named, "to": None} == {**found, "to": None}
    back = program.get(f"{HERE}?from=now&to={guests['id']}").get_json()
    assert (back["came"], back["went"]) == (1, 2)
    assert back["came_by_cause"] == found["went_by_cause"]


def test_people_come_in_pages(program: Program, guests: dict[str, Any]):
    seen, cursor = [], ""
    while cursor is not None:
        page = program.get(f"{HERE}/people?change=came&limit=1{cursor}").get_json()
        seen += page["data"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert [row["email"] for row in seen] == ["one@example.org", "two@example.org"]
    assert {row["cause"] for row in seen} == {"person.events"}
    assert all(row["evidence"].startswith("scanned at ") for row in seen)
    went = program.get(f"{HERE}/people?change=went").get_json()["data"]
    assert [row["person_id"] for row in went] == [1]
    assert went[0]["evidence"].startswith("cancelled ")
    assert program.get(f"{HERE}/people?change=went&cause=person.added").get_json()["data"] == []


def test_people_come_as_csv(program: Program, guests: dict[str, Any]):
    response = program.call("GET", f"{HERE}/people?change=stayed", headers={"Accept": "text/csv"})
    assert response.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(response.text.removeprefix("\ufeff"))))
    assert [(row["person"], row["change"]) for row in rows] == [("2", "stayed"), ("3", "stayed")]


def test_what_cannot_be_compared_is_named(program: Program, guests: dict[str, Any]):
    for query, field in (
        ("from=v1&to=tomorrow", "to"),
        ("from=x", "from"),
        ("from=0", "from"),
        ("since=v1", "since"),
    ):
        response = program.get(f"{HERE}?{query}")
        assert response.status_code == 422, query
        assert set(problem_fields(response)) == {field}
    assert set(problem_fields(program.get(f"{HERE}/people?change=fled"))) == {"change"}
    assert set(problem_fields(program.get(f"{HERE}/people?cause=mood"))) == {"cause"}
    assert set(problem_fields(program.get(f"{HERE}/people?cursor=x"))) == {"cursor"}
    assert program.get(f"{HERE}?from=v5").status_code == 404
    assert program.get(f"{HERE}?from=4711").status_code == 404
    scanned = {"criteria": {"events": ["party"], "sources": ["qr_scan"]}}
    program.call("PATCH", "/segments/guests", json=scanned)
    assert "has no snapshot" in problem_fields(program.get(f"{HERE}?to=v2"))["to"]
    program.post("/segments", {"name": "New", "slug": "fresh", "people": [1]})
    assert "take one first" in problem_fields(program.get("/segments/fresh/compare"))["from"]
    foreign = program.get(f"/segments/fresh/compare?from={guests['id']}")
    assert foreign.status_code == 404
