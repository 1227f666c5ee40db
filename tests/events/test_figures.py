"""Head counts by source, and how attendance grew, against counting by hand."""

from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.events.figures import CurvePoint, HeadCount, attendance_curve, count_heads
from rollcall.models import Source
from tests.factories import NOON, attend, make_event, make_organisation, make_people

records = st.lists(
    st.tuples(st.integers(0, 7), st.sampled_from(Source), st.booleans(), st.integers(0, 100_000)),
    max_size=16,
    unique_by=lambda record: record[:2],
)  # person, source, cancelled, seconds after NOON

with_database = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@with_database
@given(records, st.integers(1, 9))
def test_the_figures_agree_with_counting_by_hand(app, records, points):
    acme = make_organisation()
    event, elsewhere = make_event(acme), make_event(acme)
    ids = make_people(acme, 8)
    attend(elsewhere, ids)
    for person, source, cancelled, seconds in records:
        at = NOON + timedelta(seconds=seconds)
        attend(event, ids[person], source, cancelled=cancelled, at=at)
    counting = [record for record in records if not record[2]]
    by_source = {
        source: {person for person, one, _, _ in counting if one is source} for source in Source
    }
    registered, scanned = by_source[Source.REGISTRATION], by_source[Source.QR_SCAN]
    assert count_heads([event.id, elsewhere.id]) == {
        event.id: HeadCount(
            len(registered - scanned), len(scanned - registered), len(registered & scanned)
        ),
        elsewhere.id: HeadCount(registration_only=8),
    }
    first: dict[int, datetime] = {}
    for person, _, _, seconds in counting:
        at = NOON + timedelta(seconds=seconds)
        first[person] = min(at, first.get(person, at))
    check_curve(attendance_curve(event.id, points), sorted(first.values()), points)


def check_curve(curve: list[CurvePoint], arrivals: list[datetime], points: int) -> None:
    assert len(curve) <= points
    assert [point.at for point in curve] == sorted({point.at for point in curve})
    for point in curve:
        assert point.people == sum(at <= point.at for at in arrivals)
    assert (curve[-1].people if curve else 0) == len(arrivals)


def test_people_who_come_at_the_same_second_are_one_point(app):
    acme = make_organisation()
    event = make_event(acme)
    attend(event, make_people(acme, 5), at=NOON)
    assert attendance_curve(event.id) == [CurvePoint(NOON, 5)]


def test_a_long_run_has_sixty_points_at_most(app):
    acme = make_organisation()
    event = make_event(acme)
    for number, person in enumerate(make_people(acme, 90)):
        attend(event, person, at=NOON + timedelta(hours=number))
    curve = attendance_curve(event.id)
    assert 50 <= len(curve) <= 60
    assert (curve[-1].at, curve[-1].people) == (NOON + timedelta(hours=89), 90)


def test_without_anybody_there_is_no_curve(app):
    event = make_event(make_organisation())
    assert attendance_curve(event.id) == []
    assert count_heads([event.id]) == {event.id: HeadCount()}
    assert count_heads([]) == {}


def test_over_several_events_each_person_is_counted_once_from_the_first_record(app):
    acme = make_organisation()
    one, two = make_event(acme), make_event(acme)
    ids = make_people(acme, 3)
    attend(one, ids[:2], at=NOON)
    attend(two, ids, Source.QR_SCAN, at=NOON + timedelta(hours=1))
    several = [one.id, two.id]
    assert attendance_curve(several) == [
        CurvePoint(NOON, 2),
        CurvePoint(NOON + timedelta(hours=1), 3),
    ]
    assert attendance_curve(several, until=NOON) == [CurvePoint(NOON, 2)]
    assert attendance_curve(several, sources=[Source.QR_SCAN]) == [
        CurvePoint(NOON + timedelta(hours=1), 3)
    ]
