"""Trying a campaign out on the command line: dry run, a test, and who else wants the people."""

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
    make_staff(Role.SUPER, organisation, email="super@x.org")
    attend(make_event(organisation, "show"), make_people(organisation, 3))

    def invoke(*words: str) -> Result:
        return app.test_cli_runner().invoke(args=list(words))

    with time_machine.travel(FRIDAY, tick=False):
        yield invoke


def create(run: Any, *words: str, name: str = "Story") -> Result:
    given = ("--name", name, "--channel", "sms", "--message", "Hello %%FIRST_NAME%%")
    return run("campaign", "create", *given, "--event", "show", *words)


def test_a_dry_run_and_the_real_one(run: Any):
    made = create(run, "--dry-run", "416 555 0199", "--dry-run-limit", "2", "--now", "--json")
    assert made.exit_code == 0, made.output
    number = str(json.loads(made.output)["id"])
    assert run("campaign", "send-due").exit_code == 0
    said = run("campaign", "show", number).output
    assert "Dry run            at most 2 messages, all to +14165550199" in said
    assert "the real one costs about $0.03" in said
    assert said.count("accepted: Hello First") == 2
    assert "sent 0 · held back 3" in said
    real = json.loads(run("campaign", "for-real", number, "--json").output)
    assert (real["status"], real["dry_run"]) == ("draft", None)
    refused = run("campaign", "for-real", str(real["id"]))
    assert (refused.exit_code, "is no dry run" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--dry-run", "12"), "--dry-run:"),
        (("--dry-run", "416 555 0199", "--dry-run-limit", "0"), "--dry-run-limit:"),
        (("--dry-run-limit", "3"), "--dry-run-limit:"),
    ],
)
def test_what_is_wrong_is_named_by_its_option(run: Any, words: tuple[str, ...], named: str):
    refused = create(run, "--draft", *words)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: " + named)
    assert refused.stderr.count("\n") == 1


def test_a_test_of_the_message(run: Any):
    number = str(json.loads(create(run, "--draft", "--json").output)["id"])
    refused = run("campaign", "test", number)
    assert refused.exit_code == 2
    assert "Give the phone" in refused.stderr
    sent = run("campaign", "test", number, "--to", "416 555 0199")
    assert sent.output == ("To +14165550199: Simulator took it. It should be there in a minute.\n")
    assert json.loads(run("campaign", "test", number, "--to", "4165550199", "--json").output) == {
        "address": "+14165550199",
        "accepted": True,
        "answer": "Simulator took it. It should be there in a minute.",
    }


def test_collisions(run: Any):
    first = json.loads(create(run, "--at", "2026-11-28T18:00", "--json").output)["id"]
    assert "No other campaign comes near enough" in run("campaign", "collisions", str(first)).output
    later = str(json.loads(create(run, "--at", "2026-11-29T10:00", "--json").output)["id"])
    said = run("campaign", "collisions", later).output.splitlines()
    assert said == [
        "3 of these 3 will have had “Story” 16 h before (window 72 h).",
        "So 0 people of 3 would get this one.",
        "No other order of these times loses fewer.",
    ]
    data = json.loads(run("campaign", "collisions", later, "--json").output)
    assert (data["messages_lost"], data["would_get_it"]) == (3, 0)
    listed = run("campaign", "collisions", later, "--people", "loses", "--with", str(first))
    assert len(listed.output.splitlines()) == 3
    assert run("campaign", "collisions", later, "--people", "loses").exit_code == 2
