"""People in the browser: found, added, edited, blocked, opted out, explained (A5, A6)."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import actor_for
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.extensions import db
from rollcall.models import (
    AuditEntry,
    Channel,
    ConsentChange,
    Organisation,
    Person,
    PersonFacts,
    RfmScore,
    Role,
    Source,
)
from tests.factories import (
    attend,
    make_event,
    make_organisation,
    make_people,
    make_person,
    make_purchase,
    make_staff,
)
from tests.web.browser import Browser


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in(Role.STAFF)


@pytest.fixture
def ada(acme: Organisation) -> Person:
    return make_person(
        acme,
        first_name="Ada",
        last_name="Lovelace",
        phone="+14165550123",
        email="ada@example.org",
        city="Toronto",
    )


def facts_of(person: Person) -> PersonFacts:
    db.session.rollback()
    return db.session.get_one(PersonFacts, person.id, populate_existing=True)


def listed(page: str) -> list[str]:
    """The names in the list of people, in its order."""
    return re.findall(r'<a href="/people/\d+">([^<]+)</a>', page)


def test_an_empty_organisation_is_told_what_to_do_first(browser):
    page = browser.get("/people").text
    assert "Nobody here yet" in page
    assert 'href="/imports/new"' in page


@pytest.mark.parametrize("text", ["ada", "LOVE", "ada lov", "416 555", "+14165", "ada@ex"])
def test_search_finds_by_the_beginning_of_name_phone_or_email(browser, acme, ada, text):
    make_person(acme, first_name="Grace", last_name="Hopper", phone="+14375550100")
    assert listed(browser.get("/people", query_string={"q": text}).text) == ["Ada Lovelace"]


def test_a_search_that_finds_nobody_says_so_and_keeps_the_text(browser, ada):
    page = browser.get("/people?q=zzz<b>").text
    assert "Nobody found" in page
    assert "zzz&lt;b&gt;" in page


def test_a_long_list_is_turned_page_by_page_without_losing_or_repeating(browser, acme):
    make_people(acme, [{"first_name": f"P{n:03}", "last_name": "X"} for n in range(120)])
    url, seen = "/people?q=p", []
    while url:
        page = browser.get(url).text
        seen += listed(page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        url = following[1].replace("&amp;", "&") if following else None
    assert seen == [f"P{n:03} X" for n in range(120)]


def test_a_cursor_that_is_none_is_refused_in_words(browser):
    response = browser.get("/people?cursor=sausage")
    assert response.status_code == 400
    assert "This is not a page of this list" in response.text


def test_somebody_is_added_with_the_phone_in_one_form(browser, acme):
    form = {"first_name": "Ada", "last_name": "Lovelace", "phone": "(416) 555-0123"}
    response = browser.post("/people/new", form)
    person = db.session.scalars(sa.select(Person)).one()
    assert response.location == f"/people/{person.id}"
    assert (person.organisation_id, person.phone) == (acme.id, "+14165550123")
    assert "Ada Lovelace" in browser.get(response.location).text


def test_every_wrong_field_is_named_and_nothing_typed_is_lost(browser):
    form = {"first_name": "Ada", "phone": "12", "email": "ada at home", "timezone": "Mars/Base"}
    response = browser.post("/people/new", form)
    assert response.status_code == 422
    for name in ("phone", "email", "timezone"):
        assert f'id="{name}-error"' in response.text
        assert f'value="{form[name]}"' in response.text
    assert 'value="Ada"' in response.text
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Person)) == 0


def test_somebody_who_is_known_is_not_added_twice(browser, ada):
    response = browser.post("/people/new", {"phone": ada.phone, "email": ada.email})
    assert response.status_code == 409
    assert "known already" in response.text
    assert f'value="{ada.email}"' in response.text


def test_what_is_known_is_edited_and_audited(browser, ada):
    page = browser.get(f"/people/{ada.id}/edit").text
    assert 'value="+14165550123"' in page
    form = {"first_name": "Ada", "last_name": "King", "phone": ada.phone, "email": "", "city": ""}
    assert browser.post(f"/people/{ada.id}/edit", form).status_code == 302
    db.session.expire_all()
    assert (ada.last_name, ada.email, ada.city) == ("King", None, "")
    assert not facts_of(ada).has_email
    entry = db.session.scalars(sa.select(AuditEntry).filter_by(action="person.edit")).one()
    assert entry.before["last_name"] == "Lovelace"


def test_blocking_needs_a_reason_and_can_be_undone(browser, ada):
    refused = browser.post(f"/people/{ada.id}/block", {"reason": " "})
    assert refused.status_code == 422
    assert 'id="reason-error"' in refused.text
    assert not facts_of(ada).blocked
    browser.post(f"/people/{ada.id}/block", {"reason": "Threw a <brush>"})
    assert facts_of(ada).blocked
    assert "Threw a &lt;brush&gt;" in browser.get(f"/people/{ada.id}").text
    browser.post(f"/people/{ada.id}/unblock")
    assert not facts_of(ada).blocked


def test_opting_out_holds_for_everybody_with_the_address(browser, acme, ada):
    partner = make_person(acme, phone=ada.phone, first_name="William")
    response = browser.post(f"/people/{ada.id}/opt-out", {"channel": "sms"}, follow_redirects=True)
    assert "with 1 more who share the address" in response.text
    assert facts_of(ada).opted_out_sms
    assert facts_of(partner).opted_out_sms
    assert not facts_of(ada).opted_out_email
    assert "Opted out of texts" in response.text


def test_opting_in_again_takes_a_tick_that_they_asked(browser, ada):
    browser.post(f"/people/{ada.id}/opt-out", {"channel": "email"})
    refused = browser.post(f"/people/{ada.id}/opt-in", {"channel": "email"})
    assert refused.status_code == 422
    assert 'id="asked_email-error"' in refused.text
    assert facts_of(ada).opted_out_email
    browser.post(f"/people/{ada.id}/opt-in", {"channel": "email", "asked": "1"})
    assert not facts_of(ada).opted_out_email
    changes = db.session.scalars(sa.select(ConsentChange.opted_out).order_by(ConsentChange.id))
    assert list(changes) == [True, False]


def test_a_channel_that_does_not_exist_is_refused(browser, ada):
    assert browser.post(f"/people/{ada.id}/opt-out", {"channel": "pigeon"}).status_code == 400
    assert not facts_of(ada).opted_out_sms


def test_the_page_shows_attendance_purchases_and_scores_with_raw_values(browser, acme, ada):
    gala = make_event(acme, "gala", name="The Gala")
    attend(gala, ada, Source.QR_SCAN)
    attend(gala, ada, cancelled=True)
    make_purchase(ada, "45.50", event_id=gala.id)
    make_purchase(ada, "10.00")
    assert browser.post("/people/scores").status_code == 302
    page = browser.get(f"/people/{ada.id}").text
    assert page.count('href="/events/gala"') == 2
    assert "Cancelled" in page
    assert "CA$45.50" in page
    assert "CA$55.50 spent" in page
    assert "2 purchases" in page
    assert db.session.get_one(RfmScore, ada.id).purchases == 2


def test_computing_the_scores_says_how_many_people_have_some(browser, acme, ada):
    make_purchase(ada)
    make_person(acme)
    page = browser.post("/people/scores", follow_redirects=True).text
    assert "Computed the scores of 1 person." in page
    assert "never." not in page


def draft(acme: Organisation, name: str, person: Person) -> int:
    actor = actor_for(make_staff(Role.SUPER, acme), "browser")
    criteria = Criteria(people=(person.id,))
    return create_campaign(actor, CampaignDraft(name, Channel.SMS, "Hello", criteria))


def test_whether_they_would_get_a_draft_is_answered_with_the_reason(browser, acme, ada):
    campaign = draft(acme, "Winners", ada)
    page = browser.get(f"/people/{ada.id}").text
    assert "Winners (draft)" in page
    assert "Would get it as things stand" not in page
    assert (
        "Would get it as things stand: picked by hand."
        in browser.get(f"/people/{ada.id}?campaign={campaign}").text
    )
    browser.post(f"/people/{ada.id}/opt-out", {"channel": "sms"})
    assert (
        "Left out as things stand: opted out of texts on"
        in browser.get(f"/people/{ada.id}?campaign={campaign}").text
    )


def test_a_campaign_of_another_organisation_explains_nothing(browser, ada):
    other = make_organisation("other")
    foreign = draft(other, "Secret", make_person(other))
    assert browser.get(f"/people/{ada.id}?campaign={foreign}").status_code == 404
    assert "Secret" not in browser.get(f"/people/{ada.id}").text


@pytest.mark.parametrize("asked", ["", "x", "9" * 40, "-1", "²"])
def test_a_campaign_that_is_none_is_no_error(browser, ada, asked):
    response = browser.get(f"/people/{ada.id}", query_string={"campaign": asked})
    assert response.status_code == 200


def test_a_message_in_the_window_is_the_reason_named(browser, acme):
    lately = make_person(acme, messaged_at=clock.now() - timedelta(hours=2))
    campaign = draft(acme, "Again", lately)
    page = browser.get(f"/people/{lately.id}?campaign={campaign}").text
    assert "Left out as things stand: had a message in the last 72 hours." in page
