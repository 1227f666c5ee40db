"""Quiet hours, "not after" and the postal address on the command line."""

import json
from typing import Any

import pytest
import time_machine
from apiflask import APIFlask
from click.testing import Result

from rollcall.models import Role
from tests.campaigns.stage import FRIDAY
from tests.factories import attend, make_event, make_organisation, make_people, make_staff


@pytest.fixture
def run(app: APIFlask):
    organisation = make_organisation("acme")
    make_staff(Role.SUPER, organisation, email="boss@x.org")
    make_staff(Role.STAFF, organisation, email="staff@x.org")
    event = make_event(organisation, "show")
    attend(event, make_people(organisation, [{"phone": "+16045550123"}, {}]))

    def invoke(*words: str) -> Result:
        return app.test_cli_runner().invoke(args=list(words))

    with time_machine.travel(FRIDAY, tick=False):
        yield invoke


def create(run: Any, *words: str) -> Result:
    given = ("--name", "Story", "--channel", "sms", "--message", "Hello", "--event", "show")
    return run("campaign", "create", *given, "--at", "2026-11-29T10:00", *words)


def test_a_campaign_carries_what_it_does_about_quiet_hours_and_its_last_time(run):
    made = create(run, "--quiet-hours", "skip", "--not-after", "2026-11-29T18:00", "--json")
    assert made.exit_code == 0, made.output
    shown = json.loads(made.stdout)
    assert shown["settings"]["quiet_hours"] == "skip"
    assert shown["not_after"] == "2026-11-29T23:00:00Z"
    assert shown["results"]["waiting"] == {}
    told = run("campaign", "show", str(shown["id"])).stdout
    assert "Not after          Sun 29 Nov 2026, 18:00 America/Toronto" in told


def test_only_an_admin_sends_all_the_same(run):
    refused = create(run, "--quiet-hours", "override", "--as", "staff@x.org")
    assert refused.exit_code != 0
    assert "takes the role admin or above" in refused.stderr
    assert create(run, "--quiet-hours", "override").exit_code == 0


def test_a_last_time_before_the_sending_is_refused(run):
    refused = create(run, "--not-after", "2026-11-29T09:00")
    assert refused.exit_code != 0
    assert "after the time of sending" in refused.stderr


def test_the_preview_says_who_is_in_their_quiet_hours(run):
    asked = ("audience", "preview", "--event", "show", "--at", "2026-11-29T09:00")
    assert "quiet hours" not in run(*asked).stdout
    assert run("org", "set", "acme", "--quiet-hours", "08:00-21:00").exit_code == 0
    told = run(*asked).stdout
    assert "1 of these is in their quiet hours at that time and would wait until 8:00" in told
    counted = json.loads(run(*asked, "--json").stdout)["quiet_hours"]
    assert counted["people"] == 1
    assert counted["next_at"] == "2026-11-29T16:00:00+00:00"


def test_the_postal_address_is_set_and_listed(run):
    run("org", "set", "acme", "--address", "1 Main Street\nToronto")
    assert "1 Main Street, Toronto" in run("org", "list").stdout
    [listed] = json.loads(run("org", "list", "--json").stdout)
    assert listed["postal_address"] == "1 Main Street\nToronto"
    made = run("org", "create", "Other", "--address", "2 Side Street", "--json")
    assert json.loads(made.stdout)["postal_address"] == "2 Side Street"
