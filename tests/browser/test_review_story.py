"""A campaign that outgrew its limits: stopped before the first message, looked at, decided."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from rollcall.accounts.passwords import hash_password
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.models import AudienceMode, Channel, Role, Source
from tests.browser.conftest import PHONE, Site, Window
from tests.browser.test_campaign_story import make_due
from tests.factories import attend, make_actor, make_event, make_people, make_staff
from tests.web.browser import PASSWORD


def outgrown(site: Site) -> int:
    """Scheduled by staff for 3 people; ten more scan a code before its time: 333 % more."""
    event = make_event(site.organisation, "big", name="Big Night")
    people = make_people(site.organisation, 13)
    attend(event, people[:3])
    author = make_actor(site.organisation, Role.STAFF)
    draft = CampaignDraft(
        name="Winner announcement",
        channel=Channel.SMS,
        message="Congrats %%FIRST_NAME%%!",
        criteria=Criteria(events=("big",), window_hours=0),
        timezone="America/Toronto",
        audience_mode=AudienceMode.REPROCESS,
        local_time="2099-11-29T10:00",
    )
    campaign_id = create_campaign(author, draft)
    schedule_campaign(author, campaign_id)
    attend(event, people[3:], Source.QR_SCAN)
    return campaign_id


def test_stopped_by_a_guard_reviewed_and_sent_to_the_estimate(
    site: Site, window: Callable[..., Window]
):
    colleague = make_staff(Role.STAFF, site.organisation, password_hash=hash_password(PASSWORD))
    campaign_id = outgrown(site)
    page = window().page
    page.goto(f"{site.url}/campaigns/{campaign_id}")
    make_due(campaign_id)

    # The open page follows by itself; nobody has to load it again to see the stop.
    stop = page.get_by_text("Nothing has been sent. This campaign waits for a decision.")
    expect(stop).to_be_visible(timeout=30_000)
    expect(page.locator("#campaign")).to_contain_text(
        "The audience went from 3 to 13 people (+10, +333 %); the limit is 100 %."
    )
    page.get_by_role("link", name="10 joined").click()
    expect(page.locator("tbody tr")).to_have_count(10)

    limited = window(colleague, viewport=PHONE).page
    limited.goto(f"{site.url}/campaigns/{campaign_id}")
    expect(limited.get_by_role("button", name="Send to the final list")).to_be_disabled()
    expect(limited.locator("#right-hint")).to_contain_text("Ask somebody with a higher role")
    limited.get_by_label("Why").fill("Only those whom we promised it")
    limited.get_by_role("button", name="Send to the frozen list, 3 people").click()
    expect(limited.get_by_text("It goes out now, to the list that was frozen.")).to_be_visible()
    finished(limited)

    page.goto(f"{site.url}/campaigns/{campaign_id}")
    finished(page)
    expect(page.get_by_text("Only those whom we promised it")).to_be_visible()
    page.goto(f"{site.url}/outbox?campaign={campaign_id}")
    expect(page.locator(".bubble")).to_have_count(3)


def finished(page: Any) -> None:
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible(timeout=30_000)
    expect(page.locator("#campaign")).to_contain_text(
        "Sent to the estimate list, as staff decided in review"
    )
    expect(page.locator(".outcome")).to_contain_text("sent 3")
