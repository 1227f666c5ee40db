"""The inbox's page: what waits stands first, two buttons decide, and a second opinion is told."""

import json
import re
from collections.abc import Callable

import pytest
from apiflask import APIFlask

from rollcall.extensions import db
from rollcall.models import Organisation, Person, PersonFacts, Role
from rollcall.people.inbox import list_inbox
from rollcall.providers.base import Inbound
from rollcall.sending.inbound import receive_inbound
from tests.factories import make_person
from tests.sending.wired import make_campaign, put_on_wire
from tests.web.browser import Browser


@pytest.fixture
def sarah(acme: Organisation) -> Person:
    person = make_person(acme, first_name="Sarah", last_name="Jones")
    put_on_wire(person, campaign_id=make_campaign(acme.id, name="Doors open"))
    return person


def wrote(person: Person, text: str) -> int:
    phone = person.phone or ""
    receive_inbound("kannel", Inbound(text[:100], phone, "12345", text))
    return list_inbox(person.organisation_id).rows[0].message.id


def opted_out(person: Person) -> bool:
    db.session.rollback()
    return db.session.get_one(PersonFacts, person.id).opted_out_sms


def decide(browser: Browser, message_id: int, decision: str):
    return browser.post(f"/inbox/{message_id}/decide", {"decision": decision})


def test_what_waits_stands_first_with_person_and_campaign(sarah, log_in: Callable[..., Browser]):
    wrote(sarah, "see you <there>")
    message_id = wrote(sarah, "please take me off")
    wrote(sarah, "hello again")
    page = log_in(Role.STAFF).get("/inbox").text
    assert page.index("please take me off") < page.index("hello again") < page.index("see you")
    assert "see you &lt;there&gt;" in page
    assert f'href="/people/{sarah.id}">Sarah Jones</a>' in page
    assert ">Doors open</a>" in page
    assert page.count(f'action="/inbox/{message_id}/decide"') == 2
    assert re.search(r'class="waiting">1<', page)


def test_opting_out_by_the_button(sarah, log_in: Callable[..., Browser]):
    message_id = wrote(sarah, "please take me off")
    browser = log_in(Role.STAFF)
    answer = decide(browser, message_id, "stop")
    assert (answer.status_code, answer.location) == (302, "/inbox")
    assert opted_out(sarah)
    page = browser.get("/inbox").text
    assert "Opted out: their phone gets no more texts." in page
    assert 'class="waiting"' not in page
    assert f'action="/inbox/{message_id}/decide"' not in page
    assert "take me off" in browser.get(f"/people/{sarah.id}").text


def test_not_a_stop_and_a_second_opinion(sarah, log_in: Callable[..., Browser]):
    message_id = wrote(sarah, "please take me off")
    browser = log_in(Role.STAFF)
    assert decide(browser, message_id, "ignore").status_code == 302
    assert decide(browser, message_id, "ignore").status_code == 302
    answer = decide(browser, message_id, "stop")
    assert answer.status_code == 409
    assert "decided already, and found that it is not a stop" in answer.text
    assert not opted_out(sarah)
    assert decide(browser, message_id, "perhaps").status_code == 400


def test_searching_and_turning_pages(sarah, log_in: Callable[..., Browser]):
    for number in range(60):
        wrote(sarah, f"message number {number}.")
    browser = log_in(Role.STAFF)
    first = browser.get("/inbox").text
    following = re.search(r'href="(/inbox\?cursor=[^"]+)" rel="next"', first)
    assert following
    assert "number 59." in first
    assert "number 9." not in first
    second = browser.get(following[1]).text
    assert "number 9." in second
    assert "number 59." not in second
    found = browser.get("/inbox?q=number+7.").text
    assert "number 7." in found
    assert "number 8." not in found
    assert "Nothing found" in browser.get("/inbox?q=nowhere").text


def test_an_empty_inbox_says_what_will_be_here(acme, log_in: Callable[..., Browser]):
    assert "When somebody answers one of your texts" in log_in(Role.STAFF).get("/inbox").text


def test_the_same_on_the_command_line(app: APIFlask, sarah, member):
    member(Role.SUPER)
    message_id = wrote(sarah, "please take me off")
    wrote(sarah, "hello")
    runner = app.test_cli_runner()
    listed = json.loads(runner.invoke(args=["inbox", "list", "--undecided", "--json"]).stdout)
    assert [(one["id"], one["meaning"]) for one in listed["data"]] == [(message_id, "unclear")]
    decided = runner.invoke(args=["inbox", "decide", str(message_id), "stop"])
    assert decided.exit_code == 0
    assert "opted them out" in decided.stdout
    assert opted_out(sarah)
    other = runner.invoke(args=["inbox", "decide", str(message_id), "ignore"])
    assert other.exit_code == 1
    assert "decided already" in other.stderr
    assert runner.invoke(args=["inbox", "decide", "99", "stop"]).exit_code == 1
    assert "'hello' (other)" in runner.invoke(args=["inbox", "list"]).stdout
