"""Hand-picked people: whom a list or a file means, and adding those who are unknown."""

import io

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria
from rollcall.audience.preview import preview_audience
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import AuditEntry, Channel, Organisation, Person
from rollcall.people.picking import (
    Picked,
    create_missing_people,
    pick_people,
    pick_people_from_csv,
)
from tests.factories import make_actor, make_organisation, make_people


@pytest.fixture
def acme(app: APIFlask) -> Organisation:
    return make_organisation()


@pytest.fixture
def actor(acme: Organisation) -> Actor:
    return make_actor(acme)


def csv(text: str) -> io.BytesIO:
    return io.BytesIO(text.encode())


def names(ids: tuple[int, ...]) -> list[str]:
    return [db.session.get_one(Person, person_id).full_name for person_id in ids]


def test_only_valid_and_unknown_addresses_become_people(acme: Organisation, actor: Actor):
    known = make_people(acme, [{"email": "known@example.org"}])
    words = ["known@example.org", "new@example.org", "(416) 555-0188", "12", "nonsense@", "999999"]
    picked = pick_people(acme, words)
    assert picked.person_ids == tuple(known)
    assert [one.word for one in picked.missing] == ["new@example.org", "(416) 555-0188"]
    made = create_missing_people(actor, picked)
    assert len(made.created) == 2
    assert made.person_ids == tuple(sorted([*known, *made.created]))
    assert [word for word, _ in made.unknown] == ["nonsense@", "12", "999999"]
    people = [db.session.get_one(Person, number) for number in made.created]
    assert [(one.phone, one.email) for one in people] == [
        (None, "new@example.org"),
        ("+14165550188", None),
    ]


def test_each_is_in_the_audit_trail_and_can_be_reached(acme: Organisation, actor: Actor):
    made = create_missing_people(actor, pick_people(acme, ["+14165550188", "+14165550189"]))
    entries = db.session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "person.add").order_by(AuditEntry.id)
    ).all()
    assert [entry.object_id for entry in entries] == [str(number) for number in made.created]
    assert {entry.staff_id for entry in entries} == {actor.staff_id}
    funnel = preview_audience(acme.id, Criteria(people=made.created), Channel.SMS).funnel
    assert funnel.reachable == 2


def test_a_list_as_mail_programs_write_it(acme: Organisation, actor: Actor):
    made = create_missing_people(
        actor,
        pick_people(acme, ['"Sarah Lee" <sarah@example.org>', "<+14165550188 x@example.org>"]),
    )
    sarah, other = (db.session.get_one(Person, number) for number in made.created)
    assert (sarah.first_name, sarah.last_name, sarah.email) == ("Sarah", "Lee", "sarah@example.org")
    assert (other.phone, other.email, other.full_name) == ("+14165550188", "x@example.org", "")


def test_what_is_missing_is_read_again_from_its_own_text(acme: Organisation):
    file = (
        "First Name,Last Name,Phone,Email\nSarah,Lee,416-555-0188,s@example.org\n,,,t@example.org\n"
    )
    missing = pick_people_from_csv(acme, csv(file)).missing
    texts = [one.to_text() for one in missing]
    assert texts == ["Sarah Lee <+14165550188 s@example.org>", "t@example.org"]
    again = pick_people(acme, texts).missing
    assert [one.contact for one in again] == [one.contact for one in missing]


def test_two_lines_about_one_person_add_one(acme: Organisation, actor: Actor):
    words = ["a@example.org", "A@Example.org", "Ann <a@example.org>"]
    made = create_missing_people(actor, pick_people(acme, words))
    assert made.unknown == ()
    assert len(made.created) == len(made.person_ids) == 1


def test_whoever_became_known_meanwhile_is_found(acme: Organisation, actor: Actor):
    picked = pick_people(acme, ["late@example.org"])
    there = make_people(acme, [{"email": "late@example.org"}])
    made = create_missing_people(actor, picked)
    assert (made.person_ids, made.created, made.unknown) == (tuple(there), (), ())
    assert create_missing_people(actor, made) is made


def test_a_file_keeps_its_names_and_reports_its_lines(acme: Organisation, actor: Actor):
    file = "Name,Phone\nSarah Lee,416-555-0188\nBad One,123\n"
    picked = pick_people_from_csv(acme, csv(file))
    assert [word for word, _ in picked.unknown] == ["line 3", "line 2"]
    made = create_missing_people(actor, picked)
    assert names(made.created) == ["Sarah Lee"]
    assert [word for word, _ in made.unknown] == ["line 3"]


def test_a_file_that_is_too_long_or_no_table_is_refused(
    acme: Organisation, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("rollcall.people.picking.MAX_PEOPLE", 2)
    lines = "".join(f"+1416555018{n}\n" for n in range(3))
    with pytest.raises(InvalidInput, match="At most 2 people"):
        pick_people_from_csv(acme, csv(f"Phone\n{lines}"))
    with pytest.raises(InvalidInput, match="can't be read"):
        pick_people_from_csv(acme, csv(""))


def test_people_of_another_organisation_are_nobody(acme: Organisation):
    make_people(make_organisation("other"), [{"email": "theirs@example.org"}])
    picked = pick_people(acme, ["theirs@example.org"])
    assert picked == Picked((), picked.unknown, picked.missing)
    assert len(picked.missing) == 1
