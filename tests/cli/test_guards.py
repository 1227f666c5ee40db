"""Limits, directions and decisions on the command line."""

import json
from typing import Any

import pytest
import time_machine
from apiflask import APIFlask
from click.testing import Result

from rollcall.extensions import db
from rollcall.models import Event, Organisation, Role
from tests.campaigns.stage import FRIDAY, SUNDAY_UTC
from tests.factories import attend, make_event, make_organisation, make_people, make_staff


@pytest.fixture
def acme(app: APIFlask) -> Organisation:
    organisation = make_organisation("acme")
    for role in Role:
        make_staff(role, organisation, email=f"{role}@x.org")
    attend(make_event(organisation, "show"), make_people(organisation, 2))
    return organisation


@pytest.fixture
def run(app: APIFlask, acme: Organisation):
    def invoke(*words: str) -> Result:
        return app.test_cli_runner().invoke(args=list(words))

    with time_machine.travel(FRIDAY, tick=False) as clock:
        invoke.clock = clock  # type: ignore[attr-defined]
        yield invoke


def create(run: Any, *words: str) -> Result:
    given = ("--name", "Story", "--channel", "sms", "--message", "Hello", "--event", "show")
    return run("campaign", "create", *given, "--at", "2026-11-29T10:00", *words, "--json")


def grow(acme: Organisation, number: int) -> None:
    event = db.session.query(Event).one()
    attend(event, make_people(acme, number))


def send_on_sunday(run: Any) -> None:
    run.clock.move_to(SUNDAY_UTC)
    assert run("campaign", "send-due").exit_code == 0


def test_a_stopped_campaign_is_decided_by_who_may(run, acme):
    made = json.loads(create(run, "--reprocess", "--as", "staff@x.org").stdout)
    grow(acme, 3)
    send_on_sunday(run)
    shown = run("campaign", "show", str(made["id"]))
    assert "The audience went from 2 to 5 people (+3, +150 %); the limit is 100 %." in shown.stdout
    review = ("campaign", "review", str(made["id"]), "--decision", "final", "--json")
    refused = run(*review, "--as", "staff@x.org")
    assert refused.exit_code != 0
    assert "beyond what your role (staff) may approve" in refused.stderr
    decided = run(*review, "--as", "admin@x.org", "--reason", "At the door.")
    assert decided.exit_code == 0, decided.output
    send_on_sunday(run)
    document = json.loads(run("campaign", "show", str(made["id"]), "--json").stdout)
    assert document["status"] == "completed"
    assert document["metadata"]["actual_recipients"] == 5
    assert document["metadata"]["review"]["reason"] == "At the door."
    assert document["metadata"]["review"]["decided_by"] == "admin@x.org"


def test_limits_of_the_organisation_and_of_a_campaign(run, acme):
    assert run("org", "set", "acme", "--limit", "staff.growth_percent=250").exit_code == 0
    [listed] = json.loads(run("org", "list", "--json").stdout)
    assert listed["guard_limits"]["staff"]["growth_percent"] == 250
    # Without a window, so that the one does not keep people from the other.
    asked = ("--reprocess", "--window", "0", "--as", "staff@x.org")
    loose = json.loads(create(run, *asked).stdout)
    strict = json.loads(create(run, *asked, "--limit", "ceiling=4").stdout)
    assert strict["settings"]["guard_limits"]["ceiling"] == 4
    grow(acme, 3)
    send_on_sunday(run)
    states = [
        json.loads(run("campaign", "show", str(made["id"]), "--json").stdout)["status"]
        for made in (loose, strict)
    ]
    assert states == ["completed", "needs_review"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reprocess", "--limit", "ceiling"), "'ceiling' can't be read"),
        (("--reprocess", "--limit", "height=5"), "This is not a limit"),
        (("--reprocess", "--limit", "growth_percent=101", "--as", "staff@x.org"), "at most 100"),
        (("--reprocess", "--min-growth", "-1"), "Give whole percent"),
        (("--reprocess", "--audience-mode", "frozen"), "A frozen list is not re-processed"),
    ],
)
def test_what_can_not_be_is_refused(run, words, said):
    refused = create(run, *words)
    assert refused.exit_code != 0
    assert said in refused.stderr


def test_only_a_super_sets_the_organisations_limits(run):
    refused = run("org", "set", "acme", "--limit", "staff.ceiling=5", "--as", "admin@x.org")
    assert refused.exit_code != 0
    assert "takes the role super" in refused.stderr
    unreadable = run("org", "set", "acme", "--limit", "ceiling=5")
    assert "write staff.ceiling=500" in unreadable.stderr


def test_only_removals_adds_nobody(run, acme):
    made = json.loads(create(run, "--audience-mode", "removals").stdout)
    assert made["metadata"]["reprocess_audience_at_send"] is True
    assert made["settings"]["audience_mode"] == "removals"
    grow(acme, 3)
    by_mode = json.loads(run("campaign", "preview", str(made["id"]), "--json").stdout)["by_mode"]
    assert by_mode == {"frozen": 2, "reprocess": 5, "removals": 2, "additions": 5}
    send_on_sunday(run)
    document = json.loads(run("campaign", "show", str(made["id"]), "--json").stdout)
    assert document["metadata"]["actual_recipients"] == 2
