"""Search by the beginning of a name, a phone or an e-mail, page by page."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.paging import read_cursor, write_cursor
from rollcall.people.search import search_people
from tests.factories import make_organisation, make_people, make_person

PEOPLE = [
    {"first_name": "Sarah", "last_name": "Lee", "phone": "+14165550101", "email": "lee@x.org"},
    {"first_name": "Lee", "last_name": "Ng", "phone": "+14165550102", "email": "ng@x.org"},
    {"first_name": "Tom", "last_name": "Leeds", "phone": "+442071838750", "email": "tom@x.org"},
    {"first_name": "Zoë", "last_name": "", "phone": None, "email": "sarah.z@x.org"},
    {"first_name": "Uma", "last_name": "", "phone": None, "email": "4165@x.org"},
]


@pytest.fixture
def acme(app):
    acme = make_organisation()
    make_people(acme, PEOPLE)
    make_people(make_organisation(), PEOPLE)
    return acme


def found(acme, text: str) -> list[str]:
    return [person.first_name for person in search_people(acme.id, text).rows]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("lee", ["Lee", "Sarah", "Tom"]),  # first name, then last names in their order
        ("LEE ", ["Lee", "Sarah", "Tom"]),
        ("sarah", ["Sarah", "Zoë"]),  # the name, then the e-mail
        ("sarah l", ["Sarah"]),
        ("sarah@", []),
        ("sarah.z@x", ["Zoë"]),
        ("zoe\u0308", ["Zoë"]),
        ("416 555", ["Sarah", "Lee"]),
        ("(416) 555-0102", ["Lee"]),
        ("1416555", ["Sarah", "Lee"]),
        ("4165", ["Sarah", "Lee", "Uma"]),
        ("+44", []),  # too few digits for a phone, and nobody is called so
        ("+44 20", ["Tom"]),
        ("0044 20", ["Tom"]),
        ("", ["Lee", "Sarah", "Tom", "Uma", "Zoë"]),
        ("nobody", []),
        ("%", []),
        ("_", []),
        ("\0", ["Lee", "Sarah", "Tom", "Uma", "Zoë"]),
        ("\U0010ffff", []),
    ],
)
def test_people_are_found_by_how_something_of_them_begins(acme, text, names):
    assert found(acme, text) == names


def test_the_facts_come_with_the_people(acme):
    make_person(acme, first_name="Blocked", blocked=True)
    assert search_people(acme.id, "blocked").rows[0].facts.blocked


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    names=st.lists(st.tuples(*[st.sampled_from(["an", "ann", "bo", ""])] * 2), max_size=14),
    text=st.sampled_from(["", "a", "an", "ann", "ann bo", "b"]),
    limit=st.integers(1, 5),
)
def test_the_pages_hold_everybody_who_fits_once(app, names, text, limit):
    acme = make_organisation()
    people = [
        {"first_name": first, "last_name": last, "email": f"{last}{n}@x.org"}
        for n, (first, last) in enumerate(names)
    ]
    ids = make_people(acme, people)
    expected = {
        person_id
        for person_id, person in zip(ids, people, strict=True)
        if f"{person['first_name']} {person['last_name']}".strip().startswith(text)
        or person["last_name"].startswith(text)
        or person["email"].startswith(text)
    }
    seen, cursor = [], None
    while True:
        page = search_people(acme.id, text, cursor, limit)
        assert len(page.rows) <= limit
        seen += [person.id for person in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.rows) == limit
    assert sorted(seen) == sorted(expected)


@pytest.mark.parametrize(
    "cursor",
    ["x", "é", "AAAA", write_cursor(1), write_cursor("a", "b", "c"), write_cursor(0, "a", 2**70)],
)
def test_a_damaged_cursor_is_refused(acme, cursor):
    with pytest.raises(InvalidInput, match="first page"):
        search_people(acme.id, "lee", cursor)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_a_sensible_length(acme, limit):
    with pytest.raises(InvalidInput, match="1,000"):
        search_people(acme.id, "lee", limit=limit)


def test_a_cursor_comes_back_as_it_was():
    assert read_cursor(write_cursor(1, "zoë", -5), int, str, int) == [1, "zoë", -5]


@pytest.mark.parametrize("text", ["", "lee", "416555", "lee@x"])
def test_every_group_is_read_from_an_index_in_its_order(acme, text, database_kind):
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL chooses by statistics, which a handful of people do not have")
    statements: list[tuple[str, object]] = []

    @sa.event.listens_for(db.engine, "before_cursor_execute")
    def keep(_connection, _cursor, statement, parameters, _context, _many):
        if "LIMIT" in statement:
            statements.append((statement, parameters))

    search_people(acme.id, text)
    sa.event.remove(db.engine, "before_cursor_execute", keep)
    assert statements
    for statement, parameters in statements:
        plan = db.session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}", parameters
        )
        steps = [row[3] for row in plan]
        assert any("SEARCH person USING INDEX ix_person_" in step for step in steps), steps
        assert not any("TEMP B-TREE" in step for step in steps), steps
