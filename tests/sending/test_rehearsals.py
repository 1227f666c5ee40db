"""Rehearsals: the whole way without sending, at their hours, told once, and nothing left behind."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall.accounts.settings import set_organisation
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import create_campaign, edit_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.models import (
    AudienceMode,
    Campaign,
    Channel,
    LeftOut,
    Notice,
    OnFailure,
    Recipient,
    Rehearsal,
    Role,
    StaffMail,
)
from rollcall.monitoring.chores import run_chores
from rollcall.sending import rehearsals as rehearsing
from rollcall.sending.installation import find_installation
from rollcall.sending.rehearsals import (
    find_due_rehearsals,
    list_rehearsals,
    rehearse_campaign,
    run_due_rehearsals,
)
from tests.campaigns.stage import SUNDAY, SUNDAY_UTC, Stage
from tests.factories import make_actor, set_facts
from tests.sending.moving import give_same_phone

EVENT = Criteria(events=("show",))
SATURDAY = SUNDAY_UTC - timedelta(hours=24)
AN_HOUR = SUNDAY_UTC - timedelta(hours=1)


def rehearsals(campaign_id: int) -> list[Rehearsal]:
    db.session.expire_all()
    return list_rehearsals(campaign_id).rows[::-1]


def notices() -> list[Notice]:
    return list(db.session.scalars(sa.select(Notice).order_by(Notice.id)))


def dump() -> list[list[Any]]:
    """Everything that a rehearsal writes on its way and must take back."""
    db.session.rollback()
    tables = (Recipient.__table__, LeftOut.__table__, Campaign.__table__)
    return [
        [tuple(row) for row in db.session.execute(sa.select(table).order_by(*table.primary_key))]
        for table in tables
    ]


def set_columns(campaign_id: int, **values: Any) -> None:
    with write():
        for name, value in values.items():
            setattr(db.session.get_one(Campaign, campaign_id), name, value)


def at(stage: Stage, moment: Any) -> list[int]:
    stage.clock.move_to(moment)
    return run_due_rehearsals(stage.settings)


class TestWhatItSays:
    def test_more_people_within_the_limits(self, stage: Stage):
        stage.people(78)
        campaign_id = stage.for_sunday(True)
        stage.people(334)
        before = dump()
        assert at(stage, SATURDAY) == [campaign_id]
        assert dump() == before
        (found,) = rehearsals(campaign_id)
        assert found.sentence == "412 people (+334 since Friday), within limits."
        assert (found.hours_before, found.outcome) == (24, "within_limits")
        assert (found.estimate, found.people, found.joined, found.left) == (78, 412, 334, 0)
        (notice,) = notices()
        assert notice.staff_id == stage.actor.staff_id
        assert notice.title == (
            "“Winner announcement”: 412 people (+334 since Friday), within limits"
        )
        assert "24 hours before, without sending anything" in notice.text
        assert "Sun 29 Nov 2026, 10:00 America/Toronto" in notice.text
        assert db.session.scalars(sa.select(StaffMail)).one().subject == notice.title
        assert stage.outbox() == []

    def test_what_a_guard_would_stop(self, stage: Stage):
        stage.people(78)
        stage.actor = make_actor(stage.organisation, Role.ADMIN)
        campaign_id = stage.for_sunday(True)
        stage.people(412)
        at(stage, SATURDAY)
        (found,) = rehearsals(campaign_id)
        assert found.outcome == "review"
        assert found.sentence == (
            "Would stop for review: the audience went from 78 to 490 people (+412, +528 %); "
            "the limit is 500 %."
        )
        stage.run_on_sunday()
        assert stage.campaign(campaign_id).state == "needs_review"

    def test_a_frozen_list_and_who_would_be_held_back(self, stage: Stage):
        first = stage.people(9)
        campaign_id = stage.for_sunday(False)
        stage.people(5)
        set_facts(first[:2], opted_out_sms=True)
        set_facts(first[2], blocked=True)
        set_facts(first[3], last_message_at=SUNDAY_UTC - timedelta(hours=71))
        # Within 72 hours of the rehearsal, and no longer of the sending.
        set_facts(first[4], last_message_at=SUNDAY_UTC - timedelta(hours=73))
        give_same_phone(stage.organisation_id, first[7], first[8])
        at(stage, SATURDAY)
        (found,) = rehearsals(campaign_id)
        assert found.sentence == (
            "9 people, the list as it was frozen on Friday. 5 of them would be held back: "
            "1 is blocked, 2 opted out, 1 had a message in the last 72 hours, "
            "1 shares a phone number with somebody listed."
        )
        assert found.people == 9
        stage.run_on_sunday()
        held = stage.document(campaign_id)["results"]["held_back_by_reason"]
        assert held == found.verdict["held_back_by_reason"]

    def test_too_little_growth(self, stage: Stage):
        stage.people(10)
        campaign_id = stage.for_sunday(True, min_growth=50)
        stage.people(1)
        at(stage, SATURDAY)
        (found,) = rehearsals(campaign_id)
        assert (found.outcome, found.people, found.joined) == ("estimate", 10, 0)
        assert found.sentence.startswith("10 people, the frozen list. The audience computed again")

    @pytest.mark.parametrize("damage", ["{", None])
    @pytest.mark.parametrize("on_failure", OnFailure)
    def test_damaged_or_missing_criteria(self, stage: Stage, damage: Any, on_failure: OnFailure):
        stage.people(3)
        campaign_id = stage.for_sunday(True, on_failure=on_failure)
        set_columns(campaign_id, targeting_criteria=damage)
        at(stage, SATURDAY)
        (found,) = rehearsals(campaign_id)
        stage.run_on_sunday()
        campaign = stage.campaign(campaign_id)
        if damage and on_failure == OnFailure.FAIL:
            assert (found.outcome, found.people) == ("failure", None)
            assert "It would fail, and nobody would get it: targeting_criteria" in found.sentence
            assert campaign.state == "failed"
            assert campaign.reprocess_error in found.sentence
        else:
            assert (found.outcome, found.people) == ("estimate", 3)
            assert campaign.audience_note in found.sentence
            assert campaign.actual_recipients == 3

    def test_what_else_would_stop_it(self, stage: Stage):
        stage.people(3)
        campaign_id = stage.for_sunday(True, channel=Channel.EMAIL, subject="Hello")
        stage.settings = stage.settings.__class__(
            **{**vars(stage.settings), "email_provider": "smtp"}
        )
        find_installation()
        with write():
            installation = find_installation()
            installation.held_at = stage.campaign(campaign_id).created_at
        at(stage, SATURDAY)
        (found,) = rehearsals(campaign_id)
        assert found.outcome == "stopped"
        held, not_set_up, address = found.verdict["obstacles"]
        assert held.startswith("Sending is held")
        assert "Not set up" in not_set_up
        assert "postal address" in address
        assert found.sentence.startswith("Would not go out: Sending is held")
        assert "3 people (the same as on Friday)" in found.sentence

    def test_how_many_wait_for_their_morning(self, stage: Stage):
        people = stage.people(3)
        set_organisation(stage.actor, quiet_hours="08:00-21:00")
        set_facts(people[0], phone_zones="Asia/Tokyo")
        campaign_id = stage.for_sunday(True)
        at(stage, SATURDAY)
        (found,) = rehearsals(campaign_id)
        assert found.verdict["waiting"] == 1
        assert "1 person would wait until quiet hours are over at theirs" in found.sentence
        set_columns(campaign_id, not_after=SUNDAY_UTC + timedelta(hours=2))
        assert rehearse_campaign(stage.actor, campaign_id, stage.settings).verdict[
            "held_back_by_reason"
        ] == {"expired": 1}
        set_columns(campaign_id, not_after=None, quiet_hours="skip")
        skipped = rehearse_campaign(stage.actor, campaign_id, stage.settings)
        assert skipped.verdict["held_back_by_reason"] == {"quiet_hours": 1}
        stage.run_on_sunday()
        assert stage.document(campaign_id)["results"]["held_back_by_reason"] == {"quiet_hours": 1}


class TestWhen:
    def test_at_both_hours_once_each(self, stage: Stage):
        stage.people(2)
        campaign_id = stage.for_sunday(True)
        assert at(stage, SATURDAY - timedelta(seconds=1)) == []
        assert at(stage, SATURDAY) == [campaign_id]
        assert at(stage, SATURDAY + timedelta(hours=5)) == []
        assert at(stage, AN_HOUR) == [campaign_id]
        assert at(stage, SUNDAY_UTC - timedelta(seconds=1)) == []
        assert [row.hours_before for row in rehearsals(campaign_id)] == [24, 1]
        assert len(notices()) == 2

    def test_of_those_missed_while_it_was_down_only_the_latest(self, stage: Stage):
        stage.people(2)
        campaign_id = stage.for_sunday(True)
        assert at(stage, AN_HOUR + timedelta(minutes=10)) == [campaign_id]
        assert [row.hours_before for row in rehearsals(campaign_id)] == [1]
        assert at(stage, AN_HOUR + timedelta(minutes=20)) == []

    def test_none_that_was_due_before_the_list_was_frozen(self, stage: Stage):
        stage.people(2)
        stage.clock.move_to(SATURDAY + timedelta(hours=3))
        campaign_id = stage.for_sunday(True)
        assert at(stage, SATURDAY + timedelta(hours=4)) == []
        assert at(stage, AN_HOUR) == [campaign_id]

    def test_none_once_its_time_has_come_or_it_is_no_longer_scheduled(self, stage: Stage):
        stage.people(2)
        campaign_id = stage.for_sunday(True)
        assert at(stage, SUNDAY_UTC) == []
        stage.clock.move_to(SATURDAY)
        edit_campaign(stage.actor, campaign_id, stage.draft(local_time=SUNDAY))
        assert run_due_rehearsals(stage.settings) == []

    def test_at_the_hours_that_the_organisation_has_set(self, stage: Stage):
        stage.people(2)
        set_organisation(stage.actor, rehearsals="3, 48,3")
        assert stage.organisation.rehearsal_hours == [48, 3]
        campaign_id = stage.for_sunday(True)
        stage.clock.move_to(SUNDAY_UTC - timedelta(hours=3))
        assert [due.hours for due in find_due_rehearsals()] == [3]
        set_organisation(stage.actor, rehearsals="OFF")
        assert find_due_rehearsals() == []
        assert rehearse_campaign(stage.actor, campaign_id, stage.settings).hours_before is None

    @pytest.mark.parametrize("typed", ["", "0", "337", "1.5", "1,2,3,4,5,6", "-1", "one", "1,,2"])
    def test_hours_that_can_not_be_used(self, stage: Stage, typed: str):
        with pytest.raises(InvalidInput, match="rehearsals: Write up to 5 whole hours"):
            set_organisation(stage.actor, rehearsals=typed)

    def test_a_new_time_is_rehearsed_anew(self, stage: Stage):
        stage.people(2)
        campaign_id = stage.for_sunday(True)
        at(stage, SATURDAY)
        later = stage.draft(audience_mode=AudienceMode.REPROCESS, local_time="2026-11-30T10:00")
        edit_campaign(stage.actor, campaign_id, later)
        schedule_campaign(stage.actor, campaign_id)
        assert at(stage, SUNDAY_UTC) == [campaign_id]
        assert [row.hours_before for row in rehearsals(campaign_id)] == [24, 24]

    def test_the_scheduler_does_it_before_it_sends_mail(self, stage: Stage):
        stage.people(2)
        campaign_id = stage.for_sunday(True)
        stage.clock.move_to(SATURDAY)
        assert run_chores(stage.settings) == []
        assert len(rehearsals(campaign_id)) == 1
        assert db.session.scalars(sa.select(StaffMail)).one().ended_at is not None


class TestByHand:
    def test_nobody_is_told_since_whoever_asks_sees_it(self, stage: Stage):
        stage.people(2)
        campaign_id = stage.for_sunday(True)
        stage.people(1)
        found = rehearse_campaign(stage.actor, campaign_id, stage.settings)
        assert found.sentence == "3 people (+1 since 12:00), within limits."
        assert notices() == []
        again = rehearse_campaign(stage.actor, campaign_id, stage.settings)
        assert again.id != found.id

    def test_only_of_a_scheduled_campaign_of_ones_own(self, stage: Stage):
        stage.people(2)
        campaign_id = create_campaign(stage.actor, stage.draft())
        with pytest.raises(Conflict, match="is a draft, so it can't be rehearsed"):
            rehearse_campaign(stage.actor, campaign_id, stage.settings)
        with pytest.raises(NotFound):
            rehearse_campaign(make_actor(), campaign_id, stage.settings)


def test_one_that_breaks_off_is_told_and_keeps_no_other_from_its_own(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    stage.people(2)
    first, second = stage.for_sunday(True), stage.for_sunday(True)
    rehearse = rehearsing.rehearse

    def break_off(due: Any, settings: Any) -> int:
        if due.campaign_id == first:
            raise RuntimeError("no more paper")
        return rehearse(due, settings)

    monkeypatch.setattr(rehearsing, "rehearse", break_off)
    assert at(stage, SATURDAY) == [second]
    (failed,) = rehearsals(first)
    assert failed.outcome == "failure"
    assert "the rehearsal failed (RuntimeError: no more paper)" in failed.sentence
    assert ["no more paper" in notice.text for notice in notices()] == [True, False]
    assert at(stage, SATURDAY) == []


def test_of_many_processes_one_stores_and_tells(stage: Stage, app: Any):
    stage.people(20)
    campaign_id = stage.for_sunday(True)
    stage.clock.move_to(SATURDAY)
    db.session.remove()
    together = threading.Barrier(4)

    def look() -> list[int]:
        with app.app_context():
            together.wait(30)
            try:
                return run_due_rehearsals(stage.settings)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(4) as pool:
        ran = [future.result(60) for future in [pool.submit(look) for _ in range(4)]]
    assert sorted(len(run) for run in ran) == [0, 0, 0, 1]
    assert len(rehearsals(campaign_id)) == 1
    assert len(notices()) == 1


@pytest.mark.parametrize("scheduled_anew", [False, True])
def test_a_campaign_that_is_edited_meanwhile_is_left_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, scheduled_anew: bool
):
    stage.people(2)
    campaign_id = stage.for_sunday(True)
    stage.clock.move_to(SATURDAY)
    due = find_due_rehearsals()
    edit_campaign(stage.actor, campaign_id, stage.draft(local_time=SUNDAY))
    if scheduled_anew:
        schedule_campaign(stage.actor, campaign_id)
    monkeypatch.setattr(rehearsing, "find_due_rehearsals", lambda: due)
    assert run_due_rehearsals(stage.settings) == []
    assert rehearsals(campaign_id) == []
