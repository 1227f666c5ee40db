"""flask segment compare: counts and causes, the people, CSV, and what it refuses (B4)."""

import csv
import io
import json
from pathlib import Path

import pytest
import time_machine
from apiflask import APIFlask

from tests.campaigns.stage import FRIDAY
from tests.cli.test_story import Shell


@pytest.fixture
def shell(app: APIFlask, tmp_path: Path):
    """A segment of who scanned or registered for "show": ten with version 1, two came since."""
    with time_machine.travel(FRIDAY, tick=False) as clock:
        shell = Shell(app, tmp_path)
        shell.ok("org", "create", "Art Battle", "--timezone", "America/Toronto")
        shell.ok("staff", "create", "ann@example.org", "--role", "super")
        shell.ok(
            *("event", "create", "Show", "--slug", "show", "--timezone", "America/Toronto"),
            *("--starts", "2026-11-28T19:00", "--ends", "2026-11-28T23:00"),
        )
        shell.ok("people", "import", shell.people(0, 10), "--event", "show")
        rules = shell.file("rules.json", json.dumps({"events": ["show"]}))
        shell.ok("segment", "create", "Guests", "--slug", "guests", "--criteria", rules)
        shell.ok("segment", "snapshot", "guests")
        clock.shift(3600)
        scans = shell.people(10, 2)
        shell.ok("people", "import", scans, "--event", "show", "--source", "qr_scan")
        yield shell


def narrow(shell: Shell) -> None:
    scanned = shell.file("scans.json", json.dumps({"events": ["show"], "sources": ["qr_scan"]}))
    shell.ok("segment", "edit", "guests", "--criteria", scanned)
    shell.ok("segment", "snapshot", "guests")


def test_two_versions_are_their_snapshots(shell: Shell):
    narrow(shell)
    found = shell.json("segment", "compare", "guests", "1", "2")
    assert (found["came"], found["went"], found["stayed"]) == (2, 10, 0)
    assert (found["from"]["people"], found["to"]["people"]) == (10, 2)
    assert found["from"]["at"] == "2026-11-27T17:00:00Z"
    assert found["came_by_cause"] == [
        {
            "cause": "person.events",
            "people": 2,
            "sentence": "registered for or scanned at Show",
            "certain": True,
        }
    ]
    assert [(row["cause"], row["people"]) for row in found["went_by_cause"]] == [
        ("definition.sources", 10)
    ]
    told = shell.ok("segment", "compare", "guests", "v1", "v2")
    assert "Version 1, Fri 27 Nov 2026, 12:00 America/Toronto: 10 people" in told
    assert "10  version 2 asks for a QR scan  (definition.sources)" in told
    assert "stayed  0" in told


def test_snapshots_by_id_and_now(shell: Shell):
    narrow(shell)
    taken = shell.json("segment", "snapshots", "guests")["data"]
    by_id = shell.json("segment", "compare", "guests", f"#{taken[-1]['id']}", "now:1")
    assert (by_id["came"], by_id["went"], by_id["stayed"]) == (2, 0, 10)
    assert by_id["to"]["snapshot_id"] is None
    assert shell.json("segment", "compare", "guests", "now:1", "now")["went"] == 10


def test_people_are_listed_with_what_shows_the_cause(shell: Shell):
    found = shell.json("segment", "compare", "guests", "1", "now", "--people", "came")
    assert [row["evidence"] for row in found["people"]] == [
        "scanned at Show, Fri 27 Nov 2026, 13:00 America/Toronto"
    ] * 2
    few = shell.ok("segment", "compare", "guests", "1", "now", "--people", "stayed", "--limit", "3")
    assert few.count("@") + few.count("+1416") >= 3
    assert "There are more: raise --limit" in few
    none = shell.json(
        *("segment", "compare", "guests", "1", "now", "--people", "came"),
        *("--cause", "definition.events"),
    )
    assert none["people"] == []


def test_csv_holds_all_who_came_and_went(shell: Shell):
    narrow(shell)
    printed = shell.ok("segment", "compare", "guests", "1", "2", "--csv")
    rows = list(csv.DictReader(io.StringIO(printed.removeprefix("\ufeff"))))
    assert [row["change"] for row in rows] == ["came"] * 2 + ["went"] * 10
    assert {row["reason"] for row in rows if row["change"] == "went"} == {
        "version 2 asks for a QR scan"
    }


def test_what_cannot_be_compared_is_said(shell: Shell):
    scanned = shell.file("scans.json", json.dumps({"events": ["show"], "sources": ["qr_scan"]}))
    shell.ok("segment", "edit", "guests", "--criteria", scanned)
    assert "V2: Version 2 has no snapshot: take one first (flask segment snapshot guests)" in (
        shell.refused("segment", "compare", "guests", "1", "2")
    )
    assert "has no version 9" in shell.refused("segment", "compare", "guests", "9", "now", code=1)
    assert "has no snapshot 77" in shell.refused(
        "segment", "compare", "guests", "#77", "now", code=1
    )
    assert "V1: Say a version" in shell.refused("segment", "compare", "guests", "#x", "now")
    assert "V2: Say" in shell.refused("segment", "compare", "guests", "1", "soon")
    assert "--people came" in shell.refused(
        "segment", "compare", "guests", "1", "now", "--cause", "person.events"
    )
    assert "came, went" in shell.refused(
        "segment", "compare", "guests", "1", "now", "--people", "fled"
    )
    assert "no segment 'x'" in shell.refused("segment", "compare", "x", "1", "now", code=1)
