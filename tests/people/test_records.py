"""Single people: added, edited, blocked, found, and everything known of them."""

from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.extensions import db
from rollcall.models import AuditEntry, Channel, Person, PersonFacts, Source
from rollcall.people.consent import opt_out_person
from rollcall.people.details import PersonDraft
from rollcall.people.profile import person_profile
from rollcall.people.records import (
    add_person,
    block_person,
    edit_person,
    find_person,
    unblock_person,
)
from tests.factories import (
    NOON,
    attend,
    make_actor,
    make_event,
    make_organisation,
    make_person,
    make_purchase,
)

SARAH = PersonDraft(
    phone="(416) 555-0123",
    email="Sarah@Example.org ",
    first_name="Sarah",
    last_name="Lee",
    city="Toronto",
    country="canada",
    timezone="america/toronto",
)


def last_audit() -> AuditEntry | None:
    return db.session.scalar(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))


def test_a_person_is_stored_in_one_form(app):
    acme = make_organisation()
    person = find_person(acme.id, add_person(make_actor(acme), SARAH))
    assert (person.phone, person.email) == ("+14165550123", "sarah@example.org")
    assert (person.name_key, person.last_name_key, person.city_key) == (
        *("sarah lee", "lee", "toronto"),
    )
    assert (person.country, person.timezone) == ("CA", "America/Toronto")
    assert len(person.hash) == 12
    assert (person.facts.has_phone, person.facts.phone_country) == (True, "CA")
    audit = last_audit()
    assert audit is not None
    assert (audit.action, audit.object_id) == ("person.add", str(person.id))


@pytest.mark.parametrize(
    ("draft", "field", "words"),
    [
        (PersonDraft(first_name="Sarah"), "phone", "one of them at least"),
        (PersonDraft(phone="4.16555E+09"), "phone", "Excel"),
        (PersonDraft(phone="12", email="a@x.org"), "phone", "too short"),
        (PersonDraft(email="sarah"), "email", "no @"),
        (PersonDraft(email="a@x.org", country="Atlantis"), "country", "write CA or Canada"),
        (PersonDraft(email="a@x.org", timezone="Toronto"), "timezone", "America/Toronto"),
        (PersonDraft(email="a@x.org", first_name="x" * 201), "first_name", "200"),
    ],
)
def test_what_is_wrong_is_named_by_field(app, draft, field, words):
    acme = make_organisation()
    with pytest.raises(InvalidInput) as refused:
        add_person(make_actor(acme), draft)
    assert list(refused.value.fields) == [field]
    assert words in refused.value.fields[field]
    assert db.session.scalar(sa.select(sa.func.count(Person.id))) == 0


def test_somebody_known_is_not_added_again(app):
    acme = make_organisation()
    actor = make_actor(acme)
    known = add_person(actor, SARAH)
    with pytest.raises(Conflict, match=f"number {known}"):
        add_person(actor, PersonDraft(phone="416 555 0123"))
    tom = add_person(actor, PersonDraft(phone="416 555 0123", first_name="Tom"))
    assert find_person(acme.id, tom).facts.phone_shared
    assert find_person(acme.id, known).facts.phone_shared


def test_editing_tells_apart_who_shared_the_old_address(app):
    acme = make_organisation()
    actor = make_actor(acme)
    stays = make_person(acme, phone="+14165550123")
    moves = make_person(acme, phone="+14165550123", phone_invalid=True)
    assert find_person(acme.id, stays.id).facts.phone_shared
    edit_person(actor, moves.id, PersonDraft(phone="+14165550199", first_name="Ann"))
    assert not find_person(acme.id, stays.id).facts.phone_shared
    moved = find_person(acme.id, moves.id)
    assert (moved.phone, moved.email, moved.name_key) == ("+14165550199", None, "ann")
    assert not moved.facts.phone_invalid
    assert not moved.facts.has_email
    audit = last_audit()
    assert audit is not None
    assert audit.before["phone"] == "+14165550123"
    assert audit.after["phone"] == "+14165550199"


def test_blocking_needs_a_reason_and_can_be_undone(app):
    acme = make_organisation()
    actor, person = make_actor(acme), make_person(acme)
    with pytest.raises(InvalidInput, match="Say why"):
        block_person(actor, person.id, "  ")
    block_person(actor, person.id, "asked us by phone")
    blocked = find_person(acme.id, person.id)
    assert blocked.facts.blocked
    assert blocked.blocked_reason == "asked us by phone"
    since = blocked.blocked_at
    block_person(actor, person.id, "a lawyer wrote")
    assert find_person(acme.id, person.id).blocked_at == since
    unblock_person(actor, person.id)
    free = find_person(acme.id, person.id)
    assert (free.blocked_at, free.blocked_reason, free.facts.blocked) == (None, "", False)


def test_a_person_is_found_by_id_hash_phone_and_email(app):
    acme = make_organisation()
    person = make_person(acme, phone="+14165550123", email="sarah@example.org")
    make_person(acme, phone="+14165550123", email="sarah@example.org")
    keys = (person.id, str(person.id), person.hash, "+1 416 555 0123", "Sarah@Example.org")
    assert [find_person(acme.id, key).id for key in keys] == [person.id] * len(keys)


@pytest.mark.parametrize(
    "key", [0, -1, 2**40, 10**30, "", "nobody", "no@body.org", "@", "+", "\0", "é", "9" * 40]
)
def test_nobody_is_found_by_anything_else(app, key):
    with pytest.raises(NotFound):
        find_person(make_organisation().id, key)


def test_nobody_of_another_organisation_is_found_or_changed(app):
    acme, other = make_organisation(), make_organisation()
    theirs = make_person(other)
    actor = make_actor(acme)
    for key in (theirs.id, theirs.hash, theirs.phone, theirs.email):
        with pytest.raises(NotFound):
            find_person(acme.id, key)
    for change in (
        lambda: edit_person(actor, theirs.id, SARAH),
        lambda: block_person(actor, theirs.id, "no reason"),
        lambda: unblock_person(actor, theirs.id),
    ):
        with pytest.raises(NotFound):
            change()
    assert not db.session.get_one(PersonFacts, theirs.id).blocked


def test_the_profile_shows_everything_known(app):
    acme = make_organisation()
    person = make_person(acme)
    spring = make_event(acme, "spring", starts_at=NOON - timedelta(days=90))
    autumn = make_event(acme, "autumn")
    attend(spring, person, cancelled=True)
    attend(autumn, person, Source.QR_SCAN)
    make_purchase(person, "19.99", event_id=spring.id)
    opt_out_person(make_actor(acme), person.id, Channel.SMS, "staff")
    profile = person_profile(acme.id, person.hash)
    assert profile.person.id == person.id
    assert profile.facts.opted_out_sms
    assert [(a.event_slug, a.source, a.status) for a in profile.attendance] == [
        ("autumn", Source.QR_SCAN, "attending"),
        ("spring", Source.REGISTRATION, "cancelled"),
    ]
    assert [(c.channel, c.opted_out, c.source) for c in profile.consents] == [
        (Channel.SMS, True, "staff")
    ]
    assert [(p.amount, p.event_name) for p in profile.purchases] == [(Decimal("19.99"), "Spring")]
    assert profile.scores is None
    assert profile.messages == []
