"""Quiet hours in the browser: chosen in the form, counted in the preview, told on the pages."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from apiflask import APIFlask

from rollcall import clock
from rollcall.campaigns.drafts import find_campaign
from rollcall.extensions import db, write
from rollcall.models import (
    Campaign,
    CampaignState,
    Organisation,
    Reason,
    Recipient,
    RecipientState,
    Role,
)
from tests.factories import attend, make_people
from tests.web.campaigns import Desk, words

NIGHT = datetime(2026, 11, 28, 3, 30, tzinfo=UTC)  # 22:30 in Toronto, 19:30 in Vancouver


@pytest.fixture
def evening() -> Iterator[time_machine.Traveller]:
    """A clock that stands some hours before the night, until the test moves it."""
    with time_machine.travel(NIGHT - timedelta(hours=5), tick=False) as traveller:
        yield traveller


@pytest.fixture
def night(evening: time_machine.Traveller, desk: Desk) -> Desk:
    """Quiet hours are on; the three of the night live in Toronto, a fourth in Vancouver.

    The clock stands in the evening already when `desk` logs in: who logs in today can't be in
    a session at a date that has passed.
    """
    with write():
        desk.organisation.quiet_until, desk.organisation.quiet_from = time(8), time(21)
    attend(desk.event, make_people(desk.organisation, [{"phone": "+16045550123"}]))
    return desk


def preview(desk: Desk, **changes: object) -> str:
    page = desk.browser.post("/campaigns/preview", desk.form(when="now", **changes))
    assert page.status_code == 200
    return words(page.text)


def test_the_preview_says_who_is_in_their_quiet_hours(evening: time_machine.Traveller, night: Desk):
    assert "in their quiet hours now" not in preview(night)
    evening.move_to(NIGHT)
    waits = preview(night)
    assert "3 of these 4 are in their quiet hours now" in waits
    assert "they get it from 8:00 their time" in waits
    skipped = preview(night, quiet_hours="skip")
    assert "3 of these 4 are in their quiet hours now, and are left out" in skipped


def test_it_warns_where_the_whole_campaign_would_wait(evening: time_machine.Traveller, night: Desk):
    evening.move_to(NIGHT + timedelta(hours=3))
    assert "The whole campaign would wait" in preview(night)


def test_staff_may_not_choose_to_send_all_the_same(night: Desk, log_in):
    assert "Only an admin may choose this." in words(night.browser.get("/campaigns/new").text)
    form = night.form(quiet_hours="override", action="continue")
    refused = night.browser.post("/campaigns/new", form)
    assert refused.status_code == 422
    assert "takes the role admin or above" in words(refused.text)
    assert db.session.query(Campaign).count() == 0
    admin = log_in(Role.ADMIN)
    assert admin.post("/campaigns/new", form).status_code == 302
    assert db.session.scalars(sa.select(Campaign)).one().quiet_hours == "override"


def test_the_last_time_is_kept_and_comes_back_into_the_form(night: Desk):
    late = night.local(days=4)
    form = night.form(not_after=late, action="continue")
    assert night.browser.post("/campaigns/new", form).status_code == 302
    campaign = db.session.scalars(sa.select(Campaign)).one()
    assert campaign.not_after is not None
    assert campaign.not_after.strftime("%Y-%m-%dT%H:%M") == late
    assert f'value="{late}"' in night.browser.get(f"/campaigns/{campaign.id}/edit").text
    confirm = words(night.browser.get(f"/campaigns/{campaign.id}/confirm").text)
    assert "whoever still waits then is left out" in confirm


def test_a_last_time_before_the_sending_is_refused_beside_its_field(night: Desk):
    form = night.form(not_after=night.local(hours=1), action="continue")
    page = night.browser.post("/campaigns/new", form)
    assert page.status_code == 422
    assert 'id="not_after-error"' in page.text


def test_the_page_tells_how_many_wait_and_until_when(night: Desk):
    campaign_id = night.scheduled()
    with write():
        campaign = find_campaign(night.organisation.id, campaign_id)
        campaign.state, campaign.sent_started_at = CampaignState.SENDING, clock.now()
        db.session.execute(
            sa.update(Recipient)
            .where(Recipient.campaign_id == campaign_id)
            .values(
                state=RecipientState.QUEUED,
                held_reason=Reason.QUIET_HOURS,
                not_before=datetime(2026, 11, 28, 13, tzinfo=UTC),
            )
        )
    for path in (f"/campaigns/{campaign_id}", f"/campaigns/{campaign_id}/live?seen=sending"):
        text = words(night.browser.get(path).text)
        assert "4 wait until 8:00 at theirs" in text
        assert "Waiting" in text
        assert "nothing needs to be done" in text
    assert "4 wait until 8:00 at theirs" in words(night.browser.get("/campaigns").text)


def test_without_a_postal_address_the_last_look_warns_or_refuses(night: Desk, app: APIFlask):
    form = night.form(channel="email", subject="Hello", action="continue")
    assert night.browser.post("/campaigns/new", form).status_code == 302
    campaign = db.session.scalars(sa.select(Campaign)).one()
    page = night.browser.get(f"/campaigns/{campaign.id}/confirm").text
    assert "No postal address stands below it" in words(page)
    settings = app.extensions["rollcall"]
    app.extensions["rollcall"] = type(settings)(**{**vars(settings), "email_provider": "smtp"})
    page = night.browser.get(f"/campaigns/{campaign.id}/confirm").text
    assert "An e-mail must name the postal address" in words(page)
    refused = night.browser.post(f"/campaigns/{campaign.id}/schedule", {})
    assert refused.status_code == 422
    assert find_campaign(night.organisation.id, campaign.id).state == CampaignState.DRAFT


def test_an_admin_gives_the_postal_address(log_in, acme: Organisation):
    form = {"name": "Acme", "country": "CA", "timezone": "UTC"}
    form["postal_address"] = "1 Main St\r\n\r\nX "
    assert log_in(Role.ADMIN).post("/settings", form).status_code == 302
    assert db.session.get_one(Organisation, acme.id).postal_address == "1 Main St\nX"
    long = log_in(Role.ADMIN).post("/settings", {**form, "postal_address": "x" * 301})
    assert long.status_code == 422
    assert 'id="postal_address-error"' in long.text
