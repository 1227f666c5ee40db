"""A stopped campaign in the browser: both lists, three decisions, and who may take which."""

from typing import Any

import pytest

from rollcall.audience.criteria import Criteria
from rollcall.extensions import db, write
from rollcall.models import AudienceMode, AuditEntry, Campaign, CampaignState, OnFailure, Role
from tests.factories import attend, make_people, set_facts
from tests.web.browser import Browser
from tests.web.campaigns import Desk, words

DYNAMIC: dict[str, Any] = {
    "criteria": Criteria(events=("night",), window_hours=0),
    "audience_mode": AudienceMode.REPROCESS,
    "guard_limits": {"growth_percent": 100},
}


@pytest.fixture
def stopped(desk: Desk) -> int:
    """Scheduled for 3 people; one left and five joined, over this campaign's own limit."""
    campaign_id = desk.scheduled(**DYNAMIC)
    late(desk, 5)
    set_facts(desk.people[0], opted_out_sms=True)
    make_due(campaign_id)
    desk.run_due()
    return campaign_id


def late(desk: Desk, number: int) -> list[int]:
    people = make_people(desk.organisation, number)
    attend(desk.event, people)
    return people


def make_due(campaign_id: int) -> None:
    with write():
        campaign = db.session.get_one(Campaign, campaign_id)
        campaign.scheduled_at = campaign.created_at


def decide(desk: Desk, browser: Browser, campaign_id: int, decision: str, **more: str):
    form = {"decision": decision, "version": str(desk.campaign(campaign_id).version), **more}
    return browser.post(f"/campaigns/{campaign_id}/review", form, follow_redirects=True)


def test_the_page_says_what_stopped_it_and_shows_both_lists(desk: Desk, stopped: int):
    text = desk.read(f"/campaigns/{stopped}")
    assert "Nothing has been sent. This campaign waits for a decision." in text
    assert "The audience went from 3 to 7 people (+4, +133 %); the limit is 100 %." in text
    assert "5 joined (5 registrations)" in text
    assert "1 left (1 opted out)" in text
    assert "Send to the final list, 7 people" in text
    assert "Send to the frozen list, 3 people" in text


def test_the_final_list_goes_out_with_a_reason_that_is_kept(desk: Desk, log_in, stopped: int):
    admin = log_in(Role.ADMIN)
    answer = decide(desk, admin, stopped, "final", reason="They are at the door.")
    assert "It goes out now, to the final list." in words(answer.text)
    desk.run_due()
    text = desk.read(f"/campaigns/{stopped}")
    assert "sent 7" in text
    assert "They are at the door." in text
    entry = db.session.query(AuditEntry).filter_by(action="campaign.approve").one()
    assert entry.after["decision"] == "final"
    assert entry.after["reason"] == "They are at the door."


def test_a_change_since_is_said_and_asked_again(desk: Desk, log_in, stopped: int):
    late(desk, 1)
    text = words(decide(desk, log_in(Role.ADMIN), stopped, "final").text)
    assert "The audience has changed since you looked: 8 people now" in text
    assert "(1 joined, 0 left since)" in text
    assert "Send to the final list, 8 people" in text
    assert desk.campaign(stopped).state == CampaignState.NEEDS_REVIEW


def test_staff_see_why_they_may_not_and_are_refused(desk: Desk, log_in, stopped: int):
    with write():
        campaign = db.session.get_one(Campaign, stopped)
        campaign.organisation.guard_limits = {"staff": {"growth_people": 2}}
    staff = log_in(Role.STAFF)
    page = staff.get(f"/campaigns/{stopped}").text
    assert "This is beyond what your role (staff) may approve" in words(page)
    assert 'value="final" disabled' in page
    version = str(desk.campaign(stopped).version)
    refused = staff.post(f"/campaigns/{stopped}/review", {"decision": "final", "version": version})
    assert refused.status_code == 403
    assert desk.campaign(stopped).state == CampaignState.NEEDS_REVIEW
    taken = staff.post(f"/campaigns/{stopped}/review", {"decision": "estimate", "version": version})
    assert taken.status_code == 302
    desk.run_due()
    assert desk.campaign(stopped).actual_recipients == 3


def test_the_form_takes_direction_growth_and_limits(desk: Desk):
    form = desk.form(
        reprocess="1",
        direction="additions",
        min_growth="20",
        limit_growth_percent="50",
        limit_budget="12.5",
    )
    assert desk.browser.post("/campaigns/new", form).status_code == 302
    campaign = desk.newest()
    assert campaign.audience_mode == AudienceMode.ADDITIONS
    assert campaign.min_growth == 20
    assert campaign.guard_limits == {"growth_percent": 50, "budget": "12.50"}
    page = desk.browser.get(f"/campaigns/{campaign.id}/edit").text
    assert 'value="additions" checked' in page
    assert 'name="limit_growth_percent" value="50"' in page
    text = desk.read(f"/campaigns/{campaign.id}/confirm")
    assert "everybody of today's list stays on it" in text
    assert "If it grew by less than 20 %, the list of today is used." in text
    assert "growth of over 50 %" in text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"limit_growth_percent": "5000"}, "For your role the growth in percent is at most 100."),
        ({"limit_ceiling": "many"}, "Give a whole number from 0"),
        ({"min_growth": "a lot"}, "Give whole percent, such as 20"),
        ({"direction": "sideways"}, "Choose one of reprocess, removals, additions."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(desk: Desk, typed, said):
    answer = desk.browser.post("/campaigns/new", desk.form(reprocess="1", **typed))
    assert answer.status_code == 422
    assert said in words(answer.text)
    for value in typed.values():
        assert value in answer.text or "direction" in typed


class TestLimits:
    def form(self, desk: Desk, **changes: str) -> dict[str, str]:
        form = {
            f"{role}.{name}": value
            for role, percent in (("staff", "100"), ("admin", "500"), ("super", "2000"))
            for name, value in (
                ("growth_percent", percent),
                ("growth_people", "50000"),
                ("ceiling", "100000"),
                ("fall_percent", "90"),
                ("minimum", ""),
                ("budget", ""),
            )
        }
        return form | changes

    def test_they_are_changed_and_hold(self, desk: Desk, log_in):
        boss = log_in(Role.SUPER)
        form = self.form(desk, **{"staff.growth_percent": "250", "admin.fall_stops": "1"})
        assert boss.post("/settings/limits", form).status_code == 302
        db.session.expire_all()
        assert desk.organisation.guard_limits == {
            "staff": {"growth_percent": 250},
            "admin": {"fall_stops": True},
        }
        page = boss.get("/settings/limits").text
        assert 'name="staff.growth_percent" value="250"' in page
        back = self.form(desk)
        boss.post("/settings/limits", back)
        db.session.expire_all()
        assert desk.organisation.guard_limits is None

    def test_what_is_no_limit_is_said_and_stays(self, desk: Desk, log_in):
        answer = log_in(Role.SUPER).post(
            "/settings/limits", self.form(desk, **{"staff.ceiling": "ever so many"})
        )
        assert answer.status_code == 422
        assert "Give a whole number from 0" in words(answer.text)
        assert 'value="ever so many"' in answer.text

    def test_an_admin_may_look_and_not_change(self, desk: Desk, log_in):
        admin = log_in(Role.ADMIN)
        assert "Only a super can change them." in words(admin.get("/settings/limits").text)
        assert admin.post("/settings/limits", self.form(desk)).status_code == 403
        assert log_in(Role.STAFF).get("/settings/limits").status_code == 403


def test_what_each_choice_would_send_to_is_said_before_choosing(desk: Desk):
    """3 planned, 2 joined since and 1 opted out: four different numbers."""
    campaign_id = desk.scheduled(criteria=Criteria(events=("night",), window_hours=0))
    late(desk, 2)
    set_facts(desk.people[0], opted_out_sms=True)
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "What each choice would send to now" in text
    choices = "The frozen list (chosen) 3 Computed again 4 Only removals 2 Only additions 5"
    assert choices in text


def test_the_results_say_what_was_chosen_for_the_moment_of_sending(desk: Desk):
    campaign_id = desk.scheduled(**{**DYNAMIC, "min_growth": 10, "on_failure": OnFailure.ESTIMATE})
    late(desk, 1)
    make_due(campaign_id)
    desk.run_due()
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "Only if it grew by 10 % or more; else the frozen list is used" in text
    assert "Stops for review Growth of over 100 %" in text
    assert "If that fails The frozen list is used" in text
