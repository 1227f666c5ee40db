"""The main job on the command line, from an empty database to the results."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import time_machine
from apiflask import APIFlask
from click.testing import Result

from tests.campaigns.stage import FRIDAY, SUNDAY_UTC
from tests.factories import make_phone

AT = ["--at", "2026-11-29T10:00", "--timezone", "America/Toronto"]


class Shell:
    """Runs `flask …` as a person would, and reads what it prints."""

    def __init__(self, app: APIFlask, folder: Path) -> None:
        self._runner = app.test_cli_runner()
        self._folder = folder

    def run(self, *words: str) -> Result:
        return self._runner.invoke(args=list(words))

    def ok(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "--json"))

    def refused(self, *words: str, code: int = 2) -> str:
        result = self.run(*words)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        return result.stderr

    def file(self, name: str, text: str) -> str:
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def people(self, first: int, number: int) -> str:
        """A CSV of so many people with phones."""
        rows = [f"First{n},Last{n},{make_phone(n)}" for n in range(first, first + number)]
        return self.file(f"people-{first}.csv", "\n".join(["First Name,Last Name,Phone", *rows]))


@pytest.fixture
def shell(app: APIFlask, tmp_path: Path):
    """An organisation, a super, the event "show" and nobody yet, on Friday noon."""
    with time_machine.travel(FRIDAY, tick=False):
        shell = Shell(app, tmp_path)
        shell.ok("org", "create", "Art Battle", "--timezone", "America/Toronto")
        shell.ok("staff", "create", "ann@example.org", "--role", "super")
        shell.ok(
            *("event", "create", "Show", "--slug", "show", "--timezone", "America/Toronto"),
            *("--starts", "2026-11-28T19:00", "--ends", "2026-11-28T23:00"),
        )
        yield shell


def create(shell: Shell, *words: str, message: str = "Hello %%FIRST_NAME%%") -> Any:
    return shell.json(
        *("campaign", "create", "--name", "Story", "--channel", "sms", "--message", message),
        *words,
    )


def on_sunday(shell: Shell) -> Any:
    with time_machine.travel(SUNDAY_UTC, tick=False):
        return shell.json("campaign", "send-due")


def test_frozen_and_reprocessed_from_the_same_estimate(shell: Shell):
    shell.ok("people", "import", shell.people(0, 78), "--event", "show")
    frozen = create(shell, "--event", "show", *AT)
    again = create(shell, "--event", "show", *AT, "--reprocess", "--window", "0")
    for campaign in (frozen, again):
        assert campaign["status"] == "scheduled"
        assert campaign["metadata"]["estimated_recipients"] == 78
    scans = shell.people(66, 424)
    shell.ok("people", "import", scans, "--event", "show", "--source", "qr_scan")
    assert on_sunday(shell) == {"campaigns": [frozen["id"], again["id"]]}
    frozen = shell.json("campaign", "show", str(frozen["id"]))
    again = shell.json("campaign", "show", str(again["id"]))
    assert (frozen["total_recipients"], again["total_recipients"]) == (78, 490)
    assert frozen["results"]["sent"] == 78
    assert again["results"]["sent"] == 490
    assert again["metadata"]["audience_change_percent"] == 528
    told = shell.ok("campaign", "show", str(again["id"]))
    assert "Original estimate  78 people" in told
    assert "Final audience     490 people   (+412, +528 %)" in told


def test_hand_picked_people_from_a_csv(shell: Shell):
    shell.ok("people", "import", shell.people(0, 60), "--event", "show")
    picked = create(shell, "--people", shell.people(10, 25), "--now")
    shell.ok("campaign", "send-due")
    rows = shell.json("campaign", "recipients", str(picked["id"]))
    assert {row["phone"] for row in rows} == {make_phone(n) for n in range(10, 35)}
    assert {row["status"] for row in rows} == {"sent"}
    assert picked["settings"]["recipient_mode"] == "people"


def test_unknown_people_in_the_csv_are_named(shell: Shell):
    shell.ok("people", "import", shell.people(0, 2), "--event", "show")
    told = shell.refused(
        *("campaign", "create", "--name", "x", "--channel", "sms", "--message", "x", "--now"),
        *("--people", shell.people(1, 2)),
    )
    assert "line 3" in told


def test_the_two_refusals_of_reprocessing(shell: Shell):
    base = ("campaign", "create", "--name", "x", "--channel", "sms", "--message", "x")
    told = shell.refused(*base, "--event", "show", "--reprocess")
    assert "Audience reprocessing requires a scheduled send time" in told
    shell.ok("people", "import", shell.people(0, 2))
    told = shell.refused(*base, "--people", shell.people(0, 2), *AT, "--reprocess")
    assert "Audience reprocessing requires event selection" in told


def test_preview_shows_the_funnel(shell: Shell):
    shell.ok("people", "import", shell.people(0, 12), "--event", "show")
    found = shell.json("audience", "preview", "--event", "show", "--window", "72")
    assert found["funnel"]["matched"] == found["funnel"]["reachable"] == 12
    assert found["by_source"]["registration"] == 12
    assert found["cost"] == "0.12"
    assert "12  people will get this" in shell.ok("audience", "preview", "--event", "show")
    assert "rfm" in shell.refused("audience", "preview", "--event", "show", "--rfm", "high")


def test_if_it_were_sent_now(shell: Shell):
    shell.ok("people", "import", shell.people(0, 10), "--event", "show")
    campaign = create(shell, "--event", "show", *AT, "--reprocess")
    shell.ok("people", "import", shell.people(10, 40), "--event", "show")
    found = shell.json("campaign", "preview", str(campaign["id"]))
    assert (found["current_recipients"], found["joined"], found["left"]) == (50, 40, 0)
    assert found["change_percent"] == 400


def test_stopping_and_asking_again(shell: Shell):
    shell.ok("people", "import", shell.people(0, 3), "--event", "show")
    campaign = create(shell, "--event", "show", *AT)
    assert shell.json("campaign", "schedule", str(campaign["id"])) == campaign
    assert "scheduled" in shell.refused("campaign", "pause", str(campaign["id"]), code=1)
    assert shell.json("campaign", "cancel", str(campaign["id"]))["status"] == "cancelled"
    assert "cancelled" in shell.refused("campaign", "cancel", str(campaign["id"]), code=1)
    assert "no campaign 999" in shell.refused("campaign", "show", "999", code=1)
    assert on_sunday(shell) == {"campaigns": []}


def test_recipients_as_csv_are_safe_for_spreadsheets(shell: Shell):
    path = shell.file("evil.csv", f'Name,Phone\n"=HYPERLINK(""x"")",{make_phone(1)}\n')
    shell.ok("people", "import", path, "--event", "show")
    campaign = create(shell, "--event", "show", "--now")
    shell.ok("campaign", "send-due")
    text = shell.ok("campaign", "recipients", str(campaign["id"]), "--csv")
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert row["name"] == '\'=HYPERLINK("x")'
    assert row["phone"] == "'" + make_phone(1)
    assert row["status"] == "sent"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--event", "show", "--at", "2020-01-01T10:00"), "--at"),
        (("--event", "show", "--at", "soon"), "--at"),
        (("--event", "show", "--at", "2026-11-29T10:00", "--timezone", "Mars/North"), "--timezone"),
        (("--event", "nowhere", "--now"), "--event"),
        (("--event", "show", "--source", "guess", "--now"), "--source"),
        (("--event", "show", "--window", "-3", "--now"), "--window"),
        (("--city", "Toronto", "--at", "2026-11-29T10:00", "--reprocess"), "--reprocess"),
    ],
)
def test_an_error_names_the_option_that_was_typed(shell: Shell, words: tuple[str, ...], option):
    said = shell.refused(
        *("campaign", "create", "--name", "N", "--channel", "sms", "--message", "Hi"), *words
    )
    assert said.startswith(f"Error: {option}: "), said


def test_who_was_left_out_is_said_with_the_reason_and_the_window(shell: Shell):
    shell.ok("people", "import", shell.people(0, 5), "--event", "show")
    create(shell, "--event", "show", "--now")
    shell.ok("campaign", "send-due")
    shell.ok("people", "import", shell.people(5, 2), "--event", "show", "--source", "qr_scan")
    second = create(shell, "--event", "show", "--now", "--window", "24")
    shell.ok("campaign", "send-due")
    told = shell.ok("campaign", "show", str(second["id"]))
    assert "Left out           5   (5 had a message in the last 24 hours)" in told
    assert "sent 2" in told
