"""From writing a campaign to its results, with nobody pressing anything once it is scheduled."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from rollcall import clock
from rollcall.extensions import db, write
from rollcall.models import Campaign, Source
from tests.browser.conftest import Site, Window
from tests.factories import attend, make_event, make_people, set_facts


def write_campaign(page: Any, url: str) -> None:
    """Fill in the form for a re-processing campaign that is due in less than two minutes."""
    page.goto(f"{url}/events/big")
    page.get_by_role("button", name="New campaign for this event").click()
    page.get_by_label("Name", exact=True).fill("Winner announcement")
    page.get_by_label("Message", exact=True).fill("Congrats %%FIRST_NAME%%!")
    due = clock.now().astimezone(ZoneInfo("America/Toronto")) + timedelta(seconds=110)
    page.get_by_label("Date and time").fill(due.strftime("%Y-%m-%dT%H:%M:%S"))
    page.get_by_label("Re-process audience at time of send").check()
    page.get_by_role("button", name="Continue").click()


def make_due(campaign_id: int) -> None:
    """Let the campaign's time come now: what a test can do that the clock would do later."""
    with write():
        db.session.get_one(Campaign, campaign_id).scheduled_at = clock.now()


def test_a_campaign_goes_out_by_itself_and_accounts_for_everybody(
    site: Site, window: Callable[..., Window]
):
    people = make_people(site.organisation, 7)
    event = make_event(
        site.organisation, "big", starts_at=clock.now() - timedelta(hours=6), name="Big Night"
    )
    attend(event, people[:3], at=clock.now() - timedelta(hours=5))
    page = window().page

    write_campaign(page, site.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Check and schedule")
    expect(page.locator(".lead")).to_contain_text("3 people")
    page.get_by_role("button", name="Schedule it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Scheduled (dynamic audience)")
    campaign_id = int(page.url.rsplit("/", 1)[1])

    attend(event, people[3:], Source.QR_SCAN)
    set_facts(people[:1], blocked=True)
    page.reload()
    expect(page.get_by_role("link", name="4 would join")).to_be_visible()
    expect(page.get_by_role("link", name="1 would leave")).to_be_visible()

    make_due(campaign_id)
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible(timeout=30_000)
    before_after = page.locator(".before-after")
    expect(before_after).to_contain_text("(+3, +100 %)")
    expect(before_after).to_contain_text("(4 QR scans)")
    expect(before_after).to_contain_text("(1 is blocked)")
    expect(page.locator(".chart svg:visible .mark-label")).to_have_text(["Planned", "Sent"])

    page.get_by_role("link", name="4 QR scans").click()
    expect(page.locator("tbody tr")).to_have_count(4)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert len(download.value.path().read_text("utf-8-sig").splitlines()) == 5

    page.goto(f"{site.url}/outbox?campaign={campaign_id}")
    expect(page.locator(".bubble")).to_have_count(6)


@pytest.mark.parametrize("site", [{"ROLLCALL_SEND_RATE": "8"}], indirect=True)
def test_progress_moves_and_a_send_can_be_paused(site: Site, window: Callable[..., Window]):
    people = make_people(site.organisation, 40)
    event = make_event(site.organisation, "big", name="Big Night")
    attend(event, people)
    page = window().page
    page.goto(f"{site.url}/campaigns/new?event=big")
    page.get_by_label("Name", exact=True).fill("Slow one")
    page.get_by_label("Message", exact=True).fill("Hello")
    page.get_by_label("As soon as I confirm").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Send now to 40 people").click()
    expect(page.locator("#sending .figure-small")).not_to_have_text("0 of 40", timeout=30_000)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Paused")
    page.get_by_role("button", name="Go on sending").click()
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible(timeout=30_000)
    expect(page.locator(".outcome")).to_contain_text("sent 40")
