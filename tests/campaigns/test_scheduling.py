"""Scheduling freezes or changes nothing; what can't be scheduled says why."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from rollcall.audience.criteria import Criteria, ScoreRange
from rollcall.campaigns.copies import duplicate_campaign
from rollcall.campaigns.drafts import (
    NEEDS_EVENTS,
    NEEDS_TIME,
    create_campaign,
    edit_campaign,
)
from rollcall.campaigns.scheduling import (
    cancel_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
    send_campaign_now,
)
from rollcall.campaigns.states import change_state
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db, write
from rollcall.models import (
    AudienceMode,
    AuditEntry,
    CampaignState,
    Channel,
    RecipientState,
    Source,
)
from rollcall.sending.claims import claim_campaign
from rollcall.sending.review import review_campaign
from tests.campaigns.stage import FRIDAY, SUNDAY, SUNDAY_UTC, Stage, assert_adds_up
from tests.factories import make_organisation, make_people, set_facts

FAILING_INSERT = {
    "sqlite": (
        "CREATE TRIGGER stop_half_way BEFORE INSERT ON recipient WHEN NEW.person_id = {person} "
        "BEGIN SELECT RAISE(ABORT, 'stopped half-way'); END",
        "DROP TRIGGER stop_half_way",
    ),
    "postgresql": (
        "CREATE FUNCTION stop_half_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'stopped half-way'; END $$; "
        "CREATE TRIGGER stop_half_way BEFORE INSERT ON recipient FOR EACH ROW "
        "WHEN (NEW.person_id = {person}) EXECUTE FUNCTION stop_half_way()",
        "DROP TRIGGER stop_half_way ON recipient; DROP FUNCTION stop_half_way()",
    ),
}


@contextmanager
def failing_at(person_id: int) -> Iterator[None]:
    """The database itself refuses one recipient in the middle of the list."""
    create, drop = FAILING_INSERT[db.engine.dialect.name]
    with write():
        db.session.execute(sa.text(create.format(person=person_id)))
    try:
        yield
    finally:
        with write():
            db.session.execute(sa.text(drop))


def test_a_freeze_that_fails_half_way_changes_nothing(stage: Stage):
    people = stage.people(50)
    campaign_id = create_campaign(stage.actor, stage.draft(local_time=SUNDAY))
    before = stage.document(campaign_id)
    entries = db.session.scalar(sa.select(sa.func.count(AuditEntry.id)))
    with failing_at(people[25]), pytest.raises(DatabaseError, match="half-way"):
        schedule_campaign(stage.actor, campaign_id)
    assert stage.document(campaign_id) == before
    assert before["status"] == "draft"
    assert stage.recipients(campaign_id) == []
    assert db.session.scalar(sa.select(sa.func.count(AuditEntry.id))) == entries
    assert schedule_campaign(stage.actor, campaign_id) == 50


def test_freezing_twice_gives_the_same_list(stage: Stage):
    stage.people(5)
    campaign_id = stage.for_sunday(reprocess=False)
    first = stage.document(campaign_id)
    stage.people(5)
    assert schedule_campaign(stage.actor, campaign_id) == 5
    assert stage.document(campaign_id) == first


def test_an_edit_takes_it_back_to_draft_and_the_next_scheduling_freezes_anew(stage: Stage):
    stage.people(5)
    campaign_id = stage.for_sunday(reprocess=False)
    stage.people(2)
    edit_campaign(stage.actor, campaign_id, stage.draft(local_time=SUNDAY))
    document = stage.document(campaign_id)
    assert document["status"] == "draft"
    assert document["settings"]["frozen_at"] is None
    assert stage.recipients(campaign_id) == []
    assert schedule_campaign(stage.actor, campaign_id) == 7


def test_the_window_is_taken_back_from_the_moment_of_sending(stage: Stage):
    people = stage.people(3)
    set_facts(people[0], last_message_at=FRIDAY - timedelta(hours=1))
    window = Criteria(events=("show",), window_hours=24)
    assert (
        schedule_campaign(
            stage.actor,
            create_campaign(stage.actor, stage.draft(criteria=window, local_time=SUNDAY)),
        )
        == 3
    )
    assert (
        send_campaign_now(stage.actor, create_campaign(stage.actor, stage.draft(criteria=window)))
        == 2
    )


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"name": " "}, "name", "name"),
        ({"message": ""}, "message", "Write the message"),
        ({"message": "Hi %%FRIST_NAME%%"}, "message", "FIRST_NAME"),
        ({"message": "See %%LINK%%"}, "link", "address"),
        ({"link": "javascript:alert(1)"}, "link", "https://"),
        ({"channel": Channel.EMAIL}, "subject", "subject"),
        ({"channel": Channel.EMAIL, "subject": "a\nBcc: x"}, "subject", "one line"),
        ({"criteria": Criteria()}, "events", "Choose who"),
        ({"criteria": Criteria(events=("nope",))}, "events", "nope"),
        ({"criteria": Criteria(people=(999_999,))}, "people", "999999"),
        ({"local_time": "2026-11-20T10:00"}, "scheduled_local_time", "passed"),
        ({"local_time": "2027-03-14T02:30"}, "scheduled_local_time", "2027-03-14T03:00"),
        ({"local_time": "2027-11-07T01:30"}, "scheduled_local_time", "twice"),
        ({"local_time": SUNDAY, "timezone": "Mars/Base"}, "scheduled_timezone", "Mars"),
        ({"audience_mode": AudienceMode.REPROCESS}, "audience_mode", NEEDS_TIME),
        (
            {
                "audience_mode": AudienceMode.REPROCESS,
                "local_time": SUNDAY,
                "criteria": Criteria(recency=ScoreRange(3, 5)),
            },
            "audience_mode",
            NEEDS_EVENTS,
        ),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(stage: Stage, changes, field: str, said: str):
    with pytest.raises(InvalidInput) as refused:
        create_campaign(stage.actor, stage.draft(**changes))
    assert said in refused.value.fields[field]


def test_a_time_that_comes_twice_is_taken_as_chosen(stage: Stage):
    moments = {
        choice: stage.campaign(
            create_campaign(
                stage.actor, stage.draft(local_time="2027-11-07T01:30", repeated=choice)
            )
        ).scheduled_at
        for choice in ("earlier", "later")
    }
    assert moments["later"] - moments["earlier"] == timedelta(hours=1)


def test_a_draft_without_a_time_or_with_a_past_one_is_not_scheduled(stage: Stage):
    without = create_campaign(stage.actor, stage.draft())
    with pytest.raises(InvalidInput, match="Choose when"):
        schedule_campaign(stage.actor, without)
    past = create_campaign(stage.actor, stage.draft(local_time=SUNDAY))
    stage.clock.move_to(SUNDAY_UTC)
    with pytest.raises(InvalidInput, match="has passed"):
        schedule_campaign(stage.actor, past)


def test_sending_a_scheduled_campaign_now_keeps_the_list_that_was_signed_off(stage: Stage):
    people = stage.people(4)
    campaign_id = stage.for_sunday(reprocess=False)
    stage.people(3)
    assert send_campaign_now(stage.actor, campaign_id) == 4
    stage.run_due()
    assert stage.reached(campaign_id) == people


def test_a_cancelled_campaign_is_never_sent(stage: Stage):
    stage.people(4)
    campaign_id = stage.for_sunday(reprocess=True)
    cancel_campaign(stage.actor, campaign_id)
    assert stage.run_on_sunday() == []
    assert stage.outbox() == []
    document = stage.document(campaign_id)
    assert document["results"]["cancelled"] == 4
    assert_adds_up(document)


def test_pause_and_resume_belong_to_sending(stage: Stage):
    campaign_id = stage.for_sunday(reprocess=False)
    for act in (pause_campaign, resume_campaign):
        with pytest.raises(Conflict, match="scheduled"):
            act(stage.actor, campaign_id)


def test_people_of_another_organisation_can_not_be_picked(stage: Stage):
    (stranger,) = make_people(make_organisation(), 1)
    with pytest.raises(InvalidInput, match=f"nobody with the number {stranger}"):
        create_campaign(stage.actor, stage.draft(criteria=Criteria(people=(stranger,))))


def test_a_copy_is_a_draft_of_its_own(stage: Stage):
    original = stage.for_sunday(reprocess=True)
    copy = stage.campaign(duplicate_campaign(stage.actor, original))
    assert copy.state == CampaignState.DRAFT
    assert copy.message == stage.campaign(original).message
    assert copy.scheduled_at is None
    assert copy.audience_mode == AudienceMode.FROZEN


class TestMissedTime:
    """The app was down when a campaign was due (D1)."""

    def test_within_the_limit_it_runs_when_the_app_is_back(self, stage: Stage):
        people = stage.people(3)
        campaign_id = stage.for_sunday(reprocess=False)
        stage.run_due(SUNDAY_UTC + timedelta(hours=23))
        assert stage.reached(campaign_id) == people

    def test_past_it_staff_are_asked_and_nothing_goes_out(self, stage: Stage):
        stage.people(3)
        campaign_id = stage.for_sunday(reprocess=False)
        assert stage.run_due(SUNDAY_UTC + timedelta(hours=25)) == []
        document = stage.document(campaign_id)
        assert document["status"] == "needs_review"
        assert "24 hours" in document["status_note"]
        assert stage.outbox() == []

    def test_the_final_list_is_computed_when_staff_say_so(self, stage: Stage):
        people = self.missed(stage)
        review_campaign(stage.actor, self.campaign, "final")
        stage.run_due()
        assert stage.reached(self.campaign) == people

    def test_or_the_estimate_is_sent_to_and_that_is_said(self, stage: Stage):
        people = self.missed(stage)
        review_campaign(stage.actor, self.campaign, "estimate")
        stage.run_due()
        assert stage.reached(self.campaign) == people[:3]
        assert "as staff decided" in stage.document(self.campaign)["metadata"]["audience_note"]

    def test_or_it_is_cancelled(self, stage: Stage):
        self.missed(stage)
        review_campaign(stage.actor, self.campaign, "cancel")
        stage.run_due()
        assert stage.outbox() == []
        assert {row.state for row in stage.recipients(self.campaign)} == {RecipientState.CANCELLED}

    def test_what_was_being_sent_is_paused_when_the_app_is_back_too_late(self, stage: Stage):
        people = stage.people(3)
        campaign_id = self.begun(stage, kill_after="start_sending")
        assert stage.run_due(SUNDAY_UTC + timedelta(hours=25)) == []
        document = stage.document(campaign_id)
        assert document["status"] == "paused"
        assert "24 hours" in document["status_note"]
        assert stage.outbox() == []
        resume_campaign(stage.actor, campaign_id)
        stage.run_due()
        assert stage.reached(campaign_id) == people
        assert stage.document(campaign_id)["status_note"] is None

    def test_what_was_being_prepared_waits_for_a_decision_then(self, stage: Stage):
        people = stage.people(3)
        campaign_id = self.begun(stage, kill_after="prepare")
        assert stage.run_due(SUNDAY_UTC + timedelta(hours=25)) == []
        assert stage.document(campaign_id)["status"] == "needs_review"
        review_campaign(stage.actor, campaign_id, "final")
        stage.run_due()
        assert stage.reached(campaign_id) == people

    def test_what_was_begun_goes_on_within_the_limit(self, stage: Stage):
        people = stage.people(3)
        campaign_id = self.begun(stage, kill_after="start_sending")
        stage.run_due(SUNDAY_UTC + timedelta(hours=23))
        assert stage.reached(campaign_id) == people

    def begun(self, stage: Stage, kill_after: str) -> int:
        """A campaign whose process died at this change of its state, on Sunday."""
        campaign_id = stage.for_sunday(reprocess=False)
        stage.clock.move_to(SUNDAY_UTC)
        claim = claim_campaign(campaign_id, timedelta(hours=24))
        assert claim is not None
        if kill_after == "start_sending":
            with write():
                change_state(stage.actor, campaign_id, kill_after, fence=claim.fence)
        return campaign_id

    def test_another_word_is_refused(self, stage: Stage):
        self.missed(stage)
        with pytest.raises(InvalidInput, match="final, estimate, cancel"):
            review_campaign(stage.actor, self.campaign, "yes")

    def missed(self, stage: Stage) -> list[int]:
        people = stage.people(3)
        self.campaign = stage.for_sunday(reprocess=True)
        people += stage.people(2, attending=Source.QR_SCAN)
        stage.run_due(SUNDAY_UTC + timedelta(hours=25))
        return people
