"""flask segment, from a new segment to the campaign that keeps or adopts its newer version."""

import json
from pathlib import Path

import pytest
import time_machine
from apiflask import APIFlask

from tests.campaigns.stage import FRIDAY
from tests.cli.test_story import AT, Shell, create
from tests.factories import make_phone


@pytest.fixture
def shell(app: APIFlask, tmp_path: Path):
    """Ten people at the event "show", on Friday noon."""
    with time_machine.travel(FRIDAY, tick=False):
        shell = Shell(app, tmp_path)
        shell.ok("org", "create", "Art Battle", "--timezone", "America/Toronto")
        shell.ok("staff", "create", "ann@example.org", "--role", "super")
        shell.ok(
            *("event", "create", "Show", "--slug", "show", "--timezone", "America/Toronto"),
            *("--starts", "2026-11-28T19:00", "--ends", "2026-11-28T23:00"),
        )
        shell.ok("people", "import", shell.people(0, 10), "--event", "show")
        yield shell


def phones(shell: Shell, *words: str) -> set[str]:
    page = shell.json("segment", "members", *words)
    return {row["phone"] for row in page["data"]}


def test_by_rules_snapshots_are_taken_once_by_bump_and_by_force(shell: Shell):
    criteria = shell.file("rules.json", json.dumps({"events": ["show"]}))
    made = shell.json("segment", "create", "Guests", "--slug", "guests", "--criteria", criteria)
    assert (made["slug"], made["kind"], made["version"]) == ("guests", "dynamic", 1)
    first = shell.json("segment", "snapshot", "guests")
    assert first["created_at"] == "2026-11-27T17:00:00Z"
    assert {key: first[key] for key in ("version", "count", "number", "segment", "taken")} == {
        "version": 1,
        "count": 10,
        "number": 1,
        "segment": "guests",
        "taken": True,
    }
    shell.ok("people", "import", shell.people(10, 2), "--event", "show")
    assert shell.json("segment", "snapshot", "guests") == {**first, "taken": False}
    assert "version 1: 10 people" in shell.ok("segment", "snapshot", "guests")
    assert shell.json("segment", "snapshot", "guests", "--force")["count"] == 12
    bumped = shell.json("segment", "snapshot", "guests", "--bump-version")
    assert (bumped["version"], bumped["count"]) == (2, 12)
    listed = shell.json("segment", "snapshots", "guests")["data"]
    assert [(row["version"], row["number"]) for row in listed] == [(2, 1), (1, 2), (1, 1)]
    assert phones(shell, "guests", "--snapshot", str(first["id"])) == set(
        map(make_phone, range(10))
    )
    told = shell.ok("segment", "show", "guests")
    assert "version 2, Fri 27 Nov 2026, 12:00 America/Toronto by ann@example.org: People" in told
    assert "version 1, snapshot 2: 12 people" in told


def test_a_list_of_people_is_edited_and_each_campaign_is_decided_on(shell: Shell):
    shell.ok("segment", "create", "VIP", "--slug", "vip", "--people", shell.people(0, 4))
    on_vip = ("--segment", "vip", "--window", "0", *AT)
    kept, adopted = (create(shell, *on_vip)["id"] for _ in range(2))
    told = shell.ok("segment", "edit", "vip", "--people", shell.people(1, 6))
    assert "2 scheduled campaigns stand on version 1" in told
    shown = shell.json("segment", "show", "vip")["usage"]
    assert shown["scheduled_by_version"] == [{"version": 1, "campaigns": 2, "needs_decision": 2}]
    change = shown["scheduled"][0]["if_adopted"]
    assert (change["joined"], change["left"]) == (3, 1)
    assert "3 would join, 1 would leave" in shell.ok("segment", "show", "vip")
    assert "keeps version 1: 4 people" in shell.ok("segment", "keep", str(kept))
    decided = shell.json("segment", "adopt", str(adopted))
    assert decided["settings"]["segment_version"] == 2
    assert decided["metadata"]["estimated_recipients"] == 6
    assert shell.json("campaign", "show", str(kept))["metadata"]["estimated_recipients"] == 4
    assert phones(shell, "vip", "--version", "1") == set(map(make_phone, range(4)))
    lines = shell.ok("segment", "members", "vip", "--csv").splitlines()
    assert len(lines) == 7
    assert "VIP, version 2: A list of 6 people" in shell.ok("segment", "list")


def test_a_new_name_alone_makes_no_version(shell: Shell):
    shell.ok("segment", "create", "Guests", "--event", "show")
    renamed = shell.json("segment", "edit", "guests", "--name", "Our guests")
    assert (renamed["name"], renamed["version"]) == ("Our guests", 1)
    assert renamed["criteria"]["events"] == ["show"]


def test_what_is_wrong_is_said_in_one_line(shell: Shell):
    shell.ok("segment", "create", "Guests", "--event", "show")
    assert "--event: Choose who" in shell.refused("segment", "create", "Empty")
    assert "There is a segment 'guests'" in shell.refused(
        "segment", "create", "Guests", "--slug", "guests", "--event", "show"
    )
    assert "line 2" in shell.refused("segment", "create", "x", "--people", shell.people(50, 1))
    assert "--segment: A segment can't be built" in shell.refused(
        "segment", "create", "x", "--segment", "guests"
    )
    assert "at version 1 now" in shell.refused(
        "segment", "edit", "guests", "--name", "x", "--version", "7", code=1
    )
    assert "no segment 'nothing'" in shell.refused("segment", "snapshot", "nothing", code=1)
    assert "no version 3" in shell.refused("segment", "members", "guests", "--version", "3", code=1)
    on_event = create(shell, "--event", "show", *AT)["id"]
    assert "not on a segment" in shell.refused("segment", "adopt", str(on_event), code=1)
    assert "no campaign 99" in shell.refused("segment", "keep", "99", code=1)
