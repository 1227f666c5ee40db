"""STOP, START, HELP and everything else: whom it concerns, what it changes, what is answered."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from rollcall import clock
from rollcall.extensions import db, write
from rollcall.models import (
    AuditEntry,
    Campaign,
    CampaignState,
    Channel,
    ConsentChange,
    InboundMeaning,
    InboundMessage,
    Organisation,
    Person,
    PersonFacts,
    RecipientState,
    Suppression,
)
from rollcall.people.details import PersonDraft
from rollcall.people.facts import hash_address
from rollcall.people.records import add_person
from rollcall.providers.base import Inbound, Receipt
from rollcall.sending import inbound as module
from rollcall.sending.inbound import Reply, await_quiet_wire, receive_inbound, session_sink
from tests.factories import make_actor, make_organisation, make_person
from tests.sending.wired import put_on_wire

PHONE = "+14165550123"
SENT = RecipientState.SENT
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def write_text(text: str, message_id: str = "m1", phone: str = PHONE, **options: bool) -> Reply:
    return receive_inbound("kannel", Inbound(message_id, phone, "12345", text, **options))


def messaged(organisation: Organisation, at: datetime = NOON, phone: str = PHONE) -> Person:
    """Somebody with the phone whom the organisation has sent a text."""
    person = make_person(organisation, phone=phone)
    put_on_wire(person, state=SENT, outcome=SENT, at=at)
    return person


def opted_out(person: Person) -> bool:
    db.session.rollback()
    return db.session.get_one(PersonFacts, person.id).opted_out_sms


def suppressed() -> list[tuple[int, str]]:
    hashed = hash_address(Channel.SMS, PHONE)
    rows = db.session.scalars(sa.select(Suppression).order_by(Suppression.organisation_id)).all()
    assert {row.address_hash for row in rows} <= {hashed}
    return [(row.organisation_id, row.channel) for row in rows]


def stored() -> list[InboundMessage]:
    query = sa.select(InboundMessage).order_by(InboundMessage.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def test_a_stop_holds_for_every_organisation_that_messaged_the_phone(app):
    acme, beta, other = (make_organisation(name=name) for name in ("Acme", "Beta", "Other"))
    ours, theirs = messaged(acme), messaged(beta)
    bystander = make_person(other, phone=PHONE)
    reply = write_text("STOP")
    assert (reply.meaning, reply.address) == (InboundMeaning.STOP, PHONE)
    assert "Acme" in reply.text
    assert "Beta" in reply.text
    assert "Other" not in reply.text
    assert [opted_out(person) for person in (ours, theirs, bystander)] == [True, True, False]
    assert suppressed() == [(acme.id, "sms"), (beta.id, "sms")]
    assert sorted((m.organisation_id, m.person_id, m.text) for m in stored()) == [
        (acme.id, ours.id, "STOP"),
        (beta.id, theirs.id, "STOP"),
    ]


def test_what_proves_a_stop_is_kept(app):
    person = messaged(make_organisation())
    write_text("Stop All!")
    campaign_id = db.session.scalars(sa.select(Campaign.id)).one()
    change = db.session.scalars(sa.select(ConsentChange)).one()
    assert (change.person_id, change.opted_out) == (person.id, True)
    assert change.source == f"text STOPALL, campaign {campaign_id}"
    entry = db.session.scalars(sa.select(AuditEntry)).one()
    assert (entry.action, entry.origin, entry.staff_id) == ("person.opt_out", "recipient", None)
    assert entry.object_id == str(person.id)
    assert PHONE not in str(entry.after)


def test_the_same_message_again_is_nothing_new(app):
    person = messaged(make_organisation())
    assert write_text("stop", "m1").text
    assert write_text("start", "m2").text
    assert not write_text("stop", "m1").text
    assert not opted_out(person)
    assert len(stored()) == 2
    assert len(db.session.scalars(sa.select(ConsentChange)).all()) == 2


def test_at_most_one_confirmation(app):
    messaged(make_organisation())
    texts = [write_text("STOP", f"m{number}").text for number in range(4)]
    assert [bool(text) for text in texts] == [True, False, False, False]


def test_nothing_is_answered_where_the_carrier_has_answered(app):
    person = messaged(make_organisation())
    for number, text in enumerate(("STOP", "HELP", "START")):
        assert not write_text(text, f"m{number}", answered=True).text
    assert not opted_out(person)
    # A word of the carrier's own that we don't know is read by somebody.
    assert write_text("nostop", "m9", answered=True).meaning == InboundMeaning.UNCLEAR


def test_a_stop_outlives_the_person(app):
    """Nobody has the phone any more when the stop comes; whoever is added with it stays out."""
    acme = make_organisation()
    person = messaged(acme)
    with write():
        row = db.session.get_one(Person, person.id)
        row.phone = None
    assert write_text("STOP").text
    assert suppressed() == [(acme.id, "sms")]
    newcomer = add_person(make_actor(acme), PersonDraft(phone=PHONE, first_name="Tom"))
    assert db.session.get_one(PersonFacts, newcomer).opted_out_sms


def test_where_nobody_messaged_the_phone_everybody_who_knows_it_is_concerned(app):
    acme, beta = make_organisation(), make_organisation()
    people = [make_person(acme, phone=PHONE), make_person(beta, phone=PHONE)]
    # Over another provider, whose number is another one.
    put_on_wire(make_person(acme, phone=PHONE), "twilio", state=SENT, outcome=SENT)
    write_text("STOP")
    assert [opted_out(person) for person in people] == [True, True]


def test_what_concerns_nobody_is_not_kept(app):
    make_person(make_organisation())
    for phone in (PHONE, "12345", "SERVICE", "", "whatsapp:+14165550123", "+", "\0"):
        assert not write_text("STOP", phone=phone).text
    assert stored() == []
    assert suppressed() == []


@pytest.mark.parametrize(
    "written", ["14165550123", "0014165550123", "4165550123", "+1 416-555-0123"]
)
def test_a_number_is_known_however_the_network_writes_it(app, written):
    person = messaged(make_organisation(country="CA"))
    assert write_text("STOP", phone=written).address == PHONE
    assert opted_out(person)


def test_a_start_restores_the_organisation_that_messaged_last(app):
    acme, beta = make_organisation(name="Acme"), make_organisation(name="Beta")
    ours = messaged(acme, NOON)
    theirs = messaged(beta, NOON + timedelta(hours=1))
    with write():
        db.session.add(
            Suppression(
                organisation_id=beta.id,
                channel=Channel.EMAIL,
                address_hash=hash_address(Channel.EMAIL, theirs.email or ""),
                created_at=NOON,
            )
        )
    write_text("STOP", "m1")
    reply = write_text("START", "m2")
    assert reply.text.startswith("Beta:")
    assert "Acme" not in reply.text
    assert (opted_out(ours), opted_out(theirs)) == (True, False)
    # E-mails are another channel.
    left = db.session.execute(sa.select(Suppression.organisation_id, Suppression.channel)).all()
    assert sorted(map(tuple, left)) == [(acme.id, "sms"), (beta.id, "email")]
    assert not write_text("START", "m3").text


def test_a_start_that_could_be_for_several_restores_none(app):
    people = [make_person(make_organisation(), phone=PHONE, opted_out="sms") for _ in range(2)]
    assert not write_text("START").text
    assert [opted_out(person) for person in people] == [True, True]
    assert [message.meaning for message in stored()] == ["start", "start"]


def test_a_start_for_the_only_one_that_knows_the_phone(app):
    person = make_person(make_organisation(), phone=PHONE, opted_out="sms")
    assert write_text("START").text
    assert not opted_out(person)


def test_help_says_who_sends_and_how_to_stop(app):
    person = messaged(make_organisation(name="Art Battle"))
    reply = write_text("help?")
    assert "Art Battle" in reply.text
    assert "STOP" in reply.text
    assert not opted_out(person)
    assert not write_text("help?").text, "the same message again"


@pytest.mark.parametrize(
    ("text", "meaning"), [("please leave me alone", "unclear"), ("See you there!", "other")]
)
def test_other_texts_are_kept_and_change_nothing(app, text, meaning):
    person = messaged(make_organisation())
    reply = write_text(text)
    assert reply.text == ""
    assert [(m.meaning, m.text, m.decision) for m in stored()] == [(meaning, text, None)]
    assert not opted_out(person)


def test_what_no_database_can_hold_is_taken_out(app):
    messaged(make_organisation())
    receive_inbound("kannel", Inbound("\0" + "x" * 300, PHONE, "1\0", "ST\0OP\ud83d" + "!" * 9_000))
    message = stored()[0]
    assert message.text.startswith("STOP!!!")
    assert len(message.text) == 5_000
    assert len(message.provider_message_id) == 64
    receive_inbound("kannel", Inbound("", PHONE, "1", "one"))
    receive_inbound("kannel", Inbound("", PHONE, "1", "one"))
    assert len(stored()) == 3


def test_many_copies_at_once_are_one(app):
    person = messaged(make_organisation())
    db.session.commit()
    ready, replies = threading.Barrier(6), []

    def deliver() -> None:
        with app.app_context():
            ready.wait()
            replies.append(write_text("STOP").text)
            db.session.remove()

    threads = [threading.Thread(target=deliver) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 6
    assert len([text for text in replies if text]) == 1
    assert len(stored()) == 1
    assert opted_out(person)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKS", 3)


def test_the_wire_is_quiet_only_when_nothing_to_the_address_is_on_its_way(app, impatient):
    acme = make_organisation()
    wired = put_on_wire(make_person(acme, phone=PHONE))
    put_on_wire(make_person(acme))
    assert not await_quiet_wire(PHONE)
    wired.force(RecipientState.IN_DOUBT, RecipientState.IN_DOUBT)
    assert await_quiet_wire(PHONE)
    wired.force(RecipientState.WIRING, None)
    assert not await_quiet_wire(PHONE)
    with write():
        campaign = db.session.get_one(Campaign, wired.campaign_id)
        campaign.state = CampaignState.CANCELLED
    assert not await_quiet_wire(PHONE), "cancelled, and yet on the wire"
    with write():
        campaign = db.session.get_one(Campaign, wired.campaign_id)
        campaign.lease_until = clock.now() - timedelta(seconds=1)
    assert await_quiet_wire(PHONE), "whoever had it has lost it"


def test_what_comes_over_a_session_is_stored_by_the_same_verbs(app):
    person = messaged(make_organisation())
    wired = put_on_wire(
        make_person(make_organisation()), "smpp", state=SENT, outcome=SENT, provider_message_id="7"
    )
    db.session.commit()
    sink = session_sink(app, "smpp")
    thread = threading.Thread(target=sink, args=(Receipt("delivered", None, "7"),))
    thread.start()
    thread.join()
    assert wired.state == RecipientState.DELIVERED
    put_on_wire(person, "smpp", state=SENT, outcome=SENT)
    sink(Inbound("m1", PHONE, "12345", "STOP"))
    assert opted_out(person)


def test_what_a_session_can_not_store_is_raised(app, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr("rollcall.sending.inbound.store_receipt", broken)
    with pytest.raises(RuntimeError, match="no disk"):
        session_sink(app, "smpp")(Receipt("delivered", None, "7"))
