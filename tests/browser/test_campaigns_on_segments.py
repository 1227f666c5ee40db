"""A campaign on a segment in a real browser: chosen, narrowed, counted live, topped up."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from rollcall import clock
from rollcall.actors import actor_for
from rollcall.audience.criteria import (
    CampaignChoice,
    Criteria,
    Reached,
    SegmentChoice,
    campaign_criteria,
)
from rollcall.extensions import db
from rollcall.models import Campaign, Person
from rollcall.segments.records import SegmentDraft, create_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.browser.conftest import LAPTOP, PHONE, Site, Window
from tests.factories import attend, make_event, make_people

CSV = b"Name,Phone\nZoe Ray,416-555-0188\nBad,12\n"


def stage(site: Site) -> list[int]:
    """Four people at the gala; VIP is whoever is there, with a snapshot; Crew is one of them."""
    actor = actor_for(site.staff, "browser")
    names = [{"first_name": name} for name in ("Ann", "Bob", "Cid", "Dan")]
    people = make_people(site.organisation, names)
    gala = make_event(
        site.organisation, "gala", name="Gala", starts_at=clock.now() + timedelta(days=1)
    )
    attend(gala, people)
    create_segment(actor, SegmentDraft("VIP", Criteria(events=("gala",))))
    create_segment(actor, SegmentDraft("Crew", people=(people[0],)))
    ensure_segment_snapshot(actor, "vip")
    attend(gala, make_people(site.organisation, 1))
    return people


def reach(page: Any) -> Any:
    return page.locator("#preview .reach-figure")


def choose_vip(page: Any) -> None:
    page.get_by_label("A segment", exact=True).check()
    page.locator("#segment").get_by_label("VIP").check()


def violations(page: Any) -> list[str]:
    return [found["id"] for found in Axe().run(page).response["violations"]]


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_campaign_on_a_segment_with_exclusions(
    site: Site, window: Callable[..., Window], viewport: dict[str, int]
):
    stage(site)
    page = window(viewport=viewport).page
    page.goto(f"{site.url}/campaigns/new")
    expect(page.locator("#segment")).to_be_hidden()
    choose_vip(page)
    expect(page.locator("#events")).to_be_hidden()
    expect(reach(page)).to_have_text("4 people will get this")
    expect(page.locator("#segment-choice")).to_contain_text("Use version 1's snapshot of")
    page.get_by_label("Take a new one when scheduling").check()
    expect(reach(page)).to_have_text("5 people will get this")
    page.get_by_text("Leave people out", exact=True).click()
    page.get_by_label("Crew", exact=True).last.check()
    expect(reach(page)).to_have_text("4 people will get this")
    line = page.locator(".legend").get_by_role("link", name="is in a segment that is left out")
    line.click()
    expect(page.locator("#who")).to_contain_text("Ann")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.get_by_label("Name").first.fill("To VIPs")
    page.get_by_label("Message", exact=True).fill("Hello %%FIRST_NAME%%")
    page.get_by_label("As soon as I confirm").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("main")).to_contain_text("frozen from a new snapshot")
    assert violations(page) == []
    db.session.rollback()
    stored = db.session.query(Campaign).one()
    assert campaign_criteria(stored) == Criteria(
        segment=SegmentChoice("vip"), exclude_segments=(SegmentChoice("crew"),)
    )
    assert stored.snapshot_mode == "refresh"


def test_a_choice_whose_people_are_of_an_earlier_campaign(
    site: Site, window: Callable[..., Window]
):
    stage(site)
    page = window().page
    page.goto(f"{site.url}/campaigns/new")
    choose_vip(page)
    page.get_by_label("Name").first.fill("To VIPs")
    page.get_by_label("Message", exact=True).fill("Hello")
    page.get_by_label("Leave out people who had a message").fill("0")
    page.get_by_label("As soon as I confirm").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Send now to 4 people").click()
    expect(page.locator(".badge, [class*=state]").first).to_contain_text("Completed")
    page.goto(f"{site.url}/campaigns/new")
    choose_vip(page)
    page.get_by_text("Leave people out", exact=True).click()
    chosen = page.locator("#exclude_campaigns")
    expect(chosen.get_by_role("combobox")).to_be_hidden()
    chosen.get_by_label("To VIPs", exact=True).check()
    expect(reach(page)).to_have_text("0 people will get this")
    chosen.get_by_role("combobox").select_option("delivered")
    expect(page.locator(".legend")).to_contain_text(
        "0 are of an earlier campaign", use_inner_text=True
    )
    page.get_by_label("Name").first.fill("Again")
    page.get_by_label("Message", exact=True).fill("Hello")
    page.get_by_role("button", name="Save as draft").click()
    page.wait_for_url(lambda url: url.rstrip("/").rsplit("/", 1)[-1].isdecimal())
    db.session.rollback()
    first, again = db.session.query(Campaign).order_by(Campaign.id).all()
    assert campaign_criteria(again).exclude_campaigns == (
        CampaignChoice(first.id, Reached.DELIVERED),
    )
    page.goto(f"{site.url}/campaigns/{first.id}")
    page.get_by_role("button", name="Top up: message those who joined since").click()
    expect(page.locator("main")).to_contain_text("“Top-up of To VIPs” goes by text message to 1")
    page.get_by_role("button", name="Send now to 1 person").click()
    expect(page.locator("main h1")).to_contain_text("Top-up of To VIPs")


def test_people_are_picked_from_a_file_and_the_unknown_added(
    site: Site, window: Callable[..., Window]
):
    stage(site)
    page = window(viewport=PHONE).page
    page.goto(f"{site.url}/campaigns/new")
    page.get_by_label("Hand-picked people").check()
    page.get_by_label("Or paste a list").fill("Sarah Lee <sarah@example.org>")
    file = {"name": "list.csv", "mimeType": "text/csv", "buffer": CSV}
    page.locator("#people_file").set_input_files(file)
    page.get_by_role("button", name="Add these people").click()
    expect(page.locator("#pasted-list")).to_contain_text("line 3")
    expect(page.get_by_label("Or paste a list")).to_have_value(
        "Sarah Lee <sarah@example.org>\nZoe Ray <+14165550188>"
    )
    assert violations(page) == []
    page.get_by_role("button", name="Add the 2 unknown as people").click()
    expect(page.locator("#people")).to_contain_text("Picked: 2 people")
    expect(page.get_by_label("Zoe Ray")).to_be_checked()
    expect(reach(page)).to_have_text("1 person will get this")
    db.session.rollback()
    names = {person.full_name for person in db.session.query(Person)}
    assert {"Sarah Lee", "Zoe Ray"} <= names
