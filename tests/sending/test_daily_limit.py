"""Florida's law allows three messages in 24 hours: the fourth waits, of whichever campaign."""

from datetime import time, timedelta

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import Criteria
from rollcall.extensions import db, write
from rollcall.models import Attempt, QuietHours, Reason, Recipient, RecipientState
from tests.campaigns.stage import FRIDAY, Stage
from tests.factories import make_people

MIAMI, DALLAS = "+13055550101", "+12145550101"
EVERYBODY = Criteria(events=("show",), window_hours=0)
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


def keep_hours(stage: Stage) -> None:
    """Let the organisation keep quiet hours, and with them the laws of its people's places."""
    with write():
        stage.organisation.quiet_until, stage.organisation.quiet_from = time(8), time(21)


def add(stage: Stage, phone: str) -> int:
    [person_id] = make_people(stage.organisation, [{"phone": phone}])
    stage.attend([person_id])
    return person_id


def send(stage: Stage, **changes: object) -> Recipient:
    """Send one more campaign at once; what became of its only person."""
    campaign_id = stage.at_once(criteria=EVERYBODY, **changes)
    stage.run_due()
    [recipient] = stage.recipients(campaign_id)
    return recipient


def send_three(stage: Stage) -> None:
    """Three messages: at noon, at one, at two. Then it is three."""
    for _ in range(3):
        assert send(stage).state is RecipientState.SENT
        stage.clock.shift(HOUR)


def test_the_fourth_message_waits_until_the_first_is_a_day_old(stage: Stage):
    keep_hours(stage)
    add(stage, MIAMI)
    send_three(stage)
    fourth = send(stage)
    assert (fourth.state, fourth.held_reason) == (RecipientState.QUEUED, Reason.QUIET_HOURS)
    assert fourth.not_before == FRIDAY + DAY
    assert stage.campaign(fourth.campaign_id).state == "sending"
    stage.run_due(FRIDAY + DAY - SECOND)
    assert len(stage.outbox()) == 3
    stage.run_due(FRIDAY + DAY)
    assert len(stage.outbox()) == 4
    assert stage.campaign(fourth.campaign_id).state == "completed"


def test_the_third_newest_decides_where_there_were_more(stage: Stage):
    """An admin may override the law's count as well, and then the next one waits all the same."""
    keep_hours(stage)
    add(stage, MIAMI)
    send_three(stage)
    assert send(stage, quiet_hours=QuietHours.OVERRIDE).state is RecipientState.SENT
    # Of noon, one, two and three the last three count: one o'clock must have gone by.
    assert send(stage).not_before == FRIDAY + HOUR + DAY


def test_a_campaign_that_skips_quiet_hours_leaves_them_out(stage: Stage):
    keep_hours(stage)
    add(stage, MIAMI)
    send_three(stage)
    fourth = send(stage, quiet_hours=QuietHours.SKIP)
    assert (fourth.state, fourth.held_reason) == (RecipientState.HELD_BACK, Reason.QUIET_HOURS)


@pytest.mark.parametrize("outcome", [RecipientState.FAILED, RecipientState.QUEUED])
def test_what_provably_did_not_go_out_is_not_counted(stage: Stage, outcome: RecipientState):
    keep_hours(stage)
    add(stage, MIAMI)
    send_three(stage)
    set_outcome(outcome)
    assert send(stage).state is RecipientState.SENT
    assert len(stage.outbox()) == 4


@pytest.mark.parametrize("outcome", [None, RecipientState.IN_DOUBT, RecipientState.DELIVERED])
def test_what_may_have_gone_out_is_counted(stage: Stage, outcome: RecipientState | None):
    keep_hours(stage)
    add(stage, MIAMI)
    send_three(stage)
    set_outcome(outcome)
    assert send(stage).not_before == FRIDAY + DAY


def set_outcome(outcome: RecipientState | None) -> None:
    """Let this have come of the first message."""
    with write():
        first = db.session.scalars(sa.select(Attempt).order_by(Attempt.id)).first()
        assert first is not None
        first.outcome = outcome


def test_others_are_not_counted_with_them(stage: Stage):
    keep_hours(stage)
    dallas, miami = add(stage, DALLAS), add(stage, MIAMI)
    ours = Criteria(people=(dallas,), window_hours=0)
    for _ in range(4):
        stage.at_once(criteria=ours)
        stage.run_due()
        stage.clock.shift(HOUR)
    assert everybody_reached(stage) == [dallas] * 4, "no other law counts"
    stage.at_once(criteria=EVERYBODY)
    stage.run_due()
    assert everybody_reached(stage) == [dallas] * 5 + [miami]


def everybody_reached(stage: Stage) -> list[int]:
    return sorted(message.person_id for message in stage.outbox())


def test_an_organisation_without_quiet_hours_counts_nothing(stage: Stage):
    add(stage, MIAMI)
    send_three(stage)
    assert send(stage).state is RecipientState.SENT
