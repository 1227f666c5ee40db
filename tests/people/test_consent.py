"""Opting out and in: by address, for everybody who has it, once."""

import pytest
import sqlalchemy as sa

from rollcall.errors import InvalidInput, NotFound
from rollcall.extensions import db
from rollcall.models import AuditEntry, Channel, ConsentChange, PersonFacts, Suppression
from rollcall.people.consent import opt_in_person, opt_out_person
from rollcall.people.details import PersonDraft
from rollcall.people.records import add_person
from tests.factories import make_actor, make_organisation, make_people, make_person

SHARED = "+14165550123"


def opted_out(person_id: int) -> tuple[bool, bool]:
    db.session.expire_all()
    facts = db.session.get_one(PersonFacts, person_id)
    return facts.opted_out_sms, facts.opted_out_email


def count(model) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_everybody_with_the_address_is_opted_out(app):
    acme = make_organisation()
    couple = make_people(acme, [{"phone": SHARED}, {"phone": SHARED}])
    stranger = make_person(acme)
    assert opt_out_person(make_actor(acme), couple[0], Channel.SMS, "stop word") == 2
    assert [opted_out(person) for person in couple] == [(True, False)] * 2
    assert opted_out(stranger.id) == (False, False)
    changes = db.session.scalars(sa.select(ConsentChange).order_by(ConsentChange.person_id)).all()
    assert [(c.person_id, c.channel, c.opted_out, c.source) for c in changes] == [
        (couple[0], "sms", True, "stop word"),
        (couple[1], "sms", True, "stop word"),
    ]


def test_doing_it_again_changes_nothing(app):
    acme = make_organisation()
    actor, person = make_actor(acme), make_person(acme)
    opt_out_person(actor, person.id, Channel.EMAIL, "staff")
    before = [count(model) for model in (Suppression, ConsentChange, AuditEntry)]
    assert opt_out_person(actor, person.id, Channel.EMAIL, "staff") == 0
    assert [count(model) for model in (Suppression, ConsentChange, AuditEntry)] == before
    assert opted_out(person.id) == (False, True)


def test_opting_in_again_undoes_it_for_everybody_with_the_address(app):
    acme = make_organisation()
    actor = make_actor(acme)
    couple = make_people(acme, [{"phone": SHARED}, {"phone": SHARED}])
    opt_out_person(actor, couple[0], Channel.SMS, "staff")
    assert opt_in_person(actor, couple[1], Channel.SMS, "start word") == 2
    assert [opted_out(person) for person in couple] == [(False, False)] * 2
    assert count(Suppression) == 0
    assert count(ConsentChange) == 4
    assert opt_in_person(actor, couple[1], Channel.SMS, "start word") == 0


def test_somebody_added_later_with_the_address_is_opted_out_too(app):
    acme = make_organisation()
    actor = make_actor(acme)
    person = make_person(acme, phone=SHARED, first_name="Sarah")
    opt_out_person(actor, person.id, Channel.SMS, "staff")
    newcomer = add_person(actor, PersonDraft(phone=SHARED, first_name="Tom"))
    assert opted_out(newcomer) == (True, False)


def test_another_organisation_is_not_touched(app):
    acme, other = make_organisation(), make_organisation()
    mine, theirs = make_person(acme, phone=SHARED), make_person(other, phone=SHARED)
    opt_out_person(make_actor(acme), mine.id, Channel.SMS, "staff")
    assert opted_out(theirs.id) == (False, False)
    with pytest.raises(NotFound):
        opt_out_person(make_actor(acme), theirs.id, Channel.SMS, "staff")


@pytest.mark.parametrize("change", [opt_out_person, opt_in_person])
def test_without_an_address_there_is_nothing_to_change(app, change):
    acme = make_organisation()
    person = make_person(acme, email=None)
    with pytest.raises(InvalidInput, match="no e-mail address"):
        change(make_actor(acme), person.id, Channel.EMAIL, "staff")
    assert count(ConsentChange) == 0
