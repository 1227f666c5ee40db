"""The live preview over HTTP: exact, honest about what is wrong, and it stores nothing."""

from urllib.parse import parse_qs, urlsplit

import pytest

from rollcall import clock
from rollcall.extensions import db
from rollcall.models import Campaign
from tests.factories import make_event, set_facts
from tests.web.campaigns import Desk, words


def preview(desk: Desk, **changes: object) -> str:
    response = desk.browser.post(
        "/campaigns/preview", desk.form(**changes), headers={"HX-Request": "true"}
    )
    assert response.status_code == 200
    return response.text


def test_it_shows_the_number_the_pieces_and_the_cost(desk: Desk):
    set_facts(desk.people[:1], blocked=True)
    text = words(preview(desk))
    assert "2 people will get this" in text
    assert "1 is blocked" in text
    assert "3 match in all" in text
    assert "Cost $0.02" in text
    assert "Thanks Bob" in text
    assert db.session.query(Campaign).count() == 0


def test_bad_input_is_answered_with_200_and_what_is_wrong(desk: Desk):
    text = words(preview(desk, message="%%NMAE%%", scheduled_local_time="2020-01-01T10:00"))
    assert "3 people will get this" in text
    assert "Did you mean %%NAME%%?" in text
    assert "This time has passed" in text


@pytest.mark.parametrize("name", ["name", "message"])
def test_what_is_not_written_yet_is_no_error(desk: Desk, name: str):
    assert "To be mended" not in words(preview(desk, **{name: ""}))


def test_without_an_audience_it_asks_for_one(desk: Desk):
    assert "nobody chosen yet" in words(preview(desk, events=[]))


def test_reprocessing_shows_a_range_of_cost_and_what_it_means(desk: Desk):
    text = words(preview(desk, reprocess="1"))
    assert "Dynamic audience" in text
    assert "Today it is 3 people" in text
    assert "from $0.03 for today's 3 people; $0.01 for each person who joins" in text
    assert "If the audience can't be computed then" in text


def test_it_suggests_reprocessing_for_an_event_that_ends_before(desk: Desk):
    assert "Gala Night ends" in words(preview(desk))
    assert "Gala Night ends" not in words(preview(desk, reprocess="1"))
    assert "Gala Night ends" not in words(preview(desk, when="now"))


def test_it_says_what_it_was_computed_for(desk: Desk):
    assert "As of sending" in words(preview(desk))
    assert "If it were sent now" in words(preview(desk, when="now"))


def test_the_window_is_taken_back_from_the_time_of_sending(desk: Desk):
    set_facts(desk.people, last_message_at=clock.now())
    assert "0 people will get this" in words(preview(desk, when="now"))
    assert "3 people will get this" in words(preview(desk, scheduled_local_time=desk.local(days=4)))


def test_every_piece_leads_to_its_people(desk: Desk):
    set_facts(desk.people[:1], blocked=True)
    page = preview(desk)
    links = [part.split('"')[0].replace("&amp;", "&") for part in page.split('hx-get="')[1:]]
    blocked = next(
        link for link in links if parse_qs(urlsplit(link).query)["reason"] == ["blocked"]
    )
    fragment = desk.browser.get(blocked, headers={"HX-Request": "true"}).text
    assert "Ann" in fragment
    assert "Bob" not in fragment
    assert "<html" not in fragment
    assert "Ann" in desk.read(blocked)


def test_an_email_is_shown_as_one(desk: Desk):
    text = words(
        preview(desk, channel="email", subject="Hi %%FIRST_NAME%%", message="Dear %%NAME%%")
    )
    assert "Subject Hi Ann" in text
    assert "SMS part" not in text


def test_somebody_unknown_in_a_pasted_list_does_not_hide_the_number(desk: Desk):
    text = words(
        preview(desk, mode="people", people=[str(desk.people[0])], pasted="nobody@example.org")
    )
    assert "1 person will get this" in text
    assert "Not everybody of your list was found" in text


def test_the_page_without_javascript_is_the_same_form_again(desk: Desk):
    make_event(desk.organisation, "other", name="Other")
    response = desk.browser.post("/campaigns/new", desk.form(action="preview", name="Typed"))
    assert response.status_code == 200
    assert "3 people will get this" in words(response.text)
    assert 'value="Typed"' in response.text
    assert db.session.query(Campaign).count() == 0


@pytest.mark.parametrize(
    "query",
    ["criteria=nonsense", "criteria={}&reason=bored", "criteria={}&at=yesterday"],
)
def test_a_broken_link_to_people_is_refused_in_words(desk: Desk, query: str):
    assert desk.browser.get(f"/campaigns/audience?{query}").status_code == 400
