"""The rule of who is who, as the Person model states it."""

import pytest

from rollcall.people.identity import KnownPeople, load_known_people, match_people
from rollcall.people.reading.contacts import Contact
from tests.factories import make_organisation, make_people, make_person

P, Q = "+14165550123", "+14165550199"
E, F = "sarah@example.org", "lee@example.org"


@pytest.mark.parametrize(
    ("stored", "row", "same"),
    [
        ((P, E, "Sarah", "Lee"), (P, E, "Sarah", "Lee"), True),
        ((P, E, "Sarah", "Lee"), (P, E, "Tom", "Lee"), True),  # both addresses outweigh names
        ((P, E, "Sarah", "Lee"), (P, None, "Sarah", "Lee"), True),
        ((P, E, "Sarah", "Lee"), (P, None, " SARAH ", "lee"), True),
        ((P, None, "Mary Ann", "Lee"), (P, None, "Mary", "Ann Lee"), True),
        ((P, E, "Sarah", "Lee"), (P, None, "", ""), True),
        ((P, E, "", ""), (P, None, "Sarah", "Lee"), True),
        ((P, E, "Sarah", "Lee"), (P, None, "Sarah", ""), True),
        ((P, E, "Sarah", "Lee"), (P, None, "Tom", "Lee"), False),
        ((P, E, "Sarah", "Lee"), (P, F, "Sarah", "Lee"), False),  # an address that differs
        ((P, E, "Sarah", "Lee"), (Q, E, "Sarah", "Lee"), False),
        ((P, None, "Sarah", "Lee"), (None, E, "Sarah", "Lee"), False),  # a name is no address
        ((P, None, "Sarah", "Lee"), (P, E, "Sarah", "Lee"), True),
        ((None, E, "Zoë", ""), (Q, E, "Zoe\u0308", ""), True),
    ],
)
def test_two_records_are_the_same_person(app, stored, row, same):
    acme = make_organisation()
    phone, email, first_name, last_name = stored
    person = make_person(acme, phone=phone, email=email, first_name=first_name, last_name=last_name)
    assert match_people(acme.id, [Contact(*row)]) == [person.id if same else None]


def test_nobody_of_another_organisation_is_matched(app):
    make_person(make_organisation(), phone=P)
    assert match_people(make_organisation().id, [Contact(P, None, "", "")]) == [None]


def test_of_several_the_best_match_is_taken(app):
    acme = make_organisation()
    couple = make_people(
        acme,
        [
            {"phone": P, "email": None, "first_name": "Sarah", "last_name": ""},
            {"phone": P, "email": None, "first_name": "Tom", "last_name": ""},
            {"phone": P, "email": E, "first_name": "Sarah", "last_name": ""},
        ],
    )
    rows = [
        Contact(P, None, "Tom", ""),
        Contact(P, None, "", ""),
        Contact(P, E, "Anybody", ""),
        Contact(P, None, "Ada", ""),
    ]
    assert match_people(acme.id, rows) == [couple[1], couple[0], couple[2], None]


def test_more_rows_than_one_query_holds_are_matched_in_their_order(app):
    acme = make_organisation()
    ids = make_people(acme, [{"phone": f"+1416{2000000 + n}", "email": None} for n in range(2100)])
    rows = [Contact(f"+1416{2000000 + n}", None, "", "") for n in range(2100)]
    assert match_people(acme.id, rows[::-1]) == ids[::-1]


def test_rows_that_are_new_are_matched_with_each_other(app):
    known = load_known_people(make_organisation().id, [])
    first = Contact(P, None, "Sarah", "")
    assert known.match(first) is None
    known.learn(-1, first)
    second = Contact(P, E, "Sarah", "Lee")
    assert known.match(second) == -1
    known.learn(-1, second)
    assert known.match(Contact(None, E, "", "")) == -1
    assert known.match(Contact(P, None, "Sarah", "Ng")) is None


def test_what_is_known_is_not_unlearned():
    known = KnownPeople()
    known.learn(7, Contact(P, E, "Sarah", "Lee"))
    known.learn(7, Contact(P, E, "Tom", "Ng"))
    assert known.match(Contact(P, None, "Tom", "Ng")) is None
    assert known.match(Contact(P, None, "Sarah", "Lee")) == 7
