"""The inbox for staff and the unsubscribe page for everybody, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest

from rollcall.extensions import db
from rollcall.models import Channel, PersonFacts, RecipientState
from rollcall.providers.base import Inbound
from rollcall.sending.inbound import receive_inbound
from tests.browser.conftest import LAPTOP, PHONE, Site, Window
from tests.browser.test_accessibility import violations
from tests.factories import make_person
from tests.sending.wired import make_campaign, put_on_wire

TEXTS = ("STOP", "Great night, thank you!", "please stop texting my number", "leave me alone")


def write_all(site: Site) -> int:
    """Let somebody who got a campaign write each text; returns the person's id."""
    organisation = site.organisation
    person = make_person(organisation, first_name="Sarah", last_name="Jones")
    put_on_wire(person, campaign_id=make_campaign(organisation.id, name="Doors open at 7"))
    for text in TEXTS:
        receive_inbound("kannel", Inbound(text, person.phone or "", "12345", text))
    return person.id


def check(page: Any) -> None:
    assert violations(page) == []
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(LAPTOP, "light"), (PHONE, "dark")], ids=["laptop", "phone"]
)
def test_staff_decide_what_is_unclear(
    site: Site, window: Callable[..., Window], viewport: dict[str, int], scheme: str
):
    write_all(site)
    page = window(viewport=viewport, color_scheme=scheme).page
    page.goto(site.url + "/inbox")
    check(page)
    assert page.locator(".letters li").count() == 2
    first = page.locator(".letters li").first
    assert "leave me alone" in first.inner_text()
    first.get_by_role("button", name="Not a stop").click()
    page.wait_for_load_state()
    assert page.locator(".letters li").count() == 1
    page.get_by_role("button", name="Opt them out").first.click()
    page.wait_for_load_state()
    assert page.locator(".letters").count() == 0
    assert "their phone gets no more texts" in page.inner_text("main")
    check(page)


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(LAPTOP, "light"), (PHONE, "dark")], ids=["laptop", "phone"]
)
def test_anybody_with_the_link_stops_the_messages(
    site: Site, chromium: Any, viewport: dict[str, int], scheme: str
):
    person = make_person(site.organisation)
    sent = RecipientState.SENT
    mail = put_on_wire(person, "smtp", channel=Channel.EMAIL, state=sent, outcome=sent)
    # A browser of their own, in which nobody was ever logged in.
    context = chromium.new_context(viewport=viewport, color_scheme=scheme)
    try:
        page = context.new_page()
        page.goto(f"{site.url}/u/{mail.reference}")
        check(page)
        page.get_by_role("button", name="Stop e-mails").click()
        page.get_by_text("sends you no more e-mails").wait_for()
        check(page)
        db.session.rollback()
        assert db.session.get_one(PersonFacts, person.id).opted_out_email
        page.get_by_role("button", name="Get e-mails again").click()
        page.get_by_text("may send you e-mails again").wait_for()
        assert context.cookies() == []
        page.goto(f"{site.url}/u/nonsense")
        check(page)
        assert "belongs to no message" in page.inner_text("h1")
    finally:
        context.close()
