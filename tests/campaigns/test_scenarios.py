"""The seven scenarios of the main job, through the verbs, on a real database and gateway."""

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import Criteria
from rollcall.events.attendance import cancel_attendance
from rollcall.extensions import db, write
from rollcall.models import Campaign, OnFailure, Reason, Source
from rollcall.people.consent import opt_out_person
from tests.campaigns.stage import Stage, assert_adds_up
from tests.factories import set_facts


def test_1_a_frozen_campaign_reaches_the_people_of_friday_however_many_come(stage: Stage):
    friday = stage.people(100)
    campaign = stage.for_sunday(reprocess=False)
    stage.people(50, attending=Source.QR_SCAN)
    assert stage.run_on_sunday() == [campaign]
    assert stage.reached(campaign) == friday
    document = stage.document(campaign)
    assert document["status"] == "completed"
    assert document["metadata"]["estimated_recipients"] == 100
    assert document["metadata"]["actual_recipients"] == 100
    assert document["metadata"]["audience_change_absolute"] == 0
    assert document["results"]["sent"] == 100
    assert document["settings"]["frozen_contact_ids"] == friday
    assert_adds_up(document)


def test_2_hand_picked_people_are_exactly_who_gets_it(stage: Stage):
    everybody = stage.people(60)
    picked = everybody[10:35]
    campaign = stage.at_once(criteria=Criteria(people=tuple(picked)))
    stage.run_due()
    assert stage.reached(campaign) == picked
    assert stage.document(campaign)["settings"]["recipient_mode"] == "people"


def test_3_send_now_freezes_at_once(stage: Stage):
    before = stage.people(10)
    campaign = stage.at_once()
    assert stage.campaign(campaign).frozen_at is not None
    stage.people(5)
    stage.run_due()
    assert stage.reached(campaign) == before


def test_4_reprocessing_takes_in_whoever_came_since(stage: Stage):
    registered = stage.people(10)
    campaign = stage.for_sunday(reprocess=True)
    scanned = stage.people(40, attending=Source.QR_SCAN)
    stage.run_on_sunday()
    assert stage.reached(campaign) == registered + scanned
    metadata = stage.document(campaign)["metadata"]
    assert metadata["reprocess_audience_at_send"] is True
    assert (metadata["estimated_recipients"], metadata["actual_recipients"]) == (10, 50)
    assert metadata["audience_change_absolute"] == 40
    assert metadata["audience_change_percent"] == 400
    assert (metadata["joined"], metadata["left"]) == (40, 0)
    at_send = metadata["audience_snapshot"]["at_send"]
    assert at_send["by_source"] == {"registration": 10, "qr_scan": 40, "both": 0, "other": 0}
    assert metadata["reprocessed_at"] == "2026-11-29T15:00:01Z"


def test_5_who_was_blocked_since_leaves_with_that_reason(stage: Stage):
    people = stage.people(100)
    campaign = stage.for_sunday(reprocess=True)
    set_facts(people[:90], blocked=True)
    stage.run_on_sunday()
    assert stage.reached(campaign) == people[90:]
    metadata = stage.document(campaign)["metadata"]
    assert (metadata["audience_change_absolute"], metadata["audience_change_percent"]) == (-90, -90)
    assert metadata["left_by_reason"] == {"blocked": 90}
    assert_adds_up(stage.document(campaign))


def test_6_a_second_campaign_leaves_out_whom_the_first_just_messaged(stage: Stage):
    first_people = stage.people(50)
    later = stage.for_sunday(reprocess=True, name="B")
    stage.clock.shift(46 * 3600 - 60)  # Sunday, a minute before ten
    first = stage.at_once(name="A")
    stage.run_due()
    new_people = stage.people(25)
    stage.run_on_sunday()
    assert stage.reached(first) == first_people
    assert stage.reached(later) == new_people
    document = stage.document(later)
    assert document["metadata"]["left_by_reason"] == {"recently_messaged": 50}
    assert document["metadata"]["audience_snapshot"]["at_send"]["funnel"] == {
        "matched": 75,
        "no_address": 0,
        "invalid_address": 0,
        "blocked": 0,
        "opted_out": 0,
        "recently_messaged": 50,
        "duplicate_address": 0,
        "reachable": 25,
    }
    assert_adds_up(document)


DAMAGE = [
    "not json",
    '{"events": ["no-such-event"]}',
    '{"events": []}',
    '{"event": ["show"]}',
    "[]",
    '{"events": ["show"], "recent_message_hours": "many"}',
    '{"events": ["show"], "recent_message_hours": 1' + "0" * 5_000 + "}",
    '{"events": ["\\ud800"]}',
    '{"events": ["show"], "cities": ["\\ud800"]}',
]


@pytest.mark.parametrize("damaged", DAMAGE)
def test_7_damaged_criteria_fail_the_campaign_with_the_error_stored(stage: Stage, damaged: str):
    stage.people(5)
    campaign = stage.for_sunday(reprocess=True)
    damage(campaign, damaged)
    stage.run_on_sunday()
    document = stage.document(campaign)
    assert document["status"] == "failed"
    assert document["metadata"]["reprocess_error"]
    assert document["results"]["cancelled"] == 5
    assert stage.outbox() == []
    assert_adds_up(document)


@pytest.mark.parametrize("damaged", DAMAGE)
def test_7_or_the_estimate_list_is_used_where_the_campaign_says_so(stage: Stage, damaged: str):
    people = stage.people(5)
    campaign = stage.for_sunday(reprocess=True, on_failure=OnFailure.ESTIMATE)
    stage.people(3)
    damage(campaign, damaged)
    stage.run_on_sunday()
    document = stage.document(campaign)
    assert document["status"] == "completed"
    assert stage.reached(campaign) == people
    assert document["metadata"]["reprocess_error"]
    assert "estimate list was used" in document["metadata"]["audience_note"]


def test_missing_criteria_mean_the_estimate_list_and_say_so(stage: Stage):
    people = stage.people(5)
    campaign = stage.for_sunday(reprocess=True)
    stage.people(3)
    damage(campaign, None)
    stage.run_on_sunday()
    assert stage.reached(campaign) == people
    document = stage.document(campaign)
    assert "no criteria" in document["metadata"]["audience_note"]
    assert document["metadata"]["reprocess_error"] is None


def damage(campaign_id: int, text: str | None) -> None:
    with write():
        db.session.execute(
            sa.update(Campaign).where(Campaign.id == campaign_id).values(targeting_criteria=text)
        )


@pytest.mark.parametrize(
    ("before", "after", "absolute", "percent"),
    [(78, 490, 412, 528), (50, 490, 440, 880), (0, 12, 12, None), (8, 7, -1, -12)],
)
def test_changes_are_said_in_people_and_percent(
    stage: Stage, before: int, after: int, absolute: int, percent: int | None
):
    people = stage.people(before)
    campaign = stage.for_sunday(reprocess=True)
    if after > before:
        stage.people(after - before, attending=Source.QR_SCAN)
    else:
        set_facts(people[: before - after], blocked=True)
    stage.run_on_sunday()
    metadata = stage.document(campaign)["metadata"]
    assert metadata["audience_change_absolute"] == absolute
    assert metadata["audience_change_percent"] == percent


def test_consent_is_never_frozen(stage: Stage):
    people = stage.people(4)
    campaign = stage.for_sunday(reprocess=False)
    opt_out_person(stage.actor, people[0], "sms", "staff")
    set_facts(people[1], blocked=True)
    set_facts(people[2], last_message_at=stage.campaign(campaign).scheduled_at)
    stage.run_on_sunday()
    assert stage.reached(campaign) == [people[3]]
    results = stage.document(campaign)["results"]
    assert results["held_back_by_reason"] == {
        "opted_out": 1,
        "blocked": 1,
        "recently_messaged": 1,
    }
    assert_adds_up(stage.document(campaign))


def test_a_person_who_no_longer_matches_left_for_that_reason(stage: Stage):
    people = stage.people(3)
    campaign = stage.for_sunday(reprocess=True)
    cancel_attendance(stage.actor, stage.event_id, people[0])
    stage.run_on_sunday()
    gone = stage.recipients(campaign)[0]
    assert gone.left_reason is Reason.CRITERIA_NO_LONGER_MET
    assert stage.reached(campaign) == people[1:]
