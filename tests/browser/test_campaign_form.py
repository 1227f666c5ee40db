"""The campaign form in a real browser: the preview follows, and never goes back in time."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from rollcall import clock
from rollcall.extensions import db
from rollcall.models import Campaign
from tests.browser.conftest import Site, Window
from tests.factories import attend, make_event, make_people, set_facts
from tests.web.browser import PASSWORD


def stage(site: Site) -> None:
    """Three people at the big event, two of them reachable; one at the small one."""
    people = make_people(site.organisation, [{"first_name": "Sarah"}, {}, {"blocked": True}, {}])
    big = make_event(
        site.organisation, "big", starts_at=clock.now() + timedelta(days=1), name="Big Night"
    )
    small = make_event(
        site.organisation, "small", starts_at=clock.now() - timedelta(days=9), name="Small Night"
    )
    attend(big, people[:3])
    attend(small, people[3:])


def reach(page: Any) -> Any:
    return page.locator("#preview .reach-figure")


def test_the_preview_follows_every_change(site: Site, window: Callable[..., Window]):
    stage(site)
    page = window().page
    page.goto(f"{site.url}/campaigns/new")
    expect(reach(page)).to_contain_text("nobody chosen yet")
    page.locator("#events").get_by_label("Big Night").check()
    expect(reach(page)).to_have_text("2 people will get this")
    expect(page.locator(".legend")).to_contain_text("is blocked")
    page.locator("#events").get_by_label("Small Night").check()
    expect(reach(page)).to_have_text("3 people will get this")
    page.get_by_text("Narrow it by attendance").click()
    least = page.get_by_label("At least so many of the chosen events")
    least.fill("3")
    expect(page.locator("#unfinished")).to_contain_text("Only 2 events are chosen")
    least.fill("2")
    expect(reach(page)).to_have_text("0 people will get this")
    least.fill("")
    expect(reach(page)).to_have_text("3 people will get this")
    page.get_by_label("Message", exact=True).fill("Hi %%FIRST_NAME%% “you”")
    expect(page.locator("#message-parts")).to_contain_text("UCS-2")
    expect(page.locator("#message-parts")).to_contain_text("left double quotation mark")
    expect(page.locator(".sample:visible .bubble")).to_contain_text("“you”")
    page.get_by_label("Message", exact=True).fill("Hi %%FRIST_NAME%%")
    expect(page.locator("#unfinished")).to_contain_text("Did you mean %%FIRST_NAME%%?")
    assert db.session.query(Campaign).count() == 0


def test_reprocessing_waits_for_a_time_and_an_event(site: Site, window: Callable[..., Window]):
    stage(site)
    page = window().page
    page.goto(f"{site.url}/campaigns/new?event=big")
    box = page.get_by_label("Re-process audience at time of send")
    expect(box).to_be_disabled()
    expect(page.locator("#reprocess-hint")).to_contain_text("requires a scheduled send time")
    later = (clock.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    page.get_by_label("Date and time").fill(later)
    expect(page.locator("#reprocess-choice")).to_contain_text("Big Night ends")
    box.check()
    expect(page.get_by_role("heading", name="Dynamic audience")).to_be_visible()
    expect(page.locator("#preview")).to_contain_text("for each person who joins")
    page.locator("#events").get_by_label("Big Night").uncheck()
    expect(page.locator("#reprocess-choice")).to_contain_text("requires event selection")


def test_an_answer_that_comes_late_is_dropped(site: Site, window: Callable[..., Window]):
    stage(site)
    page = window().page
    page.goto(f"{site.url}/campaigns/new")
    first_held, released = threading.Event(), []

    def hold_the_first(route: Route) -> None:
        if first_held.is_set():
            route.continue_()
        else:
            first_held.set()
            released.append(route)

    page.route("**/campaigns/preview", hold_the_first)
    with page.expect_request("**/campaigns/preview"):
        page.locator("#events").get_by_label("Big Night").check()
    expect(page.locator("#preview .computing")).to_be_visible()
    page.locator("#events").get_by_label("Small Night").check()
    expect(reach(page)).to_have_text("3 people will get this")
    # The answer to the first change would say two people; its request was given up.
    late = released[0].request
    assert late.failure is not None
    expect(reach(page)).to_have_text("3 people will get this")
    expect(page.locator("#preview .computing")).to_be_hidden()


def test_people_are_searched_ticked_and_pasted(site: Site, window: Callable[..., Window]):
    stage(site)
    people = make_people(
        site.organisation,
        [
            {"first_name": "Zara", "last_name": "Quill", "phone": "+14165550123"},
            {"first_name": "Yves", "last_name": "Roy", "email": "yves@example.org"},
        ],
    )
    page = window().page
    page.goto(f"{site.url}/campaigns/new")
    page.get_by_label("Hand-picked people").check()
    page.get_by_label("Search people").press_sequentially("zara")
    page.get_by_role("checkbox", name="Zara Quill").check()
    expect(reach(page)).to_have_text("1 person will get this")
    page.get_by_label("Or paste a list").fill("yves@example.org\nnobody@example.org")
    page.get_by_role("button", name="Add these people").click()
    expect(page.locator("#people legend")).to_have_text("Picked: 2 people")
    expect(page.locator("#pasted-list")).to_contain_text("nobody@example.org")
    expect(reach(page)).to_have_text("2 people will get this")
    expect(page.get_by_label("Or paste a list")).to_have_value("nobody@example.org")
    page.get_by_label("Or paste a list").fill("")
    expect(reach(page)).to_have_text("2 people will get this")
    set_facts(people, blocked=True)
    page.get_by_role("checkbox", name="Zara Quill").uncheck()
    expect(reach(page)).to_have_text("0 people will get this")


def test_the_pieces_of_the_funnel_open(site: Site, window: Callable[..., Window]):
    stage(site)
    page = window().page
    page.goto(f"{site.url}/campaigns/new?event=big")
    with page.expect_response("**/campaigns/preview"):
        page.get_by_label("Message", exact=True).fill("Hello")
    page.get_by_role("link", name="will get this").click()
    expect(page.locator("#who")).to_contain_text("Sarah")
    page.get_by_label("Message", exact=True).blur()
    expect(page.locator("#who")).to_contain_text("Sarah")
    assert page.url.endswith("/campaigns/new?event=big")


def test_the_form_works_without_javascript(site: Site, window: Callable[..., Window]):
    stage(site)
    page = window(java_script_enabled=False).page
    page.goto(f"{site.url}/campaigns/new")
    page.get_by_label("Name", exact=True).fill("By hand")
    page.get_by_label("Message", exact=True).fill("Hello %%FIRST_NAME%%")
    page.locator("#events").get_by_label("Big Night").check()
    page.locator("noscript button", has_text="Preview").click()
    expect(reach(page)).to_have_text("2 people will get this")
    expect(page.get_by_label("Name", exact=True)).to_have_value("By hand")
    page.get_by_label("As soon as I confirm").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check and send")
    page.get_by_role("button", name="Send now to 2 people").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("By hand")


def log_in_again(page: Any, site: Site) -> None:
    expect(page).to_have_url(f"{site.url}/login?next=/campaigns/new")
    page.fill("[name=email]", site.staff.email)
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")


@pytest.mark.parametrize("noticed_by", ["preview", "button"])
def test_what_was_typed_outlives_a_session(
    site: Site, window: Callable[..., Window], noticed_by: str
):
    stage(site)
    seen = window()
    page = seen.page
    page.goto(f"{site.url}/campaigns/new")
    page.locator("#events").get_by_label("Big Night").check()
    page.get_by_label("Name", exact=True).fill("Half written")
    expect(reach(page)).to_have_text("2 people will get this")
    page.context.clear_cookies()
    message = page.get_by_label("Message", exact=True)
    if noticed_by == "preview":
        message.fill("First line\nsecond line")
    else:
        message.evaluate("field => field.value = 'First line\\nsecond line'")
        page.get_by_role("button", name="Save as draft").click()
    log_in_again(page, site)
    expect(message).to_have_value("First line\nsecond line")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half written")
    expect(page.locator("#events").get_by_label("Big Night")).to_be_checked()
    expect(reach(page)).to_have_text("2 people will get this")
    assert db.session.query(Campaign).count() == 0
    # Given back once: the next new campaign is empty.
    page.goto(f"{site.url}/campaigns/new")
    expect(message).to_have_value("")
    # Chromium writes every answer of 401 on the console.
    seen.complaints = [text for text in seen.complaints if "401 (UNAUTHORIZED)" not in text]
