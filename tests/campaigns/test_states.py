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
from rollcall.campaigns.states import TRANSITIONS, change_state
from rollcall.errors import Conflict, NotFound
from rollcall.extensions import db, write
from rollcall.models import AuditEntry, Campaign, CampaignState
from rollcall.sending.review import review_campaign
from tests.campaigns.stage import SUNDAY, Stage
from tests.factories import make_actor

# Written down here and not read from the table under test: from which states each action is
# allowed, where it leads, and what whoever may not is told.
ALLOWED = {
    "edit": ("draft scheduled", "draft", "edited"),
    "schedule": ("draft", "scheduled", "scheduled"),
    "adopt_version": ("scheduled", "scheduled", "moved to another version"),
    "keep_version": ("scheduled", "scheduled", "kept on a version"),
    "bring_forward": ("scheduled", "scheduled", "sent now"),
    "prepare": ("scheduled preparing", "preparing", "started"),
    "stop_for_review": ("scheduled preparing", "needs_review", "stopped for review"),
    "hold": ("scheduled", "needs_review", "held"),
    "hold_again": ("needs_review", "needs_review", "held"),
    "keep_time": ("needs_review", "scheduled", "kept at its time"),
    "move_time": ("needs_review", "scheduled", "moved with its event"),
    "edit_held": ("needs_review", "draft", "edited"),
    "look_again": ("needs_review", "needs_review", "decided on"),
    "approve": ("needs_review", "preparing", "decided on"),
    "start_sending": ("preparing", "sending", "sent"),
    "pause": ("sending", "paused", "paused"),
    "resume": ("paused", "sending", "resumed"),
    "send_again": ("completed", "sending", "sent again"),
    "complete": ("sending", "completed", "completed"),
    "fail": ("preparing sending", "failed", "failed"),
    "cancel": (
        "draft scheduled preparing needs_review sending paused",
        "cancelled",
        "cancelled",
    ),
}
NAMED = {
    "draft": "a draft",
    "scheduled": "scheduled",
    "preparing": "being prepared",
    "needs_review": "waiting for a decision",
    "sending": "being sent",
    "paused": "paused",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


def put_in_state(campaign_id: int, state: CampaignState) -> None:
    with write():
        db.session.execute(
            sa.update(Campaign).where(Campaign.id == campaign_id).values(state=state)
        )


def test_no_action_and_no_state_is_missing_here():
    assert set(TRANSITIONS) == set(ALLOWED)
    assert {state.value for state in CampaignState} == set(NAMED)


@pytest.mark.parametrize("action", ALLOWED)
def test_an_action_is_allowed_from_its_states_and_refused_with_a_sentence_from_others(
    stage: Stage, action: str
):
    sources, target, verb = ALLOWED[action]
    campaign_id = create_campaign(stage.actor, stage.draft())
    for state, named in NAMED.items():
        put_in_state(campaign_id, CampaignState(state))
        said, state_after = try_action(stage, campaign_id, action)
        if state in sources.split():
            assert (said, state_after) == ("", target), f"{action} from {state}"
            last = db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
            assert last is not None
            assert (last.action, last.before) == (f"campaign.{action}", {"state": state})
        else:
            refusal = f"This campaign is {named}, so it can't be {verb}."
            assert (said, state_after) == (refusal, state), f"{action} from {state}"


def try_action(stage: Stage, campaign_id: int, action: str) -> tuple[str, str]:
    """What the refusal says, or nothing where it was allowed; and the state afterwards."""
    said = ""
    try:
        with write():
            change_state(stage.actor, campaign_id, action)
    except Conflict as conflict:
        said = str(conflict)
    return said, str(stage.campaign(campaign_id).state)


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
