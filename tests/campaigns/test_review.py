"""Guards through the real send path: what stops, who may decide, and what then goes out (D4)."""

from datetime import timedelta

import pytest

from rollcall.audience.criteria import Criteria
from rollcall.errors import Conflict, InvalidInput, NotAllowed
from rollcall.extensions import db, write
from rollcall.models import AudienceMode, Campaign, Organisation, RecipientState, Role, Source
from rollcall.sending.review import ReviewChanged, expire_reviews, may_approve, review_campaign
from tests.campaigns.stage import SUNDAY_UTC, Stage, assert_adds_up
from tests.factories import make_actor, set_facts

EVENT = Criteria(events=("show",), window_hours=0)


def as_role(stage: Stage, role: Role):
    return make_actor(stage.organisation, role)


def scheduled_by(stage: Stage, role: Role, **changes) -> int:
    stage.actor = as_role(stage, role)
    return stage.for_sunday(changes.pop("reprocess", True), criteria=EVENT, **changes)


def set_columns(campaign_id: int, **values) -> None:
    with write():
        campaign = db.session.get_one(Campaign, campaign_id)
        for name, value in values.items():
            setattr(campaign, name, value)


@pytest.mark.parametrize(
    ("role", "before", "after", "stops"),
    [
        (Role.STAFF, 2, 4, False),
        (Role.STAFF, 2, 5, True),
        (Role.ADMIN, 2, 12, False),
        (Role.ADMIN, 2, 13, True),
        (Role.SUPER, 1, 21, False),
        (Role.SUPER, 1, 22, True),
        (Role.STAFF, 0, 5, False),
    ],
)
def test_the_role_of_who_scheduled_decides_what_stops(stage, role, before, after, stops):
    stage.people(before)
    campaign_id = scheduled_by(stage, role)
    stage.people(after - before)
    stage.run_on_sunday()
    document = stage.document(campaign_id)
    assert document["status"] == ("needs_review" if stops else "completed")
    assert document["metadata"]["actual_recipients"] == after
    assert document["metadata"]["joined"] == after - before
    assert len(stage.outbox(campaign_id)) == (0 if stops else after)
    assert_adds_up(document)


def test_nobody_is_limited_on_a_frozen_list(stage):
    stage.people(1)
    campaign_id = scheduled_by(stage, Role.STAFF, reprocess=False)
    stage.people(50)
    stage.run_on_sunday()
    assert stage.document(campaign_id)["status"] == "completed"
    assert len(stage.reached(campaign_id)) == 1


class TestAStoppedCampaign:
    @pytest.fixture
    def stopped(self, stage) -> int:
        """Scheduled by staff for 2 people; 5 on Sunday, one of the first gone."""
        self.first = stage.people(2)
        campaign_id = scheduled_by(stage, Role.STAFF)
        self.more = stage.people(4)
        set_facts(self.first[0], opted_out_sms=True)
        stage.run_on_sunday()
        assert stage.document(campaign_id)["status"] == "needs_review"
        assert stage.outbox() == []
        return campaign_id

    def test_says_what_stopped_it_and_holds_both_lists(self, stage, stopped):
        document = stage.document(stopped)
        assert document["status_note"] == (
            "The audience went from 2 to 5 people (+3, +150 %); the limit is 100 %."
        )
        rows = {row.person_id: row for row in stage.recipients(stopped)}
        assert {person for person, row in rows.items() if row.in_estimate} == set(self.first)
        assert {person for person, row in rows.items() if row.in_final} == {
            self.first[1],
            *self.more,
        }

    def test_the_final_list_is_sent_to_when_a_role_allows_it(self, stage, stopped):
        review_campaign(as_role(stage, Role.ADMIN), stopped, "final", reason="It is the door.")
        stage.run_due()
        assert stage.reached(stopped) == sorted([self.first[1], *self.more])
        campaign = stage.campaign(stopped)
        assert (campaign.review_decision, campaign.review_reason) == ("final", "It is the door.")
        assert campaign.reviewed_by.rank == Role.ADMIN
        assert_adds_up(stage.document(stopped))

    def test_staff_can_not_approve_what_their_role_may_not(self, stage, stopped):
        with pytest.raises(NotAllowed, match="beyond what your role"):
            review_campaign(as_role(stage, Role.STAFF), stopped, "final")
        assert stage.document(stopped)["status"] == "needs_review"
        stage.run_due()
        assert stage.outbox() == []

    def test_but_they_may_send_to_the_estimate(self, stage, stopped):
        review_campaign(as_role(stage, Role.STAFF), stopped, "estimate")
        stage.run_due()
        assert stage.reached(stopped) == [self.first[1]]
        document = stage.document(stopped)
        assert document["metadata"]["actual_recipients"] == 2
        assert document["results"]["held_back_by_reason"] == {"opted_out": 1}
        assert "as staff decided in review" in document["metadata"]["audience_note"]
        assert_adds_up(document)

    def test_or_cancel(self, stage, stopped):
        review_campaign(as_role(stage, Role.STAFF), stopped, "cancel", reason="No.")
        stage.run_due()
        assert stage.outbox() == []
        states = {row.state for row in stage.recipients(stopped)}
        assert states == {RecipientState.CANCELLED, RecipientState.LEFT}

    def test_approval_is_bound_to_what_was_seen(self, stage, stopped):
        late = stage.people(1)
        admin = as_role(stage, Role.ADMIN)
        with pytest.raises(ReviewChanged, match=r"6 people now \(1 joined, 0 left since\)"):
            review_campaign(admin, stopped, "final")
        document = stage.document(stopped)
        assert (document["status"], document["metadata"]["actual_recipients"]) == (
            "needs_review",
            6,
        )
        stage.run_due()
        assert stage.outbox() == []
        review_campaign(admin, stopped, "final")
        stage.run_due()
        assert stage.reached(stopped) == sorted([self.first[1], *self.more, *late])

    def test_whoever_looked_at_an_older_version_is_told(self, stage, stopped):
        seen = stage.campaign(stopped).version
        admin = as_role(stage, Role.ADMIN)
        stage.people(1)
        with pytest.raises(ReviewChanged):
            review_campaign(admin, stopped, "final", seen)
        with pytest.raises(Conflict, match="Somebody else has changed"):
            review_campaign(admin, stopped, "final", seen)

    def test_of_two_reviewers_one_wins(self, stage, stopped):
        review_campaign(as_role(stage, Role.ADMIN), stopped, "estimate")
        with pytest.raises(Conflict, match="being prepared"):
            review_campaign(as_role(stage, Role.SUPER), stopped, "final")
        stage.run_due()
        assert stage.reached(stopped) == [self.first[1]]

    def test_it_expires_with_the_last_time_for_sending(self, stage, stopped):
        set_columns(stopped, not_after=SUNDAY_UTC + timedelta(hours=2))
        assert expire_reviews() == []
        stage.clock.move_to(SUNDAY_UTC + timedelta(hours=2))
        assert expire_reviews() == [stopped]
        document = stage.document(stopped)
        assert document["status"] == "cancelled"
        assert "Nobody decided" in document["status_note"]

    def test_who_may_approve_is_known_before(self, stage, stopped):
        campaign = stage.campaign(stopped)
        assert not may_approve(Role.STAFF, campaign).allowed
        assert may_approve(Role.ADMIN, campaign).allowed

    def test_a_long_reason_and_another_word_are_refused(self, stage, stopped):
        with pytest.raises(InvalidInput, match="reason"):
            review_campaign(stage.actor, stopped, "estimate", reason="x" * 501)
        with pytest.raises(InvalidInput, match="decision"):
            review_campaign(stage.actor, stopped, "perhaps")


class TestModesBetween:
    def arrange(self, stage, mode: AudienceMode) -> int:
        self.first = stage.people(3)
        draft = {"audience_mode": mode}
        campaign_id = stage.for_sunday(True, criteria=EVENT, **draft)
        self.more = stage.people(2, attending=Source.QR_SCAN)
        set_facts(self.first[0], opted_out_sms=True)
        stage.run_on_sunday()
        return campaign_id

    def test_only_removals(self, stage):
        campaign_id = self.arrange(stage, AudienceMode.REMOVALS)
        assert stage.reached(campaign_id) == self.first[1:]
        document = stage.document(campaign_id)
        assert (document["metadata"]["joined"], document["metadata"]["left"]) == (0, 1)
        assert document["metadata"]["actual_recipients"] == 2
        assert document["metadata"]["audience_snapshot"]["at_send"]["total"] == 2
        assert_adds_up(document)

    def test_only_additions(self, stage):
        campaign_id = self.arrange(stage, AudienceMode.ADDITIONS)
        assert stage.reached(campaign_id) == self.first[1:] + self.more
        document = stage.document(campaign_id)
        assert (document["metadata"]["joined"], document["metadata"]["left"]) == (2, 0)
        assert document["metadata"]["actual_recipients"] == 5
        assert document["results"]["held_back_by_reason"] == {"opted_out": 1}
        assert document["metadata"]["audience_snapshot"]["at_send"]["by_source"]["qr_scan"] == 2
        assert_adds_up(document)


class TestAModeOfOneDirectionInReview:
    """What changed since the reviewer looked counts only in the campaign's own direction."""

    def arrange(self, stage, mode: AudienceMode) -> int:
        """Stopped for too few people: three planned, one of them gone, two more at the door."""
        self.first = stage.people(3)
        campaign_id = stage.for_sunday(True, criteria=EVENT, audience_mode=mode)
        set_columns(campaign_id, guard_limits={"minimum": 10})
        self.more = stage.people(2, attending=Source.QR_SCAN)
        set_facts(self.first[0], opted_out_sms=True)
        stage.run_on_sunday()
        assert stage.document(campaign_id)["status"] == "needs_review"
        return campaign_id

    def approve(self, stage, campaign_id: int) -> str:
        """Approve the final list; what is said where it is another one by now."""
        try:
            review_campaign(as_role(stage, Role.SUPER), campaign_id, "final")
        except ReviewChanged as changed:
            return str(changed)
        stage.run_due()
        return ""

    def test_removals_do_not_count_who_comes_in_meanwhile(self, stage):
        campaign_id = self.arrange(stage, AudienceMode.REMOVALS)
        stage.people(4)
        assert self.approve(stage, campaign_id) == ""
        assert stage.reached(campaign_id) == self.first[1:]

    def test_removals_count_who_goes_meanwhile_and_who_comes_back(self, stage):
        campaign_id = self.arrange(stage, AudienceMode.REMOVALS)
        set_facts(self.first[1], opted_out_sms=True)
        assert "1 person now (0 joined, 1 left since)" in self.approve(stage, campaign_id)
        set_facts(self.first[0], opted_out_sms=False)
        assert "2 people now (1 joined, 0 left since)" in self.approve(stage, campaign_id)
        assert self.approve(stage, campaign_id) == ""
        assert stage.reached(campaign_id) == [self.first[0], self.first[2]]

    def test_additions_do_not_count_who_of_the_planned_goes_meanwhile(self, stage):
        campaign_id = self.arrange(stage, AudienceMode.ADDITIONS)
        set_facts(self.first[1], opted_out_sms=True)
        assert self.approve(stage, campaign_id) == ""
        # They stay on the list, and are held back on the way to the wire.
        assert stage.document(campaign_id)["metadata"]["actual_recipients"] == 5
        assert stage.reached(campaign_id) == [self.first[2], *self.more]

    def test_additions_count_who_comes_meanwhile_and_goes_again(self, stage):
        campaign_id = self.arrange(stage, AudienceMode.ADDITIONS)
        late = stage.people(1)
        assert "6 people now (1 joined, 0 left since)" in self.approve(stage, campaign_id)
        set_facts(late[0], opted_out_sms=True)
        assert "5 people now (0 joined, 1 left since)" in self.approve(stage, campaign_id)
        assert self.approve(stage, campaign_id) == ""
        assert stage.reached(campaign_id) == self.first[1:] + self.more


@pytest.mark.parametrize(
    ("after", "least", "uses_estimate"),
    [(4, 100, False), (3, 100, True), (2, 1, True), (1, 50, True)],
)
def test_conditional_reprocessing(stage, after, least, uses_estimate):
    first = stage.people(2)
    campaign_id = stage.for_sunday(True, criteria=EVENT)
    set_columns(campaign_id, min_growth=least)
    more = stage.people(max(after - 2, 0))
    if after < 2:
        set_facts(first[0], opted_out_sms=True)
    stage.run_on_sunday()
    document = stage.document(campaign_id)
    if uses_estimate:
        assert document["metadata"]["actual_recipients"] == 2
        assert f"less than the {least} % growth" in document["metadata"]["audience_note"]
        assert set(stage.reached(campaign_id)) <= set(first)
    else:
        assert stage.reached(campaign_id) == sorted(first + more)
    assert_adds_up(document)


def test_the_organisations_limits_and_the_campaigns_own(stage):
    with write():
        organisation = db.session.get_one(Organisation, stage.organisation_id)
        organisation.guard_limits = {"staff": {"growth_percent": 1_000}}
    stage.people(2)
    loose = scheduled_by(stage, Role.STAFF)
    strict = scheduled_by(stage, Role.STAFF)
    set_columns(strict, guard_limits={"minimum": 10})
    stage.people(6)
    stage.run_on_sunday()
    assert stage.document(loose)["status"] == "completed"
    assert "at least 10" in stage.document(strict)["status_note"]
