"""flask event and flask rfm."""

import json

import pytest
from apiflask import APIFlask
from click.testing import Result

from rollcall.extensions import db
from rollcall.lookups import find_event
from rollcall.models import Source
from tests.factories import attend, make_event, make_people, make_person, make_purchase, make_staff


@pytest.fixture
def run(app: APIFlask):
    def invoke(*arguments: str) -> Result:
        db.session.rollback()
        return app.test_cli_runner().invoke(args=list(arguments))

    return invoke


@pytest.fixture
def acme(app):
    return make_staff().organisation


CREATE = ("event", "create", "Art Battle", "--slug", "art", "--timezone", "America/Toronto")
EVENING = ("--starts", "2026-11-28T19:00", "--ends", "2026-11-28T23:00")


def test_an_event_is_created_and_listed(run, acme):
    created = run(*CREATE, *EVENING, "--city", "Toronto", "--json")
    assert created.exit_code == 0
    given = json.loads(created.stdout)
    assert given["slug"] == "art"
    assert given["starts_at"] == "2026-11-29T00:00:00Z"
    event = find_event(acme.id, "art")
    people = make_people(acme, 3)
    attend(event, people)
    attend(event, people[:1], Source.QR_SCAN)
    assert "art: Art Battle, Sat 28 Nov 2026, 19:00 America/Toronto, 3 people" in (
        run("event", "list").stdout
    )
    shown = json.loads(run("event", "show", "art", "--json").stdout)
    assert shown["attendance"] == {"total": 3, "registration": 2, "qr_scan": 0, "both": 1}


def test_a_skipped_time_is_refused_with_the_next_valid_one(run, acme):
    times = ("--starts", "2026-03-08T02:30", "--ends", "2026-03-08T06:00")
    refused = run(*CREATE, *times)
    assert refused.exit_code == 2
    assert "starts: 2026-03-08T02:30 does not exist" in refused.stderr
    assert "2026-03-08T03:00" in refused.stderr


def test_a_repeated_time_is_taken_when_it_is_said_which(run, acme):
    times = ("--starts", "2026-11-01T01:30", "--ends", "2026-11-01T06:00")
    assert run(*CREATE, *times).exit_code == 2
    assert run(*CREATE, *times, "--starts-choice", "later").exit_code == 0
    assert find_event(acme.id, "art").starts_at.hour == 6


def test_the_list_goes_on_where_a_page_ended(run, acme):
    for number in range(3):
        make_event(acme, f"event-no-{number}")
    first = json.loads(run("event", "list", "--limit", "2", "--json").stdout)
    rest = json.loads(run("event", "list", "--cursor", first["next_cursor"], "--json").stdout)
    assert len(first["data"]) == 2
    assert len(rest["data"]) == 1
    assert rest["next_cursor"] is None


def test_an_unknown_event_fails(run, acme):
    result = run("event", "show", "nothing")
    assert result.exit_code == 1
    assert "There is no event 'nothing'" in result.stderr


def test_scores_are_computed(run, acme):
    make_purchase(make_person(acme))
    assert run("rfm", "compute").stdout == "Scored 1 person.\n"
    assert json.loads(run("rfm", "compute", "--json").stdout) == {"people": 1}
