"""Rehearsals, and an event that moves, in a real browser: seen, decided, and looked at by axe."""

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
from rollcall.extensions import db, write
from rollcall.models import AudienceMode, Campaign, Channel
from rollcall.sending.rehearsals import rehearse_campaign
from tests.browser.conftest import LAPTOP, PHONE, Site, Window
from tests.factories import attend, make_event, make_people, set_facts


def local(**later: float) -> str:
    return (clock.now() + timedelta(**later)).strftime("%Y-%m-%dT%H:%M")


def stage(site: Site) -> int:
    """A campaign for tomorrow's night, planned for 78 people, rehearsed twice while it grew."""
    starts_at = (clock.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    night = make_event(
        site.organisation, "night", name="Gala Night", starts_at=starts_at, timezone="UTC"
    )
    attend(night, make_people(site.organisation, 78))
    draft = CampaignDraft(
        name="Doors open at seven",
        channel=Channel.SMS,
        message="See you!",
        criteria=Criteria(events=("night",)),
        audience_mode=AudienceMode.REPROCESS,
        local_time=local(days=2),
        timezone="UTC",
    )
    actor, settings = actor_for(site.staff, "browser"), site.app.extensions["rollcall"]
    campaign_id = create_campaign(actor, draft)
    schedule_campaign(actor, campaign_id)
    with write():
        campaign = db.session.get_one(Campaign, campaign_id)
        campaign.frozen_at = clock.now() - timedelta(days=2)
    for number, hours in ((120, 30), (214, 3)):
        people = make_people(site.organisation, number)
        attend(night, people)
        set_facts(people[:4], opted_out_sms=True)
        found = rehearse_campaign(actor, campaign_id, settings)
        with write():
            found.at = clock.now() - timedelta(hours=hours)
            found.hours_before = hours // 3 * 3 if hours > 3 else None
    return campaign_id


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
def test_a_rehearsed_campaign_whose_event_moves(
    site: Site, window: Callable[..., Window], viewport: dict[str, int]
):
    campaign_id = stage(site)
    page = window(viewport=viewport).page
    page.goto(f"{site.url}/campaigns/{campaign_id}")
    page.get_by_role("button", name="Rehearse now").click()
    expect(page.get_by_text("Rehearsed, and nothing was sent.")).to_be_visible()
    expect(page.locator("#rehearsals tbody tr")).to_have_count(3)
    check(page, "rehearsed")
    page.goto(f"{site.url}/events/night/edit")
    expect(page.get_by_text("1 scheduled campaign will wait for a decision")).to_be_visible()
    check(page, "event-form")
    page.get_by_label("Starts").fill(local(days=8))
    page.get_by_label("Ends").fill(local(days=8, hours=4))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Held for a decision, so that nobody gets it yet")).to_be_visible()
    page.goto(f"{site.url}/campaigns")
    expect(page.get_by_text("keep the time, move with it, or cancel")).to_be_visible()
    page.goto(f"{site.url}/campaigns/{campaign_id}")
    expect(page.get_by_role("button", name="Keep the time")).to_be_visible()
    check(page, "held")
    page.get_by_role("button", name="Move with the event").click()
    expect(page.get_by_text("It moves with the event and goes out then")).to_be_visible()
    expect(page.locator("#rehearsals")).to_contain_text("For its earlier time")
    page.goto(f"{site.url}/events/night")
    page.get_by_role("button", name="Cancel the event …").click()
    expect(page.get_by_text("attendance stays as it is")).to_be_visible()
    check(page, "event-cancel")
    page.get_by_role("button", name="Mark it as cancelled").click()
    expect(page.get_by_role("heading", name="This event is cancelled")).to_be_visible()
    check(page, "event-cancelled")
    page.goto(f"{site.url}/campaigns/{campaign_id}")
    expect(page.get_by_role("button", name="Keep the time")).to_be_visible()
    check(page, "held-cancelled")
    page.goto(f"{site.url}/settings")
    check(page, "settings")
