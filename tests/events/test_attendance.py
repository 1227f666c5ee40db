"""Who attends: recorded, repeated, cancelled, refunded, restored (A7)."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from rollcall.errors import InvalidInput, NotFound
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.events.figures import HeadCount, count_heads
from rollcall.extensions import db
from rollcall.models import Attendance, AuditEntry, Person, PersonFacts, Source
from tests.factories import (
    NOON,
    make_actor,
    make_event,
    make_organisation,
    make_people,
    make_person,
)

REGISTRATION, QR_SCAN = Source.REGISTRATION, Source.QR_SCAN


@pytest.fixture
def acme(app):
    return make_organisation()


@pytest.fixture
def actor(acme):
    return make_actor(acme)


@pytest.fixture
def event(acme):
    return make_event(acme)


def heads(event) -> HeadCount:
    return count_heads([event.id])[event.id]


def test_people_who_are_not_known_are_added_with_their_facts(acme, actor, event):
    rows = [
        {"phone": "416 555 0123", "first_name": "Sarah", "city": "Toronto"},
        {"email": "Tom@X.org"},
    ]
    report = record_attendance(actor, event.id, rows, REGISTRATION)
    assert report.to_json() == {
        **{"added": 2, "restored": 0, "withdrawn": 0, "unchanged": 0},
        **{"people_added": 2, "rejected": []},
    }
    people = db.session.scalars(sa.select(Person).order_by(Person.id)).all()
    assert [(p.phone, p.email, p.first_name, p.city_key) for p in people] == [
        ("+14165550123", None, "Sarah", "toronto"),
        (None, "tom@x.org", "", ""),
    ]
    assert db.session.get_one(PersonFacts, people[0].id).has_phone
    assert heads(event) == HeadCount(registration_only=2)


def test_the_same_call_again_changes_nothing(acme, actor, event):
    rows = [{"phone": "+14165550123"}, {"phone": "+14165550123", "email": "a@x.org"}]
    first = record_attendance(actor, event.id, rows, REGISTRATION)
    again = record_attendance(actor, event.id, rows, REGISTRATION)
    # Both rows are about one person, who is counted once.
    assert (first.added, first.unchanged, first.people_added) == (1, 1, 1)
    assert (again.added, again.unchanged, again.people_added) == (0, 2, 0)
    assert db.session.scalar(sa.select(sa.func.count(Attendance.id))) == 1
    assert db.session.scalar(sa.select(sa.func.count(AuditEntry.id))) == 1


def test_what_was_not_known_is_filled_in_and_nothing_overwritten(acme, actor, event):
    person = make_person(
        acme, phone="+14165550123", email=None, first_name="", last_name="", city="Paris"
    )
    row = {"phone": "+14165550123", "email": "a@x.org", "first_name": "Ann", "city": "Rome"}
    assert record_attendance(actor, event.id, [row], REGISTRATION).people_added == 0
    found = db.session.get_one(Person, person.id)
    assert (found.email, found.name_key, found.city) == ("a@x.org", "ann", "Paris")
    assert db.session.get_one(PersonFacts, person.id).has_email


def test_known_people_can_be_given_by_id(acme, actor, event):
    first, second = make_people(acme, 2)
    report = record_attendance(actor, event.id, [first, {"id": second}], QR_SCAN)
    assert report.added == 2
    assert heads(event) == HeadCount(qr_scan_only=2)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "phone or an e-mail"),
        ({"phone": "12"}, "too short"),
        ({"phone": 14165550123}, "Give a text"),
        ({"phone": "+14165550123", "vip": "yes"}, "vip: This is not known"),
        ({"phone": "+14165550123", "status": "perhaps"}, "perhaps"),
        ({"phone": "+14165550123", "status": "waitlist"}, "others do not attend"),
        ({"id": "1"}, "as a number"),
        ({"id": 1, "phone": "+14165550123"}, "nothing else"),
        ({"id": True}, "as a number"),
        (999_999, "nobody with the number 999999"),
        (2**70, "nobody with the number"),
        (-1, "nobody with the number"),
        ("+14165550123", "an object"),
        (None, "an object"),
        (True, "an object"),
    ],
)
def test_a_bad_row_is_reported_and_the_good_ones_go_in(acme, actor, event, row, words):
    rows = [{"email": "a@x.org"}, row, {"email": "b@x.org"}]
    report = record_attendance(actor, event.id, rows, REGISTRATION)
    assert report.added == 2
    assert [bad.index for bad in report.rejected] == [1]
    assert words in report.rejected[0].reason


def test_somebody_of_another_organisation_is_nobody(actor, event):
    theirs = make_person(make_organisation())
    report = record_attendance(actor, event.id, [theirs.id], REGISTRATION)
    assert (report.added, len(report.rejected)) == (0, 1)
    row = {"phone": theirs.phone}
    assert record_attendance(actor, event.id, [row], REGISTRATION).people_added == 1


def test_an_event_of_another_organisation_is_not_found(acme, actor):
    theirs = make_event(make_organisation())
    person = make_person(acme)
    with pytest.raises(NotFound):
        record_attendance(actor, theirs.id, [person.id], REGISTRATION)
    with pytest.raises(NotFound):
        cancel_attendance(actor, theirs.id, person.id)


def test_the_moment_is_kept_and_must_have_a_zone(acme, actor, event):
    person = make_person(acme)
    with pytest.raises(InvalidInput, match="with its zone"):
        record_attendance(actor, event.id, [person.id], QR_SCAN, NOON.replace(tzinfo=None))
    record_attendance(actor, event.id, [person.id], QR_SCAN, datetime(2026, 11, 1, tzinfo=UTC))
    stored = db.session.scalars(sa.select(Attendance)).one()
    assert stored.occurred_at == datetime(2026, 11, 1, tzinfo=UTC)
    assert stored.recorded_at > stored.occurred_at


@pytest.mark.parametrize("status", ["cancelled", "refunded"])
def test_a_cancelled_registration_does_not_count_until_it_is_restored(acme, actor, event, status):
    person = make_person(acme)
    record_attendance(actor, event.id, [person.id], REGISTRATION)
    cancel_attendance(actor, event.id, person.id, status)
    stored = db.session.scalars(sa.select(Attendance)).one()
    assert (stored.cancelled, stored.status) == (True, status)
    assert stored.cancelled_at is not None
    assert heads(event).people == 0
    report = record_attendance(actor, event.id, [person.id], REGISTRATION)
    assert (report.added, report.restored) == (0, 1)
    db.session.expire_all()
    assert (stored.cancelled, stored.status, stored.cancelled_at) == (False, "attending", None)
    assert heads(event) == HeadCount(registration_only=1)


def test_a_later_scan_counts_beside_a_cancelled_registration(acme, actor, event):
    person = make_person(acme)
    record_attendance(actor, event.id, [person.id], REGISTRATION)
    cancel_attendance(actor, event.id, person.id)
    assert record_attendance(actor, event.id, [person.id], QR_SCAN).added == 1
    assert heads(event) == HeadCount(qr_scan_only=1)


def test_rows_carry_cancellations_too(acme, actor, event):
    stays, goes = make_people(acme, 2)
    record_attendance(actor, event.id, [stays, goes], REGISTRATION)
    rows = [{"id": goes, "status": "Refunded"}, {"email": "new@x.org", "status": "canceled"}]
    report = record_attendance(actor, event.id, rows, REGISTRATION)
    assert (report.withdrawn, report.added, report.people_added) == (2, 0, 1)
    assert heads(event).people == 1
    again = record_attendance(actor, event.id, rows, REGISTRATION)
    assert (again.withdrawn, again.unchanged) == (0, 2)


def test_of_two_tickets_one_given_back_the_person_still_attends(acme, actor, event):
    person = make_person(acme)
    rows = [{"id": person.id, "status": "refunded"}, {"id": person.id, "status": "paid"}]
    for order in (rows, rows[::-1]):
        record_attendance(actor, event.id, order, REGISTRATION)
        assert heads(event) == HeadCount(registration_only=1)


def test_cancelling_again_only_changes_the_status(acme, actor, event):
    person = make_person(acme)
    record_attendance(actor, event.id, [person.id], REGISTRATION)
    cancel_attendance(actor, event.id, person.id)
    since = db.session.scalar(sa.select(Attendance.cancelled_at))
    cancel_attendance(actor, event.id, person.id)
    cancel_attendance(actor, event.id, person.id, "refunded")
    stored = db.session.execute(sa.select(Attendance.status, Attendance.cancelled_at)).one()
    assert stored == ("refunded", since)
    # The recording, the cancellation, the refund; not the repetition.
    assert db.session.scalar(sa.select(sa.func.count(AuditEntry.id))) == 3


def test_what_is_not_there_can_not_be_cancelled(acme, actor, event):
    person = make_person(acme)
    with pytest.raises(NotFound, match="no such attendance"):
        cancel_attendance(actor, event.id, person.id)
    with pytest.raises(InvalidInput, match="cancelled or refunded"):
        cancel_attendance(actor, event.id, person.id, "deleted")


def test_thousands_come_in_at_once(actor, event):
    rows = [{"phone": f"+1416{2_000_000 + n}"} for n in range(3000)]
    assert record_attendance(actor, event.id, rows, REGISTRATION).added == 3000
    assert record_attendance(actor, event.id, rows, QR_SCAN).people_added == 0
    assert heads(event) == HeadCount(both=3000)


def test_too_many_at_once_are_refused(actor, event):
    with pytest.raises(InvalidInput, match="at most 20,000"):
        record_attendance(actor, event.id, [1] * 20_001, REGISTRATION)
