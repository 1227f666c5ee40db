"""Explanations and causes through the three doors: in the browser, by the API, by command."""

import csv
import io
import json
from datetime import timedelta

import pytest
from apiflask import APIFlask

from rollcall.accounts.passwords import hash_password
from rollcall.accounts.tokens import create_token
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.explanations.causes import every_cause, say_cause
from rollcall.explanations.explain import explain_campaign
from rollcall.extensions import db
from rollcall.models import Person, Recipient, RecipientState, Role, Source, StaffMember
from rollcall.people.records import block_person
from tests.campaigns.stage import SUNDAY_UTC, Stage
from tests.factories import make_organisation, make_people, make_staff
from tests.web.browser import PASSWORD, Browser


class Told:
    """A campaign that went out: three stayed, one left, two scanned at the door since."""

    def __init__(self, stage: Stage, app: APIFlask) -> None:
        self.stage = stage
        self.kept = stage.people(3)
        self.left = stage.people(2)
        self.joined = stage.people(2, attending=None)
        [self.stranger] = stage.people(1, attending=None)
        self.campaign_id = stage.for_sunday(True)
        stage.clock.shift(timedelta(days=1))
        record_attendance(stage.actor, stage.event_id, self.joined, Source.QR_SCAN)
        block_person(stage.actor, self.left[0], "a bot")
        cancel_attendance(stage.actor, stage.event_id, self.left[1])
        stage.run_due(SUNDAY_UTC)
        staff = make_staff(Role.STAFF, stage.organisation, password_hash=hash_password(PASSWORD))
        self.browser = Browser(app)
        self.browser.log_in(staff)
        super_staff = db.session.get_one(StaffMember, stage.actor.staff_id)
        token = create_token(stage.actor, "t", super_staff.id).plain
        self.headers = {"Authorization": f"Bearer {token}"}
        self.client = Browser(app)
        self.runner = app.test_cli_runner()

    def page(self, path: str) -> str:
        response = self.browser.get(f"/campaigns/{self.campaign_id}{path}")
        assert response.status_code == 200
        return response.text

    def call(self, path: str) -> dict:
        response = self.client.get(
            f"/api/v1/campaigns/{self.campaign_id}{path}", headers=self.headers
        )
        assert response.status_code == 200, response.text
        return response.json

    def said(self, person_id: int) -> str:
        return explain_campaign(self.stage.organisation_id, self.campaign_id, person_id).sentence


@pytest.fixture
def told(stage: Stage, app: APIFlask) -> Told:
    return Told(stage, app)


def test_three_doors_say_the_same_sentence(told: Told):
    for who in (told.kept[0], *told.left, told.joined[0], told.stranger):
        sentence = told.said(who)
        assert sentence in told.page(f"/people/{who}").replace("&#39;", "'")
        found = told.call(f"/explanations/{who}")
        assert (found["sentence"], found["person_id"]) == (sentence, who)
        result = told.runner.invoke(args=["campaign", "explain", str(told.campaign_id), str(who)])
        assert result.output.splitlines()[1] == sentence
    found = told.call(f"/explanations/{told.left[0]}")
    assert (found["verdict"], found["cause"], found["change"]) == ("left", "blocked", "left")
    assert found["evidence"] == [
        {
            "kind": "block",
            "text": "blocked since Sat 28 Nov 2026, 12:00 America/Toronto: “a bot”",
            "at": "2026-11-28T17:00:00Z",
            "reason": "a bot",
        }
    ]


def test_a_person_is_asked_about_by_phone_email_code_and_name(told: Told):
    person = db.session.get_one(Person, told.joined[0])
    sentence, here = told.said(person.id), f"/campaigns/{told.campaign_id}/people/{person.id}"
    for key in (person.phone, person.email, person.hash):
        assert key is not None
        result = told.runner.invoke(
            args=["campaign", "explain", str(told.campaign_id), key, "--json"]
        )
        assert json.loads(result.output)["sentence"] == sentence
        response = told.browser.get(
            f"/campaigns/{told.campaign_id}/explain", query_string={"who": key}
        )
        assert (response.status_code, response.location) == (302, here)
    several = told.page("/explain?who=First")
    assert "Who is meant?" in several
    assert f'href="{here}"' in several
    assert "Nobody found" in told.page("/explain?who=Nobody+Has+This")
    assert "Ask about somebody" in told.page("/explain")


@pytest.mark.parametrize("who", ["0", "x" * 300, "+", "@", "%00", "ß", "9" * 40, "-1"])
def test_what_names_nobody_is_no_error(told: Told, who):
    assert told.browser.get(f"/campaigns/{told.campaign_id}/explain?who={who}").status_code < 500
    result = told.runner.invoke(args=["campaign", "explain", str(told.campaign_id), "--", who])
    assert result.exit_code == 1
    assert "There is nobody known as" in result.output


def test_somebody_of_another_organisation_is_not_found(told: Told):
    [theirs] = make_people(make_organisation(), 1)
    for path in (f"/people/{theirs}", "/people/99999999"):
        assert told.browser.get(f"/campaigns/{told.campaign_id}{path}").status_code == 404
    path = f"/api/v1/campaigns/{told.campaign_id}/explanations/{theirs}"
    assert told.client.get(path, headers=told.headers).status_code == 404


def test_causes_are_counted_and_lead_to_their_people(told: Told):
    counts = {
        "campaign_id": told.campaign_id,
        "kept": 3,
        "joined": 2,
        "joined_by_cause": {"attended": 2},
        "left": 2,
        "left_by_cause": {"blocked": 1, "cancelled": 1},
    }
    assert told.call("/causes") == counts
    result = told.runner.invoke(args=["campaign", "causes", str(told.campaign_id)])
    assert "    2 scanned a QR code since  (attended)" in result.output
    assert "    1 cancelled or was refunded  (cancelled)" in result.output
    page = told.page("")
    for change, cause, words, people in (
        ("joined", "attended", "2 scanned a QR code since", told.joined),
        ("left", "blocked", "1 is blocked", told.left[:1]),
        ("left", "cancelled", "1 cancelled or was refunded", told.left[1:]),
    ):
        link = f"/campaigns/{told.campaign_id}/recipients?change={change}&amp;cause={cause}"
        assert f'<a href="{link}">{words}</a>' in page
        rows = told.call(f"/recipients?change={change}&cause={cause}")["data"]
        assert [(row["person_id"], row["cause"]) for row in rows] == [
            (who, cause) for who in people
        ]
        listed = told.page(f"/recipients?change={change}&cause={cause}")
        for who in (*told.joined, *told.left):
            shown = f'href="/campaigns/{told.campaign_id}/people/{who}"' in listed
            assert shown == (who in people)


def test_an_unknown_cause_is_refused_by_name(told: Told):
    path = f"/campaigns/{told.campaign_id}/recipients?cause=weather"
    response = told.client.get(f"/api/v1{path}", headers=told.headers)
    assert response.status_code == 422
    assert response.json["errors"][0]["field"] == "cause"
    assert told.browser.get(path).status_code < 500


def test_the_download_ends_with_cause_and_sentence(told: Told):
    text = told.page("/recipients.csv").removeprefix("\ufeff")
    rows = {int(row["person"]): row for row in csv.DictReader(io.StringIO(text))}
    assert set(rows) == {*told.kept, *told.left, *told.joined}
    assert rows[told.joined[0]]["cause"] == "attended"
    assert rows[told.kept[0]]["cause"] == ""
    for who, row in rows.items():
        assert row["explanation"] == told.said(who)


def test_the_persons_page_says_it_and_leads_there(told: Told):
    page = told.browser.get(f"/people/{told.left[0]}").text
    assert "blocked since Sat 28 Nov 2026, 12:00 America/Toronto: “a bot”." in page
    assert f'href="/campaigns/{told.campaign_id}/people/{told.left[0]}"' in page


def test_a_check_finds_what_does_not_add_up(told: Told):
    result = told.runner.invoke(args=["campaign", "check"])
    assert (result.exit_code, result.output) == (0, "1 campaign checked: every sum balances.\n")
    row = db.session.get_one(Recipient, (told.campaign_id, told.kept[0]))
    db.session.delete(row)
    db.session.get_one(Recipient, (told.campaign_id, told.left[0])).state = RecipientState.SENT
    db.session.commit()
    result = told.runner.invoke(args=["campaign", "check", str(told.campaign_id), "--json"])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    sentences = [one["sentence"] for one in document["imbalances"]]
    assert "The frozen list has 4 people, but it was frozen with 5." in sentences
    assert "The final list has 4 people, but it was made with 5." in sentences
    assert "1 person is marked as sent, but left the list." in sentences
    missing = told.runner.invoke(args=["campaign", "check", "987654"])
    assert (missing.exit_code, "987654" in missing.output) == (1, True)


def test_every_cause_has_words_for_one_and_for_several():
    for cause in every_cause():
        for people in (1, 2):
            assert "_" not in say_cause(cause, people)
            assert "{" not in say_cause(cause, people, "email")
