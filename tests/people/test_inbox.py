"""The inbox: what waits for a decision, who decides, once."""

import pytest
import sqlalchemy as sa

from rollcall.actors import Actor
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.extensions import db
from rollcall.models import AuditEntry, ConsentChange, Organisation, Person, PersonFacts
from rollcall.people.inbox import count_undecided, decide_inbound, find_inbound, list_inbox
from rollcall.people.profile import person_profile
from rollcall.providers.base import Inbound
from rollcall.sending.inbound import receive_inbound
from tests.factories import make_actor, make_organisation, make_person
from tests.sending.wired import make_campaign, put_on_wire


@pytest.fixture
def acme(app) -> Organisation:
    return make_organisation()


@pytest.fixture
def actor(acme: Organisation) -> Actor:
    return make_actor(acme)


def wrote(person: Person, text: str) -> int:
    """Let somebody write to us, and return the number of the message."""
    phone = person.phone or ""
    receive_inbound("kannel", Inbound(f"{phone} {text}", phone, "12345", text))
    return list_inbox(person.organisation_id).rows[0].message.id


def texts(organisation: Organisation, **options) -> list[str]:
    return [line.message.text for line in list_inbox(organisation.id, **options).rows]


def opted_out(person: Person) -> bool:
    db.session.expire_all()
    return db.session.get_one(PersonFacts, person.id).opted_out_sms


def test_what_may_be_a_stop_waits(acme):
    person = make_person(acme)
    for text in ("take me off", "hello", "STOP", "leave me alone"):
        wrote(person, text)
    assert texts(acme, undecided=True) == ["leave me alone", "take me off"]
    assert texts(acme, undecided=False) == ["STOP", "hello"]
    assert count_undecided(acme.id) == 2
    assert count_undecided(make_organisation().id) == 0


def test_opting_out_holds_for_the_address_and_is_recorded(acme, actor):
    person = make_person(acme, first_name="Sarah")
    partner = make_person(acme, phone=person.phone)
    message_id = wrote(person, "please leave me alone")
    assert decide_inbound(actor, message_id, "stop")
    assert opted_out(person)
    assert opted_out(partner)
    line = find_inbound(acme.id, message_id)
    assert (line.message.decision, line.message.decided_by_id) == ("stop", actor.staff_id)
    sources = db.session.scalars(sa.select(ConsentChange.source)).all()
    assert sources == [f"reply {message_id}, read by staff"] * 2
    entry = db.session.scalars(sa.select(AuditEntry)).one()
    assert (entry.action, entry.object_id) == ("inbox.decide", str(message_id))
    assert entry.staff_id == actor.staff_id
    assert count_undecided(acme.id) == 0


def test_deciding_the_same_again_changes_nothing(acme, actor):
    message_id = wrote(make_person(acme), "please leave me alone")
    assert decide_inbound(actor, message_id, "ignore")
    assert not decide_inbound(make_actor(acme), message_id, "ignore")
    assert find_inbound(acme.id, message_id).message.decided_by_id == actor.staff_id
    assert len(db.session.scalars(sa.select(AuditEntry)).all()) == 1


def test_whoever_decides_otherwise_is_told(acme, actor):
    person = make_person(acme)
    message_id = wrote(person, "please leave me alone")
    decide_inbound(actor, message_id, "ignore")
    with pytest.raises(Conflict, match="Super member decided already, and found that it is not"):
        decide_inbound(make_actor(acme), message_id, "stop")
    assert not opted_out(person)


def test_a_message_that_asks_for_nothing_may_be_a_stop_to_whoever_reads_it(acme, actor):
    person = make_person(acme)
    message_id = wrote(person, "mi ne volas viajn mesaĝojn")
    assert decide_inbound(actor, message_id, "stop")
    assert opted_out(person)


@pytest.mark.parametrize("text", ["STOP", "START", "HELP"])
def test_what_is_plain_needs_no_decision(acme, actor, text):
    message_id = wrote(make_person(acme), text)
    with pytest.raises(Conflict, match="nothing to decide"):
        decide_inbound(actor, message_id, "stop")


def test_a_message_of_another_organisation_is_not_there(acme):
    person = make_person(acme)
    message_id = wrote(person, "please leave me alone")
    stranger = make_actor(make_organisation())
    for number in (message_id, 0, -1, 2**31, 2**70):
        with pytest.raises(NotFound):
            decide_inbound(stranger, number, "stop")
    assert not opted_out(person)
    with pytest.raises(InvalidInput):
        decide_inbound(make_actor(acme), message_id, "perhaps")


def test_a_line_names_the_campaign_they_last_got(acme):
    person = make_person(acme, first_name="Sarah", last_name="Jones")
    put_on_wire(person, campaign_id=make_campaign(acme.id, name="First"))
    put_on_wire(person, campaign_id=make_campaign(acme.id, name="Second"))
    line = find_inbound(acme.id, wrote(person, "hello"))
    assert (line.person_name, line.campaign_name) == ("Sarah Jones", "Second")
    put_on_wire(person, campaign_id=make_campaign(acme.id, name="Later"))
    assert find_inbound(acme.id, line.message.id).campaign_name == "Second"


def test_pages_and_searching(acme):
    sarah = make_person(acme, first_name="Sarah", last_name="O'Neil")
    tom = make_person(acme, first_name="Tom", last_name="Smith")
    for number in range(5):
        wrote(sarah, f"number {number} 100%")
    wrote(tom, "hello there")
    first = list_inbox(acme.id, limit=4)
    rest = list_inbox(acme.id, limit=4, cursor=first.next_cursor)
    found = [line.message.text for line in [*first.rows, *rest.rows]]
    assert found == ["hello there", *(f"number {number} 100%" for number in range(4, -1, -1))]
    assert rest.next_cursor is None
    assert texts(acme, text="HELLO") == ["hello there"]
    assert texts(acme, text="tom") == texts(acme, text="smi") == ["hello there"]
    assert len(texts(acme, text="100%")) == len(texts(acme, text="sarah o'n")) == 5
    assert texts(acme, text="_") == []
    assert texts(acme, text=(tom.phone or "")[-7:]) == ["hello there"]
    with pytest.raises(InvalidInput):
        list_inbox(acme.id, cursor="nonsense")


def test_the_persons_page_has_what_they_wrote(acme, actor):
    person = make_person(acme)
    decide_inbound(actor, wrote(person, "leave me alone"), "stop")
    wrote(person, "thanks")
    lines = person_profile(acme.id, person.id).replies
    assert [(line.text, line.meaning, line.decision) for line in lines] == [
        ("thanks", "other", None),
        ("leave me alone", "unclear", "stop"),
    ]
