"""The pages of one campaign and of all, in every state, by stored state and visible text."""

import csv
import io
import re

import pytest

from rollcall import clock
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.scheduling import send_campaign_now
from rollcall.extensions import db, write
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    OnFailure,
    Recipient,
    Source,
)
from tests.factories import attend, make_people, set_facts
from tests.web.campaigns import Desk, words

REPROCESS = {"audience_mode": AudienceMode.REPROCESS}


def change(campaign_id: int, **values: object) -> None:
    with write():
        campaign = db.session.get_one(Campaign, campaign_id)
        for name, value in values.items():
            setattr(campaign, name, value)


def test_an_empty_organisation_is_told_what_to_do_first(log_in):
    assert "Begin with your people" in words(log_in().get("/campaigns").text)


def test_the_overview_has_each_campaign_under_what_it_needs(desk: Desk):
    review, gone = desk.scheduled(name="Decide me"), desk.sent(name="Gone")
    desk.scheduled(name="Coming", **REPROCESS)
    desk.draft(name="Draft")
    change(review, state=CampaignState.NEEDS_REVIEW, state_note="It was late.")
    text = desk.read("/campaigns")
    places = [
        text.index(part)
        for part in ("Decide me: It was late", "Next", "Coming", "Drafts", "Gone out", "Gone")
    ]
    assert places == sorted(places)
    assert "in 3 days" in text
    assert "America/Toronto" in text, "the organisation's and the event's zone, beside its own"
    assert gone


def test_older_campaigns_come_page_by_page(desk: Desk):
    for number in range(27):
        campaign_id = desk.draft(name=f"No. {number:02d}.")
        change(campaign_id, state=CampaignState.CANCELLED)
    first = desk.browser.get("/campaigns").text
    assert "No. 26." in first
    assert "No. 01." not in first
    older = re.search(r'href="(/campaigns\?before=\d+)"', first)
    assert older
    second = desk.read(older[1])
    assert "No. 01." in second
    assert "No. 26." not in second


def test_the_last_look_says_who_what_when_and_how_much(desk: Desk):
    text = desk.read(f"/campaigns/{desk.draft()}/confirm")
    assert "“Thank you” goes by text message to 3 people, on" in text
    assert "for $0.03" in text
    assert "UTC" in text
    assert "America/Toronto" in text
    assert "Nobody is added to this list" in text
    text = desk.read(f"/campaigns/{desk.draft(**REPROCESS)}/confirm")
    assert "The audience is computed again at the time of sending" in text


def test_scheduling_freezes_and_shows_the_list(desk: Desk):
    campaign_id = desk.draft()
    version = str(desk.campaign(campaign_id).version)
    response = desk.browser.post(f"/campaigns/{campaign_id}/schedule", {"version": version})
    assert response.location == f"/campaigns/{campaign_id}"
    assert desk.campaign(campaign_id).state == CampaignState.SCHEDULED
    assert "Scheduled (frozen, 3 people)" in desk.read(f"/campaigns/{campaign_id}")


def test_an_older_version_is_not_scheduled(desk: Desk):
    campaign_id = desk.draft()
    change(campaign_id, version=7)
    response = desk.browser.post(f"/campaigns/{campaign_id}/schedule", {"version": "6"})
    assert response.status_code == 409
    assert desk.campaign(campaign_id).state == CampaignState.DRAFT


def test_a_time_that_passed_meanwhile_is_told_on_the_last_look(desk: Desk):
    campaign_id = desk.draft()
    change(campaign_id, scheduled_at=desk.event.created_at)
    response = desk.browser.post(f"/campaigns/{campaign_id}/schedule")
    assert response.status_code == 422
    assert "This time has passed" in words(response.text)
    assert desk.campaign(campaign_id).state == CampaignState.DRAFT


def test_send_now_makes_it_due_at_once(desk: Desk):
    campaign_id = desk.draft(local_time=None)
    desk.browser.post(f"/campaigns/{campaign_id}/send")
    desk.run_due()
    campaign = desk.campaign(campaign_id)
    assert (campaign.state, campaign.actual_recipients) == (CampaignState.COMPLETED, 3)


def test_if_it_were_sent_now_counts_and_names_who_would_join_and_leave(desk: Desk):
    campaign_id = desk.scheduled(**REPROCESS)
    attend(desk.event, make_people(desk.organisation, [{"first_name": "Dee"}]), Source.QR_SCAN)
    set_facts(desk.people[:2], blocked=True)
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "Scheduled (dynamic audience)" in text
    assert "Planned 3 people" in text
    assert "Now 2 people" in text
    assert "1 would join (1 QR scan)" in text
    assert "2 would leave (2 are blocked)" in text
    assert "Dee" in desk.read(f"/campaigns/{campaign_id}/movers?change=joined")
    leaving = desk.read(f"/campaigns/{campaign_id}/movers?change=left&reason=blocked")
    assert "Ann" in leaving
    assert "is blocked" in leaving
    rows = db.session.query(Recipient).filter_by(campaign_id=campaign_id)
    assert rows.count() == 3, "looking changes nothing"


def test_results_account_for_everybody_and_every_number_opens(desk: Desk):
    def meanwhile() -> None:
        attend(desk.event, make_people(desk.organisation, 4), Source.QR_SCAN)
        set_facts(desk.people[:1], blocked=True)

    campaign_id = desk.sent(meanwhile=meanwhile, **REPROCESS)
    page = desk.browser.get(f"/campaigns/{campaign_id}").text
    text = words(page)
    assert "Original estimate 3 people" in text
    assert "Final audience 6 people (+3, +100 %)" in text
    assert "joined 4 (4 QR scans)" in text
    assert "left 1 (1 is blocked)" in text
    assert "sent 6" in text
    assert "$0.06" in text
    assert text.count("Planned") >= 2, "both moments are marked in both sizes of the picture"
    for link in set(re.findall(rf'href="(/campaigns/{campaign_id}/recipients[^"]*)"', page)):
        assert desk.browser.get(link.replace("&amp;", "&")).status_code == 200
    left = desk.read(f"/campaigns/{campaign_id}/recipients?change=left&reason=blocked")
    assert "Ann" in left
    assert "Bob" not in left


def test_an_estimate_of_nobody_shows_people_and_no_percent(desk: Desk):
    set_facts(desk.people, blocked=True)
    campaign_id = desk.sent(meanwhile=lambda: set_facts(desk.people, blocked=False), **REPROCESS)
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "Final audience 3 people (+3)" in text


def test_a_failed_campaign_says_why_and_what_to_do(desk: Desk):
    campaign_id = desk.scheduled(**REPROCESS)
    change(campaign_id, targeting_criteria="{broken")
    assert "can't be" in desk.read(f"/campaigns/{campaign_id}")
    send_campaign_now(desk.actor, campaign_id)
    desk.run_due()
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "Nothing was sent" in text
    assert "This is not JSON" in text
    assert "can't be copied" in text
    assert "Write a new campaign" in text


def test_results_say_who_was_left_out_and_why(desk: Desk):
    set_facts(desk.people, last_message_at=clock.now())
    campaign_id = desk.sent(
        criteria=Criteria(events=("night",), window_hours=24),
        meanwhile=lambda: attend(desk.event, make_people(desk.organisation, 4), Source.QR_SCAN),
        **REPROCESS,
    )
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "When it was planned 3 people matched. Nobody was left out." in text
    left_out = "7 people matched. 3 were left out: 3 had a message in the last 24 hours."
    assert f"When it was sent {left_out}" in text


def test_falling_back_to_the_estimate_is_told(desk: Desk):
    def damage() -> None:
        change(desk.newest().id, targeting_criteria="{broken")

    campaign_id = desk.sent(meanwhile=damage, on_failure=OnFailure.ESTIMATE, **REPROCESS)
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "Re-processing failed, so the estimate list was used" in text
    assert "sent 3" in text


@pytest.mark.parametrize(
    ("decision", "people"), [("final", 4), ("estimate", 3)], ids=["final", "estimate"]
)
def test_a_review_is_decided_by_a_button(desk: Desk, decision: str, people: int):
    campaign_id = desk.scheduled(**REPROCESS)
    attend(desk.event, make_people(desk.organisation, 1))
    change(campaign_id, state=CampaignState.NEEDS_REVIEW, state_note="It was late.")
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "It was late." in text
    assert "Send to the audience of now, 4 people" in text
    assert "Send to the frozen list, 3 people" in text
    version = str(desk.campaign(campaign_id).version)
    form = {"decision": decision, "version": version}
    desk.browser.post(f"/campaigns/{campaign_id}/review", form)
    change(campaign_id, scheduled_at=desk.event.created_at)
    desk.run_due()
    assert desk.campaign(campaign_id).actual_recipients == people


def test_pause_resume_and_cancel(desk: Desk):
    campaign_id = desk.scheduled()
    change(campaign_id, state=CampaignState.SENDING)
    path = f"/campaigns/{campaign_id}"
    for action, state in (
        ("pause", CampaignState.PAUSED),
        ("resume", CampaignState.SENDING),
        ("cancel", CampaignState.CANCELLED),
    ):
        desk.browser.post(f"{path}/{action}")
        assert desk.campaign(campaign_id).state == state
    assert desk.browser.post(f"{path}/resume").status_code == 409
    assert "Nobody got this message" in desk.read(path)


def test_a_poll_brings_progress_and_then_the_whole_page_once(desk: Desk):
    campaign_id = desk.scheduled()
    live = f"/campaigns/{campaign_id}/live?seen=scheduled"
    same = desk.browser.get(live)
    assert 'id="progress"' in same.text
    assert "HX-Retarget" not in same.headers
    send_campaign_now(desk.actor, campaign_id)
    desk.run_due()
    changed = desk.browser.get(live)
    assert changed.headers["HX-Retarget"] == "#campaign"
    assert "Before and after" in changed.text
    assert "hx-trigger" not in changed.text, "what is over is not asked for again"


def test_a_copy_is_a_draft_without_time(desk: Desk):
    campaign_id = desk.sent(name="Original")
    response = desk.browser.post(f"/campaigns/{campaign_id}/duplicate")
    copy = desk.newest()
    assert response.location == f"/campaigns/{copy.id}/edit"
    assert (copy.name, copy.state) == ("Copy of Original", CampaignState.DRAFT)
    assert copy.scheduled_at is None


def test_what_cannot_be_copied_says_why(desk: Desk):
    campaign_id = desk.sent()
    change(campaign_id, targeting_criteria=None)
    response = desk.browser.post(f"/campaigns/{campaign_id}/duplicate")
    assert response.status_code == 409
    assert "has no criteria" in words(response.text)


def test_recipients_are_filtered_searched_and_paged(desk: Desk):
    attend(desk.event, make_people(desk.organisation, 60))
    path = f"/campaigns/{desk.sent()}/recipients"
    first = desk.browser.get(path).text
    assert first.count('role="rowheader"') == 50
    following = re.search(r'href="([^"]*after=\d+)"', first)
    assert following
    second = desk.browser.get(following[1].replace("&amp;", "&")).text
    assert second.count('role="rowheader"') == 13
    found = desk.read(f"{path}?q=ann")
    assert "Ann" in found
    assert "Bob" not in found
    assert "Nobody fits this filter" in desk.read(f"{path}?status=failed")
    assert desk.browser.get(f"{path}?status=bored").status_code == 400


def test_the_download_holds_the_filtered_list_safe_against_formulas(desk: Desk):
    attend(desk.event, make_people(desk.organisation, [{"first_name": "=1+1", "last_name": ""}]))
    path = f"/campaigns/{desk.sent()}/recipients.csv"
    response = desk.browser.get(f"{path}?q==1")
    assert response.mimetype == "text/csv"
    assert "attachment; filename=" in response.headers["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(response.data.decode("utf-8-sig")))
    assert row["name"] == "'=1+1"
    assert row["status"] == "sent"


def test_hand_picked_results_have_no_picture(desk: Desk):
    campaign_id = desk.sent(criteria=Criteria(people=tuple(desk.people[:2])))
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "Final audience 2 people (0, 0 %)" in text
    assert "The audience over time" not in text


def test_the_outbox_shows_texts_and_emails_of_one_campaign_or_all(desk: Desk):
    assert "Nothing here" in desk.read("/outbox")
    texts = desk.sent()
    mails = desk.sent(
        channel=Channel.EMAIL,
        subject="Hi",
        message="Dear %%FIRST_NAME%%",
        criteria=Criteria(events=("night",), window_hours=0),
    )
    everything = desk.read("/outbox")
    assert "This is a simulator" in everything
    assert "Thanks Ann" in everything
    assert "Dear Ann" in everything
    assert "Dear Ann" not in desk.read(f"/outbox?campaign={texts}")
    assert "Thanks Ann" not in desk.read(f"/outbox?campaign={mails}")
    assert desk.browser.get("/outbox?campaign=999999").status_code == 404
