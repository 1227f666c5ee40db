"""What callers get wrong is named by its field, in 4xx problem details; never a 500."""

import base64
import json
from typing import Any

import pytest

from blueprints.api.reading import LARGEST_JSON
from rollcall.models import Event
from tests.api.client import Program, problem_fields
from tests.api.test_access import DRAFT
from tests.summertime import fall_back, spring_forward

HUGE = 10**30


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({}, "name", "This is required."),
        ({**DRAFT, "colour": "red"}, "colour", "There is no such field; known are name, channel"),
        ({**DRAFT, "name": 5}, "name", "Give a text."),
        ({**DRAFT, "name": " "}, "name", "Give the campaign a name"),
        ({**DRAFT, "name": "x" * 201}, "name", "Use at most 200 characters."),
        ({**DRAFT, "name": "a\0b"}, "name", "Take out the character that is not text (NUL)."),
        ({**DRAFT, "message": "\ud83d"}, "message", "Take out the character"),
        ({**DRAFT, "message": "Hi %%FOO%%"}, "message", "%%FOO%%"),
        ({**DRAFT, "channel": "pigeon"}, "channel", "Use one of 'sms' or 'email'."),
        ({**DRAFT, "schedule": "yes"}, "schedule", "Give true or false."),
        ({**DRAFT, "targeting_criteria": []}, "targeting_criteria", "Give an object."),
        ({**DRAFT, "targeting_criteria": {}}, "targeting_criteria.events", "Choose who gets this"),
        (
            {**DRAFT, "targeting_criteria": {"events": ["no"]}},
            "targeting_criteria.events",
            "There is no event 'no'.",
        ),
        (
            {**DRAFT, "targeting_criteria": {"people": [1, HUGE]}},
            "targeting_criteria.people.1",
            "Give 2147483647 or less.",
        ),
        (
            {**DRAFT, "targeting_criteria": {"people": [99]}},
            "targeting_criteria.people",
            "There is nobody with the number 99.",
        ),
        (
            {**DRAFT, "targeting_criteria": {"events": ["party"], "rfm_filters": {"r": [5, 1]}}},
            "targeting_criteria.rfm_filters",
            "the lower one first",
        ),
        (
            {**DRAFT, "targeting_criteria": {"events": ["party"], "recent_message_hours": -1}},
            "targeting_criteria.recent_message_hours",
            "Give 0 or more.",
        ),
        (
            {**DRAFT, "targeting_criteria": {"events": ["party"], "people_of": 4}},
            "targeting_criteria.people_of",
            "There is no such field here.",
        ),
        (
            {**DRAFT, "targeting_criteria": {"segment": 4}},
            "targeting_criteria.segment",
            "Give a segment's slug",
        ),
        (
            {**DRAFT, "targeting_criteria": {"segment": {"slug": "vip", "version": "4"}}},
            "targeting_criteria.segment.version",
            "Give a whole number.",
        ),
        (
            {**DRAFT, "targeting_criteria": {"segment": "vip"}},
            "targeting_criteria.segment",
            "There is no segment 'vip'.",
        ),
        (
            {**DRAFT, "targeting_criteria": {"events": ["party"], "exclude_campaigns": [99]}},
            "targeting_criteria.exclude_campaigns",
            "There is no campaign 99.",
        ),
        (
            {**DRAFT, "targeting_criteria": {"events": ["party"], "exclude_campaigns": ["1"]}},
            "targeting_criteria.exclude_campaigns.0",
            "Give campaigns' numbers",
        ),
        (
            {**DRAFT, "snapshot_mode": "x"},
            "snapshot_mode",
            "Unsupported snapshot mode 'x': use reuse or refresh",
        ),
        (
            {**DRAFT, "snapshot_mode": "reuse"},
            "snapshot_mode",
            "This is for campaigns on a segment: choose one first.",
        ),
        ({**DRAFT, "scheduled_at": "tomorrow"}, "scheduled_at", "as 2026-11-29T15:00:00Z"),
        ({**DRAFT, "scheduled_at": "2100-01-01T10:00:00"}, "scheduled_at", "offset from UTC"),
        ({**DRAFT, "scheduled_at": 4102480800}, "scheduled_at", "offset from UTC"),
        ({**DRAFT, "scheduled_at": "9999-12-31T23:59:59Z"}, "scheduled_at", "can't be right"),
        ({**DRAFT, "scheduled_at": "2001-01-01T10:00:00Z"}, "scheduled_at", "has passed"),
        ({**DRAFT, "schedule": True}, "scheduled_at", "Choose when it is to go out."),
        (
            {**DRAFT, "scheduled_local_time": "2100-01-01T10:00", "scheduled_timezone": "Mars"},
            "scheduled_timezone",
            "There is no time zone 'Mars'",
        ),
        (
            {**DRAFT, "scheduled_at": "2100-01-01T10:00:00Z", "scheduled_timezone": "Mars"},
            "scheduled_timezone",
            "There is no time zone 'Mars'",
        ),
        (
            {
                **DRAFT,
                "scheduled_at": "2100-01-01T10:00:00Z",
                "scheduled_local_time": "2100-01-01T10:00",
            },
            "scheduled_at",
            "not both",
        ),
        (
            {
                **DRAFT,
                "scheduled_local_time": f"{spring_forward()}T02:30",
                "scheduled_timezone": "America/Toronto",
            },
            "scheduled_local_time",
            f"The next time that exists is {spring_forward()}T03:00",
        ),
        (
            {
                **DRAFT,
                "scheduled_local_time": f"{fall_back()}T01:30",
                "scheduled_timezone": "America/Toronto",
            },
            "scheduled_local_time",
            "comes twice",
        ),
    ],
)
def test_a_wrong_campaign(program: Program, party: Event, body: Any, field: str, sentence: str):
    response = program.post("/campaigns", body)
    assert response.status_code == 422, response.text
    assert sentence in problem_fields(response)[field]
    assert program.get("/campaigns").get_json()["data"] == []


def test_all_wrong_fields_are_named_at_once(program: Program):
    response = program.post("/campaigns", {"name": 1, "channel": 2, "message": 3})
    assert problem_fields(response).keys() == {"name", "channel", "message", "targeting_criteria"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name": ' + b"1" * 5000 + b"}", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'"text"', "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"{}", None, 415),
        (b" " * (LARGEST_JSON + 1), "application/json", 413),
    ],
)
def test_a_body_that_can_not_be_read(program: Program, body: bytes, kind: str, status: int):
    response = program.call("POST", "/people", data=body, content_type=kind)
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    problem = response.get_json()
    assert problem["status"] == status
    assert problem["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/people/0",
        "/people/-1",
        "/people/abc",
        "/people/2147483648",
        f"/people/{2**63 - 1}",
        f"/people/{HUGE}",
        "/people/" + "9" * 5000,
        "/campaigns/99",
        f"/campaigns/{2**63 - 1}",
        "/campaigns/99/recipients",
        "/events/no-such-event",
        f"/events/{2**63 - 1}",
        f"/events/{HUGE}",
        "/events/" + "9" * 5000,
        "/events/%F0%9F%98%80",
        "/nothing",
    ],
)
def test_what_is_not_there(program: Program, path: str):
    response = program.get(path)
    assert response.status_code == 404, response.text
    assert response.mimetype == "application/problem+json"


def test_nul_in_an_address(program: Program):
    assert program.get("/events/a%00b").status_code in (400, 404)
    assert program.get("/people?q=a%00b").status_code in (400, 422)


def test_a_method_that_is_not_there(program: Program):
    response = program.call("DELETE", "/people/1")
    assert response.status_code == 405
    assert response.mimetype == "application/problem+json"
    assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        (f"limit={HUGE}", "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WyJhIl0", "cursor"),
        ("cursor=é", "cursor"),
        ("colour=red", "colour"),
    ],
)
@pytest.mark.parametrize("path", ["/people", "/events", "/campaigns"])
def test_a_wrong_query(program: Program, path: str, query: str, field: str):
    response = program.get(f"{path}?{query}")
    assert response.status_code == 422, response.text
    assert field in problem_fields(response)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/campaigns", [2**31]),
        ("/campaigns", [-HUGE]),
        ("/people", [0, "a\0b", 1]),
        ("/people", [0, "\ud83d", 1]),
        ("/people", [0, "a", 2**63]),
        ("/events", ["2026-11-28", 1]),
        ("/events", ["9999-12-31T23:59:59-23:00", 1]),
        ("/events", ["0001-01-01T00:00:00+23:00", 1]),
        ("/events", [5, 1]),
    ],
)
def test_a_cursor_that_was_made_up(program: Program, path: str, place: list[Any]):
    cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
    response = program.get(f"{path}?cursor={cursor}")
    assert "cursor" in problem_fields(response)


def test_a_cursor_of_another_list(program: Program, party: Event):
    cursor = program.get("/people?limit=1").get_json()["next_cursor"]
    assert "cursor" in problem_fields(program.get(f"/events?cursor={cursor}"))


def test_attendees_are_named_by_their_place(program: Program, party: Event):
    body = {"people": [1, {"phone": 4}, {"colour": "red"}, "x", True], "source": "qr_scan"}
    fields = problem_fields(program.post("/events/party/attendance", body))
    assert fields == {
        "people.1.phone": "Give a text.",
        "people.2.colour": "There is no such field here.",
        "people.3": "Give an object.",
        "people.4": "Give a whole number.",
    }
