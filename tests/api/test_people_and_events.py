"""People and events over the API: added, found, changed, attending, imported."""

import json
from typing import Any

import pytest

from rollcall.models import Event, Organisation
from tests.api.client import Program, problem_fields
from tests.factories import make_people, set_facts


def test_a_person_is_added_found_and_changed(program: Program):
    added = program.post(
        "/people", {"phone": "(416) 555-0123", "first_name": "Sarah", "country": "Canada"}
    ).get_json()
    assert (added["phone"], added["country"], added["email"]) == ("+14165550123", "CA", None)
    assert added["opted_out"] == {"sms": False, "email": False}
    assert added["blocked"] is False
    known = program.post("/people", {"phone": "416 555 0123", "first_name": "Sarah"})
    assert known.status_code == 409
    found = program.get("/people?q=sar").get_json()["data"]
    assert found == [added]
    changed = program.call(
        "PATCH", f"/people/{added['id']}", json={"email": "S@Example.org", "first_name": None}
    ).get_json()
    assert (changed["email"], changed["first_name"]) == ("s@example.org", None)
    assert changed["phone"] == "+14165550123"
    wrong = program.call("PATCH", f"/people/{added['id']}", json={"phone": "4.16555E+09"})
    assert problem_fields(wrong).keys() == {"phone"}


def test_people_page_by_page(program: Program, acme: Organisation):
    ids = make_people(acme, 5)
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = program.get(f"/people?limit=2&cursor={cursor}").get_json()
        seen += [person["id"] for person in page["data"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == ids
    assert len(seen) == 5


def test_opting_out_and_in_and_blocking(program: Program, party: Event):
    out = program.post("/people/1/opt-out", {"channel": "sms", "source": "phone call"}).get_json()
    assert out["opted_out"] == {"sms": True, "email": False}
    back = program.post("/people/1/opt-in", {"channel": "sms"}).get_json()
    assert back["opted_out"]["sms"] is False
    blocked = program.post("/people/1/block", {"reason": "asked for it"}).get_json()
    assert (blocked["blocked"], blocked["blocked_reason"]) == (True, "asked for it")
    assert program.post("/people/1/unblock").get_json()["blocked"] is False
    assert problem_fields(program.post("/people/1/block")).keys() == {"reason"}


def test_a_preview_of_an_audience(program: Program, party: Event):
    set_facts(1, opted_out_sms=True)
    question = {"criteria": {"events": ["party"]}, "channel": "sms", "at": "2100-01-01T10:00:00Z"}
    preview = program.post("/audience/preview", question).get_json()
    assert preview["funnel"] == {
        "matched": 3,
        "no_address": 0,
        "invalid_address": 0,
        "blocked": 0,
        "opted_out": 1,
        "recently_messaged": 0,
        "duplicate_address": 0,
        "reachable": 2,
    }
    assert preview["by_source"] == {"registration": 2, "qr_scan": 0, "both": 0, "other": 0}
    assert preview["computed_for"] == "scheduled"
    assert preview["duration_ms"] > 0
    past = program.post("/audience/preview", {**question, "at": "2001-01-01T10:00:00Z"})
    assert problem_fields(past).keys() == {"at"}


def test_an_event_is_created_and_changed(program: Program):
    body = {
        "name": "Art Battle Toronto",
        "starts": "2026-11-28T19:00",
        "ends": "2026-11-28T23:00",
        "timezone": "America/Toronto",
        "city": "Toronto",
    }
    event = program.post("/events", body).get_json()
    assert event["slug"] == "art-battle-toronto"
    assert (event["starts_at"], event["starts"]) == ("2026-11-29T00:00:00Z", "2026-11-28T19:00:00")
    changed = program.call("PATCH", "/events/art-battle-toronto", json={"ends": "2026-11-29T01:00"})
    assert changed.get_json() == {
        **event,
        "ends": "2026-11-29T01:00:00",
        "ends_at": "2026-11-29T06:00:00Z",
        "held_campaigns": [],
        "going_out": [],
    }
    wrong = program.call("PATCH", f"/events/{event['id']}", json={"ends": "2026-11-27T01:00"})
    assert problem_fields(wrong).keys() == {"ends"}
    assert [found["id"] for found in program.get("/events").get_json()["data"]] == [event["id"]]


def test_an_event_in_a_repeated_hour_keeps_its_moment(program: Program):
    body = {
        "name": "Night",
        "starts": "2027-11-07T01:30",
        "starts_choice": "later",
        "ends": "2027-11-07T04:00",
        "timezone": "America/Toronto",
    }
    event = program.post("/events", body).get_json()
    assert event["starts_at"] == "2027-11-07T06:30:00Z"
    changed = program.call("PATCH", "/events/night", json={"venue": "The Hall"}).get_json()
    assert changed["starts_at"] == event["starts_at"]


def test_a_slug_of_figures_is_found_too(program: Program):
    body = {"name": "X", "slug": "2026", "starts": "2026-12-01T19:00", "ends": "2026-12-01T23:00"}
    made = program.post("/events", body).get_json()
    assert program.get("/events/2026").get_json() == made
    assert program.get(f"/events/{made['id']}").get_json() == made


def test_attendance_of_one_and_of_thousands(program: Program, party: Event):
    report = program.post(
        "/events/party/attendance",
        {
            "people": [1, {"id": 2}, {"email": "new@example.org"}, {"phone": "12"}, 99],
            "source": "qr_scan",
            "occurred_at": "2026-11-28T22:00:00-05:00",
        },
    ).get_json()
    assert (report["added"], report["people_added"]) == (3, 1)
    assert [row["index"] for row in report["rejected"]] == [3, 4]
    many = [{"phone": f"+1416{3_000_000 + number}"} for number in range(2_000)]
    report = program.post(f"/events/{party.id}/attendance", {"people": many, "source": "qr_scan"})
    assert report.get_json()["added"] == 2_000
    again = program.post(f"/events/{party.id}/attendance", {"people": many, "source": "qr_scan"})
    assert (again.get_json()["added"], again.get_json()["unchanged"]) == (0, 2_000)
    heads = program.get("/events/party").get_json()["attendance"]
    assert heads == {"total": 2_004, "registration": 1, "qr_scan": 2_001, "both": 2}


def test_attendance_is_cancelled_and_restored(program: Program, party: Event):
    def cancel(body: dict[str, Any]) -> Any:
        return program.post("/events/party/attendance/cancel", body).get_json()

    assert cancel({"people": [1, {"id": 2}], "status": "refunded"})["withdrawn"] == 2
    assert cancel({"people": [1]})["withdrawn"] == 0
    assert program.get("/events/party").get_json()["attendance"]["total"] == 1
    back = {"people": [1], "source": "registration"}
    assert program.post("/events/party/attendance", back).get_json()["restored"] == 1
    assert program.get("/events/party").get_json()["attendance"]["total"] == 2


def send_file(program: Program, kind: str, data: str, query: str = "") -> Any:
    return program.call("POST", f"/people/import{query}", data=data.encode(), content_type=kind)


def test_people_come_in_by_csv(program: Program, party: Event):
    data = "First Name;Cell Phone\nSarah;416 555 0123\nTom;12\n"
    report = send_file(program, "text/csv", data, "?event=party&source=qr_scan").get_json()
    assert (report["rows"], report["added"], report["rejected"]) == (2, 1, 1)
    assert report["rejected_rows"][0]["line"] == 3
    assert report["mapping"] == {"first_name": "First Name", "phone": "Cell Phone"}
    assert program.get("/events/party").get_json()["attendance"]["qr_scan"] == 1
    again = send_file(program, "text/csv", data, "?event=party&source=qr_scan").get_json()
    assert (again["added"], again["unchanged"], again["rejected"]) == (0, 1, 1)


def test_people_come_in_by_json_lines(program: Program):
    lines = [
        json.dumps({"phone": "+14165550123", "first_name": 'Sarah,\n "S"'}),
        "{broken",
        "",
        json.dumps({"email": "tom@example.org", "colour": "red"}),
        json.dumps({"email": 5}),
        json.dumps([]),
        json.dumps({"email": "not an address"}),
        json.dumps({"email": "tom@example.org", "city": None, "country": "DE"}),
    ]
    report = send_file(program, "application/jsonl", "\n".join(lines)).get_json()
    assert (report["rows"], report["added"], report["rejected"]) == (7, 2, 5), report
    rejected = {row["line"]: row["reason"] for row in report["rejected_rows"]}
    assert list(rejected) == [2, 4, 5, 6, 7]
    assert rejected[2] == "This line is not JSON."
    assert "'colour' is not known" in rejected[4]
    names = [person["first_name"] for person in program.get("/people").get_json()["data"]]
    assert 'Sarah, "S"' in names
    again = send_file(program, "application/x-ndjson", "\n".join(lines)).get_json()
    assert (again["added"], again["unchanged"]) == (0, 2)


def test_a_long_line_is_rejected_and_the_next_goes_in(program: Program):
    long = json.dumps({"email": "x@example.org", "city": "x" * 200_000})
    data = f"{long}\n" + json.dumps({"email": "tom@example.org"})
    report = send_file(program, "application/jsonl", data).get_json()
    assert (report["added"], report["rejected"]) == (1, 1)
    assert report["rejected_rows"][0]["line"] == 1


@pytest.mark.parametrize(
    ("kind", "data", "query", "status"),
    [
        ("application/json", "{}", "", 415),
        ("text/csv", "", "", 422),
        ("application/jsonl", "", "", 200),
        ("text/csv", "colour\nred\n", "", 422),
        ("text/csv", "email\na@example.org\n", "?event=no", 404),
        ("text/csv", "email\na@example.org\n", "?source=fax", 422),
        ("text/csv", "email\na\0b@example.org\n", "", 200),
        (
            "application/jsonl",
            '{"email": "a\\u0000b@example.org", "first_name": "\\ud83d"}',
            "",
            200,
        ),
    ],
)
def test_a_file_that_can_not_be_read(
    program: Program, kind: str, data: str, query: str, status: int
):
    response = send_file(program, kind, data, query)
    assert response.status_code == status, response.text
