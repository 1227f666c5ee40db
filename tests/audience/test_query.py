"""The audience query's edges, named one by one; the random populations are beside this file."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, ScoreRange
from rollcall.audience.funnel import count_funnel
from rollcall.audience.query import audience_select
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Channel, Person, PersonFacts, Reason, Source
from rollcall.models.types import IdList, IsOneOf
from tests.factories import NOON, attend, make_event, make_organisation, make_people, make_person


@pytest.fixture
def acme(app):
    return make_organisation()


def reasons(acme, criteria: Criteria, channel: Channel = Channel.SMS, moment=NOON):
    query = audience_select(acme.id, criteria, channel, moment)
    rows = db.session.execute(query.statement, query.values)
    return {row.person_id: row.reason for row in rows}


@pytest.mark.parametrize(
    ("ago", "window", "reason"),
    [
        (timedelta(hours=72), 72, Reason.REACHABLE),
        (timedelta(hours=72, microseconds=-1), 72, Reason.RECENTLY_MESSAGED),
        (timedelta(hours=72, microseconds=1), 72, Reason.REACHABLE),
        (timedelta(seconds=1), 0, Reason.REACHABLE),
        (timedelta(seconds=1), 1, Reason.RECENTLY_MESSAGED),
    ],
)
def test_the_window_ends_exactly_after_its_hours(acme, ago, window, reason):
    person = make_person(acme, messaged_at=NOON - ago)
    criteria = Criteria(people=(person.id,), window_hours=window)
    assert reasons(acme, criteria) == {person.id: reason}


def test_the_window_is_taken_back_from_the_moment_of_sending(acme):
    person = make_person(acme, messaged_at=NOON)
    criteria = Criteria(people=(person.id,), window_hours=72)
    assert reasons(acme, criteria, moment=NOON + timedelta(hours=71)) == {
        person.id: Reason.RECENTLY_MESSAGED
    }
    assert reasons(acme, criteria, moment=NOON + timedelta(hours=73)) == {
        person.id: Reason.REACHABLE
    }


def test_each_person_is_counted_under_the_first_reason_that_applies(acme):
    everything = {
        "phone_invalid": True,
        "blocked": True,
        "opted_out": (Channel.SMS,),
        "messaged_at": NOON,
    }
    # One trouble fewer from person to person; the last two share a phone and have none.
    shared = {"phone": "+14165550123"}
    people = [
        {"phone": None, "phone_invalid": True, "blocked": True, "messaged_at": NOON},
        everything,
        everything | {"phone_invalid": False},
        everything | {"phone_invalid": False, "blocked": False},
        {"messaged_at": NOON},
        shared,
        shared,
    ]
    ids = make_people(acme, people)
    found = reasons(acme, Criteria(people=tuple(ids)))
    assert [found[person_id] for person_id in ids] == [
        Reason.NO_ADDRESS,
        Reason.INVALID_ADDRESS,
        Reason.BLOCKED,
        Reason.OPTED_OUT,
        Reason.RECENTLY_MESSAGED,
        Reason.REACHABLE,
        Reason.DUPLICATE_ADDRESS,
    ]


def test_of_those_who_share_an_address_the_lowest_id_still_reachable_stays(acme):
    phone = "+14165550123"
    ids = make_people(acme, [{"phone": phone, "blocked": True}, {"phone": phone}, {"phone": phone}])
    found = reasons(acme, Criteria(people=tuple(ids)))
    expected = [Reason.BLOCKED, Reason.REACHABLE, Reason.DUPLICATE_ADDRESS]
    assert found == dict(zip(ids, expected, strict=True))
    # Somebody outside of the audience takes no place in it.
    assert reasons(acme, Criteria(people=(ids[2],))) == {ids[2]: Reason.REACHABLE}


def test_the_channel_decides_which_address_counts(acme):
    person = make_person(acme, phone=None, opted_out=(Channel.EMAIL,))
    criteria = Criteria(people=(person.id,))
    assert reasons(acme, criteria, Channel.SMS) == {person.id: Reason.NO_ADDRESS}
    assert reasons(acme, criteria, Channel.EMAIL) == {person.id: Reason.OPTED_OUT}


def test_a_person_at_several_events_comes_once(acme):
    first, second = make_event(acme, "first"), make_event(acme, "second")
    person = make_person(acme)
    attend(first, person, Source.REGISTRATION)
    attend(second, person, Source.QR_SCAN)
    query = audience_select(acme.id, Criteria(events=("first", "second")), Channel.SMS, NOON)
    funnel = count_funnel(query.statement, query.values)
    assert funnel.by_source_json() == {"registration": 0, "qr_scan": 0, "both": 1, "other": 0}


def test_an_event_that_is_not_there_is_named(acme):
    make_event(make_organisation(), "theirs")
    with pytest.raises(InvalidInput, match="There is no event 'theirs'"):
        audience_select(acme.id, Criteria(events=("theirs",)), Channel.SMS, NOON)


def test_whoever_was_never_scored_is_outside_of_every_range(acme):
    scored, unscored = make_people(acme, [{"scores": (1, 1, 1)}, {}])
    criteria = Criteria(people=(scored, unscored), recency=ScoreRange(1, 5))
    assert list(reasons(acme, criteria)) == [scored]


def test_a_hundred_thousand_hand_picked_ids_are_one_value(acme):
    ids = make_people(acme, 3)
    crowd = tuple(ids) + tuple(range(1_000_000, 1_099_000))
    assert len(reasons(acme, Criteria(people=crowd))) == 3


def test_nobody_of_another_organisation_is_picked_by_hand(acme):
    theirs = make_person(make_organisation())
    assert reasons(acme, Criteria(people=(theirs.id,))) == {}
    assert db.session.get(Person, theirs.id) is not None


@pytest.mark.parametrize("column", [Person.id, PersonFacts.person_id])
def test_people_given_by_id_are_looked_up_and_not_searched_for(acme, column, database_kind):
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL chooses by statistics, which an empty table does not have")
    make_people(acme, 3)
    wanted = IsOneOf(column, sa.literal([1, 2], IdList))
    statement = str(sa.select(column).where(wanted).compile(db.engine))
    plan = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ("[1, 2]",))
    assert "SEARCH" in next(iter(plan))[3]
