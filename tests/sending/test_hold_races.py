"""An event that is changed at the moment when its campaign comes due: one of the two is first."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask

from rollcall.actors import scheduler_actor
from rollcall.campaigns.drafts import create_campaign
from rollcall.campaigns.event_holds import MOVED, EventChange, edit_event, hold_campaigns, times_of
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.campaigns.states import change_state
from rollcall.errors import Conflict
from rollcall.events.records import draft_of_event
from rollcall.extensions import db, write
from rollcall.lookups import find_event
from rollcall.sending.claims import claim_campaign
from rollcall.sending.review import review_campaign
from tests.campaigns.stage import SUNDAY, SUNDAY_UTC, Stage
from tests.sending.test_races import beside
from tests.waiting import HANGS


def move_by_a_day(stage: Stage) -> Any:
    event = find_event(stage.organisation_id, "show")
    draft = replace(draft_of_event(event), starts="2026-11-29T19:00", ends="2026-11-29T23:00")
    return edit_event(stage.actor, event.id, draft)


def moved(stage: Stage) -> EventChange:
    event = find_event(stage.organisation_id, "show")
    before = times_of(event)
    after = replace(before, starts_at=before.starts_at + timedelta(days=7))
    return EventChange(event.id, event.slug, event.name, MOVED, before, after)


@pytest.fixture
def due(stage: Stage) -> int:
    """A campaign whose time has just come."""
    stage.people(3)
    campaign_id = stage.for_sunday(False)
    stage.clock.move_to(SUNDAY_UTC)
    return campaign_id


def test_a_claim_that_comes_second_gets_nothing(app: APIFlask, stage: Stage, due: int):
    change = moved(stage)
    db.session.remove()
    with ExitStack() as stack:
        with write():
            hold_campaigns(stage.actor, change)
            claim = beside(app, lambda: claim_campaign(due, timedelta(hours=24)))
            claimed = stack.enter_context(claim)
        assert claimed.result(HANGS) is None
    assert stage.campaign(due).state == "needs_review"
    assert stage.run_due() == []
    assert stage.outbox() == []


def test_a_change_that_comes_second_holds_nothing(app: APIFlask, stage: Stage, due: int):
    db.session.remove()
    with ExitStack() as stack:
        with write():
            change_state(scheduler_actor(stage.organisation_id), due, "prepare")
            changed = stack.enter_context(beside(app, lambda: move_by_a_day(stage)))
        holding = changed.result(HANGS)
    assert holding.held == ()
    assert [touched.campaign_id for touched in holding.going_out] == [due]
    stage.run_due()
    assert len(stage.reached(due)) == 3


def test_one_that_is_kept_while_its_event_moves_again_is_held_again(
    app: APIFlask, stage: Stage, due: int
):
    stage.clock.move_to(SUNDAY_UTC - timedelta(days=2))
    with write():
        hold_campaigns(stage.actor, moved(stage))
    db.session.remove()
    with ExitStack() as stack:
        with write():
            change_state(stage.actor, due, "keep_time", held_for=None)
            changed = stack.enter_context(beside(app, lambda: move_by_a_day(stage)))
        holding = changed.result(HANGS)
    assert [touched.campaign_id for touched in holding.held] == [due]
    assert stage.run_due(SUNDAY_UTC) == []
    assert stage.campaign(due).held_for is not None


def test_a_decision_at_the_moment_of_another_change_is_told(app: APIFlask, stage: Stage, due: int):
    stage.clock.move_to(SUNDAY_UTC - timedelta(days=2))
    with write():
        hold_campaigns(stage.actor, moved(stage))
    seen = stage.campaign(due).version
    change = moved(stage)
    db.session.remove()

    def keep() -> None:
        review_campaign(stage.actor, due, "keep", seen)

    with ExitStack() as stack:
        with write():
            hold_campaigns(stage.actor, change)
            decided = stack.enter_context(beside(app, keep))
        with pytest.raises(Conflict, match="Somebody else has changed"):
            decided.result(HANGS)
    assert stage.campaign(due).state == "needs_review"


def test_one_that_is_scheduled_while_its_event_moves_is_held_too(app: APIFlask, stage: Stage):
    people = stage.people(2)
    campaign_id = create_campaign(stage.actor, stage.draft(local_time=SUNDAY))
    db.session.remove()
    with ExitStack() as stack:
        with write():
            change_state(stage.actor, campaign_id, "schedule", estimated_recipients=len(people))
            changed = stack.enter_context(beside(app, lambda: move_by_a_day(stage)))
        holding = changed.result(HANGS)
    assert [touched.campaign_id for touched in holding.held] == [campaign_id]


def test_whoever_looked_before_the_event_moved_looks_again(app: APIFlask, stage: Stage):
    stage.people(2)
    campaign_id = create_campaign(stage.actor, stage.draft(local_time=SUNDAY))
    seen = stage.campaign(campaign_id).version
    change = moved(stage)
    db.session.remove()
    with ExitStack() as stack:
        with write():
            hold_campaigns(stage.actor, change)
            click = beside(app, lambda: schedule_campaign(stage.actor, campaign_id, seen))
            clicked = stack.enter_context(click)
        with pytest.raises(Conflict, match="Somebody else has changed"):
            clicked.result(HANGS)
    assert stage.campaign(campaign_id).state == "draft"
