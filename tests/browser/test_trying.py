"""A campaign tried out in a real browser: a test to oneself, a dry run, and who else wants them."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from rollcall import clock
from rollcall.actors import actor_for
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.models import Channel
from tests.browser.conftest import LAPTOP, PHONE, Site, Window
from tests.factories import attend, make_event, make_people

NAMES = ("Ann", "Bob", "Cid", "Dora", "Emil", "Fay")


def stage(site: Site) -> list[int]:
    """Six people of tomorrow's night."""
    people = make_people(site.organisation, [{"first_name": name} for name in NAMES])
    night = make_event(
        site.organisation, "night", name="Gala Night", starts_at=clock.now() + timedelta(days=1)
    )
    attend(night, people)
    return people


def check(page: Any, name: str) -> None:
    """Let axe look at the page, and keep a picture of it where PICTURES names a folder."""
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], one["nodes"][0]["html"]) for one in found]
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0, f"{name} is {width} pixels too wide"
    if folder := os.environ.get("PICTURES"):
        size = page.viewport_size["width"]
        page.screenshot(path=Path(folder) / f"{name}-{size}.png", full_page=True)


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_test_and_a_dry_run_from_the_form(
    site: Site, window: Callable[..., Window], viewport: dict[str, int]
):
    stage(site)
    page = window(viewport=viewport).page
    page.goto(f"{site.url}/campaigns/new?event=night")
    page.get_by_label("Name").first.fill("Winner announcement")
    page.get_by_label("Message", exact=True).fill("Congrats %%FIRST_NAME%%, you won!")
    page.get_by_label("As soon as I confirm").check()
    expect(page.locator("#preview .reach-figure")).to_have_text("6 people will get this")
    page.get_by_role("button", name="Send a test to me").click()
    expect(page.locator("#test-result")).to_contain_text("Give the phone")
    page.get_by_label("Your phone").fill("416 555 0199")
    page.get_by_role("button", name="Send a test to me").click()
    expect(page.locator("#test-result")).to_contain_text("Simulator took it.")
    expect(page.get_by_label("Where its messages go")).to_be_hidden()
    page.get_by_label("Dry run: message nobody").check()
    page.get_by_label("Where its messages go").fill("416 555 0199")
    page.get_by_label("How many").fill("3")
    check(page, "form")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="A dry run")).to_be_visible()
    check(page, "confirm-dry-run")
    page.get_by_role("button", name="Start the dry run").click()
    expect(page.get_by_role("heading", name="What the real one would do")).to_be_visible()
    expect(page.get_by_text("As written for Ann")).to_be_visible()
    check(page, "results-dry-run")
    page.goto(f"{site.url}/campaigns")
    expect(page.locator(".badge", has_text="Dry run")).to_be_visible()
    check(page, "list")
    page.get_by_role("link", name="Winner announcement").click()
    page.get_by_role("button", name="Now for real").click()
    expect(page.get_by_text("This is the real campaign")).to_be_visible()
    expect(page.get_by_label("Dry run: message nobody")).not_to_be_checked()


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_who_else_wants_the_same_people(
    site: Site, window: Callable[..., Window], viewport: dict[str, int]
):
    people = stage(site)
    actor = actor_for(site.staff, "browser")

    def draft(name: str, hours: int, criteria: Criteria) -> int:
        at = (clock.now() + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M")
        values = CampaignDraft(
            name=name,
            channel=Channel.SMS,
            message="Hello %%FIRST_NAME%%",
            criteria=criteria,
            local_time=at,
            timezone="UTC",
        )
        return create_campaign(actor, values)

    doors = draft("Doors open at 7", 24, Criteria(people=tuple(people[:4]), window_hours=1))
    schedule_campaign(actor, doors)
    winner = draft("Winner announcement", 40, Criteria(events=("night",)))
    page = window(viewport=viewport).page
    page.goto(f"{site.url}/campaigns/{winner}/confirm")
    note = page.locator(".notice", has_text="Another campaign wants the same people")
    expect(note).to_contain_text("4 of these 6 will have had “Doors open at 7” 16 h before")
    check(page, "confirm-collision")
    page.get_by_role("button", name="Schedule it").click()
    expect(note).to_contain_text("Sent the other way round, no message would be missed")
    page.get_by_text("Send a test to me").click()
    check(page, "scheduled")
    note.get_by_role("link", name="4").click()
    expect(page.get_by_role("heading", name="Who would miss")).to_be_visible()
    check(page, "collided")
    page.get_by_role("searchbox", name="Name, phone or e-mail").fill("dora")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("table tbody tr")).to_have_count(1)
