"""Delivery receipts: right in any order, any number of times, and before the send call's answer."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall import clock
from rollcall.extensions import db, write
from rollcall.models import (
    Channel,
    ConsentChange,
    EarlyReceipt,
    PersonFacts,
    RecipientState,
    Suppression,
)
from rollcall.people.facts import hash_address
from rollcall.providers.base import Outcome, OutgoingMessage, ProviderError, Receipt
from rollcall.sending.claims import Claim
from rollcall.sending.content import Intent
from rollcall.sending.outcomes import Finished, record_outcomes
from rollcall.sending.receipts import apply_early_receipts, store_receipt
from rollcall.sending.references import read_reference, write_reference
from tests.factories import make_organisation, make_person
from tests.sending.wired import Wired, put_on_wire

QUEUED, WIRING, SENT = RecipientState.QUEUED, RecipientState.WIRING, RecipientState.SENT
DELIVERED, FAILED = RecipientState.DELIVERED, RecipientState.FAILED
IN_DOUBT = RecipientState.IN_DOUBT
MORNING = datetime(2026, 11, 27, 9, tzinfo=UTC)


def report(wired: Wired, status: str, **details: str) -> bool:
    return store_receipt("kannel", Receipt(status, wired.reference, **details))


def answer(wired: Wired, outcome: Outcome) -> None:
    """Record what the send call answered, as the runner does."""
    message = OutgoingMessage(
        wired.token, 1, wired.campaign_id, wired.person_id, "sms", "+14165550123", "", "Hello"
    )
    with write():
        claim = Claim(wired.campaign_id, 1, 1)
        record_outcomes(claim, [Finished(Intent(message, 1, Decimal(0)), outcome)])


def crash(wired: Wired) -> None:
    """Put in doubt what is still on the wire, as whoever takes over a campaign does."""
    if wired.attempt.outcome is None:
        wired.force(IN_DOUBT if wired.state == WIRING else wired.state, IN_DOUBT)


@pytest.fixture
def wired(app) -> Wired:
    return put_on_wire(make_person(make_organisation()))


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (["sent"], SENT),
        (["failed"], FAILED),
        (["delivered"], DELIVERED),
        (["sent", "delivered"], DELIVERED),
        (["delivered", "sent"], DELIVERED),
        (["delivered", "failed"], DELIVERED),
        (["failed", "delivered"], DELIVERED),
        (["failed", "sent"], FAILED),
    ],
)
@pytest.mark.parametrize("before", [WIRING, SENT, IN_DOUBT])
def test_the_furthest_state_stays(app, before, statuses, state):
    wired = put_on_wire(
        make_person(make_organisation()),
        state=before,
        outcome=None if before == WIRING else before,
    )
    for status in statuses:
        assert report(wired, status)
    assert wired.state == wired.attempt.outcome == state


def test_three_times_each_in_reverse_order_is_one_effect(wired: Wired):
    for status in ("delivered", "failed", "sent"):
        for _time in range(3):
            report(wired, status)
    assert wired.state == DELIVERED
    attempt = wired.attempt
    assert attempt.error_code is None
    first = attempt.receipt_at
    assert first is not None
    report(wired, "delivered")
    assert wired.attempt.receipt_at == first


def test_a_receipt_before_the_send_calls_own_answer_is_never_regressed(wired: Wired):
    report(wired, "delivered")
    answer(wired, Outcome(wired.token, provider_message_id="abc"))
    assert wired.state == wired.attempt.outcome == DELIVERED
    assert wired.attempt.provider_message_id == "abc"


@pytest.mark.parametrize("receipt_first", [True, False])
def test_a_refusal_by_the_send_call_stands_above_sent_in_either_order(app, receipt_first: bool):
    """As a receipt's "failed" does: what order they come in must not decide who counts as sent."""
    wired = put_on_wire(make_person(make_organisation()), at=MORNING)
    if receipt_first:
        report(wired, "sent")
    answer(wired, Outcome(wired.token, error=ProviderError("30007", "Held for spam.")))
    if not receipt_first:
        report(wired, "sent")
    assert wired.state == wired.attempt.outcome == FAILED
    assert wired.attempt.error_code == "30007"
    assert wired.last_message_at is None
    # The phone itself knows better than both.
    report(wired, "delivered")
    assert wired.state == wired.attempt.outcome == DELIVERED
    assert wired.last_message_at == MORNING


def test_whom_the_network_reported_as_sent_is_not_queued_again(wired: Wired):
    """A refusal that would be tried again comes after a receipt: a second request must not go."""
    report(wired, "sent")
    busy = ProviderError("429", "Fewer at a time.", permanent=False, provider_wide=True)
    answer(wired, Outcome(wired.token, error=busy))
    assert wired.state == wired.attempt.outcome == SENT
    assert wired.last_message_at is not None


def test_a_late_receipt_resolves_doubt(wired: Wired):
    error = ProviderError("timeout", "No answer came.", in_doubt=True)
    answer(wired, Outcome(wired.token, error=error))
    assert wired.state == IN_DOUBT
    report(wired, "sent")
    assert wired.state == SENT
    assert wired.attempt.error_text is None


@pytest.mark.parametrize(
    "state",
    [
        QUEUED,
        RecipientState.CLAIMED,
        RecipientState.HELD_BACK,
        RecipientState.CANCELLED,
        RecipientState.LEFT,
    ],
)
@pytest.mark.parametrize("status", ["sent", "failed", "delivered"])
def test_who_has_nothing_on_the_wire_is_never_touched(wired: Wired, state, status):
    wired.force(state, QUEUED)
    report(wired, status)
    assert wired.state == state
    assert wired.attempt.outcome == QUEUED


def test_a_failure_keeps_its_reason_and_takes_the_reservation_back(app):
    person = make_person(make_organisation())
    earlier = put_on_wire(person, state=SENT, outcome=SENT, at=MORNING - timedelta(days=5))
    wired = put_on_wire(person, state=SENT, outcome=SENT, at=MORNING)
    assert wired.last_message_at == MORNING
    report(wired, "failed", error_code="UNDELIV", error_text="The phone is off.")
    assert (wired.attempt.error_code, wired.attempt.error_text) == ("UNDELIV", "The phone is off.")
    assert wired.last_message_at == earlier.attempt.started_at
    report(wired, "delivered")
    assert wired.attempt.error_code is None
    assert wired.last_message_at == MORNING


def test_what_the_first_message_came_to_says_nothing_of_the_second(app):
    """Staff sent a message in doubt again; then the network gives the first one up."""
    person = make_person(make_organisation())
    first = put_on_wire(person, state=IN_DOUBT, outcome=IN_DOUBT)
    second = put_on_wire(person, campaign_id=first.campaign_id)
    second.force(SENT, SENT)
    report(first, "failed")
    assert (first.attempt.outcome, first.state) == (FAILED, SENT)
    report(first, "delivered")
    assert first.state == DELIVERED


def test_a_foreign_receipt_changes_nothing(wired: Wired):
    reference = read_reference(wired.reference)
    assert reference is not None
    other = make_person(make_organisation())
    for text in (
        write_reference(wired.campaign_id, wired.person_id, wired.token ^ 1),
        write_reference(wired.campaign_id, other.id, wired.token),
        write_reference(wired.campaign_id + 1, wired.person_id, wired.token),
        wired.reference.upper() + " ",
        "",
        "1-1",
        f"{2**40}-1-{wired.token:016x}",
        f"{wired.campaign_id}-{wired.person_id}-ffffffffffffffff",
    ):
        assert not store_receipt("kannel", Receipt("delivered", text))
    assert not store_receipt("twilio", Receipt("delivered", wired.reference))
    assert not store_receipt("kannel", Receipt("delivered", None, "an id"))
    assert not store_receipt("kannel", Receipt("vanished", wired.reference))
    assert (wired.state, wired.attempt.outcome, wired.attempt.receipt_at) == (WIRING, None, None)
    assert not db.session.scalars(sa.select(EarlyReceipt)).all()


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))
def test_a_reference_is_read_as_it_was_written(campaign_id: int, person_id: int, token: int):
    text = write_reference(campaign_id, person_id, token)
    assert read_reference(text) == (campaign_id, person_id, token)
    assert text.replace("-", "").isalnum()


@given(st.text(max_size=60))
def test_no_other_text_is_a_reference(text: str):
    found = read_reference(text)
    assert found is None or write_reference(*found) == text


def test_an_smscs_receipt_finds_its_message_by_the_id(app):
    wired = put_on_wire(
        make_person(make_organisation()),
        "smpp",
        state=SENT,
        outcome=SENT,
        provider_message_id="00af31",
    )
    assert store_receipt("smpp", Receipt("delivered", None, "00af31"))
    assert wired.state == DELIVERED


def test_only_where_receipts_name_ids_is_an_id_enough(app):
    wired = put_on_wire(
        make_person(make_organisation()),
        "twilio",
        state=SENT,
        outcome=SENT,
        provider_message_id="1",
    )
    assert not store_receipt("twilio", Receipt("delivered", None, "1"))
    assert not store_receipt("nobody", Receipt("delivered", None, "1"))
    assert wired.state == SENT
    assert db.session.scalars(sa.select(EarlyReceipt)).all() == []


def test_an_smscs_receipt_that_comes_too_early_is_kept(app):
    wired = put_on_wire(make_person(make_organisation()), "smpp")
    for status in ("delivered", "sent", "delivered"):
        assert store_receipt("smpp", Receipt(status, None, "00af31"))
    assert wired.state == WIRING
    assert apply_early_receipts("smpp", ["00af31"]) == 0
    answer(wired, Outcome(wired.token, provider_message_id="00af31"))
    assert wired.state == SENT
    assert apply_early_receipts("smpp", ["something else", "00af31"]) == 3
    assert wired.state == DELIVERED
    assert not db.session.scalars(sa.select(EarlyReceipt)).all()


def test_early_receipts_that_nobody_asks_for_are_forgotten(app):
    with write():
        db.session.add(
            EarlyReceipt(
                provider="smpp",
                provider_message_id="old",
                status="sent",
                received_at=clock.now() - timedelta(days=8),
            )
        )
    store_receipt("smpp", Receipt("sent", None, "new"))
    kept = db.session.scalars(sa.select(EarlyReceipt.provider_message_id)).all()
    assert kept == ["new"]


@pytest.mark.parametrize("when", ["by reference", "by id", "by id, too early"])
def test_whom_the_carrier_has_on_its_stop_list_is_opted_out_here(app, when: str):
    person = make_person(make_organisation())
    known = {"provider_message_id": "SM1"} if when == "by id" else {}
    wired = put_on_wire(person, "http", state=SENT, outcome=SENT, **known)
    reference = wired.reference if when == "by reference" else None
    receipt = Receipt("failed", reference, "SM1", "14", "Opted out.", opted_out=True)
    assert store_receipt("http", receipt)
    assert store_receipt("http", receipt)
    if when == "by id, too early":
        with write():
            wired.attempt.provider_message_id = "SM1"
        assert apply_early_receipts("http", ["SM1"]) == 2
    db.session.expire_all()
    assert db.session.get_one(PersonFacts, person.id).opted_out_sms
    hashed = db.session.scalars(sa.select(Suppression.address_hash)).all()
    assert hashed == [hash_address(Channel.SMS, person.phone or "")]
    assert [c.source for c in db.session.scalars(sa.select(ConsentChange))] == ["carrier"]


EVENTS = st.lists(
    st.sampled_from(["call sent", "call failed", "crash", "sent", "failed", "delivered"]),
    max_size=8,
).filter(
    # The send call has one answer.
    lambda events: not {"call sent", "call failed"} <= set(events)
)
RANK = {WIRING: 0, IN_DOUBT: 0, SENT: 1, FAILED: 2, DELIVERED: 3}
TOLD = {
    "call sent": SENT,
    "call failed": FAILED,
    "crash": IN_DOUBT,
    "sent": SENT,
    "failed": FAILED,
    "delivered": DELIVERED,
}


def test_any_order_ends_in_the_furthest_state(app):
    organisation = make_organisation()

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(EVENTS)
    def check(events: list[str]) -> None:
        wired = put_on_wire(make_person(organisation), at=MORNING)
        for event in events:
            if event == "crash":
                crash(wired)
            elif event.startswith("call"):
                refused = ProviderError("1", "Refused.") if event == "call failed" else None
                answer(wired, Outcome(wired.token, "id", refused))
            else:
                report(wired, event)
        furthest = max((TOLD[event] for event in events), key=lambda s: RANK[s], default=WIRING)
        assert RANK[wired.state] == RANK[furthest]
        assert (wired.state == WIRING) == (not events)
        assert (wired.attempt.outcome or WIRING) == wired.state
        assert (wired.last_message_at is None) == (furthest == FAILED)

    check()


def test_receipts_that_come_at_the_same_moment_end_in_the_furthest_state(app):
    people = [make_person(make_organisation()) for _ in range(4)]
    several = [put_on_wire(person) for person in people]
    db.session.commit()
    ready = threading.Barrier(9)
    failures: list[BaseException] = []

    def tell(status: str) -> None:
        with app.app_context():
            ready.wait()
            try:
                for wired in several:
                    report(wired, status)
            except BaseException as error:
                failures.append(error)
            finally:
                db.session.remove()

    threads = [
        threading.Thread(target=tell, args=(status,))
        for status in ("sent", "failed", "delivered") * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert {wired.state for wired in several} == {DELIVERED}
    assert {wired.attempt.outcome for wired in several} == {DELIVERED}
    assert all(wired.last_message_at for wired in several)
