"""The sums of a campaign balance, and a list whose sums do not is sent to nobody."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall.audience.criteria import Criteria
from rollcall.demo.story import EMAIL as DEMO
from rollcall.demo.story import load_story
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.explanations.balance import find_imbalances
from rollcall.extensions import db, write
from rollcall.models import (
    AudienceMode,
    Campaign,
    Channel,
    LeftOut,
    OnFailure,
    Reason,
    Recipient,
    Source,
)
from rollcall.people.consent import opt_out_person
from rollcall.people.records import block_person
from rollcall.sending.review import review_campaign
from tests.campaigns.stage import Stage

MODES = list(AudienceMode)


def scheduled(stage: Stage, mode: AudienceMode = AudienceMode.REPROCESS, **changes: object) -> int:
    """A campaign with somebody of every kind: stays, left out, leaves, joins, joins too late."""
    stays, leaves, cancels, blocked = stage.people(4)
    block_person(stage.actor, blocked, "a test")
    # Without a window, so that one campaign of these does not empty the next one's list.
    criteria = Criteria(events=("show",), window_hours=0)
    campaign_id = stage.for_sunday(True, audience_mode=mode, criteria=criteria, **changes)
    stage.people(3, attending=Source.QR_SCAN)
    block_person(stage.actor, leaves, "a test")
    cancel_attendance(stage.actor, stage.event_id, cancels)
    [late] = stage.people(1)
    opt_out_person(stage.actor, late, Channel.SMS, "staff")
    assert stays
    return campaign_id


def imbalances(stage: Stage, campaign_id: int) -> list[str]:
    return [one.sentence for one in find_imbalances(stage.campaign(campaign_id))]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_balances_before_and_after(stage: Stage, mode: AudienceMode):
    campaign_id = scheduled(stage, mode)
    assert imbalances(stage, campaign_id) == []
    stage.run_on_sunday()
    assert stage.campaign(campaign_id).state == "completed"
    assert imbalances(stage, campaign_id) == []


def test_every_way_to_a_list_balances(stage: Stage):
    """Too little growth, a failure that falls back, both decisions of a review, send now."""
    small = scheduled(stage, min_growth=5_000)
    fallen = scheduled(stage, on_failure=OnFailure.ESTIMATE)
    stopped = [scheduled(stage, guard_limits={"growth_percent": 1}) for _ in range(2)]
    now = stage.at_once()
    stage.run_due()
    with write():
        db.session.get_one(Campaign, fallen).targeting_criteria = "{"
    stage.run_on_sunday()
    for campaign_id, decision in zip(stopped, ("final", "estimate"), strict=True):
        assert stage.campaign(campaign_id).state == "needs_review"
        assert imbalances(stage, campaign_id) == []
        review_campaign(stage.actor, campaign_id, decision)
    stage.run_due()
    for campaign_id in (small, fallen, *stopped, now):
        campaign = stage.campaign(campaign_id)
        assert campaign.state == "completed", campaign.state_note
        assert imbalances(stage, campaign_id) == []


def test_the_demo_story_balances(stage: Stage, app: APIFlask):
    """The release gate itself, after 400 people came and four changed their minds."""
    story = load_story(60)
    record_attendance(story.actor, story.event_id, story.people[60:460], Source.QR_SCAN)
    for person_id in story.people[10:12]:
        opt_out_person(story.actor, person_id, Channel.SMS, "stop word")
    block_person(story.actor, story.people[12], "asked not to be contacted")
    cancel_attendance(story.actor, story.event_id, story.people[13])
    stage.clock.shift(timedelta(minutes=2))
    stage.run_due()
    states = set(db.session.scalars(sa.select(Campaign.state)))
    assert states == {"completed", "needs_review", "scheduled"}
    result = app.test_cli_runner().invoke(args=["campaign", "check", "--as", DEMO])
    assert (result.exit_code, result.output) == (0, "4 campaigns checked: every sum balances.\n")


def test_a_campaign_frozen_by_an_earlier_version_is_no_imbalance(stage: Stage):
    campaign_id = scheduled(stage)
    with write():
        db.session.execute(sa.delete(LeftOut))
    assert imbalances(stage, campaign_id) == []


def forget_one_of_the_list(campaign_id: int) -> None:
    first = sa.select(sa.func.min(Recipient.person_id)).where(Recipient.campaign_id == campaign_id)
    here = sa.and_(
        Recipient.campaign_id == campaign_id, Recipient.person_id == first.scalar_subquery()
    )
    db.session.execute(sa.delete(Recipient).where(here))


def forget_one_left_out(campaign_id: int) -> None:
    db.session.execute(
        sa.update(LeftOut)
        .where(LeftOut.campaign_id == campaign_id)
        .values(at_creation=Reason.NO_ADDRESS)
    )


def miscount_the_estimate(campaign_id: int) -> None:
    db.session.get_one(Campaign, campaign_id).estimated_recipients = 99


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (forget_one_of_the_list, "The frozen list has 2 people, but it was frozen with 3."),
        (
            forget_one_left_out,
            "0 are kept as blocked when it was frozen, and the funnel counted 1.",
        ),
        (miscount_the_estimate, "The frozen list has 3 people, but it was frozen with 99."),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_a_list_that_does_not_balance_is_sent_to_nobody(stage: Stage, mode, damage, sentence):
    campaign_id = scheduled(stage, mode)
    with write():
        damage(campaign_id)
    stage.run_on_sunday()
    campaign = stage.campaign(campaign_id)
    assert campaign.state == "needs_review"
    assert "The sums of this list do not balance." in campaign.state_note
    assert sentence in campaign.state_note
    assert sentence in campaign.guard_verdict["blockers"]
    assert stage.outbox(campaign_id) == []
    # Whatever is decided, nothing goes out as long as the sums are wrong.
    for decision in ("final", "estimate") if mode.computes_again else ("estimate",):
        review_campaign(stage.actor, campaign_id, decision)
        stage.run_due()
        assert stage.campaign(campaign_id).state == "needs_review"
    assert stage.outbox(campaign_id) == []
    review_campaign(stage.actor, campaign_id, "cancel")
    assert stage.campaign(campaign_id).state == "cancelled"
