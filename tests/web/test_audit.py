"""The audit trail through its three doors: filtered, readable, taken away as a file, checked."""

import csv
import hashlib
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from apiflask import APIFlask

from rollcall.accounts.audit_chain import verify_chain
from rollcall.accounts.audit_words import known_actions, say_action, say_value
from rollcall.accounts.passwords import hash_password
from rollcall.actors import Actor, actor_for, record
from rollcall.campaigns.states import TRANSITIONS
from rollcall.extensions import db, write
from rollcall.models import AuditEntry, AuditHead, Organisation, Role, StaffMember
from tests.api.client import Program, make_token, problem_fields
from tests.factories import make_organisation, make_staff
from tests.web.browser import PASSWORD, Browser

FRIDAY = datetime(2026, 11, 27, 17, 0, tzinfo=UTC)  # noon in Toronto


class Trail:
    """Acme's trail: who did what, through which door, on which day."""

    def __init__(self, app: APIFlask) -> None:
        self.app = app
        self.acme: Organisation = make_organisation("acme", name="Acme")
        hashed = hash_password(PASSWORD)
        self.sue = make_staff(
            Role.ADMIN, self.acme, email="sue@example.org", name="Susan", password_hash=hashed
        )
        self.bob = make_staff(Role.STAFF, self.acme, email="bob@example.org", password_hash=hashed)
        self.sue_acts, self.bob_acts = (
            actor_for(one, "browser", "10.0.0.7") for one in (self.sue, self.bob)
        )

    def note(
        self, at: datetime, actor: Actor, action: str, about: str = "1", **values: Any
    ) -> None:
        with time_machine.travel(at, tick=False), write():
            record(actor, action, action.partition(".")[0], about, **values)

    def fill(self) -> None:
        late = datetime(2026, 11, 28, 4, 59, tzinfo=UTC)  # 23:59 on Friday in Toronto
        past = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)  # midnight
        self.note(FRIDAY, self.sue_acts, "event.create", after={"name": "Fête d'été"})
        self.note(
            late,
            self.bob_acts,
            "campaign.schedule",
            "12",
            before={"state": "draft", "scheduled_at": None},
            after={"state": "scheduled", "scheduled_at": "2026-11-29T15:00:00+00:00"},
        )
        api = actor_for(self.bob, "api", "203.0.113.9")
        limits = {"budget": "1200.5", "growth_percent": None}
        self.note(past, api, "campaign.edit", "12", after={"guard_limits": limits})
        self.note(past, actor_for(self.sue, "cli"), "campaigns.odd", "3", after={"say": '"quoted"'})

    def browser(self, staff: StaffMember) -> Browser:
        browser = Browser(self.app)
        browser.log_in(staff)
        return browser


@pytest.fixture
def trail(app: APIFlask) -> Trail:
    trail = Trail(app)
    trail.fill()
    return trail


ALL = ["campaigns.odd", "campaign.edit", "campaign.schedule", "event.create"]
CASES: list[tuple[dict[str, str], list[str]]] = [
    ({"action": "campaign"}, ["campaign.edit", "campaign.schedule"]),
    ({"action": "campaign.edit"}, ["campaign.edit"]),
    ({"origin": "api"}, ["campaign.edit"]),
    ({"object_type": "campaign", "object_id": "12"}, ["campaign.edit", "campaign.schedule"]),
    ({"from": "2026-11-28"}, ["campaigns.odd", "campaign.edit"]),
    ({"to": "2026-11-27"}, ["campaign.schedule", "event.create"]),
    ({"from": "2026-11-27", "to": "2026-11-27"}, ["campaign.schedule", "event.create"]),
    ({"q": "fête"}, ["event.create"]),
    ({"q": "Fête d'été"}, ["event.create"]),
    ({"q": '"quoted"'}, ["campaigns.odd"]),
    ({"q": "SUSAN"}, ["campaigns.odd", "event.create"]),
    ({"q": "bob@example"}, ["campaign.edit", "campaign.schedule"]),
    ({"q": "203.0.113.9"}, ["campaign.edit"]),
    ({"q": "schedule"}, ["campaign.schedule"]),
    ({"q": "50%"}, []),
    ({"action": "campaign", "origin": "browser", "q": "draft"}, ["campaign.schedule"]),
]
# The days on which the trail was made; what a test itself does was on another.
DAYS = {"from": "2026-11-23", "to": "2026-11-28"}


@pytest.mark.parametrize(("query", "expected"), CASES, ids=[str(query) for query, _ in CASES])
def test_every_door_filters_alike(trail: Trail, query: dict[str, str], expected: list[str]):
    program = Program(trail.app, make_token(trail.acme, role=Role.ADMIN))
    by_api = program.get("/audit", query_string={**DAYS, **query})
    assert [row["action"] for row in by_api.get_json()["data"]] == expected

    page = trail.browser(trail.sue).get("/audit", query_string={**DAYS, **query}).text
    found = re.findall(r'<a href="/audit\?action=([a-z_.]+)">', page)
    assert found == expected

    renamed = {"q": "--q", "from": "--from", "to": "--to", "action": "--action"}
    options = [
        part
        for name, value in {**DAYS, **query}.items()
        if name in renamed
        for part in (renamed[name], value)
    ]
    options += ["--origin", query["origin"]] if "origin" in query else []
    if "object_type" in query:
        options += ["--object", query["object_type"], query["object_id"]]
    result = trail.app.test_cli_runner().invoke(
        args=["audit", "list", *options, "--as", "sue@example.org", "--json"]
    )
    assert [row["action"] for row in json.loads(result.output)["data"]] == expected


def test_by_whom(trail: Trail):
    program = Program(trail.app, make_token(trail.acme))
    query = {"staff_id": trail.bob.id}
    found = program.get("/audit", query_string=query).get_json()["data"]
    assert [row["action"] for row in found] == ["campaign.edit", "campaign.schedule"]
    page = trail.browser(trail.sue).get(f"/audit?staff={trail.bob.id}").text
    assert re.findall(r'action=([a-z_.]+)">', page) == ["campaign.edit", "campaign.schedule"]
    args = ["audit", "list", "--staff", "BOB@example.org", "--as", "sue@example.org", "--json"]
    output = trail.app.test_cli_runner().invoke(args=args).output
    assert len(json.loads(output)["data"]) == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "tomorrow"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"from": "2026-11-28", "to": "2026-11-27"}, "to"),
        ({"from": "0001-01-01"}, "from"),
        ({"origin": "moon"}, "origin"),
        ({"q": "x" * 201}, "q"),
    ],
)
def test_a_filter_that_is_none_is_refused_with_its_field(
    trail: Trail, query: dict[str, str], field: str
):
    program = Program(trail.app, make_token(trail.acme))
    response = program.get("/audit", query_string=query)
    assert response.status_code in (400, 422)
    assert field in problem_fields(response)
    page = trail.browser(trail.sue).get("/audit", query_string=query)
    assert page.status_code == 422
    assert f'href="#{field}"' in page.text
    if field in ("from", "to"):
        assert f'value="{query[field]}"' in page.text, "what was typed stays"
        option = ["--from", query["from"]] if "from" in query else []
        option += ["--to", query["to"]] if "to" in query else []
        args = ["audit", "list", *option, "--as", "sue@example.org"]
        result = trail.app.test_cli_runner().invoke(args=args)
        assert (result.exit_code, f"--{field}" in result.output) == (2, True)


def test_changes_are_said_as_people_read_them(trail: Trail):
    page = " ".join(trail.browser(trail.sue).get("/audit").text.split())
    assert "Campaign scheduled" in page
    assert "<strong>state:</strong> Draft → Scheduled" in page
    goes_out = "<strong>goes out:</strong> nothing → Sun 29 Nov 2026, 10:00 America/Toronto"
    assert goes_out in page
    assert "<strong>limits:</strong> budget: $1,200.50" in page
    assert "Fri 27 Nov 2026, 23:59 America/Toronto" in page
    assert "by API from 203.0.113.9" in page


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("active", False, "no"),
        ("people", 12345, "12,345"),
        ("person_id", 12345, "12345"),
        ("name", "", "nothing"),
        ("first_people", list(range(1, 16)), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 3 more"),
        ("audience_mode", "reprocess", "re-processed"),
        ("message", "reprocess", "reprocess"),
        ("targeting_criteria", '{"events": ["gala"], "cities": []}', "events: gala"),
        ("targeting_criteria", "{damaged", "{damaged"),
        ("cost", "3.98", "$3.98"),
        ("items", [{"name": "boxes", "quantity": 3}], "name: boxes; quantity: 3"),
        ("at", "2026-11-29T15:00:00Z", "Sun 29 Nov 2026, 10:00 America/Toronto"),
        ("text", "on 2026-11-29T15:00:00Z", "on 2026-11-29T15:00:00Z"),
        ("score", 2.5, "2.5"),
    ],
)
def test_values_in_words(field: str, value: Any, said: str):
    assert say_value(field, value, "America/Toronto") == said


def test_everything_that_is_recorded_has_words():
    code = Path(__file__).parents[2] / "rollcall"
    recorded = {f"campaign.{name}" for name in TRANSITIONS}
    for path in code.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        recorded.update(re.findall(r'\brecord\(\s*\w+,\s*"([a-z_.]+)"', text))
    assert len(recorded) > 50
    assert recorded - known_actions() == set()
    assert say_action("something.new_here") == "Something: new here"


@pytest.mark.parametrize("door", ["browser", "api", "cli"])
def test_files_hold_all_of_the_filter_oldest_first(trail: Trail, door: str):
    def file(format: str) -> str:
        if door == "browser":
            browser = trail.browser(trail.sue)
            response = browser.get(f"/audit/export?format={format}&action=campaign")
            assert f"audit-trail.{format}" in response.headers["Content-Disposition"]
            return response.text
        if door == "api":
            program = Program(trail.app, make_token(trail.acme))
            accept = {"csv": "text/csv", "jsonl": "application/x-ndjson"}[format]
            return program.get("/audit?action=campaign", headers={"Accept": accept}).text
        args = ["audit", "export", "--format", format, "--action", "campaign"]
        return trail.app.test_cli_runner().invoke(args=[*args, "--as", "sue@example.org"]).output

    rows = list(csv.DictReader(io.StringIO(file("csv").removeprefix("\ufeff"))))
    assert [row["action"] for row in rows] == ["campaign.schedule", "campaign.edit"]
    assert json.loads(rows[0]["after"])["state"] == "scheduled"
    assert rows[0]["staff"] == "bob@example.org"
    lines = [json.loads(line) for line in file("jsonl").splitlines()]
    stored = list(
        db.session.scalars(
            sa.select(AuditEntry)
            .where(AuditEntry.action.startswith("campaign."))
            .order_by(AuditEntry.id)
        )
    )
    assert [(line["number"], line["seal"], line["after"]) for line in lines] == [
        (entry.number, entry.seal, entry.after) for entry in stored
    ]
    assert [row["seal"] for row in rows] == [entry.seal for entry in stored]


def test_the_chain_can_be_followed_by_others_from_a_file_alone(trail: Trail):
    """As the operations guide says, with nothing of Rollcall's."""

    def digest(value: Any) -> str:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    args = ["audit", "export", "--format", "jsonl", "--as", "sue@example.org"]
    lines = trail.app.test_cli_runner().invoke(args=args).output.splitlines()
    previous = ""
    for line in map(json.loads, lines):
        seal = line.pop("seal")
        del line["staff"]
        line |= {name: digest(line[name]) for name in ("before", "after")}
        assert digest({**line, "previous": previous}) == seal
        previous = seal
    assert len(lines) == 4


def test_a_file_can_not_act_as_a_formula(trail: Trail):
    trail.note(FRIDAY, trail.sue_acts, "event.edit", '=HYPERLINK("http://x")')
    text = trail.browser(trail.sue).get("/audit/export").text
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert '\'=HYPERLINK("http://x")' in [row["object_id"] for row in rows]


def test_a_large_file_comes_in_batches(trail: Trail, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rollcall.accounts.audit.EXPORT_BATCH", 3)
    for number in range(10):
        trail.note(FRIDAY, trail.sue_acts, "rfm.compute", str(number))
    text = trail.browser(trail.sue).get("/audit/export?format=jsonl&action=rfm").text
    assert [json.loads(line)["object_id"] for line in text.splitlines()] == list("0123456789")


def test_a_file_of_another_kind_is_not_found(trail: Trail):
    assert trail.browser(trail.sue).get("/audit/export?format=xlsx").status_code == 404


def test_only_admins_read_it(trail: Trail):
    browser = trail.browser(trail.bob)
    for path in ("/audit", "/audit/check", "/audit/export"):
        assert browser.get(path).status_code == 403
    program = Program(trail.app, make_token(trail.acme, role=Role.STAFF))
    for path in ("/audit", "/audit/check"):
        assert program.get(path).status_code == 403
    for command in ("list", "export"):
        args = ["audit", command, "--as", "bob@example.org"]
        result = trail.app.test_cli_runner().invoke(args=args)
        assert (result.exit_code, "takes the role admin" in result.output) == (1, True)


def test_nothing_of_another_organisation_is_in_it(trail: Trail):
    other = make_organisation("other")
    program = Program(trail.app, make_token(other))
    found = program.get("/audit", query_string={"staff_id": trail.bob.id}).get_json()
    assert found == {"data": [], "next_cursor": None}
    files = program.get("/audit", headers={"Accept": "application/x-ndjson"}).text
    assert "bob@example.org" not in files
    assert {json.loads(line)["organisation_id"] for line in files.splitlines()} == {other.id}


def test_the_api_turns_pages(trail: Trail):
    program = Program(trail.app, make_token(trail.acme))
    seen, cursor = [], None
    while True:
        query = {"limit": 2, "action": "campaign", **({"cursor": cursor} if cursor else {})}
        page = program.get("/audit", query_string={**query, "limit": 1}).get_json()
        seen += [row["action"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["campaign.edit", "campaign.schedule"]


def break_chain(trail: Trail) -> None:
    """Give the chain another last seal, which no trigger hinders."""
    with write():
        db.session.get_one(AuditHead, trail.acme.id).seal = "0" * 64


def test_the_page_checks_the_chain(trail: Trail):
    browser = trail.browser(trail.sue)
    page = browser.get("/audit").text
    entries = verify_chain(trail.acme.id).entries
    assert f"{entries} entries, each sealed together with the one before it." in page
    checked = browser.get("/audit/check").text
    last = verify_chain(trail.acme.id).last
    assert f"{entries} entries, chain unbroken." in checked
    assert f'<code class="seal">{last}</code>' in checked
    part = browser.get("/audit/check", headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="chain"')
    assert "HX-Request" in part.headers["Vary"]
    break_chain(trail)
    assert "The chain is broken" in browser.get("/audit/check").text


def test_the_api_checks_the_chain(trail: Trail):
    program = Program(trail.app, make_token(trail.acme))
    first = program.get("/audit/check").get_json()
    assert (first["unbroken"], first["fault"]) == (True, None)
    kept = f"{first['last_number']}:{first['last_seal']}"
    trail.note(FRIDAY, trail.sue_acts, "event.edit")
    query = {"expect": kept, "last": 2}
    again = program.get("/audit/check", query_string=query).get_json()
    assert (again["unbroken"], again["looked_at"]) == (True, 2)
    wrong = f"{first['last_number']}:{'0' * 64}"
    fault = program.get("/audit/check", query_string={"expect": wrong}).get_json()["fault"]
    assert (fault["kind"], fault["number"]) == ("rebuilt", first["last_number"])
    refused = program.get("/audit/check", query_string={"expect": "nonsense"})
    assert "expect" in problem_fields(refused)


def test_the_command_line_checks_every_chain(trail: Trail):
    runner = trail.app.test_cli_runner()
    make_organisation("empty")
    result = runner.invoke(args=["audit", "verify"])
    last = verify_chain(trail.acme.id).last
    assert result.exit_code == 0, result.output
    assert "acme: 4 entries, chain unbroken.\n" in result.output
    assert f"  last number and seal: {last}\n" in result.output
    assert "empty: No entry yet.\n" in result.output
    args = ["audit", "verify", "--org", "acme", "--expect", str(last)]
    assert runner.invoke(args=args).exit_code == 0
    break_chain(trail)
    result = runner.invoke(args=["audit", "verify", "--json"])
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert found["unbroken"] is False
    faults = {one["organisation"]: one["fault"] for one in found["organisations"]}
    assert faults["empty"] is None
    assert (faults["acme"]["kind"], faults["acme"]["number"]) == ("rebuilt", 4)
    result = runner.invoke(args=["audit", "verify", "--org", "acme", "--expect", "nonsense"])
    assert (result.exit_code, "--expect" in result.output) == (2, True)


def test_the_doctor_looks_at_the_chain(trail: Trail):
    def lines() -> list[dict[str, Any]]:
        output = trail.app.test_cli_runner().invoke(args=["doctor", "--json"]).output
        found = json.loads(output)["lines"]
        return [line for line in found if line["subject"].startswith("audit trail")]

    (line,) = lines()
    assert (line["ok"], line["text"]) == (True, "acme: 4 entries, chain unbroken.")
    break_chain(trail)
    (line,) = lines()
    assert not line["ok"]
    assert "flask audit verify --org acme" in line["mend"]
