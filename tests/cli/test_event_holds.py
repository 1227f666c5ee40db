"""Rehearsals, and events that change, on the command line."""

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
    make_staff(Role.SUPER, organisation, name="Ada", email="ada@x.org")
    attend(make_event(organisation, "show"), make_people(organisation, 2))
    return organisation


@pytest.fixture
def run(app: APIFlask, acme: Organisation):
    def invoke(*words: str) -> Result:
        db.session.rollback()
        return app.test_cli_runner().invoke(args=list(words))

    with time_machine.travel(FRIDAY, tick=False) as clock:
        invoke.clock = clock  # type: ignore[attr-defined]
        yield invoke


def create(run: Any, *more: str) -> str:
    given = ("--name", "Story", "--channel", "sms", "--message", "Hello", "--event", "show")
    made = run("campaign", "create", *given, "--at", "2026-11-29T10:00", *more, "--json")
    return str(json.loads(made.stdout)["id"])


def test_a_moved_event_holds_until_somebody_decides(run):
    campaign_id = create(run)
    moved = run(
        "event", "edit", "show", "--starts", "2026-11-28T20:00", "--ends", "2026-11-29T00:00"
    )
    assert "show: Show, Sat 28 Nov 2026, 20:00 America/Toronto, takes place" in moved.stdout
    assert "Held for a decision, so that nobody gets it yet: “Story”." in moved.stdout
    assert f"flask campaign review {campaign_id} --decision keep" in moved.stdout
    shown = run("campaign", "show", campaign_id).stdout
    assert "was moved from Sat 28 Nov 2026, 19:00 America/Toronto" in shown
    assert "by Ada: keep the time, move with it, or cancel." in shown
    run.clock.move_to(SUNDAY_UTC)
    assert "Ran 0 campaigns." in run("campaign", "send-due").stdout
    late = run("campaign", "review", campaign_id, "--decision", "keep")
    assert late.exit_code != 0
    assert "Its time has passed while it was held" in late.stderr
    decided = run("campaign", "review", campaign_id, "--decision", "move", "--json")
    assert json.loads(decided.stdout)["scheduled_at"] == "2026-11-29T16:00:00Z"


def test_cancel_and_reopen(run):
    campaign_id = create(run)
    cancelled = json.loads(run("event", "cancel", "show", "--json").stdout)
    assert cancelled["cancelled_at"] is not None
    assert cancelled["held_campaigns"] == [int(campaign_id)]
    assert "cancelled" in run("event", "list").stdout
    again = run("event", "cancel", "show")
    assert again.exit_code != 0
    assert "is cancelled already" in again.stderr
    assert "takes place" in run("event", "reopen", "show").stdout
    assert run("event", "cancel", "gone").exit_code != 0


def test_an_edit_says_what_is_wrong_and_leaves_the_rest(run):
    wrong = run("event", "edit", "show", "--ends", "2026-11-20T00:00")
    assert wrong.exit_code != 0
    assert "The event must end after it starts." in wrong.stderr
    renamed = json.loads(run("event", "edit", "show", "--name", "Big show", "--json").stdout)
    assert (renamed["name"], renamed["held_campaigns"]) == ("Big show", [])


def test_a_rehearsal_by_hand_and_by_the_scheduler(run, acme):
    campaign_id = create(run, "--reprocess")
    attend(db.session.query(Event).one(), make_people(acme, 1))
    said = run("campaign", "rehearse", campaign_id)
    assert said.stdout.strip() == "3 people (+1 since 12:00), within limits."
    run("org", "set", "acme", "--rehearsals", "3")
    run.clock.move_to(SUNDAY_UTC.replace(hour=13))
    run("campaign", "send-due")
    listed = run("campaign", "rehearsals", campaign_id).stdout
    assert "3 hours before: 3 people (+1 since Friday), within limits." in listed
    assert "by hand: 3 people" in listed
    data = json.loads(run("campaign", "rehearsals", campaign_id, "--limit", "1", "--json").stdout)
    assert data["data"][0]["hours_before"] == 3
    assert data["next_cursor"]


def test_the_hours_of_rehearsals_are_set(run):
    set_ = json.loads(run("org", "set", "acme", "--rehearsals", "1,48", "--json").stdout)
    assert set_["rehearsals"] == "48,1"
    wrong = run("org", "set", "acme", "--rehearsals", "soon")
    assert "Write up to 5 whole hours" in wrong.stderr
    assert "rehearsals off" in run("org", "set", "acme", "--rehearsals", "off").stdout
