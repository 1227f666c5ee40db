"""Every call, as the right token, one that may only read, none, and another organisation's."""

import re
from typing import Any

import pytest
from apiflask import APIFlask

from blueprints.access import access_of
from rollcall.extensions import db
from rollcall.models import ApiToken, AuditEntry, StaffMember
from tests.api.client import Program, make_token

DRAFT = {
    "name": "Thanks",
    "channel": "sms",
    "message": "Thank you %%FIRST_NAME%%",
    "targeting_criteria": {"events": ["party"]},
}
LATER = {**DRAFT, "scheduled_at": "2100-01-01T10:00:00Z"}
PLAN = {"finished_goods": [{"name": "gift boxes", "quantity": 300, "per_person": 0.5}]}
AMENDMENT = {
    "action": "change",
    "kind": "finished_good",
    "slug": "gift-boxes",
    "numbers": {"quantity": 420},
    "reason": "More came",
}

# Method, path, body, and the status for the right token. A path with an id is nobody else's.
CALLS: list[tuple[str, str, Any, int]] = [
    ("POST", "/audience/preview", {"criteria": {"events": ["party"]}, "channel": "sms"}, 200),
    ("GET", "/people", None, 200),
    ("POST", "/people", {"email": "new@example.org"}, 201),
    ("POST", "/people/pick", {"addresses": ["+14165550123"]}, 200),
    ("POST", "/people/import", "email\nnew2@example.org\n", 200),
    ("GET", "/people/1", None, 200),
    ("PATCH", "/people/1", {"city": "Toronto"}, 200),
    ("POST", "/people/1/opt-out", {"channel": "sms"}, 200),
    ("POST", "/people/1/opt-in", {"channel": "sms"}, 200),
    ("POST", "/people/1/block", {"reason": "asked for it"}, 200),
    ("POST", "/people/1/unblock", {}, 200),
    ("GET", "/events", None, 200),
    (
        "POST",
        "/events",
        {"name": "Gala", "starts": "2026-12-01T19:00", "ends": "2026-12-01T23:00"},
        201,
    ),
    ("GET", "/events/party", None, 200),
    ("PATCH", "/events/1", {"venue": "The Hall"}, 200),
    ("POST", "/events/party/reopen", {}, 409),
    ("POST", "/events/1/cancel", {}, 200),
    ("POST", "/events/party/attendance", {"people": [1], "source": "qr_scan"}, 200),
    ("POST", "/events/party/attendance/cancel", {"people": [1]}, 200),
    ("GET", "/events/party/plan", None, 200),
    ("POST", "/events/party/plan/unlock", {}, 409),
    ("POST", "/events/party/plan/start", {}, 409),
    ("POST", "/events/party/plan/complete", {}, 409),
    ("GET", "/events/party/plan/snapshot", None, 404),
    ("GET", "/events/party/plan/amendments", None, 200),
    ("POST", "/events/party/plan/amendments", AMENDMENT, 409),
    ("PUT", "/events/1/plan", PLAN, 200),
    ("POST", "/events/party/plan/lock", {}, 200),
    ("GET", "/segments", None, 200),
    ("POST", "/segments", {"name": "Party", "criteria": {"events": ["party"]}}, 201),
    ("GET", "/segments/1", None, 200),
    ("PATCH", "/segments/1", {"name": "Everybody at the party"}, 200),
    ("GET", "/segments/1/snapshots", None, 200),
    ("POST", "/segments/1/snapshots", {}, 200),
    ("GET", "/segments/1/snapshots/1", None, 200),
    ("GET", "/segments/1/members", None, 200),
    ("GET", "/segments/1/usage", None, 200),
    ("GET", "/segments/1/compare", None, 200),
    ("GET", "/segments/1/compare/people", None, 200),
    ("GET", "/inbox", None, 200),
    ("POST", "/inbox/1/decide", {"decision": "ignore"}, 200),
    ("GET", "/campaigns", None, 200),
    ("POST", "/campaigns", DRAFT, 201),
    ("GET", "/campaigns/1", None, 200),
    ("PUT", "/campaigns/1", LATER, 200),
    ("POST", "/campaigns/1/test", {"address": "+14165550188"}, 200),
    ("POST", "/campaigns/1/schedule", {}, 200),
    ("POST", "/campaigns/1/send", {}, 200),
    ("POST", "/campaigns/1/cancel", {}, 200),
    ("POST", "/campaigns/1/pause", {}, 409),
    ("POST", "/campaigns/1/resume", {}, 409),
    ("POST", "/campaigns/1/review", {"decision": "final"}, 409),
    ("POST", "/campaigns/1/segment-version", {"decision": "keep"}, 409),
    ("POST", "/campaigns/1/preview", {}, 200),
    ("POST", "/campaigns/1/duplicate", {}, 201),
    ("POST", "/campaigns/1/rehearse", {}, 409),
    ("GET", "/campaigns/1/rehearsals", None, 200),
    ("POST", "/campaigns/1/top-up", {}, 409),
    ("POST", "/campaigns/1/for-real", {}, 409),
    ("GET", "/campaigns/1/collisions", None, 200),
    ("GET", "/campaigns/1/recipients", None, 200),
    ("GET", "/campaigns/1/causes", None, 200),
    ("GET", "/campaigns/1/explanations/1", None, 200),
    ("GET", "/campaigns/1/doubts", None, 200),
    ("POST", "/campaigns/1/doubts", {"decision": "sent"}, 409),
    ("POST", "/campaigns/1/doubts/ask", {}, 409),
    ("GET", "/alerts", None, 200),
    ("POST", "/alerts/1/close", {}, 200),
    ("GET", "/audit", None, 200),
    ("GET", "/audit/check", None, 200),
    ("GET", "/installation", None, 200),
    ("POST", "/installation/confirm", {}, 409),
    ("GET", "/providers", None, 200),
    ("POST", "/providers/check", {"channel": "sms"}, 200),
    ("POST", "/providers/test", {"channel": "email"}, 200),
]
# What belongs to no organisation but to all of them.
SHARED = {"/installation", "/providers"}
# What every organisation has of its own, from its first token on.
OWN = {"/audit", "/audit/check"}
READS = {"/audience/preview", "/campaigns/1/preview", "/people/pick"}


def send(program: Program, method: str, path: str, body: Any) -> Any:
    if isinstance(body, str):
        return program.call(method, path, data=body, content_type="text/csv")
    return program.call(method, path, json=body) if body is not None else program.get(path)


def make_first(program: Program) -> None:
    """A campaign, and a segment with a snapshot; each has the id 1."""
    assert program.post("/campaigns", LATER).get_json()["id"] == 1
    segment = {"name": "VIP", "criteria": {"events": ["party"]}}
    assert program.post("/segments", segment).get_json()["id"] == 1
    assert program.post("/segments/1/snapshots").get_json()["id"] == 1


@pytest.fixture
def campaign(program: Program, party: Any) -> None:
    make_first(program)


def is_read(method: str, path: str) -> bool:
    return method == "GET" or path in READS


@pytest.mark.usefixtures("campaign")
@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
def test_the_right_token(program: Program, method: str, path: str, body: Any, status: int):
    response = send(program, method, path, body)
    assert response.status_code == status, response.text
    assert (response.headers.get("Location") is not None) == (status == 201)
    if status == 201:
        assert program.get(response.headers["Location"]).get_json() == response.get_json()


@pytest.mark.usefixtures("campaign")
def test_a_token_that_may_only_read(reader: Program):
    entries = db.session.query(AuditEntry).count()
    for method, path, body, status in CALLS:
        response = send(reader, method, path, body)
        expected = status if is_read(method, path) else 403
        assert response.status_code == expected, (method, path, response.text)
    assert db.session.query(AuditEntry).count() == entries


@pytest.mark.usefixtures("campaign")
def test_no_token(nobody: Program):
    for method, path, body, _ in CALLS:
        response = send(nobody, method, path, body)
        assert response.status_code == 401, (method, path)
        assert response.mimetype == "application/problem+json"
        assert response.headers["WWW-Authenticate"].lower().startswith("bearer")


@pytest.mark.usefixtures("campaign")
def test_another_organisations_token(stranger: Program):
    # Those that make something come last, so that the lists are still empty when asked for.
    for method, path, body, status in sorted(CALLS, key=lambda call: call[0] == "POST"):
        check_stranger(stranger, method, path, body, status)


def check_stranger(stranger: Program, method: str, path: str, body: Any, status: int) -> None:
    response = send(stranger, method, path, body)
    if re.search(r"/(1|party)\b", path):
        assert response.status_code == 404, response.text
    elif "party" in str(body):
        assert response.status_code == 422, "another organisation's event can't be named"
        assert "There is no event 'party'." in response.get_json()["detail"]
    elif path in OWN:
        assert response.status_code == 200
        assert "party" not in response.text.lower()
    elif method == "GET" and path not in SHARED:
        assert response.get_json() == {"data": [], "next_cursor": None}
    else:
        assert response.status_code == status


def test_every_call_is_tried(app: APIFlask):
    known = {(method, re.sub(r"/(1|party)\b", "/*", path)) for method, path, _, _ in CALLS}
    for rule in app.url_map.iter_rules():
        if access_of(app, rule.endpoint).scope is None:
            continue
        path = re.sub(r"<[^>]+>", "*", rule.rule.removeprefix("/api/v1"))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert (method, path) in known, f"add {method} {rule.rule} to CALLS"


def test_scheduling_at_creation_takes_the_scope_send(app: APIFlask, acme: Any, party: Any):
    writer = Program(app, make_token(acme, ("read", "write")))
    response = writer.post("/campaigns", {**LATER, "schedule": True})
    assert response.status_code == 403
    assert writer.get("/campaigns").get_json()["data"] == []


@pytest.mark.parametrize("header", ["Bearer", "Bearer rc_wrong", "Basic cm9vdDpyb290", "Bearer é"])
def test_a_token_that_is_none(nobody: Program, header: str):
    response = nobody.get("/people", headers={"Authorization": header})
    assert response.status_code == 401


def test_the_token_acts_as_its_staff_member(app: APIFlask, acme: Any):
    program = Program(app, make_token(acme))
    program.post("/people", {"email": "new@example.org"})
    entry = db.session.query(AuditEntry).filter_by(action="person.add").one()
    token = db.session.query(ApiToken).one()
    assert (entry.staff_id, entry.origin) == (token.staff_id, "api")
    assert entry.address == "127.0.0.1"


def test_a_deactivated_staff_members_token_is_worth_nothing(app: APIFlask, acme: Any):
    program = Program(app, make_token(acme))
    assert program.get("/people").status_code == 200
    token = db.session.query(ApiToken).one()
    db.session.get_one(StaffMember, token.staff_id).active = False
    db.session.commit()
    assert program.get("/people").status_code == 401
