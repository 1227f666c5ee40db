"""An event's plan in the browser: written in rows, locked, produced, amended."""

import re
from collections.abc import Callable
from html import unescape

import pytest

from rollcall.actors import Actor, actor_for
from rollcall.models import Event, Organisation, PlanAmendment, PlanState, Role, Source
from rollcall.plans.amendments import amend_plan
from rollcall.plans.changes import NumbersChange
from rollcall.plans.records import find_plan, lock_plan, set_plan
from tests.factories import attend, make_event, make_people, make_staff
from tests.plans.stage import bring_to, items, state_of, stored
from tests.web.browser import Browser

FORM = {
    "recipes-0-name": "Ginger cookies",
    "recipes-0-yield_per_batch": "80",
    "finished_goods-0-name": "gift boxes",
    "finished_goods-0-quantity": "300",
    "finished_goods-0-per_person": "1",
    "finished_goods-1-name": "Sponsors' banners",
    "finished_goods-1-quantity": "4",
    "batch_decisions-0-recipe_slug": "Ginger cookies",
    "batch_decisions-0-batches": "4.5",
}
AMENDMENT = {
    "action": "change",
    "kind": "finished_good",
    "item": "gift-boxes",
    "quantity": "420",
    "per_person": "1",
    "reason": "More came on Saturday night",
}


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in(Role.STAFF)


@pytest.fixture
def gala(acme: Organisation) -> Event:
    """An event that 300 people attend."""
    event = make_event(acme, "gala", name="The Gala")
    attend(event, make_people(acme, 300))
    return event


@pytest.fixture
def actor(acme: Organisation) -> Actor:
    return actor_for(make_staff(Role.ADMIN, acme, name="Ada Admin"), "browser")


def words(html: str) -> str:
    main = html.split("<main", 1)[1].split("</main", 1)[0]
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


def shown(html: str) -> dict[str, str]:
    """What the inputs of the form hold, by their names."""
    found = re.findall(r'name="([a-z_]+-\d+-[a-z_]+)" value="([^"]*)"', html)
    return {name: unescape(value) for name, value in found}


def typed(html: str) -> dict[str, str]:
    return {name: value for name, value in shown(html).items() if value}


def test_an_event_without_a_plan_says_what_to_do_first_and_stores_nothing(browser, gala):
    page = browser.get("/events/gala/plan").text
    assert "Nothing is planned yet" in page
    assert "Write the plan" in page
    assert "Nothing planned yet" in browser.get("/events/gala").text
    assert stored()["event_plan"] == []


def test_the_plan_is_written_and_shown_beside_the_head_count(browser, gala):
    assert browser.post("/events/gala/plan/edit", FORM).location == "/events/gala/plan"
    page = words(browser.get("/events/gala/plan").text)
    assert "300 gift boxes for 300 people. At 1 each it takes 300: just enough." in page
    assert "4 Sponsors' banners for 300 people." in page
    assert "Ginger cookies Ginger cookies 4.5 80 360" in page
    assert find_plan(gala.organisation_id, "gala").items == items()


def test_the_form_shows_the_plan_and_saving_it_unchanged_changes_nothing(browser, actor, gala):
    set_plan(actor, gala.id, items())
    before = stored()
    page = browser.get("/events/gala/plan/edit").text
    form = {**shown(page), "version": re.search(r'name="version" value="(\d+)"', page)[1]}
    assert form["batch_decisions-0-recipe_slug"] == "Ginger cookies"
    browser.post("/events/gala/plan/edit", form)
    assert stored() == before


def test_a_renamed_item_keeps_its_slug(browser, actor, gala):
    set_plan(actor, gala.id, items())
    form = shown(browser.get("/events/gala/plan/edit").text)
    browser.post("/events/gala/plan/edit", {**form, "finished_goods-0-name": "Gift bags"})
    good = find_plan(gala.organisation_id, "gala").items.finished_goods[0]
    assert (good.name, good.slug) == ("Gift bags", "gift-boxes")


def test_rows_are_added_and_removed_without_losing_what_was_typed(browser, gala):
    wrong = {**FORM, "recipes-0-yield_per_batch": "eighty"}
    page = browser.post("/events/gala/plan/edit", {**wrong, "add_row": "recipes"}).text
    assert typed(page) == wrong
    assert 'name="recipes-1-name" value=""' in page
    page = browser.post("/events/gala/plan/edit", {**wrong, "remove_row": "finished_goods-0"}).text
    left = typed(page)
    assert left["finished_goods-0-name"] == "Sponsors' banners"
    assert "finished_goods-1-name" not in left
    assert left["recipes-0-yield_per_batch"] == "eighty"
    assert stored()["event_plan"] == []


def test_empty_rows_are_left_out(browser, gala):
    empty = {"recipes-7-name": " ", "recipes-7-yield_per_batch": "", "recipes-7-slug": "old"}
    browser.post("/events/gala/plan/edit", {**FORM, **empty})
    assert find_plan(gala.organisation_id, "gala").items == items()


@pytest.mark.parametrize(
    ("change", "field", "summary"),
    [
        ({"recipes-0-name": ""}, "recipes-0-name", "Recipe 1, name: Give the recipe a name."),
        (
            {"finished_goods-1-quantity": "-4"},
            "finished_goods-1-quantity",
            "Finished good 2, quantity: Give a number of 0 or more, as 300 or 2.5.",
        ),
        (
            {"batch_decisions-0-recipe_slug": "Bread"},
            "batch_decisions-0-recipe_slug",
            "Batch decision 1, recipe: There is no recipe “Bread” in this plan",
        ),
        (
            {"finished_goods-0-slug": "Not A Slug"},
            "finished_goods-0-name",
            "Finished good 1, name: A slug has small letters",
        ),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    browser, gala, change, field, summary
):
    form = {**FORM, **change}
    response = browser.post("/events/gala/plan/edit", form)
    assert response.status_code == 422
    assert "One thing needs mending" in response.text
    assert f'href="#{field}"' in response.text
    assert f'id="{field}-error"' in response.text
    assert summary in words(response.text)
    assert typed(response.text) == {name: value for name, value in form.items() if value}
    assert stored()["event_plan"] == []


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten_unseen(browser, actor, gala):
    set_plan(actor, gala.id, items())
    mine = {**FORM, "finished_goods-0-quantity": "999", "version": "1"}
    response = browser.post("/events/gala/plan/edit", mine)
    assert response.status_code == 409
    assert "Somebody else has changed this plan" in response.text
    assert typed(response.text)["finished_goods-0-quantity"] == "999"
    assert find_plan(gala.organisation_id, "gala").items == items()
    version = re.search(r'name="version" value="(\d+)"', response.text)[1]
    assert browser.post("/events/gala/plan/edit", {**mine, "version": version}).status_code == 302
    assert find_plan(gala.organisation_id, "gala").items.finished_goods[0].quantity == 999


def test_what_was_typed_while_somebody_locked_it_stays_to_be_copied(browser, actor, gala):
    lock_plan(actor, gala.id)
    response = browser.post("/events/gala/plan/edit", FORM)
    assert response.status_code == 409
    assert "This plan is locked, so it can't be edited: unlock it first." in words(response.text)
    assert typed(response.text) == FORM


@pytest.mark.parametrize("form", ["edit", "amend"])
def test_a_form_that_the_state_does_not_allow_leads_back_and_says_why(browser, actor, gala, form):
    lock_plan(actor, gala.id)
    page = browser.get(f"/events/gala/plan/{form}", follow_redirects=True).text
    assert "This plan is locked, so it can't be " in words(page)
    assert "Start production" in page


def test_the_whole_way_by_its_buttons(browser, actor, acme, gala):
    browser.post("/events/gala/plan/edit", FORM)
    for action, state in (
        ("lock", "locked"),
        ("unlock", "draft"),
        ("lock", "locked"),
        ("start", "in_production"),
    ):
        page = browser.get("/events/gala/plan").text
        assert f'action="/events/gala/plan/{action}"' in page
        version = re.search(r'name="version" value="(\d+)"', page)[1]
        browser.post(f"/events/gala/plan/{action}", {"version": version})
        assert state_of(gala) == state
    page = words(browser.get("/events/gala/plan").text)
    assert "Production started" in page
    assert "for 300 people" in page
    assert "Nothing has been amended since production started." in page
    browser.post("/events/gala/plan/complete")
    assert state_of(gala) == "completed"
    page = browser.get("/events/gala/plan").text
    assert "This plan is completed" in page
    assert "<form" not in page.split("<main")[1].split("</main")[0]
    assert "/plan/amend?" not in page


def test_a_draft_cannot_be_started_by_a_form_from_an_old_page(browser, gala):
    response = browser.post("/events/gala/plan/start")
    assert response.status_code == 409
    assert "This plan is a draft, so production can't be started: lock it first." in words(
        response.text
    )


def test_an_older_page_locks_nothing(browser, actor, gala):
    set_plan(actor, gala.id, items())
    assert browser.post("/events/gala/plan/lock", {"version": "1"}).status_code == 409
    assert state_of(gala) == "draft"


def test_who_came_since_is_a_warning_on_both_pages(browser, actor, acme, gala):
    bring_to(actor, gala, PlanState.IN_PRODUCTION)
    assert "outgrown" not in browser.get("/events/gala/plan").text
    attend(gala, make_people(acme, 112), Source.QR_SCAN)
    page = words(browser.get("/events/gala/plan").text)
    assert "The event has outgrown its plan" in page
    assert "412 people now, 300 when production started: +112." in page
    assert "300 gift boxes for 412 people. At 1 each it takes 412: 112 are missing." in page
    event = browser.get("/events/gala").text
    assert "412 people now, 300 when production started: +112." in words(event)
    assert 'href="/events/gala/plan"' in event


def test_too_few_in_a_draft_are_a_warning_too(browser, actor, acme, gala):
    set_plan(actor, gala.id, items())
    attend(gala, make_people(acme, 1))
    page = words(browser.get("/events/gala/plan").text)
    assert "This is not enough for everybody" in page
    assert "300 gift boxes for 301 people. At 1 each it takes 301: 1 is missing." in page


def test_a_number_is_amended_and_shown_side_by_side(browser, actor, gala):
    bring_to(actor, gala, PlanState.IN_PRODUCTION)
    page = browser.get("/events/gala/plan").text
    assert "kind=finished_good&amp;item=gift-boxes" in page
    form = browser.get("/events/gala/plan/amend?kind=finished_good&item=gift-boxes").text
    assert 'name="quantity" value="300"' in form
    assert browser.post("/events/gala/plan/amend", AMENDMENT).status_code == 302
    page = words(browser.get("/events/gala/plan").text)
    assert "gift boxes 300, 1 a person 420, 1 a person +120" in page
    assert "gift boxes: quantity from 300 to 420 by Staff member" in page
    assert "More came on Saturday night" in page


def test_an_item_is_added_and_another_taken_out(browser, actor, gala):
    bring_to(actor, gala, PlanState.IN_PRODUCTION)
    form = browser.get("/events/gala/plan/amend?kind=batch_decision").text
    assert '<option value="ginger-cookies"' in form
    added = {"action": "add", "kind": "finished_good", "name": "Stickers", "quantity": "1000"}
    browser.post("/events/gala/plan/amend", {**added, "reason": "A sponsor pays"})
    removed = {"action": "take_out", "kind": "finished_good", "item": "sponsors-banners"}
    browser.post("/events/gala/plan/amend", {**removed, "reason": "They withdrew"})
    page = words(browser.get("/events/gala/plan").text)
    assert "Stickers – 1,000 added" in page
    assert "Sponsors' banners 4 – taken out" in page
    assert page.index("They withdrew") < page.index("A sponsor pays")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": " "}, "Say why: whoever reads the plan later will ask."),
        ({"quantity": "many"}, "Give a number of 0 or more, as 300 or 2.5."),
        ({"quantity": "300"}, "This is what the plan says already; give another number."),
        ({"item": "nothing"}, "There is no finished good 'nothing' in this plan now."),
        ({"action": "eat"}, "Choose to change, to add, or to take out."),
        (
            {"action": "take_out", "kind": "recipe", "item": "ginger-cookies"},
            "is made by this recipe: take that one out first.",
        ),
    ],
)
def test_an_amendment_that_is_refused_comes_back_as_typed(browser, actor, gala, change, said):
    bring_to(actor, gala, PlanState.IN_PRODUCTION)
    form = {**AMENDMENT, **change}
    response = browser.post("/events/gala/plan/amend", form)
    assert response.status_code == 422
    assert said in words(response.text)
    assert form["reason"].strip() in response.text
    if form["kind"] == "finished_good":
        assert f'name="quantity" value="{form["quantity"]}"' in response.text
    assert stored(PlanAmendment)["plan_amendment"] == []


def test_an_amendment_to_what_was_amended_meanwhile_comes_back_as_typed(browser, actor, gala):
    bring_to(actor, gala, PlanState.IN_PRODUCTION)
    version = find_plan(gala.organisation_id, "gala").version
    change = NumbersChange("finished_good", "gift-boxes", {"quantity": 350})
    amend_plan(actor, gala.id, change, "First")
    response = browser.post("/events/gala/plan/amend", {**AMENDMENT, "version": str(version)})
    assert response.status_code == 409
    assert "Somebody else has changed this plan" in response.text
    assert 'name="quantity" value="420"' in response.text
    assert "Now 350." in response.text


@pytest.mark.parametrize(
    ("query", "status"),
    [("kind=drink", 400), ("kind=recipe&item=nothing", 404), ("kind=recipe", 200), ("", 302)],
)
def test_what_the_address_of_an_amendment_may_say(browser, actor, gala, query, status):
    bring_to(actor, gala, PlanState.IN_PRODUCTION)
    assert browser.get(f"/events/gala/plan/amend?{query}").status_code == status


def test_many_amendments_are_shown_page_by_page(browser, actor, gala):
    bring_to(actor, gala, PlanState.IN_PRODUCTION)
    for quantity in range(301, 326):
        change = NumbersChange("finished_good", "gift-boxes", {"quantity": quantity})
        amend_plan(actor, gala.id, change, f"Reason number {quantity}")
    page = browser.get("/events/gala/plan").text
    assert "Reason number 306" in page
    assert "Reason number 305" not in page
    following = unescape(re.search(r'href="([^"]+)" rel="next"', page)[1])
    page = browser.get(following).text
    assert "Reason number 301" in page
    assert "Back to the latest" in page


def test_names_are_printed_and_never_evaluated(browser, gala):
    nasty = "<b>{{ 7 * 7 }}</b>"
    browser.post("/events/gala/plan/edit", {**FORM, "finished_goods-0-name": nasty})
    for path in ("/events/gala/plan", "/events/gala/plan/edit"):
        page = browser.get(path).text
        assert "<b>{{" not in page
        assert "&lt;b&gt;{{ 7 * 7 }}&lt;/b&gt;" in page
