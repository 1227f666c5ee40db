"""An event that is moved or cancelled holds its scheduled campaigns for a decision (C17)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.campaigns.drafts import create_campaign, edit_campaign
from rollcall.campaigns.event_holds import cancel_event, edit_event, find_holding, reopen_event
from rollcall.campaigns.hold_decisions import find_hold_on, list_event_news
from rollcall.campaigns.listing import list_campaigns_of_event
from rollcall.campaigns.scheduling import cancel_campaign, schedule_campaign
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.events.records import draft_of_event
from rollcall.extensions import db
from rollcall.lookups import find_event
from rollcall.models import Attendance, AuditEntry, CampaignState, Notice
from rollcall.segments.records import SegmentDraft, create_segment
from rollcall.sending.review import expire_reviews, review_campaign
from tests.campaigns.stage import FRIDAY, SUNDAY, SUNDAY_UTC, Stage
from tests.campaigns.test_states import put_in_state
from tests.factories import make_actor, make_event


def change(stage: Stage, slug: str = "show", **values: Any) -> list[int]:
    """Edit the event as staff would type it; return the ids of what that holds."""
    event = find_event(stage.organisation_id, slug)
    holding = edit_event(stage.actor, event.id, replace(draft_of_event(event), **values))
    return [touched.campaign_id for touched in holding.held]


def postpone(stage: Stage, days: int = 1) -> list[int]:
    """Move the event, which is on Saturday 19:00 to 23:00, by whole days."""
    day = 28 + days
    month, day = (11, day) if day <= 30 else (12, day - 30)
    return change(
        stage,
        starts=f"2026-{month}-{day:02d}T19:00",
        ends=f"2026-{month}-{day:02d}T23:00",
    )


def cancel_show(stage: Stage) -> list[int]:
    return [touched.campaign_id for touched in cancel_event(stage.actor, stage.event_id).held]


def decide(stage: Stage, campaign_id: int, decision: str, **more: Any) -> None:
    review_campaign(stage.actor, campaign_id, decision, **more)


class TestWhatIsHeld:
    def test_a_moved_event_holds_its_scheduled_campaign(self, stage: Stage):
        people = stage.people(3)
        campaign_id = stage.for_sunday(False)
        assert postpone(stage) == [campaign_id]
        campaign = stage.campaign(campaign_id)
        assert campaign.state == "needs_review"
        assert campaign.state_note == (
            "“Show” was moved from Sat 28 Nov 2026, 19:00 America/Toronto to Sun 29 Nov 2026, "
            "19:00 America/Toronto by Super member: keep the time, move with it, or cancel."
        )
        assert campaign.held_for["change"] == "moved"
        assert campaign.held_for["event_id"] == stage.event_id
        assert [row.person_id for row in stage.recipients(campaign_id)] == people
        (notice,) = db.session.scalars(sa.select(Notice))
        assert (notice.kind, notice.staff_id) == ("held", stage.actor.staff_id)
        assert "“Winner announcement” is held: “Show” was moved" in notice.title
        assert "Undecided, nobody gets it." in notice.text
        assert stage.run_on_sunday() == []
        assert stage.outbox() == []
        assert stage.campaign(campaign_id).state == "needs_review"

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            (
                {"ends": "2026-11-28T23:30"},
                "changed by Super member: it ends Sat 28 Nov 2026, 23:30 America/Toronto instead "
                "of Sat 28 Nov 2026, 23:00 America/Toronto",
            ),
            ({"timezone": "America/New_York"}, "19:00 America/Toronto to Sat 28 Nov 2026, 19:00"),
            ({"timezone": "America/Vancouver"}, "to Sat 28 Nov 2026, 19:00 America/Vancouver"),
        ],
    )
    def test_so_does_another_end_or_zone(self, stage: Stage, values: Any, said: str):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        assert change(stage, **values) == [campaign_id]
        assert said in stage.campaign(campaign_id).state_note

    def test_another_name_or_venue_does_not(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        assert change(stage, name="The Show", venue="Hall", city="Ottawa") == []
        assert stage.campaign(campaign_id).state == "scheduled"

    def test_a_cancelled_event_holds_and_keeps_its_attendance(self, stage: Stage):
        stage.people(2)
        campaign_id = stage.for_sunday(True)
        assert cancel_show(stage) == [campaign_id]
        campaign = stage.campaign(campaign_id)
        assert campaign.state_note == (
            "“Show” was cancelled by Super member: keep the time, or cancel."
        )
        assert find_event(stage.organisation_id, "show").cancelled_at == FRIDAY
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 2
        with pytest.raises(Conflict, match="is cancelled already"):
            cancel_event(stage.actor, stage.event_id)
        assert stage.run_on_sunday() == []

    def test_drafts_are_not_held_but_told(self, stage: Stage):
        stage.people(1)
        campaign_id = create_campaign(stage.actor, stage.draft())
        criteria, organisation_id = Criteria(events=("show",)), stage.organisation_id
        stage.clock.shift(60)
        assert postpone(stage) == []
        campaign = stage.campaign(campaign_id)
        assert campaign.state == "draft"
        (news,) = list_event_news(organisation_id, criteria, campaign.updated_at)
        assert news.startswith("“Show” was moved from Sat 28 Nov 2026, 19:00")
        assert news.endswith("by Super member, after this was saved.")
        stage.clock.shift(60)
        edit_campaign(stage.actor, campaign_id, stage.draft())
        later = stage.campaign(campaign_id).updated_at
        assert list_event_news(organisation_id, criteria, later) == []
        cancel_show(stage)
        assert list_event_news(organisation_id, criteria) == ["“Show” is cancelled."]

    def test_who_is_only_left_out_holds_nothing(self, stage: Stage):
        make_event(stage.organisation, "gala")
        criteria = Criteria(events=("gala",), exclude_events=("show",))
        stage.for_sunday(False, criteria=criteria)
        assert postpone(stage) == []

    def test_a_segment_made_of_this_event_alone_is_as_good_as_the_event(self, stage: Stage):
        stage.people(1)
        make_event(stage.organisation, "gala")
        for slug, events in (("of-show", ("show",)), ("of-both", ("show", "gala"))):
            definition = Criteria(events=events)
            create_segment(stage.actor, SegmentDraft(slug, definition, slug=slug))
        of_show, _ = (
            stage.for_sunday(False, criteria=Criteria(segment=SegmentChoice(slug)))
            for slug in ("of-show", "of-both")
        )
        assert postpone(stage) == [of_show]

    @pytest.mark.parametrize(
        "criteria",
        [
            Criteria(events=("gala",), cities=("show",)),
            Criteria(segment=SegmentChoice("show")),
            Criteria(events=("gala",), exclude_segments=(SegmentChoice("show"),)),
        ],
        ids=["a city", "a segment", "a segment that is left out"],
    )
    def test_whatever_else_is_called_as_the_event_holds_nothing(
        self, stage: Stage, criteria: Criteria
    ):
        make_event(stage.organisation, "gala")
        gala = Criteria(events=("gala",))
        create_segment(stage.actor, SegmentDraft("Show", gala, slug="show"))
        campaign_id = stage.for_sunday(False, criteria=criteria)
        event = find_event(stage.organisation_id, "show")
        assert list_campaigns_of_event(event) == []
        version = stage.campaign(campaign_id).version
        assert postpone(stage) == []
        assert stage.campaign(campaign_id).version == version

    def test_a_draft_on_a_segment_of_the_event_has_to_be_looked_at_again(self, stage: Stage):
        stage.people(1)
        create_segment(stage.actor, SegmentDraft("Of", Criteria(events=("show",)), slug="of-show"))
        draft = stage.draft(
            criteria=Criteria(segment=SegmentChoice("of-show")),
            local_time=SUNDAY,
            timezone="America/Toronto",
        )
        campaign_id = create_campaign(stage.actor, draft)
        version = stage.campaign(campaign_id).version
        postpone(stage)
        with pytest.raises(Conflict, match="Somebody else has changed"):
            schedule_campaign(stage.actor, campaign_id, version=version)

    def test_criteria_that_are_edited_name_another_event(self, stage: Stage):
        stage.people(1)
        gala = make_event(stage.organisation, "gala")
        campaign_id = create_campaign(stage.actor, stage.draft())
        edit_campaign(stage.actor, campaign_id, stage.draft(criteria=Criteria(events=("gala",))))
        assert list_campaigns_of_event(find_event(stage.organisation_id, "show")) == []
        assert [one.id for one in list_campaigns_of_event(gala)] == [campaign_id]

    def test_slugs_that_begin_alike_are_not_mixed_up(self, stage: Stage):
        make_event(stage.organisation, "show-two")
        stage.for_sunday(False, criteria=Criteria(events=("show-two",)))
        assert postpone(stage) == []

    def test_it_is_known_before(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        holding = find_holding(find_event(stage.organisation_id, "show"))
        assert [touched.campaign_id for touched in holding.held] == [campaign_id]

    def test_another_organisation_can_not_cancel(self, stage: Stage):
        stranger = make_actor()
        for verb in (cancel_event, reopen_event):
            with pytest.raises(NotFound):
                verb(stranger, stage.event_id)

    def test_an_event_that_is_open_can_not_be_reopened(self, stage: Stage):
        with pytest.raises(Conflict, match="is not cancelled"):
            reopen_event(stage.actor, stage.event_id)


class TestDecisions:
    def test_keep_sends_at_its_time_to_the_list_that_was_signed_off(self, stage: Stage):
        people = stage.people(3)
        campaign_id = stage.for_sunday(False)
        postpone(stage)
        stage.people(2)
        decide(stage, campaign_id, "keep", reason="It says nothing of the time.")
        campaign = stage.campaign(campaign_id)
        assert (campaign.state, campaign.held_for, campaign.state_note) == ("scheduled", None, "")
        assert campaign.scheduled_at == SUNDAY_UTC
        entry = db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry.action == "campaign.keep_time"
        assert entry.after["reason"] == "It says nothing of the time."
        stage.run_on_sunday()
        assert stage.reached(campaign_id) == people

    def test_move_goes_along_by_the_clock_and_takes_not_after_with_it(self, stage: Stage):
        people = stage.people(2)
        campaign_id = stage.for_sunday(False, not_after="2026-11-29T12:00")
        postpone(stage, days=7)
        decide(stage, campaign_id, "move")
        campaign = stage.campaign(campaign_id)
        assert campaign.scheduled_at == SUNDAY_UTC + timedelta(days=7)
        assert campaign.scheduled_local_time == "2026-12-06T10:00"
        assert campaign.not_after == SUNDAY_UTC + timedelta(days=7, hours=2)
        assert stage.run_on_sunday() == []
        stage.run_due(SUNDAY_UTC + timedelta(days=7))
        assert stage.reached(campaign_id) == people

    def test_move_keeps_the_wall_clock_when_the_clocks_change(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        change(stage, starts="2027-04-03T19:00", ends="2027-04-03T23:00")
        moved = find_hold_on(stage.campaign(campaign_id)).moved
        assert moved.local_time == "2027-04-04T10:00"
        assert moved.scheduled_at.hour == 14  # an hour earlier in UTC: summer time

    def test_move_to_another_zone_stays_as_long_after_the_event(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        change(stage, timezone="America/Vancouver")
        decide(stage, campaign_id, "move")
        assert stage.campaign(campaign_id).scheduled_at == SUNDAY_UTC + timedelta(hours=3)

    def test_move_is_refused_where_that_time_has_passed_or_does_not_exist(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        change(stage, starts="2026-11-20T19:00", ends="2026-11-20T23:00")
        with pytest.raises(InvalidInput, match=r"due Sat 21 Nov 2026, 10:00 .* has passed"):
            decide(stage, campaign_id, "move")
        # To 10:00 less seven and a half hours, on the day on which the clocks go forward.
        change(stage, starts="2027-03-13T11:30", ends="2027-03-13T12:00")
        with pytest.raises(InvalidInput, match="2027-03-14T02:30 does not exist"):
            decide(stage, campaign_id, "move")
        assert stage.campaign(campaign_id).state == "needs_review"

    def test_cancelled_there_is_no_time_to_move_to(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        cancel_show(stage)
        with pytest.raises(InvalidInput, match="no other time"):
            decide(stage, campaign_id, "move")
        decide(stage, campaign_id, "cancel")
        assert stage.campaign(campaign_id).state == "cancelled"

    def test_before_its_time_neither_list_can_be_sent_to(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(True)
        postpone(stage)
        for decision in ("final", "estimate"):
            with pytest.raises(Conflict, match="Its time is still to come"):
                decide(stage, campaign_id, decision)

    @pytest.mark.parametrize("decision", ["final", "estimate"])
    def test_after_its_time_the_usual_decisions(self, stage: Stage, decision: str):
        first = stage.people(2)
        campaign_id = stage.for_sunday(True)
        late = stage.people(1)
        postpone(stage, days=-10)
        assert stage.run_due(SUNDAY_UTC + timedelta(hours=1)) == []
        with pytest.raises(Conflict, match="Its time has passed while it was held"):
            decide(stage, campaign_id, "keep")
        decide(stage, campaign_id, decision)
        assert stage.campaign(campaign_id).held_for is None
        stage.run_due()
        assert stage.reached(campaign_id) == (first + late if decision == "final" else first)

    def test_after_its_time_it_can_still_move_to_one_that_is_to_come(self, stage: Stage):
        people = stage.people(2)
        campaign_id = stage.for_sunday(False)
        postpone(stage, days=7)
        stage.clock.move_to(SUNDAY_UTC + timedelta(days=1))
        decide(stage, campaign_id, "move")
        stage.run_due(SUNDAY_UTC + timedelta(days=7))
        assert stage.reached(campaign_id) == people

    def test_of_two_who_decide_one_wins(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        postpone(stage, days=7)
        seen = stage.campaign(campaign_id).version
        decide(stage, campaign_id, "keep", version=seen)
        with pytest.raises(Conflict, match="Somebody else has changed"):
            decide(stage, campaign_id, "move", version=seen)
        assert stage.campaign(campaign_id).scheduled_at == SUNDAY_UTC

    def test_whoever_saw_an_earlier_change_looks_again(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        postpone(stage, days=1)
        seen = stage.campaign(campaign_id).version
        assert postpone(stage, days=7) == [campaign_id]
        with pytest.raises(Conflict, match="Somebody else has changed"):
            decide(stage, campaign_id, "move", version=seen)
        decide(stage, campaign_id, "move")
        # Moved from what it was scheduled for, and not from the first change.
        assert stage.campaign(campaign_id).scheduled_at == SUNDAY_UTC + timedelta(days=7)
        assert len(list(db.session.scalars(sa.select(Notice)))) == 2

    def test_put_back_there_is_nothing_to_move(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        postpone(stage, days=7)
        postpone(stage, days=0)
        campaign = stage.campaign(campaign_id)
        assert "was moved, and then put back to Sat 28 Nov 2026, 19:00" in campaign.state_note
        with pytest.raises(InvalidInput, match="no other time"):
            decide(stage, campaign_id, "move")
        decide(stage, campaign_id, "keep")

    def test_reopened_it_still_waits(self, stage: Stage):
        people = stage.people(1)
        campaign_id = stage.for_sunday(False)
        cancel_show(stage)
        reopen_event(stage.actor, stage.event_id)
        campaign = stage.campaign(campaign_id)
        assert campaign.state == "needs_review"
        assert "was cancelled, and then opened again by Super member" in campaign.state_note
        decide(stage, campaign_id, "keep")
        stage.run_on_sunday()
        assert stage.reached(campaign_id) == people

    def test_an_edit_takes_it_back_to_draft(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        postpone(stage)
        edit_campaign(stage.actor, campaign_id, stage.draft(local_time=SUNDAY, message="Sunday!"))
        campaign = stage.campaign(campaign_id)
        assert (campaign.state, campaign.held_for, campaign.state_note) == ("draft", None, "")
        assert stage.recipients(campaign_id) == []
        schedule_campaign(stage.actor, campaign_id)
        stage.run_on_sunday()
        assert [message.text for message in stage.outbox(campaign_id)] == ["Sunday!"]

    def test_one_stopped_by_a_guard_can_not_be_kept_moved_or_edited(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(True)
        stage.people(40)
        stage.run_on_sunday()
        assert stage.campaign(campaign_id).state == "needs_review"
        for decision in ("keep", "move"):
            with pytest.raises(InvalidInput, match="No change of an event holds this"):
                decide(stage, campaign_id, decision)
        with pytest.raises(Conflict, match="can't be edited"):
            edit_campaign(stage.actor, campaign_id, stage.draft())

    def test_a_scheduled_one_is_not_decided_on(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        with pytest.raises(Conflict, match="This campaign is scheduled"):
            decide(stage, campaign_id, "keep")

    def test_undecided_it_is_cancelled_once_nothing_may_go_out(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False, not_after="2026-11-29T12:00")
        postpone(stage)
        stage.clock.move_to(SUNDAY_UTC + timedelta(hours=2))
        assert expire_reviews() == [campaign_id]

    def test_a_kept_one_is_held_again_by_the_next_change(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        postpone(stage, days=1)
        decide(stage, campaign_id, "keep")
        assert cancel_show(stage) == [campaign_id]

    def test_on_a_cancelled_event_one_can_schedule(self, stage: Stage):
        people = stage.people(2)
        cancel_show(stage)
        campaign_id = stage.for_sunday(False, message="Sorry")
        stage.run_on_sunday()
        assert stage.reached(campaign_id) == people

    def test_one_that_is_going_out_is_not_held_and_named(self, stage: Stage):
        stage.people(1)
        campaign_id = stage.for_sunday(False)
        put_in_state(campaign_id, CampaignState.SENDING)
        holding = cancel_event(stage.actor, stage.event_id)
        assert holding.held == ()
        assert "Going out already, and not held: “Winner announcement”" in holding.sentence()
        cancel_campaign(stage.actor, campaign_id)
