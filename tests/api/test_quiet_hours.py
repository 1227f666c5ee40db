"""Quiet hours and "not after" over the API: set, shown, refused, counted."""

from datetime import UTC, datetime, time

import pytest
import time_machine
from apiflask import APIFlask

from rollcall.extensions import db, write
from rollcall.models import Event, Organisation, Role
from tests.api.client import Program, make_token, problem_fields
from tests.factories import attend, make_people

FRIDAY = datetime(2026, 11, 27, 19, tzinfo=UTC)
CAMPAIGN = {
    "name": "Winner announcement",
    "channel": "sms",
    "message": "Congrats!",
    "targeting_criteria": {"events": ["party"]},
    "scheduled_local_time": "2026-11-29T10:00",
    "scheduled_timezone": "America/Toronto",
}


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ({"not_after": "2026-11-29T23:00:00Z"}, "2026-11-29T23:00:00Z"),
        ({"not_after": "2026-11-29T18:00:00-05:00"}, "2026-11-29T23:00:00Z"),
        (
            {
                "scheduled_local_time": None,
                "scheduled_timezone": None,
                "not_after": "2026-11-29T18:00:30Z",
            },
            "2026-11-29T18:00:30Z",
        ),
    ],
)
def test_both_are_stored_and_shown(program: Program, party: Event, times, shown):
    with time_machine.travel(FRIDAY, tick=False):
        made = program.post("/campaigns", {**CAMPAIGN, "quiet_hours": "skip", **times})
        assert made.status_code == 201, made.text
        document = made.get_json()
    assert document["settings"]["quiet_hours"] == "skip"
    assert document["not_after"] == shown
    assert (document["results"]["waiting"], document["results"]["next_at"]) == ({}, None)


def test_what_can_not_be_is_refused_by_its_field(program: Program, party: Event):
    with time_machine.travel(FRIDAY, tick=False):
        early = program.post("/campaigns", {**CAMPAIGN, "not_after": "2026-11-29T15:00:00Z"})
        other = program.post("/campaigns", {**CAMPAIGN, "quiet_hours": "never"})
    assert set(problem_fields(early)) == {"not_after"}
    assert set(problem_fields(other)) == {"quiet_hours"}


def test_only_an_admin_sends_all_the_same(app: APIFlask, acme: Organisation, party: Event):
    body = {**CAMPAIGN, "quiet_hours": "override"}
    with time_machine.travel(FRIDAY, tick=False):
        staff = Program(app, make_token(acme, role=Role.STAFF)).post("/campaigns", body)
        admin = Program(app, make_token(acme, role=Role.ADMIN)).post("/campaigns", body)
    assert set(problem_fields(staff)) == {"quiet_hours"}
    assert admin.status_code == 201


def test_the_preview_counts_who_is_in_their_quiet_hours(
    program: Program, acme: Organisation, party: Event
):
    attend(party, make_people(acme, [{"phone": "+16045550123"}]))
    question = {
        "criteria": {"events": ["party"]},
        "channel": "sms",
        "at": "2026-11-29T14:00:00Z",
    }
    with time_machine.travel(FRIDAY, tick=False):
        assert program.post("/audience/preview", question).get_json()["quiet_hours"] is None
        with write():
            organisation = db.session.get_one(Organisation, acme.id)
            organisation.quiet_until, organisation.quiet_from = time(8), time(21)
        counted = program.post("/audience/preview", question).get_json()["quiet_hours"]
    assert counted["people"] == 1
    assert counted["next_at"].startswith("2026-11-29T16:00:00")
