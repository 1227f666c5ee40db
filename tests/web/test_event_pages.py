"""Events in the browser: created with their zone, counted, recorded by hand, cancelled (A7)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import actor_for
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.extensions import db
from rollcall.models import Attendance, Channel, Event, Organisation, Person, Role, Source
from tests.factories import (
    NOON,
    attend,
    make_event,
    make_organisation,
    make_people,
    make_person,
    make_staff,
)
from tests.web.browser import Browser

FORM = {
    "name": "Art Battle Toronto",
    "starts": "2026-11-28T19:00",
    "ends": "2026-11-28T23:00",
    "timezone": "America/Toronto",
    "venue": "The Great Hall",
    "city": "Toronto",
    "slug": "",
}


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in(Role.STAFF)


@pytest.fixture
def gala(acme: Organisation) -> Event:
    return make_event(acme, "gala", name="The Gala")


def heads(page: str) -> dict[str, int]:
    """The large numbers of the event's page, by the words below them."""
    found = re.findall(r'class="figure">([\d,]+)</span> <span class="stat-label">([^<]+)<', page)
    return {label: int(number.replace(",", "")) for number, label in found}


def attendances() -> list[Attendance]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(sa.select(Attendance).order_by(Attendance.id)))


def test_an_empty_organisation_is_told_what_to_do_first(browser):
    page = browser.get("/events").text
    assert "No events yet" in page
    assert 'href="/events/new"' in page


def test_an_event_is_created_at_the_moment_its_clocks_show(browser):
    response = browser.post("/events/new", FORM)
    assert response.location == "/events/art-battle-toronto"
    event = db.session.scalars(sa.select(Event)).one()
    assert event.starts_at == datetime(2026, 11, 29, 0, 0, tzinfo=UTC)
    page = browser.get(response.location).text
    assert "Sat 28 Nov 2026, 19:00 America/Toronto" in page
    assert "The Great Hall, Toronto" in page


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": " "}, "name", "Give the event a name."),
        ({"starts": "2026-03-08T02:30"}, "starts", "does not exist in America/Toronto"),
        ({"starts": "2026-11-01T01:30"}, "starts", "comes twice in America/Toronto"),
        ({"ends": "2026-11-28T18:00"}, "ends", "must end after it starts"),
        ({"starts": ""}, "starts", "is not a date and time"),
        ({"timezone": "Mars/Base"}, "timezone", "There is no time zone"),
        ({"slug": "Not A Slug"}, "slug", "A slug has small letters"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(browser, change, field, words):
    response = browser.post("/events/new", {**FORM, **change})
    assert response.status_code == 422
    error = re.search(rf'id="{field}-error">(.*?)</p>', response.text, re.DOTALL)
    assert error
    assert words in error[1]
    assert 'value="The Great Hall"' in response.text
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Event)) == 0


def test_a_time_that_comes_twice_asks_which_one(browser):
    twice = {**FORM, "starts": "2026-11-01T01:30", "ends": "2026-11-01T04:00"}
    asked = browser.post("/events/new", twice).text
    assert "Which of the two?" in asked
    assert 'name="ends_choice"' not in asked
    browser.post("/events/new", {**twice, "starts_choice": "later"})
    event = db.session.scalars(sa.select(Event)).one()
    assert event.starts_at == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    edit = browser.get("/events/art-battle-toronto/edit").text
    assert re.search(r'value="later" checked', edit)


def test_a_time_that_comes_once_asks_nothing(browser, gala):
    assert "Which of the two?" not in browser.get("/events/gala/edit").text


def test_saving_the_form_as_it_stands_changes_no_time(browser, gala):
    page = browser.get("/events/gala/edit").text
    shown = dict(re.findall(r'name="(starts|ends|name)" value="([^"]*)"', page))
    browser.post("/events/gala/edit", {**FORM, **shown})
    db.session.expire_all()
    assert gala.starts_at == NOON + timedelta(days=1, hours=12)
    assert gala.name == "The Gala"


def test_the_head_count_is_shown_by_source_and_leaves_out_the_cancelled(browser, acme, gala):
    ids = make_people(acme, 6)
    attend(gala, ids[:3])
    attend(gala, ids[2:5], Source.QR_SCAN)
    attend(gala, ids[5], cancelled=True)
    page = browser.get("/events/gala").text
    assert heads(page) == {
        "people attend": 5,
        "registration only": 2,
        "QR scan only": 2,
        "registration and QR scan": 1,
    }
    assert "rose to 5 people" in page
    row = browser.get("/events").text
    assert [int(n) for n in re.findall(r'class="num">(\d+)</td>', row)] == [5, 3, 3]


def test_an_event_without_anybody_draws_no_chart(browser, gala):
    page = browser.get("/events/gala").text
    assert "<svg" not in page.split("<main")[1]
    assert "Nobody has been recorded yet" in page


def test_the_latest_people_come_first_page_by_page(browser, acme, gala):
    for day in range(2):
        ids = make_people(
            acme, [{"first_name": f"D{day}", "last_name": f"{n:02}"} for n in range(20)]
        )
        attend(gala, ids, at=NOON + timedelta(days=day))
    url, seen = "/events/gala", []
    while url:
        page = browser.get(url).text
        seen += re.findall(r'<a href="/people/\d+">([^<]+)</a>', page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        url = following[1] if following else None
    expected = [f"D1 {n:02}" for n in range(20)][::-1] + [f"D0 {n:02}" for n in range(20)][::-1]
    assert seen == expected


def test_the_campaigns_of_the_event_are_linked_and_those_of_others_are_not(browser, acme, gala):
    make_event(acme, "gala-2")
    actor = actor_for(make_staff(Role.SUPER, acme), "browser")
    for name, slug in (("For the gala", "gala"), ("For the other", "gala-2")):
        draft = CampaignDraft(name, Channel.SMS, "Hello", Criteria(events=(slug,)))
        create_campaign(actor, draft)
    page = browser.get("/events/gala").text
    assert "For the gala" in page
    assert "For the other" not in page
    assert 'href="/campaigns/new?event=gala"' in page
    assert 'href="/imports/new?event=gala"' in page


def test_somebody_known_is_found_and_recorded(browser, acme, gala):
    ada = make_person(acme, first_name="Ada", last_name="Lovelace")
    assert "Ada Lovelace" in browser.get("/events/gala/attendance?q=ada").text
    form = {"person": str(ada.id), "source": "qr_scan"}
    page = browser.post("/events/gala/attendance", form, follow_redirects=True).text
    assert "Recorded." in page
    [attendance] = attendances()
    assert (attendance.person_id, attendance.source) == (ada.id, Source.QR_SCAN)
    again = browser.post("/events/gala/attendance", form, follow_redirects=True).text
    assert "recorded already; nothing changed" in again
    assert len(attendances()) == 1


def test_somebody_new_is_written_down_and_recorded(browser, acme, gala):
    form = {"phone": "416 555 0123", "first_name": "Ada", "source": "registration"}
    page = browser.post("/events/gala/attendance", form, follow_redirects=True).text
    assert "They are new here." in page
    person = db.session.scalars(sa.select(Person)).one()
    assert (person.phone, person.first_name) == ("+14165550123", "Ada")
    assert attendances()[0].source is Source.REGISTRATION


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"source": "registration"}, "Give a phone or an e-mail address"),
        ({"source": "registration", "phone": "12"}, "too short"),
        ({"source": "sausage", "phone": "416 555 0123"}, "Choose registration or QR scan."),
        ({"source": "registration", "person": "x"}, "Choose a person from the list."),
        ({"source": "registration", "person": "987654321"}, "nobody with the number 987654321"),
    ],
)
def test_what_cannot_be_recorded_is_said_and_stays_in_the_form(browser, gala, form, words):
    response = browser.post("/events/gala/attendance", {**form, "last_name": "Lovelace"})
    assert response.status_code == 422
    assert words in response.text
    assert 'value="Lovelace"' in response.text
    assert attendances() == []


def test_a_person_of_another_organisation_cannot_be_recorded(browser, gala):
    stranger = make_person(make_organisation("other"))
    form = {"person": str(stranger.id), "source": "registration"}
    assert browser.post("/events/gala/attendance", form).status_code == 422
    assert attendances() == []


@pytest.mark.parametrize("status", ["cancelled", "refunded"])
def test_a_cancelled_registration_no_longer_counts_until_they_come(browser, acme, gala, status):
    ada = make_person(acme)
    attend(gala, ada)
    form = {"person": str(ada.id), "source": "registration", "status": status}
    page = browser.post("/events/gala/attendance/cancel", form, follow_redirects=True).text
    assert f"Marked as {status}" in page
    assert heads(page)["people attend"] == 0
    assert attendances()[0].cancelled
    browser.post("/events/gala/attendance", {"person": str(ada.id), "source": "qr_scan"})
    assert heads(browser.get("/events/gala").text)["person attends"] == 1


def test_a_status_that_is_none_cancels_nothing(browser, acme, gala):
    ada = make_person(acme)
    attend(gala, ada)
    form = {"person": str(ada.id), "source": "registration", "status": "eaten"}
    assert browser.post("/events/gala/attendance/cancel", form).status_code == 400
    assert not attendances()[0].cancelled


def test_the_start_is_marked_once_it_has_passed(browser, acme):
    started = clock.now() - timedelta(hours=1)
    event = make_event(acme, "tonight", starts_at=started)
    attend(event, make_people(acme, 2), at=started - timedelta(days=1))
    attend(event, make_people(acme, 3), Source.QR_SCAN, at=started + timedelta(minutes=10))
    page = browser.get("/events/tonight").text
    assert page.count("Event starts</text>") == 2  # on the wide and on the narrow picture
    assert "2 people</text>" in page


@pytest.mark.parametrize("cursor", ["sausage", "W10", "WyJub3QgYSB0aW1lIiwxXQ"])
def test_a_cursor_that_is_none_is_refused_in_words(browser, gala, cursor):
    for path in ("/events", "/events/gala"):
        response = browser.get(path, query_string={"cursor": cursor})
        assert response.status_code == 400
        assert "This is not a page of this list" in response.text
