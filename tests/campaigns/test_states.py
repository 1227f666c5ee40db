"""Every action from every state: allowed as the table says, refused with a sentence otherwise."""

import threading
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall.actors import Actor
from rollcall.campaigns.drafts import create_campaign, edit_campaign
from rollcall.campaigns.scheduling import (
    cancel_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
)
from rollcall.campaigns.states import STATE_WORDS, TRANSITIONS, change_state
from rollcall.errors import Conflict, NotFound
from rollcall.extensions import db, write
from rollcall.models import AuditEntry, Campaign, CampaignState
from rollcall.sending.review import review_campaign
from tests.campaigns.stage import SUNDAY, Stage
from tests.factories import make_actor

EVERY_CASE = [(action, state) for action in TRANSITIONS for state in CampaignState]


def put_in_state(campaign_id: int, state: CampaignState) -> None:
    with write():
        db.session.execute(
            sa.update(Campaign).where(Campaign.id == campaign_id).values(state=state)
        )


@pytest.mark.parametrize(("action", "state"), EVERY_CASE)
def test_the_table_decides(stage: Stage, action: str, state: CampaignState):
    campaign_id = create_campaign(stage.actor, stage.draft())
    put_in_state(campaign_id, state)
    if state in TRANSITIONS[action].sources:
        with write():
            change_state(stage.actor, campaign_id, action)
        assert stage.campaign(campaign_id).state == TRANSITIONS[action].target
        last = db.session.scalar(sa.select(AuditEntry).order_by(AuditEntry.id.desc()))
        assert last is not None
        assert last.action == f"campaign.{action}"
        assert last.before == {"state": state}
    else:
        with pytest.raises(Conflict, match=STATE_WORDS[state]), write():
            change_state(stage.actor, campaign_id, action)
        assert stage.campaign(campaign_id).state == state


def test_final_states_allow_nothing():
    final = {CampaignState.FAILED, CampaignState.CANCELLED}
    assert not final & {state for rule in TRANSITIONS.values() for state in rule.sources}


def test_a_completed_campaign_only_sends_doubts_again():
    allowed = {
        action for action, rule in TRANSITIONS.items() if CampaignState.COMPLETED in rule.sources
    }
    assert allowed == {"send_again"}


def test_whoever_looked_at_an_older_version_is_told(stage: Stage):
    campaign_id = create_campaign(stage.actor, stage.draft())
    seen = stage.campaign(campaign_id).version
    edit_campaign(stage.actor, campaign_id, stage.draft(name="Changed"), seen)
    with pytest.raises(Conflict, match="Somebody else has changed"):
        edit_campaign(stage.actor, campaign_id, stage.draft(name="Lost"), seen)
    assert stage.campaign(campaign_id).name == "Changed"


def test_another_organisation_finds_nothing(stage: Stage):
    campaign_id = create_campaign(stage.actor, stage.draft())
    stranger = make_actor()
    for act in (cancel_campaign, pause_campaign, resume_campaign, schedule_campaign):
        with pytest.raises(NotFound):
            act(stranger, campaign_id)
    with pytest.raises(NotFound):
        review_campaign(stranger, campaign_id, "final")
    with pytest.raises(NotFound):
        edit_campaign(stranger, campaign_id, stage.draft())


def test_of_many_who_cancel_at_once_one_wins(stage: Stage, app: APIFlask):
    campaign_id = create_campaign(stage.actor, stage.draft(local_time=SUNDAY))
    db.session.commit()
    told: list[Any] = []
    ready = threading.Barrier(6)

    def cancel(actor: Actor) -> None:
        with app.app_context():
            ready.wait()
            try:
                told.append(cancel_campaign(actor, campaign_id))
            except Conflict as conflict:
                told.append(str(conflict))
            finally:
                db.session.remove()

    threads = [threading.Thread(target=cancel, args=(stage.actor,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count(None) == 1
    assert told.count("This campaign is cancelled, so it can't be cancelled.") == 5
