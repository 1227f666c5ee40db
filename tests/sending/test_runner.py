"""On the way to the wire: claims, batches, crashes, and sums that always add up."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.scheduling import cancel_campaign, pause_campaign, resume_campaign
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    Campaign,
    CampaignState,
    Channel,
    Person,
    PersonFacts,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.providers.base import Outcome, OutgoingMessage, ProviderError
from rollcall.providers.simulator import Simulator
from rollcall.sending import runner
from rollcall.sending.claims import (
    LEASE,
    ClaimLost,
    claim_campaign,
    find_due_campaigns,
    release_claim,
    renew_claim,
)
from rollcall.sending.outcomes import doubt_unfinished
from rollcall.sending.provider_health import reserve_messages
from rollcall.sending.runner import run_campaign
from tests.campaigns.stage import Stage, assert_adds_up
from tests.factories import set_facts
from tests.sending.moving import give_same_phone

LIMIT = timedelta(hours=24)


class Killed(BaseException):
    """What `kill -9` leaves behind: nothing after this point runs, no handler, no clean-up."""


class ScriptedProvider(Simulator):
    """A simulator that lets the test act between batches, as the world does."""

    def __init__(self, outbox, acts) -> None:
        super().__init__(outbox)
        self.acts = list(acts)
        self.batches: list[list[int]] = []

    def send(self, messages: Sequence[OutgoingMessage]) -> list[Outcome]:
        self.batches.append([message.person_id for message in messages])
        act = self.acts.pop(0) if self.acts else None
        if act is None:
            return super().send(messages)
        return act(super().send, messages)


@pytest.fixture
def wire(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """Put a scripted gateway on the wire, with batches of ten."""
    stage.settings = replace(stage.settings, send_batch=10)

    def script(*acts) -> ScriptedProvider:
        provider = ScriptedProvider(stage.settings.outbox_path, acts)
        monkeypatch.setattr(runner, "provider_for", lambda settings, channel: provider)
        return provider

    return script


def test_one_of_many_that_claim_at_once_gets_the_campaign(stage: Stage, app):
    campaign_id = stage.at_once()
    db.session.commit()
    claims = []
    ready = threading.Barrier(8)

    def claim() -> None:
        with app.app_context():
            ready.wait()
            claims.append(claim_campaign(campaign_id, LIMIT))
            db.session.remove()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([claimed for claimed in claims if claimed is not None]) == 1


def test_a_campaign_is_taken_over_only_when_its_lease_has_ended(stage: Stage):
    stage.people(3)
    campaign_id = stage.at_once()
    first = claim_campaign(campaign_id, LIMIT)
    assert first is not None
    assert find_due_campaigns() == []
    assert claim_campaign(campaign_id, LIMIT) is None
    stage.clock.shift(LEASE + timedelta(seconds=1))
    assert find_due_campaigns() == [campaign_id]
    second = claim_campaign(campaign_id, LIMIT)
    assert second is not None
    assert second.fence == first.fence + 1
    with pytest.raises(ClaimLost):
        renew_claim(first, stage.campaign(campaign_id).state)


def test_a_campaign_before_its_time_is_not_claimed(stage: Stage):
    campaign_id = stage.for_sunday(reprocess=False)
    assert find_due_campaigns() == []
    assert claim_campaign(campaign_id, LIMIT) is None


def test_everybody_gets_one_message_in_batches(stage: Stage, wire):
    people = stage.people(35)
    provider = wire()
    campaign_id = stage.at_once()
    stage.run_due()
    assert [len(batch) for batch in provider.batches] == [10, 10, 10, 5]
    assert stage.reached(campaign_id) == people
    results = stage.document(campaign_id)["results"]
    assert (results["sent"], results["cost"], results["sms_parts"]) == (35, "0.35", 35)


@pytest.mark.parametrize(("deaths", "is_tried"), [(0, True), (2, True), (3, False), (4, False)])
def test_who_was_claimed_three_times_in_vain_is_not_tried_again(
    stage: Stage, wire, deaths: int, is_tried: bool
):
    suspect, other = stage.people(2)
    provider = wire()
    campaign_id = stage.at_once()
    with write():
        recipient = db.session.get_one(Recipient, (campaign_id, suspect))
        recipient.claims = deaths
    stage.run_due()
    assert stage.reached(campaign_id) == ([suspect, other] if is_tried else [other])
    # With somebody at whom the process has died before nobody else is on the wire.
    assert [len(batch) for batch in provider.batches] == ([1, 1] if deaths == 2 else [1 + is_tried])
    recipient = stage.recipients(campaign_id)[0]
    expected = (RecipientState.SENT, None)
    if not is_tried:
        expected = (RecipientState.HELD_BACK, Reason.SET_ASIDE)
    assert (recipient.state, recipient.held_reason) == expected
    assert stage.campaign(campaign_id).state == "completed"


def test_the_intent_is_durable_before_the_wire(stage: Stage, wire):
    people = stage.people(10)
    seen = []

    def look(send, messages):
        with db.engine.connect() as other:
            seen.extend(
                other.execute(sa.select(Attempt.person_id, Attempt.token, Attempt.outcome)).all()
            )
        return send(messages)

    wire(look)
    stage.at_once()
    stage.run_due()
    assert [(row.person_id, row.outcome) for row in seen] == [(person, None) for person in people]
    assert len({row.token for row in seen}) == 10


def test_killed_on_the_wire_nobody_is_messaged_twice_and_nobody_forgotten(stage: Stage, wire):
    people = stage.people(35)

    def die_after_sending(send, messages):
        send(messages)
        raise Killed

    wire(None, die_after_sending)
    campaign_id = stage.at_once()
    claim = claim_campaign(campaign_id, LIMIT)
    with pytest.raises(Killed):
        run_without_clean_up(claim, stage)
    wire()
    assert stage.run_due() == []  # the lease of the dead process still holds
    stage.clock.shift(LEASE + timedelta(seconds=1))
    assert stage.run_due() == [campaign_id]
    assert stage.reached(campaign_id) == people
    results = stage.document(campaign_id)["results"]
    assert (results["sent"], results["in_doubt"]) == (25, 10)
    assert stage.document(campaign_id)["status"] == "completed"
    assert_adds_up(stage.document(campaign_id))


def test_killed_before_the_wire_nobody_is_sent_to_without_a_decision(stage: Stage, wire):
    stage.people(15)

    def die_before_sending(send, messages):
        raise Killed

    wire(die_before_sending)
    campaign_id = stage.at_once()
    with pytest.raises(Killed):
        run_without_clean_up(claim_campaign(campaign_id, LIMIT), stage)
    wire()
    stage.run_due(clock.now() + LEASE)
    results = stage.document(campaign_id)["results"]
    assert (results["sent"], results["in_doubt"]) == (5, 10)


def test_cancelled_by_staff_and_killed_on_the_wire_the_rest_is_in_doubt(stage: Stage, wire):
    stage.people(25)
    campaign_id = stage.at_once()

    def cancel_and_die(send, messages):
        cancel_campaign(stage.actor, campaign_id)
        raise Killed

    wire(None, cancel_and_die)
    with pytest.raises(Killed):
        run_without_clean_up(claim_campaign(campaign_id, LIMIT), stage)
    assert stage.document(campaign_id)["results"]["pending"] == 10
    assert stage.run_due(clock.now() + 48 * LEASE) == [campaign_id]
    results = stage.document(campaign_id)["results"]
    assert (results["sent"], results["in_doubt"], results["cancelled"]) == (10, 10, 5)
    assert stage.document(campaign_id)["status"] == "cancelled"
    assert stage.run_due(clock.now() + 96 * LEASE) == []


def run_without_clean_up(claim, stage: Stage) -> None:
    """Run a campaign as a process that may die: its claim is not given back."""
    kept = runner.release_claim
    runner.release_claim = lambda claim, until=None: None
    try:
        run_campaign(claim, stage.settings, threading.Event())
    finally:
        runner.release_claim = kept
        db.session.rollback()


def test_a_provider_that_breaks_leaves_doubt_and_the_rest_goes_on(stage: Stage, wire):
    stage.people(25)

    def break_off(send, messages):
        raise ConnectionResetError

    wire(None, break_off)
    campaign_id = stage.at_once()
    stage.run_due()
    results = stage.document(campaign_id)["results"]
    assert (results["sent"], results["in_doubt"]) == (15, 10)


def test_a_slow_answer_ends_the_doubt_that_somebody_else_had(stage: Stage, wire):
    """Paused, resumed and taken over while the provider was still answering."""
    people = stage.people(15)
    campaign_id = stage.at_once()

    def answer_slowly(send, messages):
        pause_campaign(stage.actor, campaign_id)
        resume_campaign(stage.actor, campaign_id)
        other = claim_campaign(campaign_id, LIMIT)
        assert other is not None
        assert doubt_unfinished(other, CampaignState.SENDING) == 10
        assert stage.document(campaign_id)["results"]["in_doubt"] == 10
        release_claim(other)
        return send(messages)

    wire(answer_slowly)
    stage.run_due()
    stage.run_due()
    assert stage.reached(campaign_id) == people
    results = stage.document(campaign_id)["results"]
    assert (results["sent"], results["in_doubt"]) == (15, 0)
    assert set(db.session.scalars(sa.select(Attempt.outcome))) == {RecipientState.SENT}


def test_one_campaign_that_breaks_off_keeps_no_other_from_going_out(stage: Stage):
    stage.people(3)
    broken = stage.at_once(criteria=Criteria(events=("show",), window_hours=0))
    sound = stage.at_once(criteria=Criteria(events=("show",), window_hours=0))
    with write():
        db.session.get_one(Campaign, broken).message = "%%NO_SUCH_PLACEHOLDER%%"
    with pytest.raises(InvalidInput):
        stage.run_due()
    assert stage.document(sound)["status"] == "completed"
    assert stage.outbox(broken) == []


def test_a_refused_recipient_fails_and_does_not_count_as_messaged(stage: Stage, wire):
    before = clock.now() - timedelta(days=30)
    people = stage.people(3)
    set_facts(people[0], last_message_at=before)

    def refuse_first_two(send, messages):
        refused = ProviderError("21211", "This number does not exist.")
        return [
            *(Outcome(message.token, error=refused) for message in messages[:2]),
            *send(messages[2:]),
        ]

    wire(refuse_first_two)
    campaign_id = stage.at_once()
    stage.run_due()
    results = stage.document(campaign_id)["results"]
    assert (results["sent"], results["failed"], results["cost"]) == (1, 2, "0.01")
    last = dict(
        db.session.execute(sa.select(PersonFacts.person_id, PersonFacts.last_message_at)).all()
    )
    assert last[people[1]] is None
    assert last[people[2]] == clock.now()
    assert_adds_up(stage.document(campaign_id))


@pytest.mark.parametrize("stop", [pause_campaign, cancel_campaign])
def test_pause_and_cancel_work_within_one_batch(stage: Stage, wire, stop):
    stage.people(35)
    campaign_id = stage.at_once()

    def stop_now(send, messages):
        stop(stage.actor, campaign_id)
        return send(messages)

    provider = wire(None, stop_now)
    stage.run_due()
    assert len(provider.batches) == 2
    document = stage.document(campaign_id)
    assert document["results"]["sent"] == 20
    cancelled = stop is cancel_campaign
    assert document["results"]["cancelled" if cancelled else "pending"] == 15
    assert_adds_up(document)


def test_paused_and_resumed_five_times_nobody_is_repeated_or_skipped(stage: Stage, wire):
    people = stage.people(65)
    campaign_id = stage.at_once()

    def pause(send, messages):
        pause_campaign(stage.actor, campaign_id)
        return send(messages)

    wire(*[pause] * 5)
    for _ in range(5):
        stage.run_due()
        assert stage.document(campaign_id)["status"] == "paused"
        resume_campaign(stage.actor, campaign_id)
    stage.run_due()
    assert stage.reached(campaign_id) == people
    assert stage.document(campaign_id)["status"] == "completed"


def test_an_opt_out_during_the_send_holds_the_person_back(stage: Stage, wire):
    people = stage.people(20)

    def opt_out_the_last(send, messages):
        set_facts(people[-1], opted_out_sms=True)
        return send(messages)

    wire(opt_out_the_last)
    campaign_id = stage.at_once()
    stage.run_due()
    assert people[-1] not in stage.reached(campaign_id)
    assert stage.document(campaign_id)["results"]["held_back_by_reason"] == {"opted_out": 1}


def test_two_overlapping_campaigns_do_not_both_pass_the_window(stage: Stage, wire):
    people = stage.people(10)
    first, second = stage.at_once(name="A"), stage.at_once(name="B")
    wire()
    stage.run_due()
    assert stage.reached(first) == people
    assert stage.reached(second) == []
    held = stage.document(second)["results"]["held_back_by_reason"]
    assert held == {"recently_messaged": 10}


def test_two_who_share_a_phone_since_the_freeze_get_one_message(stage: Stage, wire):
    people = stage.people(3)
    campaign_id = stage.for_sunday(reprocess=False)
    give_same_phone(stage.organisation_id, people[0], people[2])
    stage.run_on_sunday()
    assert stage.reached(campaign_id) == people[:2]
    held = stage.document(campaign_id)["results"]["held_back_by_reason"]
    assert held == {"duplicate_address": 1}


def test_stopping_the_process_gives_the_campaign_back_between_batches(stage: Stage, wire):
    people = stage.people(35)
    stop = threading.Event()

    def stop_process(send, messages):
        stop.set()
        return send(messages)

    wire(None, stop_process)
    campaign_id = stage.at_once()
    run_campaign(claim_campaign(campaign_id, LIMIT), stage.settings, stop)
    assert stage.document(campaign_id)["results"]["pending"] == 15
    stage.run_due()
    assert stage.reached(campaign_id) == people


def test_the_names_and_links_are_those_of_each_person(stage: Stage):
    stage.people(2)
    campaign_id = stage.at_once(
        message="Hi %%first_name%%: %%LINK%%", link="https://example.org/p/%%HASH%%"
    )
    stage.run_due()
    texts = {message.text for message in stage.outbox(campaign_id)}
    assert len(texts) == 2
    assert all(text.startswith("Hi First") and "https://example.org/p/" in text for text in texts)


def test_a_subject_stays_one_line_whatever_stands_in_a_name(stage: Stage):
    """A second line would be a header of the e-mail that somebody else wrote."""
    person_id = stage.people(1)[0]
    with write():
        db.session.get_one(Person, person_id).first_name = "Ada\r\nBcc: all@example.org"
    stage.at_once(channel=Channel.EMAIL, subject="For %%FIRST_NAME%%", message="Hello")
    stage.run_due()
    assert [sent.subject for sent in stage.outbox()] == ["For Ada Bcc: all@example.org"]


@pytest.mark.parametrize("text", [None, "not json"])
def test_without_readable_criteria_the_usual_window_holds(stage: Stage, text: str | None):
    people = stage.people(2)
    campaign_id = stage.at_once()
    set_facts(people[0], last_message_at=clock.now() - timedelta(hours=71))
    with write():
        db.session.get_one(Campaign, campaign_id).targeting_criteria = text
    stage.run_due()
    assert stage.reached(campaign_id) == people[1:]


def test_sending_keeps_to_its_rate(stage: Stage, wire):
    """Four a second: one each quarter of a second."""
    stage.people(12)
    provider = wire(*[lambda send, messages: (at.append(clock.now()), send(messages))[1]] * 12)
    at: list[datetime] = []
    stage.settings = replace(stage.settings, send_rate=4.0)
    campaign_id = stage.at_once()
    stage.run_due()
    assert [len(batch) for batch in provider.batches] == [1] * 12
    between = [(later - earlier).total_seconds() for earlier, later in pairwise(at)]
    assert min(between) > 0.249
    assert max(between) < 0.26
    assert stage.document(campaign_id)["status"] == "completed"


def test_the_rate_is_one_for_all_processes(stage: Stage):
    """What one has reserved is gone for the other; a tenth of a second's worth goes at once."""
    assert reserve_messages("simulator", 100.0, 50) == (10, 0.0)
    granted, seconds = reserve_messages("simulator", 100.0, 50)
    assert (granted, round(seconds, 3)) == (0, 0.01)
    stage.clock.shift(0.05)
    assert reserve_messages("simulator", 100.0, 50)[0] == 5
    assert reserve_messages("another", 100.0, 3) == (3, 0.0)


def test_a_clock_that_was_set_back_stops_nothing(stage: Stage):
    stage.clock.shift(timedelta(days=2))
    assert reserve_messages("simulator", 1.0, 1) == (1, 0.0)
    stage.clock.shift(timedelta(days=-2))
    granted, seconds = reserve_messages("simulator", 1.0, 1)
    assert granted or seconds <= 1


def test_states_only_go_forward(stage: Stage, wire):
    """A receipt that came before the send call's own answer is not undone by it."""
    people = stage.people(1)

    def delivered_already(send, messages):
        outcomes = send(messages)
        with db.engine.begin() as other:
            other.execute(
                sa.text("UPDATE recipient SET state = :state"),
                {"state": int(RecipientState.DELIVERED)},
            )
        return outcomes

    wire(delivered_already)
    campaign_id = stage.at_once()
    stage.run_due()
    assert [row.state for row in stage.recipients(campaign_id)] == [RecipientState.DELIVERED]
    assert stage.reached(campaign_id) == people
