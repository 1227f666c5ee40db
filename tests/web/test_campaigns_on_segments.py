"""Campaigns on segments in the browser: the form, leaving people out, adding some, top-ups."""

import html
import io
import re
from typing import Any

import pytest

from rollcall.audience.criteria import (
    CampaignChoice,
    Criteria,
    Reached,
    SegmentChoice,
    campaign_criteria,
)
from rollcall.campaigns.drafts import NEEDS_EVENTS
from rollcall.campaigns.segment_versions import keep_segment_version
from rollcall.extensions import db
from rollcall.models import AudienceMode, Campaign, CampaignState, Person, Role, SegmentSnapshot
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.factories import attend, make_actor, make_event, make_organisation, make_people
from tests.web.campaigns import Desk, words

ON_VIP = Criteria(segment=SegmentChoice("vip"), window_hours=0)


@pytest.fixture
def vip(desk: Desk) -> int:
    """The segment VIP: everybody of tomorrow's night."""
    return create_segment(desk.actor, SegmentDraft("VIP", Criteria(events=("night",))))


def form(desk: Desk, **changes: Any) -> dict[str, Any]:
    chosen = {"mode": "segment", "segment": "vip", "events": [], "recent_message_hours": "0"}
    return desk.form(**{**chosen, **changes})


def preview(desk: Desk, **changes: Any) -> str:
    return desk.browser.post("/campaigns/preview", form(desk, **changes)).text


def late(desk: Desk, number: int = 2) -> list[int]:
    people = make_people(desk.organisation, number)
    attend(desk.event, people)
    return people


# Choosing a segment


def test_segments_are_offered_with_version_and_snapshot(desk: Desk, vip: int):
    text = desk.read("/campaigns/new")
    assert "VIP by criteria Version 1: no snapshot yet" in text
    ensure_segment_snapshot(desk.actor, "vip")
    assert "Version 1: 3 people in its snapshot of" in desk.read("/campaigns/new")
    page = desk.browser.get("/campaigns/new?segment=vip").text
    assert 'name="mode" value="segment" checked' in page
    assert 'name="segment" value="vip" checked' in page


def test_segments_are_searched_and_the_chosen_one_stays(desk: Desk, vip: int):
    for number in range(15):
        create_segment(desk.actor, SegmentDraft(f"Team {number}", people=(desk.people[0],)))
    page = desk.read("/campaigns/new")
    assert "There are more: search for them." in page
    found = words(
        desk.browser.post("/campaigns/form/segments", form(desk, segment_search="team 14")).text
    )
    assert "VIP by criteria" in found
    assert "Team 14 a list of people" in found
    assert "Team 13" not in found


def test_the_choice_says_which_snapshot_it_would_be(desk: Desk, vip: int):
    text = words(preview(desk))
    assert "Live: version 1 now, a later one once there is one" in text
    assert "There is none yet: it will be taken when you schedule" in text
    ensure_segment_snapshot(desk.actor, "vip")
    edit_segment(desk.actor, "vip", SegmentDraft("VIP", Criteria(cities=("Toronto",))))
    assert "Use version 2's snapshot There is none yet" in words(preview(desk))
    text = words(preview(desk, segment_version="1"))
    assert re.search(r"Use version 1's snapshot of \w+ \d+ \w+ \d+, [\d:]+ \S+ \(3 people\)", text)
    assert "Take a new one when scheduling Whoever is in the segment at that moment." in text


def test_the_preview_counts_on_the_snapshot_that_would_be_reused(desk: Desk, vip: int):
    ensure_segment_snapshot(desk.actor, "vip")
    late(desk)
    text = words(preview(desk))
    assert "3 people will get this" in text
    assert "Counted on version 1's snapshot" in text
    text = words(preview(desk, snapshot_mode="refresh"))
    assert "5 people will get this" in text
    assert "Counted on" not in text


def test_continue_stores_it_and_the_last_look_says_from_which_snapshot(desk: Desk, vip: int):
    ensure_segment_snapshot(desk.actor, "vip")
    response = desk.browser.post("/campaigns/new", form(desk, cities=""))
    campaign = desk.newest()
    assert campaign_criteria(campaign) == ON_VIP
    assert (campaign.segment_id, campaign.snapshot_mode) == (vip, "reuse")
    assert db.session.query(SegmentSnapshot).count() == 1
    text = desk.read(response.location)
    pattern = (
        r"People of the segment VIP \(version 1\), frozen from its snapshot of "
        r"\w+ \d+ \w+ \d+, [\d:]+ \S+, 3 people \(reused\)\."
    )
    assert re.search(pattern, text)
    desk.browser.post(f"/campaigns/{campaign.id}/schedule", {"version": "1"})
    assert re.search(pattern[:-2], desk.read(f"/campaigns/{campaign.id}"))


def test_a_new_snapshot_is_announced_and_then_named(desk: Desk, vip: int):
    campaign_id = desk.draft(criteria=ON_VIP, snapshot_mode="refresh")
    text = desk.read(f"/campaigns/{campaign_id}/confirm")
    assert "People of the segment VIP (version 1), frozen from a new snapshot" in text
    desk.browser.post(f"/campaigns/{campaign_id}/send", {"version": "1"})
    desk.run_due()
    assert "3 people (taken anew)" in desk.read(f"/campaigns/{campaign_id}")


def test_the_form_shows_a_campaign_on_a_segment_as_it_was_stored(desk: Desk, vip: int):
    criteria = Criteria(
        segment=SegmentChoice("vip", 1),
        events=("night",),
        exclude_events=("night",),
        exclude_segments=(SegmentChoice("vip", 1),),
        exclude_campaigns=(CampaignChoice(desk.draft(), Reached.DELIVERED),),
        cities=("Toronto",),
    )
    campaign_id = desk.draft(criteria=criteria, snapshot_mode="refresh", force_snapshot=True)
    page = desk.browser.get(f"/campaigns/{campaign_id}/edit").text
    sent_back = dict.fromkeys(re.findall(r'<option value="(\w*)" selected', page))
    assert {"1", "delivered"} <= set(sent_back)
    for fragment in (
        'name="mode" value="segment" checked',
        'name="segment" value="vip" checked',
        'name="segment_events" value="night" checked',
        'name="snapshot_mode" value="refresh" checked',
        'name="force_snapshot" value="1" checked',
        'name="exclude_events" value="night" checked',
        'name="exclude_segments" value="vip@1" checked',
        'name="cities" value="Toronto"',
        '<details id="leave-out" open>',
    ):
        assert fragment in page, fragment
    earlier = criteria.exclude_campaigns[0].id
    again = form(
        desk,
        segment_version="1",
        segment_events=["night"],
        snapshot_mode="refresh",
        force_snapshot="1",
        exclude_events=["night"],
        exclude_segments=["vip@1"],
        exclude_campaigns=[str(earlier)],
        cities="Toronto",
        recent_message_hours="72",
        **{f"reached_{earlier}": "delivered"},
    )
    desk.browser.post(f"/campaigns/{campaign_id}/edit", again)
    campaign = desk.campaign(campaign_id)
    assert campaign_criteria(campaign) == criteria
    assert (campaign.snapshot_mode, campaign.force_snapshot) == ("refresh", True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"segment": ""}, "Choose a segment."),
        ({"segment": "nobody"}, "There is no segment 'nobody'."),
        ({"segment_version": "9"}, "has no version 9, only 1"),
        ({"segment_version": "x"}, "Choose one of the segment's versions"),
        ({"snapshot_mode": "x"}, "Unsupported snapshot mode 'x': use reuse or refresh"),
        ({"segment_version": "1", "bump_version": "1"}, "A pinned version can't be bumped"),
        ({"exclude_events": ["no"]}, "There is no event 'no'"),
        ({"exclude_segments": ["no@2"]}, "There is no segment 'no'"),
        ({"exclude_campaigns": ["999"]}, "There is no campaign 999"),
        ({"exclude_events": [f"e{n}" for n in range(51)]}, "At most 50 can be left out"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    desk: Desk, vip: int, changes: dict[str, Any], sentence: str
):
    response = desk.browser.post("/campaigns/new", form(desk, **changes))
    assert response.status_code == 422
    assert sentence in words(response.text)
    assert "Thanks %%FIRST_NAME%%" in response.text
    assert db.session.query(Campaign).count() == 0
    assert desk.browser.post("/campaigns/preview", form(desk, **changes)).status_code == 200


def test_segments_of_another_organisation_are_neither_offered_nor_taken(desk: Desk, vip: int):
    other = make_organisation("other")
    theirs = make_people(other, 1)
    create_segment(make_actor(other, Role.SUPER), SegmentDraft("Secret", people=tuple(theirs)))
    assert "Secret" not in desk.read("/campaigns/new")
    for changes in ({"segment": "secret"}, {"exclude_segments": ["secret"]}):
        response = desk.browser.post("/campaigns/new", form(desk, **changes))
        assert "There is no segment 'secret'." in words(response.text)


# Re-processing


def test_a_scheduled_campaign_says_that_its_segment_has_moved_on(desk: Desk, vip: int):
    campaign_id = desk.scheduled(criteria=ON_VIP)
    assert "now; this list stands on" not in desk.read(f"/campaigns/{campaign_id}")
    late(desk)
    make_event(desk.organisation, "earlier")
    wider = Criteria(events=("night", "earlier"))
    edit_segment(desk.actor, "vip", SegmentDraft("VIP", wider))
    text = desk.read(f"/campaigns/{campaign_id}")
    assert "VIP is at version 2 now; this list stands on version 1" in text
    assert "Frozen anew on version 2 it would have 5 people: 2 would join, 0 would leave." in text
    keep_segment_version(desk.actor, campaign_id)
    assert "now; this list stands on" not in desk.read(f"/campaigns/{campaign_id}")


def test_a_segment_can_be_reprocessed_and_the_notice_says_by_what(desk: Desk, vip: int):
    assert f"{NEEDS_EVENTS}: choose a segment first." in preview(desk, segment="")
    text = words(preview(desk, reprocess="1"))
    assert "the live segment is evaluated, by whichever definition it has at that moment" in text
    text = words(preview(desk, reprocess="1", segment_version="1"))
    assert "version 1's definition is applied to the people of that moment" in text
    desk.browser.post("/campaigns/new", form(desk, reprocess="1"))
    assert desk.newest().audience_mode == AudienceMode.REPROCESS


# Leaving people out


def test_each_exclusion_has_a_line_that_opens_its_people(desk: Desk, vip: int):
    crew = create_segment(desk.actor, SegmentDraft("Crew", people=(desk.people[1],)))
    assert crew
    picked = Criteria(people=(desk.people[2],), window_hours=0)
    earlier = desk.sent(criteria=picked)
    page = preview(
        desk,
        exclude_segments=["crew"],
        exclude_campaigns=[str(earlier)],
    )
    text = words(page)
    assert "1 person will get this" in text
    assert "1 is in a segment that is left out" in text
    assert "1 is of an earlier campaign that is left out" in text
    assert "at an event that is left out" not in text
    for reason, name in (("excluded_segment", "Bob"), ("excluded_campaign", "Cid")):
        link = re.search(rf'href="([^"]+reason={reason}[^"]*)"', page)
        assert link
        assert name in desk.read(html.unescape(link[1]))
    everybody = words(preview(desk, exclude_events=["night"]))
    assert "3 are at an event that is left out" in everybody


def test_an_exclusion_that_leaves_out_nobody_has_its_line_too(desk: Desk, vip: int):
    text = words(preview(desk, exclude_campaigns=[str(desk.draft())]))
    assert "0 are of an earlier campaign that is left out" in text


def test_the_funnel_opens_the_people_of_the_snapshot(desk: Desk, vip: int):
    ensure_segment_snapshot(desk.actor, "vip")
    late(desk)
    page = preview(desk)
    link = re.search(r'href="([^"]+reason=reachable)"', page)
    assert link
    assert desk.read(html.unescape(link[1])).count("First") == 0
    fresh = re.search(r'href="([^"]+reason=reachable)"', preview(desk, snapshot_mode="refresh"))
    assert fresh
    assert desk.read(html.unescape(fresh[1])).count("First") == 2


def test_whom_to_leave_out_is_searched_and_what_is_chosen_stays(desk: Desk, vip: int):
    create_segment(desk.actor, SegmentDraft("Crew", people=(desk.people[1],)))
    desk.scheduled(name="Winter thanks")
    text = words(
        desk.browser.post(
            "/campaigns/form/exclusions",
            form(desk, exclude_search="winter", exclude_segments=["crew"]),
        ).text
    )
    assert "Crew" in text
    assert "Winter thanks" in text
    assert "VIP" not in text
    assert "Gala Night" not in text


def test_exclusions_hold_for_events_and_hand_picked_people_too(desk: Desk, vip: int):
    left_out = {"exclude_segments": ["vip"]}
    for changes in (
        {"mode": "events", "events": ["night"]},
        {"mode": "people", "people": [str(number) for number in desk.people]},
    ):
        text = words(preview(desk, **changes, **left_out))
        assert "0 people will get this" in text
        assert "3 are in a segment that is left out" in text


# Hand-picked people


def pick(desk: Desk, path: str = "/campaigns/form/people", **changes: Any) -> str:
    sent = form(desk, mode="people", action="pick", **changes)
    response = desk.browser.post(path, sent, content_type="multipart/form-data")
    assert response.status_code == 200, response.text
    return response.text


def test_a_file_adds_those_found_and_reports_the_others(desk: Desk):
    known = make_people(
        desk.organisation, [{"phone": "+14165550199", "first_name": "Known", "last_name": ""}]
    )
    lines = b"Name,Phone\nKnown,416-555-0199\nZoe Ray,416-555-0188\nBad,12\n"
    page = pick(desk, people_file=(io.BytesIO(lines), "list.csv"))
    text = words(page)
    assert "Picked: 1 person" in text
    assert f'name="people" value="{known[0]}" checked' in page
    assert "Zoe Ray <+14165550188>: nobody in this organisation has this address (line 3)" in text
    assert "line 4: “12” is too short for a phone number" in text
    assert "Add the unknown as a person" in text
    assert db.session.query(Person).count() == 4


def test_a_file_that_is_no_table_is_said_beside_its_field(desk: Desk):
    page = pick(desk, people_file=(io.BytesIO(b"PK\x03\x04junk"), "list.xlsx"), pasted="ann")
    assert 'id="people_file-error"' in page
    assert "No column of the file holds phones" in page
    response = desk.browser.post(
        "/campaigns/new",
        form(desk, mode="people", people_file=(io.BytesIO(b""), "list.csv")),
        content_type="multipart/form-data",
    )
    assert response.status_code == 422
    assert "The file can't be read" in words(response.text)


def test_the_unknown_are_added_and_nothing_typed_is_lost(desk: Desk):
    pasted = "Sarah Lee <sarah@example.org>\nnonsense@\n+1 416 555 0188"
    page = desk.browser.post(
        "/campaigns/form/people/add", form(desk, mode="people", pasted=pasted)
    ).text
    text = words(page)
    assert "2 people were added and picked." in text
    assert "Picked: 2 people" in text
    assert "1 entry of your list could not be matched" in text
    sarah = db.session.query(Person).filter_by(email="sarah@example.org").one()
    assert sarah.full_name == "Sarah Lee"
    # Pressed again, there is nobody left to add.
    before = db.session.query(Person).count()
    desk.browser.post("/campaigns/form/people/add", form(desk, mode="people", pasted=pasted))
    assert db.session.query(Person).count() == before


def test_the_unknown_are_added_without_javascript_too(desk: Desk):
    sent = form(desk, mode="people", pasted="new@example.org\nnonsense@", name="My own words")
    response = desk.browser.post("/campaigns/new", {**sent, "action": "add"})
    assert response.status_code == 200
    text = words(response.text)
    assert "1 person was added and picked." in text
    assert "nonsense@" in text
    assert 'value="My own words"' in response.text
    assert db.session.query(Campaign).count() == 0
    person = db.session.query(Person).filter_by(email="new@example.org").one()
    assert f'name="people" value="{person.id}" checked' in response.text


def test_a_file_is_read_when_the_whole_form_is_sent(desk: Desk):
    people = make_people(desk.organisation, [{"email": "a@example.org"}])
    response = desk.browser.post(
        "/campaigns/new",
        form(desk, mode="people", people_file=(io.BytesIO(b"email\na@example.org\n"), "l.csv")),
        content_type="multipart/form-data",
    )
    assert response.status_code == 302, words(response.text)
    assert campaign_criteria(desk.newest()).people == tuple(people)


# Top-up


def test_a_top_up_takes_two_clicks(desk: Desk, vip: int):
    original = desk.sent(criteria=ON_VIP)
    assert "Nobody whom this message could reach has joined since." in desk.read(
        f"/campaigns/{original}"
    )
    new = late(desk)
    text = desk.read(f"/campaigns/{original}")
    assert "2 people match the same choice now and were not planned" in text
    assert "Top up: message those who joined since" in text
    first_click = desk.browser.post(f"/campaigns/{original}/top-up")
    top_up = desk.newest()
    assert first_click.location == f"/campaigns/{top_up.id}/confirm"
    page = desk.read(first_click.location)
    assert "“Top-up of Thank you” goes by text message to 2 people, as soon as you confirm" in page
    assert "who were not on the list of “Thank you”" in page
    desk.browser.post(f"/campaigns/{top_up.id}/send", {"version": "1"})
    desk.run_due()
    campaign = desk.campaign(top_up.id)
    assert (campaign.state, campaign.actual_recipients) == (CampaignState.COMPLETED, len(new))


def test_what_cannot_grow_is_not_offered_and_refused(desk: Desk, vip: int):
    picked = desk.sent(criteria=Criteria(people=tuple(desk.people), window_hours=0))
    pinned = desk.sent(criteria=ON_VIP.with_segment(version=1))
    cancelled = desk.draft()
    desk.browser.post(f"/campaigns/{cancelled}/cancel")
    late(desk)
    for campaign_id in (picked, pinned, cancelled):
        assert "joined since" not in desk.read(f"/campaigns/{campaign_id}")
        response = desk.browser.post(f"/campaigns/{campaign_id}/top-up")
        assert response.status_code == 409
    assert db.session.query(Campaign).count() == 3
