"""The narrow facts row of each person, after any sequence of changes."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db, write
from rollcall.models import Channel, Person, PersonFacts
from rollcall.people.arrivals import take_in_people
from rollcall.people.consent import opt_in_person, opt_out_person
from rollcall.people.details import CheckedPerson, PersonDraft
from rollcall.people.facts import refresh_facts
from rollcall.people.records import add_person, edit_person
from tests.factories import NOON, make_actor, make_organisation, make_person

PHONES = ("", "+14165550101", "+14165550102", "+447400123456")
EMAILS = ("", "a@example.org", "b@example.org")
NAMES = ("Ada", "Bob", "Cleo")
ZONES = ("", "America/Vancouver")

drafts = st.builds(
    PersonDraft,
    phone=st.sampled_from(PHONES),
    email=st.sampled_from(EMAILS),
    first_name=st.sampled_from(NAMES),
    timezone=st.sampled_from(ZONES),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), drafts),
        st.tuples(st.just("edit"), drafts, st.integers(0, 9)),
        st.tuples(st.just("opt out"), st.sampled_from(Channel), st.integers(0, 9)),
        st.tuples(st.just("opt in"), st.sampled_from(Channel), st.integers(0, 9)),
        st.tuples(st.just("take in"), st.lists(drafts, max_size=3)),
    ),
    max_size=14,
)


class Plain:
    """What must be true, kept by hand: people's addresses, and the addresses opted out."""

    def __init__(self) -> None:
        self.refused: set[tuple[Channel, str]] = set()

    def expected(self, people: list[Person]) -> dict[int, tuple[object, ...]]:
        phones = Counter(person.phone for person in people)
        emails = Counter(person.email for person in people)
        return {
            person.id: (
                person.phone is not None,
                person.email is not None,
                bool(person.phone) and phones[person.phone] > 1,
                bool(person.email) and emails[person.email] > 1,
                (Channel.SMS, person.phone) in self.refused,
                (Channel.EMAIL, person.email) in self.refused,
                {"+1": "CA", "+4": "GB"}.get((person.phone or "")[:2], ""),
                ((person.phone or "") and person.timezone)
                or {"+1": "America/Toronto", "+4": "+44"}.get((person.phone or "")[:2], ""),
            )
            for person in people
        }


def take_step(actor, plain: Plain, step: tuple) -> None:
    ids = sorted(
        db.session.scalars(db.select(Person.id).filter_by(organisation_id=actor.organisation_id))
    )
    kind, given, *place = step
    if kind == "add":
        add_person(actor, given)
    elif kind == "take in":
        rows = [
            CheckedPerson(d.phone or None, d.email or None, d.first_name, timezone=d.timezone)
            for d in given
            if d.phone or d.email
        ]
        with write():
            take_in_people(actor.organisation_id, rows, NOON)
    elif not ids:
        return
    elif kind == "edit":
        edit_person(actor, ids[place[0] % len(ids)], given)
    else:
        person = db.session.get_one(Person, ids[place[0] % len(ids)])
        address = (given, person.phone if given == Channel.SMS else person.email)
        (opt_out_person if kind == "opt out" else opt_in_person)(actor, person.id, given, "test")
        (plain.refused.add if kind == "opt out" else plain.refused.discard)(address)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps)
def test_the_facts_are_right_after_any_sequence_of_changes(app, changes):
    acme, other = make_organisation(), make_organisation()
    actor, plain = make_actor(acme), Plain()
    # Somebody of another organisation has the same addresses, and neither sees the other.
    stranger = make_person(other, phone=PHONES[1], email=EMAILS[1])
    for step in changes:
        try:
            take_step(actor, plain, step)
        except (InvalidInput, Conflict):
            continue
    people = list(
        db.session.scalars(db.select(Person).filter_by(organisation_id=acme.id).order_by(Person.id))
    )
    assert read_facts(people) == plain.expected(people)
    assert read_facts([stranger]) == Plain().expected([stranger])


def read_facts(people: list[Person]) -> dict[int, tuple[object, ...]]:
    found = {}
    for person in people:
        facts = db.session.get_one(PersonFacts, person.id)
        found[person.id] = (
            facts.has_phone,
            facts.has_email,
            facts.phone_shared,
            facts.email_shared,
            facts.opted_out_sms,
            facts.opted_out_email,
            facts.phone_country,
            facts.phone_zones,
        )
    return found


def test_refreshing_leaves_what_it_does_not_derive(app):
    acme = make_organisation()
    person = make_person(acme, blocked=True, scores=(1, 2, 3), messaged_at=NOON, email_invalid=True)
    with write():
        refresh_facts(acme.id, [person.id])
    facts = db.session.get_one(PersonFacts, person.id)
    assert (facts.blocked, facts.email_invalid) == (True, True)
    assert (facts.recency, facts.frequency, facts.monetary) == (1, 2, 3)
    assert facts.last_message_at == NOON
