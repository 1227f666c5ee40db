"""At least so many of the chosen events: at every door, and in every sentence about somebody."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask

from rollcall.accounts.passwords import hash_password
from rollcall.audience.criteria import Criteria, SegmentChoice, campaign_criteria
from rollcall.audience.preview import preview_audience
from rollcall.campaigns.drafts import create_campaign
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.explanations.causes import count_causes
from rollcall.explanations.explain import explain_campaign
from rollcall.extensions import db
from rollcall.models import Campaign, Channel, Role, Source
from rollcall.segments.changed_people import list_moved
from rollcall.segments.comparison import compare_segment
from rollcall.segments.difference import Movement
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment, find_segment
from rollcall.segments.sides import find_side
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.api.client import Program, make_token, problem_fields
from tests.campaigns.stage import SUNDAY, SUNDAY_UTC, Stage
from tests.factories import make_event, make_staff
from tests.web.browser import PASSWORD, Browser
from tests.web.campaigns import words

FROZEN = "Fri 27 Nov 2026, 12:00 America/Toronto"
SATURDAY = "Sat 28 Nov 2026, 12:00 America/Toronto"
SENT = "Sun 29 Nov 2026, 10:00 America/Toronto"
ALL = ("show", "fair", "gala")
TWO = Criteria(events=ALL, min_events=2, window_hours=0)


class Nights:
    """Three events; each person is called by the events that they came to."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.actor = stage, stage.actor
        self.events = {"show": stage.event_id}
        self.events |= {slug: make_event(stage.organisation, slug).id for slug in ALL[1:]}

    def person(self, *slugs: str, source: Source = Source.REGISTRATION) -> int:
        [person_id] = self.stage.people(1, attending=None)
        for slug in slugs:
            self.come(person_id, slug, source)
        return person_id

    def come(self, person_id: int, slug: str, source: Source = Source.QR_SCAN) -> None:
        record_attendance(self.actor, self.events[slug], [person_id], source)

    def cancel(self, person_id: int, slug: str) -> None:
        cancel_attendance(self.actor, self.events[slug], person_id)

    def reach(self, criteria: Criteria) -> int:
        return preview_audience(self.stage.organisation_id, criteria, Channel.SMS).funnel.reachable

    def say(self, campaign_id: int, person_id: int) -> str:
        db.session.expire_all()
        return explain_campaign(self.stage.organisation_id, campaign_id, person_id).sentence


@pytest.fixture
def nights(stage: Stage) -> Nights:
    return Nights(stage)


def test_each_event_counts_once_and_only_what_counts(nights: Nights):
    nights.person("show", "fair", "gala")
    nights.person("show", "fair")
    twice = nights.person("show")
    nights.come(twice, "show", Source.QR_SCAN)
    cancelled = nights.person("show", "fair")
    nights.cancel(cancelled, "fair")
    for number, people in ((None, 4), (1, 4), (2, 2), (3, 1)):
        assert nights.reach(replace(TWO, min_events=number)) == people
    scans = replace(TWO, sources=(Source.QR_SCAN,))
    assert nights.reach(scans) == 0
    nights.come(twice, "gala")
    assert nights.reach(scans) == 1
    assert nights.reach(replace(TWO, events=("show", "gala"))) == 2


# How somebody is explained.


def test_a_draft_says_how_many_they_came_to(nights: Nights):
    both, one, none = nights.person("show", "fair"), nights.person("show"), nights.person()
    campaign_id = create_campaign(nights.actor, nights.stage.draft(criteria=TWO))
    three = create_campaign(
        nights.actor, nights.stage.draft(criteria=replace(TWO, min_events=3), name="Three")
    )
    say: Callable[..., str] = nights.say
    assert say(campaign_id, both) == (
        "Would get it as things stand: came to 2 of the 3 chosen events."
    )
    assert say(campaign_id, one) == (
        "Not matched as things stand: came to 1 of the 3 chosen events; 2 are needed."
    )
    assert say(three, both) == (
        "Not matched as things stand: came to 2 of the 3 chosen events; 3 are needed."
    )
    assert say(campaign_id, none) == "Not matched as things stand: is not at Show, Fair or Gala."
    nights.cancel(both, "fair")
    assert say(campaign_id, both) == f"Not matched as things stand: cancelled Fair on {FROZEN}."


def test_who_came_to_a_second_event_did_not_come_back_after_cancelling(nights: Nights):
    """The lie that one criterion more once made the product tell."""
    joins, leaves = nights.person("show"), nights.person("show", "fair")
    same = nights.person("show")
    campaign_id = nights.stage.for_sunday(True, criteria=TWO)
    nights.stage.clock.shift(timedelta(days=1))
    nights.come(joins, "show")  # the same event once more, which makes no difference
    nights.come(same, "show")
    nights.stage.clock.shift(timedelta(hours=1))
    nights.come(joins, "gala")
    nights.cancel(leaves, "show")
    nights.stage.run_due(SUNDAY_UTC)
    assert nights.say(campaign_id, joins) == (
        f"Got it: sent on {SENT}; joined after the list was frozen on {FROZEN}: scanned a QR code "
        "at Gala on Sat 28 Nov 2026, 13:00 America/Toronto, and so came to 2 of the 3 chosen "
        "events."
    )
    assert nights.say(campaign_id, leaves) == (
        f"Left the list when it was computed again on {SENT}: cancelled Show on "
        "Sat 28 Nov 2026, 13:00 America/Toronto."
    )
    assert nights.say(campaign_id, same) == (
        f"Not on the list: had come to 1 of the 3 chosen events when the list was computed again "
        f"on {SENT}; 2 are needed."
    )
    counts = count_causes(nights.stage.campaign(campaign_id))
    assert (counts.joined, counts.left) == ({"attended": 1}, {"cancelled": 1})


def test_on_a_frozen_list_the_event_that_came_too_late_is_named(nights: Nights):
    late, still = nights.person("show"), nights.person("fair")
    campaign_id = nights.stage.for_sunday(False, criteria=TWO)
    nights.stage.clock.shift(timedelta(days=1))
    nights.come(late, "gala")
    assert nights.say(campaign_id, late) == (
        f"Not on the list: scanned a QR code at Gala on {SATURDAY}, "
        f"after the list was frozen on {FROZEN}."
    )
    assert nights.say(campaign_id, still) == (
        f"Not on the list: had come to 1 of the 3 chosen events when the list was frozen on "
        f"{FROZEN}; 2 are needed."
    )


# Segments, compared now and at an earlier moment.


def test_a_segment_is_compared_by_how_many_they_came_to(nights: Nights):
    comes, goes, drops = nights.person("show"), nights.person("show", "fair"), nights.person("gala")
    stays = nights.person(*ALL)
    create_segment(nights.actor, SegmentDraft("Regulars", TWO))
    ensure_segment_snapshot(nights.actor, "regulars")
    nights.stage.clock.shift(timedelta(days=1))
    nights.come(comes, "fair")
    nights.cancel(goes, "fair")
    found = compare_segment(nights.stage.organisation_id, "regulars", "v1")
    said = "at least 2 of Show, Fair and Gala"
    assert [(one.cause.key, one.people, one.sentence) for one in found.came_by_cause] == [
        ("person.min_events", 1, f"now at {said}")
    ]
    assert [(one.cause.key, one.sentence) for one in found.went_by_cause] == [
        ("person.min_events", f"no longer at {said}")
    ]
    [person] = list_moved(found.earlier, found.later, Movement.CAME).rows
    assert (person.person_id, person.evidence) == (comes, f"scanned at Fair, {SATURDAY}")
    segment = find_segment(nights.stage.organisation_id, "regulars")
    edit_segment(nights.actor, "regulars", SegmentDraft("Regulars", replace(TWO, min_events=1)))
    looser = compare_segment(nights.stage.organisation_id, "regulars", "now:1", "now:2")
    assert [(one.cause.key, one.people, one.sentence) for one in looser.came_by_cause] == [
        ("definition.min_events", 2, f"version 1 asked for {said}")
    ]
    assert {goes, drops} == {
        one.person_id
        for one in list_moved(
            find_side(segment, "now:1", "from"), find_side(segment, "now:2", "to"), Movement.CAME
        ).rows
    }
    assert stays not in {person.person_id, goes, drops}


def test_a_campaign_on_such_a_segment_tells_who_joined_it(nights: Nights):
    joins = nights.person("show")
    nights.person("show", "fair")
    create_segment(nights.actor, SegmentDraft("Regulars", TWO))
    on_it = Criteria(segment=SegmentChoice("regulars"), window_hours=0)
    campaign_id = nights.stage.for_sunday(True, criteria=on_it)
    nights.stage.clock.shift(timedelta(days=1))
    nights.come(joins, "gala")
    nights.stage.run_due(SUNDAY_UTC)
    assert nights.say(campaign_id, joins).endswith(
        f"scanned a QR code at Gala on {SATURDAY}, and so came to 2 of the 3 chosen events."
    )


# The doors.


@pytest.fixture
def browser(app: APIFlask, stage: Stage) -> Browser:
    staff = make_staff(Role.SUPER, stage.organisation, password_hash=hash_password(PASSWORD))
    browser = Browser(app)
    browser.log_in(staff)
    return browser


def form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Regulars",
        "channel": "sms",
        "message": "Hello",
        "mode": "events",
        "events": ["show", "fair"],
        "recent_message_hours": "0",
        "when": "later",
        "scheduled_local_time": SUNDAY,
        "scheduled_timezone": "America/Toronto",
        "action": "continue",
        **changes,
    }


def preview(browser: Browser, path: str, **changes: Any) -> str:
    response = browser.post(path, form(**changes), headers={"HX-Request": "true"})
    assert response.status_code == 200
    return words(response.text)


def test_the_campaign_form_previews_stores_and_shows_it(nights: Nights, browser: Browser):
    nights.person("show", "fair")
    nights.person("show")
    assert "2 people will get this" in preview(browser, "/campaigns/preview", min_events="")
    assert "1 person will get this" in preview(browser, "/campaigns/preview", min_events="2")
    for typed, said in (
        ("3", "Only 2 events are chosen, so that nobody can have come to 3."),
        ("0", "Give a whole number from 1 to the number of chosen events."),
        ("two", "Give a whole number from 1 to the number of chosen events."),
    ):
        text = preview(browser, "/campaigns/preview", min_events=typed)
        assert said in text
        assert "nobody chosen yet" in text
    refused = browser.post("/campaigns/new", form(min_events="3"))
    assert 'href="#min_events">Only 2 events are chosen' in refused.text
    assert 'id="min_events" name="min_events" value="3"' in refused.text
    browser.post("/campaigns/new", form(min_events="2"))
    db.session.rollback()
    campaign = db.session.query(Campaign).one()
    assert campaign_criteria(campaign) == replace(TWO, events=("show", "fair"))
    page = browser.get(f"/campaigns/{campaign.id}/edit").text
    assert 'id="min_events" name="min_events" value="2"' in page
    shown = words(browser.get(f"/campaigns/{campaign.id}").text)
    assert "attended Show or Fair, at least 2 of these events" in shown


def test_the_segment_form_counts_and_stores_it(nights: Nights, browser: Browser):
    nights.person("show", "fair")
    nights.person("show")
    text = preview(browser, "/segments/preview", min_events="2")
    assert "1 person now" in text
    assert "at least 2 of these events" in text
    assert "Only 2 events are chosen" in preview(browser, "/segments/preview", min_events="3")
    browser.post("/segments/new", form(min_events="2", action="save"))
    page = browser.get("/segments/regulars/edit").text
    assert 'id="min_events" name="min_events" value="2"' in page


def test_commands_and_calls_say_the_same(nights: Nights, app: APIFlask):
    nights.person("show", "fair")
    nights.person("show")
    runner = app.test_cli_runner()
    command = ["audience", "preview", "--event", "show", "--event", "fair", "--window", "0"]
    printed = runner.invoke(args=[*command, "--min-events", "2", "--json"])
    assert json.loads(printed.stdout)["funnel"]["reachable"] == 1
    refused = runner.invoke(args=[*command, "--min-events", "3"])
    assert refused.exit_code == 2
    assert "--min-events: Only 2 events are chosen" in refused.stderr
    program = Program(app, make_token(nights.stage.organisation))
    call: dict[str, Any] = {"channel": "sms", "criteria": {"events": ["show", "fair"]}}
    call["criteria"]["min_events"] = 2
    found = program.post("/audience/preview", call)
    assert found.get_json()["funnel"]["reachable"] == 1
    call["criteria"]["events"] = ["show"]
    assert problem_fields(program.post("/audience/preview", call)) == {
        "criteria.min_events": "Only 1 event is chosen, so that nobody can have come to 2."
    }
    schemas = program.get("/openapi.json").get_json()["components"]["schemas"]
    described = schemas["TargetingCriteria"]["properties"]["min_events"]
    assert described["description"].startswith("People of at least so many of `events`")
