"""A test of a campaign's message: to whoever asks for it, once, and to nobody of its list."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor
from rollcall.campaigns.drafts import create_campaign
from rollcall.campaigns.scheduling import cancel_campaign
from rollcall.errors import Conflict, InvalidInput, NotFound, TooOften
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    AuditEntry,
    Channel,
    PersonFacts,
    Role,
    StaffMember,
    TrialMessage,
)
from rollcall.people.consent import suppress_addresses
from rollcall.providers.base import Outcome, ProviderError
from rollcall.providers.simulator import Simulator
from rollcall.sending.message_trial import last_test_phone, send_campaign_test
from tests.campaigns.stage import Stage
from tests.factories import make_actor, make_organisation

PHONE = "+14165550199"


def draft(stage: Stage, **changes: Any) -> int:
    return create_campaign(stage.actor, stage.draft(**changes))


def trials() -> list[TrialMessage]:
    db.session.expire_all()
    return list(db.session.scalars(sa.select(TrialMessage).order_by(TrialMessage.id)))


def own_email(actor: Actor) -> str:
    return db.session.get_one(StaffMember, actor.staff_id).email


def test_a_text_goes_to_the_phone_as_somebody_of_the_audience_would_read_it(stage: Stage):
    [person_id, *_] = stage.people(3)
    campaign_id = draft(stage)
    answer = send_campaign_test(stage.actor, stage.settings, campaign_id, "(416) 555-0199")
    assert (answer.address, answer.taken) == (PHONE, True)
    assert answer.said == "Simulator took it. It should be there in a minute."
    [message] = stage.outbox()
    assert (message.address, message.campaign_id) == (PHONE, campaign_id)
    assert message.text.startswith("Congrats First")
    [trial] = trials()
    assert (trial.kind, trial.person_id, trial.text) == ("test", person_id, message.text)
    assert (trial.staff_id, trial.accepted_at) == (stage.actor.staff_id, clock.now())
    assert last_test_phone(stage.actor.staff_id or 0) == PHONE
    # Nobody counts as messaged.
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Attempt)) == 0
    recent = PersonFacts.last_message_at.is_not(None)
    assert db.session.scalars(sa.select(PersonFacts.person_id).where(recent)).all() == []
    entry = db.session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "campaign.test")
    ).one()
    assert (entry.object_id, entry.after) == (
        str(campaign_id),
        {"channel": "sms", "answer": "accepted"},
    )


def test_an_email_goes_to_the_own_address_with_a_mark(stage: Stage):
    stage.people(1)
    campaign_id = draft(stage, channel=Channel.EMAIL, subject="For %%FIRST_NAME%%")
    own = own_email(stage.actor)
    send_campaign_test(stage.actor, stage.settings, campaign_id)
    send_campaign_test(stage.actor, stage.settings, campaign_id, own.upper())
    assert {message.address for message in stage.outbox()} == {own}
    assert stage.outbox()[0].subject.startswith("[Test] For First")
    with pytest.raises(InvalidInput, match="your own address"):
        send_campaign_test(stage.actor, stage.settings, campaign_id, "friend@example.org")
    assert len(stage.outbox()) == 2


def test_without_anybody_in_the_audience_an_invented_person_stands_in(stage: Stage):
    campaign_id = draft(stage, message="Hi %%NAME%%")
    send_campaign_test(stage.actor, stage.settings, campaign_id, PHONE)
    assert [message.text for message in stage.outbox()] == ["Hi Sarah Miller"]
    assert trials()[0].person_id is None
    with write():
        stage.campaign(campaign_id).targeting_criteria = "damaged"
    send_campaign_test(stage.actor, stage.settings, campaign_id, PHONE)
    assert len(stage.outbox()) == 2


@pytest.mark.parametrize("typed", ["", "  ", "12", "me@example.org"])
def test_a_phone_that_is_none(stage: Stage, typed: str):
    with pytest.raises(InvalidInput) as refused:
        send_campaign_test(stage.actor, stage.settings, draft(stage), typed)
    assert list(refused.value.fields) == ["address"]
    assert (stage.outbox(), trials()) == ([], [])


def test_an_address_that_has_opted_out(stage: Stage):
    with write():
        suppress_addresses(stage.organisation_id, Channel.SMS, {PHONE}, "staff", clock.now())
    with pytest.raises(InvalidInput, match="has opted out"):
        send_campaign_test(stage.actor, stage.settings, draft(stage), PHONE)


def test_ten_in_a_minute_each(stage: Stage):
    campaign_id = draft(stage)
    for _ in range(10):
        send_campaign_test(stage.actor, stage.settings, campaign_id, PHONE)
    with pytest.raises(TooOften, match="10 tests within a minute"):
        send_campaign_test(stage.actor, stage.settings, campaign_id, PHONE)
    colleague = make_actor(stage.organisation, Role.STAFF)
    send_campaign_test(colleague, stage.settings, campaign_id, PHONE)
    stage.clock.shift(timedelta(seconds=61))
    send_campaign_test(stage.actor, stage.settings, campaign_id, PHONE)
    assert len(stage.outbox()) == 12


def test_only_before_it_goes_out_and_only_of_the_own_organisation(stage: Stage):
    campaign_id = draft(stage)
    cancel_campaign(stage.actor, campaign_id)
    with pytest.raises(Conflict, match="This campaign is cancelled"):
        send_campaign_test(stage.actor, stage.settings, campaign_id, PHONE)
    stranger = make_actor(make_organisation())
    with pytest.raises(NotFound):
        send_campaign_test(stranger, stage.settings, draft(stage), PHONE)
    stage.people(1)
    scheduled = stage.for_sunday(reprocess=False)
    assert send_campaign_test(stage.actor, stage.settings, scheduled, PHONE).taken


def test_a_refusal_is_told_and_stored(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    refusal = ProviderError("30003", "That phone is switched off.")
    monkeypatch.setattr(
        Simulator, "send", lambda _, messages: [Outcome(messages[0].token, error=refusal)]
    )
    answer = send_campaign_test(stage.actor, stage.settings, draft(stage), PHONE)
    assert (answer.taken, answer.said) == (
        False,
        "Simulator did not take it. That phone is switched off.",
    )
    [trial] = trials()
    assert (trial.accepted_at, trial.error) == (None, answer.said)


def test_a_provider_that_breaks_off_leaves_a_doubt(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    def broken(_: Any, messages: Any) -> Iterator[Outcome]:
        raise OSError("the cable")
        yield

    monkeypatch.setattr(Simulator, "send", broken)
    answer = send_campaign_test(stage.actor, stage.settings, draft(stage), PHONE)
    assert answer.said.startswith("Nobody can know whether Simulator took it.")
    assert trials()[0].error == answer.said
