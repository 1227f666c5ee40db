"""The campaign form over HTTP: what it stores, what it refuses, what it never loses."""

import pytest

from rollcall.audience.criteria import Criteria, campaign_criteria, criteria_to_json
from rollcall.campaigns.drafts import NEEDS_EVENTS, NEEDS_TIME, CampaignDraft, edit_campaign
from rollcall.extensions import db
from rollcall.models import AudienceMode, Campaign, CampaignState, Channel, OnFailure
from tests.factories import make_event, make_organisation, make_people
from tests.summertime import fall_back, spring_forward
from tests.web.campaigns import Desk, words


def test_continue_stores_a_draft_and_leads_to_the_last_look(desk: Desk):
    form = desk.form(
        reprocess="1",
        on_failure="estimate",
        sources=["registration"],
        r_min="3",
        cities="Toronto, Montréal",
        recent_message_hours="24",
    )
    response = desk.browser.post("/campaigns/new", form)
    campaign = desk.newest()
    assert response.location == f"/campaigns/{campaign.id}/confirm"
    assert campaign.state == CampaignState.DRAFT
    assert campaign.audience_mode == AudienceMode.REPROCESS
    assert campaign.on_failure == OnFailure.ESTIMATE
    assert campaign.scheduled_local_time == form["scheduled_local_time"]
    assert criteria_to_json(campaign_criteria(campaign)) == {
        "events": ["night"],
        "sources": ["registration"],
        "rfm_filters": {"r": [3, 5]},
        "cities": ["Toronto", "Montréal"],
        "recent_message_hours": 24,
    }


def test_the_form_shows_a_campaign_as_it_was_stored(desk: Desk):
    desk.browser.post("/campaigns/new", desk.form(reprocess="1", m_max="2", cities="Toronto"))
    page = desk.browser.get(f"/campaigns/{desk.newest().id}/edit").text
    for fragment in (
        'name="events" value="night" checked',
        'name="m_max" min="1" max="5" value="2"',
        'name="cities" value="Toronto"',
        'name="reprocess" value="1" checked',
    ):
        assert fragment in page, fragment


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(desk: Desk):
    form = desk.form(
        name="",
        message="Hi %%FRIST_NAME%%",
        f_min="9",
        recent_message_hours="soon",
        scheduled_local_time="2020-01-01T10:00",
    )
    response = desk.browser.post("/campaigns/new", form)
    assert response.status_code == 422
    text = words(response.text)
    assert "5 things need mending" in text
    assert "Give the campaign a name" in text
    assert "Did you mean %%FIRST_NAME%%?" in text
    assert "Frequency: use whole numbers from 1 to 5" in text
    assert "Give whole hours" in text
    assert "This time has passed" in text
    assert "Hi %%FRIST_NAME%%" in text
    assert 'value="soon"' in response.text
    assert db.session.query(Campaign).count() == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"when": "now"}, NEEDS_TIME),
        ({"events": [], "cities": "Toronto"}, NEEDS_EVENTS),
    ],
    ids=["no time", "no event"],
)
def test_reprocessing_is_refused_with_its_sentence(
    desk: Desk, changes: dict[str, object], sentence: str
):
    response = desk.browser.post("/campaigns/new", desk.form(reprocess="1", **changes))
    assert response.status_code == 422
    assert sentence in words(response.text)
    assert db.session.query(Campaign).count() == 0


def test_hand_picked_people_cannot_be_reprocessed(desk: Desk):
    form = desk.form(reprocess="1", mode="people", people=[str(desk.people[0])])
    response = desk.browser.post("/campaigns/new", form)
    assert response.status_code == 422
    assert NEEDS_EVENTS in words(response.text)


def test_the_box_is_disabled_with_its_reason_until_there_is_a_time_and_an_event(desk: Desk):
    page = desk.browser.get("/campaigns/new?event=night").text
    assert 'name="reprocess" value="1" disabled' in page
    assert f"{NEEDS_TIME}: choose a date and time first." in page
    page = desk.browser.post("/campaigns/preview", desk.form(events=[])).text
    assert f"{NEEDS_EVENTS}: choose an event first." in page
    page = desk.browser.post("/campaigns/preview", desk.form()).text
    assert 'name="reprocess" value="1" disabled' not in page


def test_a_time_that_comes_twice_is_asked_about_and_stored_as_answered(desk: Desk):
    twice = f"{fall_back()}T01:30"
    form = desk.form(scheduled_local_time=twice, scheduled_timezone="America/Toronto")
    response = desk.browser.post("/campaigns/new", form)
    assert response.status_code == 422
    assert "The earlier one, UTC-04:00" in words(response.text)
    desk.browser.post("/campaigns/new", {**form, "repeated": "later"})
    campaign = desk.newest()
    assert campaign.scheduled_at is not None
    assert f"{campaign.scheduled_at:%H:%M}" == "06:30"
    assert 'value="later" checked' in desk.browser.get(f"/campaigns/{campaign.id}/edit").text


def test_a_time_that_does_not_exist_is_refused_with_the_next_one(desk: Desk):
    never = f"{spring_forward()}T02:30"
    form = desk.form(scheduled_local_time=never, scheduled_timezone="America/Toronto")
    text = words(desk.browser.post("/campaigns/new", form).text)
    assert f"The next time that exists is {spring_forward()}T03:00" in text


def test_a_draft_may_still_wait_for_its_time(desk: Desk):
    response = desk.browser.post(
        "/campaigns/new", desk.form(action="draft", scheduled_local_time="")
    )
    campaign = desk.newest()
    assert response.location == f"/campaigns/{campaign.id}"
    assert campaign.scheduled_at is None


def test_pasted_people_are_picked_and_unknown_ones_reported(desk: Desk):
    bob = "bob@example.org"
    known = make_people(desk.organisation, [{"phone": "+14165550199"}, {"email": bob}])
    form = desk.form(mode="people", pasted=f"(416) 555-0199\n{bob}; stranger@example.org")
    response = desk.browser.post("/campaigns/new", form)
    assert response.status_code == 422
    text = words(response.text)
    assert "Picked: 2 people" in text
    assert "stranger@example.org: nobody in this organisation has this address" in text
    desk.browser.post("/campaigns/new", {**form, "pasted": f"(416) 555-0199\n{bob}"})
    assert campaign_criteria(desk.newest()).people == tuple(known)


def test_more_people_than_are_shown_stay_picked(desk: Desk):
    many = make_people(desk.organisation, 60)
    form = desk.form(
        mode="people",
        people=[str(number) for number in many[:50]],
        more_people=",".join(map(str, many[50:])),
    )
    desk.browser.post("/campaigns/new", form)
    assert campaign_criteria(desk.newest()).people == tuple(many)
    assert "and 10 more" in desk.read(f"/campaigns/{desk.newest().id}/edit")


def test_saving_a_scheduled_campaign_takes_it_back_to_draft(desk: Desk):
    campaign_id = desk.scheduled()
    assert "This campaign is scheduled" in desk.read(f"/campaigns/{campaign_id}/edit")
    form = desk.form(name="Other", version=str(desk.campaign(campaign_id).version))
    desk.browser.post(f"/campaigns/{campaign_id}/edit", form)
    campaign = desk.campaign(campaign_id)
    assert (campaign.state, campaign.name) == (CampaignState.DRAFT, "Other")
    assert campaign.estimated_recipients is None


def test_an_edit_of_an_older_version_is_told_and_keeps_what_was_typed(desk: Desk):
    campaign_id = desk.draft()
    version = desk.campaign(campaign_id).version
    theirs = CampaignDraft(
        name="Theirs", channel=Channel.SMS, message="Hello", criteria=Criteria(events=("night",))
    )
    edit_campaign(desk.actor, campaign_id, theirs)
    response = desk.browser.post(
        f"/campaigns/{campaign_id}/edit", desk.form(name="Mine", version=str(version))
    )
    assert response.status_code == 409
    assert "Somebody else has changed this campaign" in words(response.text)
    assert 'value="Mine"' in response.text
    assert desk.campaign(campaign_id).name == "Theirs"


def test_a_campaign_that_went_out_can_not_be_edited(desk: Desk):
    campaign_id = desk.sent()
    response = desk.browser.get(f"/campaigns/{campaign_id}/edit")
    assert response.location == f"/campaigns/{campaign_id}"


def test_events_are_searched_and_chosen_ones_stay(desk: Desk):
    make_event(desk.organisation, "gala-two", name="Second Gala")
    assert "Second Gala" in desk.read("/campaigns/new")
    found = desk.browser.post("/campaigns/form/events", desk.form(event_search="second"))
    assert "Second Gala" in words(found.text)
    assert "Gala Night" in words(found.text)
    found = desk.browser.post("/campaigns/form/events", desk.form(event_search="x", events=[]))
    assert "No event has these words" in words(found.text)


def test_events_of_another_organisation_are_neither_offered_nor_taken(desk: Desk):
    make_event(make_organisation(), "secret", name="Secret Night")
    form = desk.form(event_search="secret", events=["secret"])
    assert "Secret Night" not in desk.browser.post("/campaigns/form/events", form).text
    response = desk.browser.post("/campaigns/new", form)
    assert response.status_code == 422
    assert "There is no event 'secret'" in words(response.text)
