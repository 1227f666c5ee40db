"""Rehearsals and events that change, in the browser: told before, held, decided, drawn."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import find_campaign
from rollcall.extensions import db, write
from rollcall.models import AudienceMode, CampaignState, Event, Rehearsal, Role
from rollcall.sending.rehearsals import rehearse_campaign
from tests.factories import attend, make_people
from tests.web.campaigns import Desk, words


@pytest.fixture(autouse=True)
def round_times(desk: Desk) -> None:
    """Events are typed in whole minutes, or seconds.

    This one is around noon, since moved by days it must not come into the hour that a clock
    skips in spring, or has twice in autumn: then the form asks which one.
    """
    with write():
        event = db.session.get_one(Event, desk.event.id)
        event.starts_at = event.starts_at.replace(hour=16, second=30, microsecond=0)
        event.ends_at = event.starts_at.replace(hour=20, second=0)


def event_form(desk: Desk, later: timedelta = timedelta()) -> dict[str, str]:
    """The event's form as the page has it, its times moved."""
    page = desk.browser.get("/events/night/edit").text
    typed = {
        name: datetime.fromisoformat(re.findall(rf'name="{name}" value="([^"]+)"', page)[0])
        for name in ("starts", "ends")
    }
    times = {name: (local + later).isoformat() for name, local in typed.items()}
    return {"name": "Gala Night", "timezone": desk.event.timezone, **times}


def move(desk: Desk, days: int = 7) -> str:
    form = event_form(desk, timedelta(days=days))
    return words(desk.browser.post("/events/night/edit", form, follow_redirects=True).text)


def decide(desk: Desk, campaign_id: int, decision: str, **more: Any):
    form = {"decision": decision, "version": str(desk.campaign(campaign_id).version), **more}
    return desk.browser.post(f"/campaigns/{campaign_id}/review", form, follow_redirects=True)


class TestEvents:
    def test_the_form_and_the_page_say_before_what_would_be_held(self, desk: Desk):
        desk.scheduled(name="Doors at seven")
        form = desk.read("/events/night/edit")
        assert "1 scheduled campaign will wait for a decision: Doors at seven." in form
        assert "1 scheduled campaign will wait for a decision: Doors at seven." in desk.read(
            "/events/night"
        )

    def test_without_scheduled_campaigns_there_is_nothing_to_say(self, desk: Desk):
        desk.draft()
        assert "will wait for a decision" not in desk.read("/events/night/edit")
        assert "will wait for a decision" not in desk.read("/events/night")

    def test_moved_it_holds_and_the_campaign_moves_along(self, desk: Desk):
        campaign_id = desk.scheduled(name="Doors at seven")
        before = desk.campaign(campaign_id).scheduled_at
        assert "Held for a decision, so that nobody gets it yet: “Doors at seven”." in move(desk)
        page = desk.read(f"/campaigns/{campaign_id}")
        assert "“Gala Night” was moved from" in page
        assert "Keep the time," in page
        assert "Move with the event, to" in page
        assert "Send to the frozen list" not in page
        told = words(decide(desk, campaign_id, "move", reason="New date").text)
        assert "It moves with the event and goes out then" in told
        campaign = desk.campaign(campaign_id)
        assert campaign.state == CampaignState.SCHEDULED
        assert campaign.scheduled_at == before + timedelta(days=7)

    def test_saved_as_it_is_nothing_is_moved(self, desk: Desk):
        campaign_id = desk.scheduled()
        saved = desk.browser.post("/events/night/edit", event_form(desk), follow_redirects=True)
        assert "Saved." in saved.text
        assert desk.campaign(campaign_id).state == CampaignState.SCHEDULED

    def test_kept_it_is_scheduled_again(self, desk: Desk):
        campaign_id = desk.scheduled()
        move(desk)
        assert "It keeps its time and goes out then" in words(
            decide(desk, campaign_id, "keep").text
        )
        assert desk.campaign(campaign_id).state == CampaignState.SCHEDULED

    def test_who_comes_second_is_told(self, desk: Desk, log_in):
        campaign_id = desk.scheduled()
        move(desk)
        seen = str(desk.campaign(campaign_id).version)
        decide(desk, campaign_id, "keep")
        path = f"/campaigns/{campaign_id}/review"
        second = log_in(Role.SUPER).post(path, {"decision": "move", "version": seen})
        assert second.status_code == 409
        assert "Somebody else has changed this campaign" in second.text

    def test_a_time_that_has_passed_can_not_be_moved_to(self, desk: Desk):
        campaign_id = desk.scheduled()
        move(desk, days=-30)
        page = desk.read(f"/campaigns/{campaign_id}")
        assert "which has passed." in page
        assert "Move with the event, to" not in page
        refused = decide(desk, campaign_id, "move", reason="It was moved.")
        assert refused.status_code == 422
        assert 'id="reason-error"' in refused.text
        assert "It was moved.</textarea>" in refused.text

    def test_cancelled_it_is_marked_wherever_it_is_listed_or_chosen(self, desk: Desk):
        campaign_id = desk.scheduled(name="Doors at seven")
        draft_id = desk.draft(name="Sorry")
        told = desk.browser.post("/events/night/cancel", follow_redirects=True)
        assert "The event is marked as cancelled. Held for a decision" in words(told.text)
        assert "This event is cancelled" in desk.read("/events/night")
        assert "Gala Night Cancelled" in desk.read("/events")
        assert "(cancelled)" in desk.read("/campaigns/new?event=night")
        assert "(cancelled)" in desk.read("/imports/new")
        assert "(cancelled)" in desk.read("/segments/new")
        assert "Gala Night Cancelled" in desk.read(f"/people/{desk.people[0]}")
        assert "“Gala Night” is cancelled." in desk.read(f"/campaigns/{draft_id}")
        assert "“Gala Night” is cancelled." in desk.read(f"/campaigns/{draft_id}/edit")
        page = desk.read(f"/campaigns/{campaign_id}")
        assert "“Gala Night” was cancelled by" in page
        assert "Move with the event" not in page
        assert desk.browser.post("/events/night/cancel").status_code == 409

    def test_scheduling_on_it_is_allowed_after_a_warning(self, desk: Desk):
        draft_id = desk.draft(name="Sorry")
        desk.browser.post("/events/night/cancel")
        assert "Look at what it says about its event “Gala Night” is cancelled." in desk.read(
            f"/campaigns/{draft_id}/confirm"
        )
        version = str(desk.campaign(draft_id).version)
        desk.browser.post(f"/campaigns/{draft_id}/schedule", {"version": version})
        assert desk.campaign(draft_id).state == CampaignState.SCHEDULED

    def test_reopened_it_takes_place(self, desk: Desk):
        desk.browser.post("/events/night/cancel")
        told = desk.browser.post("/events/night/reopen", follow_redirects=True)
        assert "The event takes place after all." in words(told.text)
        assert "This event is cancelled" not in desk.read("/events/night")

    def test_a_held_campaign_can_be_edited(self, desk: Desk):
        campaign_id = desk.scheduled()
        move(desk)
        assert "This campaign is held" in desk.read(f"/campaigns/{campaign_id}/edit")
        version = desk.campaign(campaign_id).version
        form = desk.form(action="draft", message="A week later", version=str(version))
        desk.browser.post(f"/campaigns/{campaign_id}/edit", form)
        campaign = desk.campaign(campaign_id)
        assert (campaign.state, campaign.message) == (CampaignState.DRAFT, "A week later")


class TestRehearsals:
    def grown(self, desk: Desk) -> int:
        criteria = Criteria(events=("night",), window_hours=0)
        campaign_id = desk.scheduled(criteria=criteria, audience_mode=AudienceMode.REPROCESS)
        attend(desk.event, make_people(desk.organisation, 2))
        return campaign_id

    def test_by_hand_it_says_what_would_happen(self, desk: Desk):
        campaign_id = self.grown(desk)
        page = desk.read(f"/campaigns/{campaign_id}")
        assert "Not rehearsed yet." in page
        assert "By itself it comes 24 hours and 1 hour before the time" in page
        told = desk.browser.post(f"/campaigns/{campaign_id}/rehearse", follow_redirects=True)
        text = words(told.text)
        assert "Rehearsed, and nothing was sent. 5 people (+2 since" in text
        assert "The audience at each rehearsal" in text
        assert 'class="mark-level"' in told.text
        assert desk.campaign(campaign_id).state == CampaignState.SCHEDULED

    def test_the_results_keep_them(self, desk: Desk):
        campaign_id = self.grown(desk)
        desk.browser.post(f"/campaigns/{campaign_id}/rehearse")
        desk.browser.post(f"/campaigns/{campaign_id}/send")
        desk.run_due()
        page = desk.read(f"/campaigns/{campaign_id}")
        assert "5 people (+2 since" in page
        assert "Rehearse now" not in page

    def test_a_draft_has_none_and_can_not_be_rehearsed(self, desk: Desk):
        campaign_id = desk.draft()
        assert "Rehearse now" not in desk.read(f"/campaigns/{campaign_id}")
        assert desk.browser.post(f"/campaigns/{campaign_id}/rehearse").status_code == 409

    def test_many_come_page_by_page(self, desk: Desk):
        campaign_id = self.grown(desk)
        for _ in range(12):
            rehearse_campaign(desk.actor, campaign_id, desk.app.extensions["rollcall"])
        first = desk.browser.get(f"/campaigns/{campaign_id}").text
        assert first.count(">By hand</th>") == 10
        last = db.session.query(Rehearsal).order_by(Rehearsal.id).offset(2).first()
        assert last is not None
        found = first.partition("rehearsals=")[2].partition("#")[0]
        second = desk.browser.get(f"/campaigns/{campaign_id}?rehearsals={found}").text
        assert second.count(">By hand</th>") == 2
        assert desk.browser.get(f"/campaigns/{campaign_id}?rehearsals=nonsense").status_code < 500

    def test_the_hours_are_set_and_what_is_wrong_stays(self, desk: Desk, log_in):
        admin = log_in(Role.ADMIN)
        form = {"name": "Acme Events", "country": "CA", "timezone": "UTC", "postal_address": ""}
        wrong = admin.post("/settings", {**form, "rehearsals": "24,often"})
        assert wrong.status_code == 422
        assert 'value="24,often"' in wrong.text
        assert "Write up to 5 whole hours from 1 to 336, as 24,1, or off." in wrong.text
        admin.post("/settings", {**form, "rehearsals": "off"})
        campaign_id = self.grown(desk)
        assert "has rehearsals by themselves off" in desk.read(f"/campaigns/{campaign_id}")
        organisation = find_campaign(desk.organisation.id, campaign_id).organisation
        assert organisation.rehearsal_hours == []
