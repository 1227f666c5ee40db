"""A dry run goes the whole way and messages nobody, whatever stops it on its way."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import CampaignChoice, Criteria, Reached, criteria_from_text
from rollcall.audience.preview import preview_audience
from rollcall.campaigns.copies import duplicate_campaign, make_real, top_up_campaign
from rollcall.campaigns.drafts import create_campaign, edit_campaign
from rollcall.campaigns.scheduling import (
    cancel_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
)
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    AudienceMode,
    Channel,
    OnFailure,
    PersonFacts,
    QuietHours,
    TrialMessage,
)
from rollcall.people.consent import suppress_addresses
from rollcall.providers.base import Outcome, ProviderError
from rollcall.providers.simulator import Simulator
from rollcall.sending.claims import find_due_campaigns
from rollcall.sending.dry_run import spread_over
from rollcall.sending.due import claim_work, run_due_campaigns
from rollcall.sending.runner import run_campaign
from tests.campaigns.stage import SUNDAY, SUNDAY_UTC, Stage, assert_adds_up
from tests.factories import set_facts

OWN = "+14165550199"


def dry(stage: Stage, **changes: Any) -> int:
    """A frozen dry run that is due now."""
    return stage.at_once(**{"dry_run_address": "(416) 555-0199", **changes})


def trials(campaign_id: int) -> list[TrialMessage]:
    db.session.expire_all()
    query = sa.select(TrialMessage).where(TrialMessage.campaign_id == campaign_id)
    return list(db.session.scalars(query.order_by(TrialMessage.id)))


def assert_nobody_messaged(stage: Stage, campaign_id: int) -> None:
    """No attempt, no time of a last message, and to the gateway nothing but the own address."""
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Attempt)) == 0
    assert not db.session.scalars(
        sa.select(PersonFacts.person_id).where(PersonFacts.last_message_at.is_not(None))
    ).all()
    assert {message.address for message in stage.outbox()} <= {OWN}
    assert {message.campaign_id for message in stage.outbox()} <= {campaign_id}


@pytest.mark.parametrize(
    ("total", "wanted", "places"),
    [
        (0, 5, []),
        (3, 5, [1, 2, 3]),
        (5, 5, [1, 2, 3, 4, 5]),
        (101, 5, [1, 26, 51, 76, 101]),
        (9, 1, [5]),
        (10, 3, [1, 5, 10]),
    ],
)
def test_messages_are_spread_over_the_list(total: int, wanted: int, places: list[int]):
    assert spread_over(total, wanted) == places


def test_a_frozen_campaign_is_computed_again_and_messages_nobody(stage: Stage):
    there = stage.people(10)
    campaign_id = stage.for_sunday(reprocess=False, dry_run_address=OWN, dry_run_limit=3)
    came = stage.people(4)
    set_facts(there[0], opted_out_sms=True)
    assert stage.run_on_sunday() == [campaign_id]
    document = stage.document(campaign_id)
    assert document["status"] == "completed"
    assert (document["metadata"]["joined"], document["metadata"]["left"]) == (4, 1)
    assert document["metadata"]["left_by_reason"] == {"opted_out": 1}
    assert document["results"]["held_back_by_reason"] == {"dry_run": 13}
    assert document["results"]["sent"] == 0
    assert document["results"]["cost"] == "0.00"
    assert_adds_up(document)
    assert all(row.held_at is not None for row in stage.recipients(campaign_id) if row.in_final)
    final = sorted({*there[1:], *came})
    went = trials(campaign_id)
    assert [trial.person_id for trial in went] == [final[0], final[6], final[12]]
    assert [message.text for message in reversed(stage.outbox())] == [t.text for t in went]
    assert all(trial.accepted_at and trial.error is None for trial in went)
    assert [one["outcome"] for one in document["dry_run"]["messages"]] == ["accepted"] * 3
    assert document["dry_run"]["cost"] == "0.13"
    assert_nobody_messaged(stage, campaign_id)


def test_hand_picked_people_are_computed_again_too(stage: Stage):
    there = stage.people(3, attending=None)
    campaign_id = stage.for_sunday(
        reprocess=False, criteria=Criteria(people=tuple(there)), dry_run_address=OWN
    )
    set_facts(there[1], blocked=True)
    stage.run_on_sunday()
    document = stage.document(campaign_id)
    assert document["metadata"]["left_by_reason"] == {"blocked": 1}
    assert [trial.person_id for trial in trials(campaign_id)] == [there[0], there[2]]
    assert_nobody_messaged(stage, campaign_id)


def test_at_once(stage: Stage):
    stage.people(8)
    campaign_id = dry(stage)
    assert stage.run_due() == [campaign_id]
    assert stage.campaign(campaign_id).dry_run_address == OWN
    assert len(trials(campaign_id)) == 5
    assert_nobody_messaged(stage, campaign_id)


def test_guards_say_what_they_would_do_and_stop_nothing(stage: Stage):
    stage.people(2)
    campaign_id = stage.for_sunday(
        reprocess=True, dry_run_address=OWN, guard_limits={"growth_percent": 50}
    )
    stage.people(10)
    stage.run_on_sunday()
    document = stage.document(campaign_id)
    assert document["status"] == "completed"
    assert document["dry_run"]["would_stop"] == document["metadata"]["guards"]["blockers"]
    assert "the limit is 50 %" in document["dry_run"]["would_stop"][0]


def test_too_little_growth_is_said_and_both_lists_stay(stage: Stage):
    stage.people(10)
    campaign_id = stage.for_sunday(reprocess=True, dry_run_address=OWN, min_growth=50)
    stage.people(1)
    stage.run_on_sunday()
    document = stage.document(campaign_id)
    assert "the real campaign would use the estimate list" in document["metadata"]["audience_note"]
    assert (document["metadata"]["joined"], document["total_recipients"]) == (1, 11)


def test_only_removals_stay_only_removals(stage: Stage):
    there = stage.people(3)
    campaign_id = stage.for_sunday(
        reprocess=True, audience_mode=AudienceMode.REMOVALS, dry_run_address=OWN
    )
    stage.people(3)
    set_facts(there[0], blocked=True)
    stage.run_on_sunday()
    metadata = stage.document(campaign_id)["metadata"]
    assert (metadata["joined"], metadata["left"], metadata["actual_recipients"]) == (0, 1, 2)


@pytest.mark.parametrize("on_failure", OnFailure)
def test_criteria_that_can_not_be_run(stage: Stage, on_failure: OnFailure):
    stage.people(3)
    campaign_id = stage.for_sunday(reprocess=True, dry_run_address=OWN, on_failure=on_failure)
    with write():
        stage.campaign(campaign_id).targeting_criteria = "damaged"
    stage.run_on_sunday()
    fails = on_failure == OnFailure.FAIL
    assert stage.campaign(campaign_id).state == ("failed" if fails else "completed")
    assert len(trials(campaign_id)) == (0 if fails else 3)
    assert_nobody_messaged(stage, campaign_id)


def test_quiet_hours_are_counted_and_do_not_hold_the_messages(stage: Stage):
    with write():
        stage.organisation.quiet_until = clock.now().time().replace(hour=8, minute=0)
        stage.organisation.quiet_from = clock.now().time().replace(hour=21, minute=0)
    stage.people(4)
    campaign_id = stage.for_sunday(
        reprocess=False, local_time="2026-11-29T03:00", dry_run_address=OWN
    )
    stage.run_due(SUNDAY_UTC - timedelta(hours=7) + timedelta(seconds=1))
    found = stage.document(campaign_id)["dry_run"]
    assert found["quiet_hours"]["people"] == 4
    assert len(found["messages"]) == 4
    override = stage.at_once(dry_run_address=OWN, quiet_hours=QuietHours.OVERRIDE)
    stage.run_due()
    assert stage.document(override)["dry_run"]["quiet_hours"] is None


def test_an_email_goes_to_the_own_address(stage: Stage):
    stage.people(2)
    campaign_id = stage.at_once(
        channel=Channel.EMAIL, subject="Hello %%FIRST_NAME%%", dry_run_address=" Me@Example.org "
    )
    stage.run_due()
    assert {message.address for message in stage.outbox()} == {"me@example.org"}
    assert [t.subject for t in trials(campaign_id)] == [m.subject for m in stage.outbox()[::-1]]
    assert "[Test]" not in trials(campaign_id)[0].subject


def test_nobody_counts_as_messaged_afterwards(stage: Stage):
    stage.people(4)
    campaign_id = dry(stage)
    stage.run_due()
    for who in (Reached.SENT, Reached.DELIVERED):
        criteria = Criteria(events=("show",), exclude_campaigns=(CampaignChoice(campaign_id, who),))
        found = preview_audience(stage.organisation_id, criteria, Channel.SMS)
        assert found.funnel.reachable == 4
    with pytest.raises(Conflict, match="A dry run reached nobody"):
        top_up_campaign(stage.actor, campaign_id)
    real = stage.at_once()
    stage.run_due()
    assert len(stage.reached(real)) == 4


def test_a_dry_run_of_a_top_up_takes_nobody_from_the_next_one(stage: Stage):
    stage.people(2)
    original = stage.at_once()
    stage.run_due()
    stage.people(3)
    first = top_up_campaign(stage.actor, original)
    criteria = stage.campaign(first).targeting_criteria
    edit_campaign(
        stage.actor,
        first,
        stage.draft(criteria=criteria_from_text(criteria or ""), dry_run_address=OWN),
    )
    second = top_up_campaign(stage.actor, original)
    assert second != first
    assert stage.campaign(second).targeting_criteria == criteria


def test_the_real_one_in_one_step(stage: Stage):
    there = stage.people(4)
    campaign_id = dry(stage)
    stage.run_due()
    copy = duplicate_campaign(stage.actor, campaign_id)
    assert stage.campaign(copy).dry_run_address == OWN
    assert stage.campaign(copy).dry_run_limit == 5
    real = make_real(stage.actor, campaign_id)
    assert (stage.campaign(real).state, stage.campaign(real).is_dry_run) == ("draft", False)
    assert stage.campaign(real).name == stage.campaign(campaign_id).name
    with pytest.raises(Conflict, match="is no dry run"):
        make_real(stage.actor, real)
    edit_campaign(stage.actor, real, stage.draft(local_time=SUNDAY))
    schedule_campaign(stage.actor, real)
    stage.run_on_sunday()
    assert stage.reached(real) == there


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"dry_run_address": ""}, "dry_run_address", "Give the phone"),
        ({"dry_run_address": "12"}, "dry_run_address", "12"),
        ({"dry_run_address": "a@example.org"}, "dry_run_address", "phone"),
        ({"dry_run_address": OWN, "dry_run_limit": 0}, "dry_run_limit", "from 1 to 50"),
        ({"dry_run_address": OWN, "dry_run_limit": 51}, "dry_run_limit", "from 1 to 50"),
        ({"dry_run_limit": 3}, "dry_run_limit", "give its address too"),
        (
            {"channel": Channel.EMAIL, "subject": "S", "dry_run_address": OWN},
            "dry_run_address",
            "e-mail address",
        ),
    ],
)
def test_what_is_wrong_is_said_by_its_field(
    stage: Stage, changes: dict[str, Any], field: str, said: str
):
    with pytest.raises(InvalidInput) as refused:
        create_campaign(stage.actor, stage.draft(**changes))
    assert list(refused.value.fields) == [field]
    assert said in refused.value.fields[field]


def opt_out(stage: Stage) -> None:
    with write():
        suppress_addresses(stage.organisation_id, Channel.SMS, {OWN}, "staff", clock.now())


def test_an_address_that_has_opted_out_gets_nothing(stage: Stage):
    stage.people(2)
    campaign_id = stage.for_sunday(reprocess=False, dry_run_address=OWN)
    opt_out(stage)
    with pytest.raises(InvalidInput, match="has opted out"):
        create_campaign(stage.actor, stage.draft(dry_run_address=OWN))
    stage.run_on_sunday()
    assert stage.outbox() == []
    answers = [one["answer"] for one in stage.document(campaign_id)["dry_run"]["messages"]]
    assert answers == [f"{OWN} has opted out, so nothing went there."] * 2
    assert stage.campaign(campaign_id).state == "completed"


# Stopped on the way


class Interrupted(BaseException):
    """Ends the process' work as `kill -9` does: nothing after it is done."""


def sends(monkeypatch: pytest.MonkeyPatch, do: Any) -> None:
    """Let `do` come before each hand-over, with the number of those before it."""
    really, count = Simulator.send, [0]

    def send(self: Simulator, messages: Any) -> Any:
        answer = do(count[0], really, self, messages)
        count[0] += 1
        return answer

    monkeypatch.setattr(Simulator, "send", send)


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "lost"])
def test_killed_on_the_wire_nothing_goes_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, taken: bool
):
    there = stage.people(5)
    campaign_id = dry(stage)

    def die(number: int, really: Any, provider: Simulator, messages: Any) -> Any:
        if number != 2:
            return really(provider, messages)
        if taken:
            really(provider, messages)
        raise Interrupted

    sends(monkeypatch, die)
    monkeypatch.setattr("rollcall.sending.runner.release_claim", lambda *_: None)
    with pytest.raises(Interrupted):
        stage.run_due()
    monkeypatch.undo()
    db.session.rollback()
    assert stage.campaign(campaign_id).state == "sending"
    assert find_due_campaigns() == []  # its lease still holds
    stage.clock.shift(timedelta(seconds=61))
    stage.run_due()
    assert stage.campaign(campaign_id).state == "completed"
    assert sorted(trial.person_id for trial in trials(campaign_id)) == there
    outcomes = [one["outcome"] for one in stage.document(campaign_id)["dry_run"]["messages"]]
    assert outcomes == ["accepted", "accepted", "in_doubt", "accepted", "accepted"]
    texts = [message.text for message in stage.outbox(campaign_id)]
    assert len(texts) == len(set(texts)) == (5 if taken else 4)
    assert_nobody_messaged(stage, campaign_id)
    assert_adds_up(stage.document(campaign_id))


def test_the_message_of_somebody_erased_meanwhile_counts_too(stage: Stage):
    """Never more messages than were asked for, also where it is not known for whom one was."""
    there = stage.people(8)
    campaign_id = dry(stage, dry_run_limit=2)
    with write():
        db.session.add(
            TrialMessage(
                campaign_id=campaign_id,
                kind="dry_run",
                address=OWN,
                text="Congrats",
                provider="simulator",
                started_at=clock.now(),
            )
        )
    stage.run_due()
    assert [trial.person_id for trial in trials(campaign_id)] == [None, there[0]]


@pytest.mark.parametrize("verb", [pause_campaign, cancel_campaign])
def test_paused_and_cancelled_between_two_messages(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, verb: Any
):
    stage.people(5)
    campaign_id = dry(stage)

    def meddle(number: int, really: Any, provider: Simulator, messages: Any) -> Any:
        if number == 1:
            verb(stage.actor, campaign_id)
        return really(provider, messages)

    sends(monkeypatch, meddle)
    stage.run_due()
    monkeypatch.undo()
    assert len(trials(campaign_id)) == 2
    assert all(trial.accepted_at for trial in trials(campaign_id))
    stage.run_due()
    assert len(trials(campaign_id)) == 2
    if verb is pause_campaign:
        resume_campaign(stage.actor, campaign_id)
        stage.run_due()
        assert len(trials(campaign_id)) == 5
        assert stage.campaign(campaign_id).state == "completed"
    else:
        assert stage.campaign(campaign_id).state == "cancelled"
    assert_nobody_messaged(stage, campaign_id)
    assert_adds_up(stage.document(campaign_id))


def test_a_stop_of_the_process_leaves_the_rest_to_the_next_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    stage.people(5)
    campaign_id = dry(stage)
    stop = threading.Event()

    def stopping(number: int, really: Any, provider: Simulator, messages: Any) -> Any:
        if number == 1:
            stop.set()
        return really(provider, messages)

    sends(monkeypatch, stopping)
    run_due_campaigns(stage.settings, stop)
    monkeypatch.undo()
    assert (stage.campaign(campaign_id).state, len(trials(campaign_id))) == ("sending", 2)
    stage.run_due()
    assert (stage.campaign(campaign_id).state, len(trials(campaign_id))) == ("completed", 5)


def test_a_refusal_and_a_doubt_are_shown_as_answered(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    stage.people(3)
    campaign_id = dry(stage)
    refusal = ProviderError("30003", "That phone is switched off.")
    doubt = ProviderError("timeout", "No answer came.", in_doubt=True)

    def refuse(number: int, really: Any, provider: Simulator, messages: Any) -> Any:
        if number < 2:
            return [Outcome(messages[0].token, error=(refusal, doubt)[number])]
        return really(provider, messages)

    sends(monkeypatch, refuse)
    stage.run_due()
    found = stage.document(campaign_id)["dry_run"]["messages"]
    assert [one["outcome"] for one in found] == ["refused", "in_doubt", "accepted"]
    assert found[0]["answer"] == "Simulator did not take it. That phone is switched off."
    assert found[1]["answer"] == "Nobody can know whether Simulator took it. No answer came."


def test_a_provider_that_rests_is_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    stage.people(2)
    campaign_id = dry(stage)
    busy = ProviderError("429", "Too many.", permanent=False, provider_wide=True, retry_after=30)
    sends(monkeypatch, lambda n, really, one, messages: [Outcome(messages[0].token, error=busy)])
    stage.run_due()
    monkeypatch.undo()
    assert (stage.campaign(campaign_id).state, len(trials(campaign_id))) == ("sending", 1)
    stage.clock.shift(timedelta(seconds=61))
    stage.run_due()
    assert (stage.campaign(campaign_id).state, len(trials(campaign_id))) == ("completed", 2)


def test_two_processes_do_not_share_one(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """Whoever was asleep for longer than its lease does not go on after somebody took over."""
    stage.people(4)
    campaign_id = dry(stage)
    first = claim_work(campaign_id, stage.settings)
    assert first is not None

    def sleep(number: int, really: Any, provider: Simulator, messages: Any) -> Any:
        if number == 0:
            stage.clock.shift(timedelta(seconds=61))
            monkeypatch.setattr("rollcall.sending.claims.this_process", lambda: "another")
            stage.run_due()
            monkeypatch.setattr("rollcall.sending.claims.this_process", lambda: "the first")
        return really(provider, messages)

    monkeypatch.setattr("rollcall.sending.claims.this_process", lambda: "the first")
    with write():
        stage.campaign(campaign_id).owner = "the first"
    sends(monkeypatch, sleep)
    run_campaign(first, stage.settings, threading.Event())
    assert stage.campaign(campaign_id).state == "completed"
    texts = [message.text for message in stage.outbox(campaign_id)]
    assert len(texts) == len(set(texts)) == 4
    assert len(trials(campaign_id)) == 4
