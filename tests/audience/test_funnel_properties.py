"""The audience of random populations, compared with a plain reading of A2 and A3.

Nothing of the reading below comes from the query: it walks people one by one, in the words
of the requirements.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.audience.criteria import Criteria, ScoreRange
from rollcall.audience.funnel import Funnel, count_funnel
from rollcall.audience.query import audience_select
from rollcall.audience.staging import staged_audience
from rollcall.extensions import db
from rollcall.models import AudienceSource, Channel, Event, Organisation, Reason, Source
from tests.factories import attend, make_event, make_organisation, make_people, set_facts

SENDING_AT = datetime(2026, 11, 29, 15, tzinfo=UTC)
COUNTRIES = {"+14165550101": "CA", "+14165550102": "CA", "+447400123456": "GB"}
EMAILS = ("a@example.org", "b@example.org", "c@example.org")
CITIES = ("", "Toronto", "toronto", "TORONTO ", "Zürich", "ZÜRICH", "Brno")
EVENTS = ("spring", "summer", "autumn")
HOURS_AGO = (0, 1, 23, 24, 25, 71, 72, 73, 500)


@dataclass(frozen=True)
class Plain:
    """A person as the requirements know one."""

    phone: str | None
    email: str | None
    phone_invalid: bool
    email_invalid: bool
    blocked: bool
    opts_out: frozenset[Channel]
    messaged_at: datetime | None
    scores: tuple[int, int, int] | None
    city: str
    attendance: tuple[tuple[str, Source, bool], ...]  # event, source, cancelled

    def address(self, channel: Channel) -> str | None:
        return self.phone if channel == Channel.SMS else self.email

    def has_invalid_address(self, channel: Channel) -> bool:
        return self.phone_invalid if channel == Channel.SMS else self.email_invalid


moments = st.builds(
    lambda hours, microseconds: SENDING_AT - timedelta(hours=hours, microseconds=microseconds),
    st.sampled_from(HOURS_AGO),
    st.sampled_from((-1, 0, 1)),
)
attendances = st.lists(
    st.tuples(st.sampled_from(EVENTS), st.sampled_from(Source), st.booleans()),
    max_size=4,
    unique_by=lambda one: one[:2],
).map(tuple)
seldom = st.sampled_from((False, False, False, True))
people = st.builds(
    Plain,
    phone=st.sampled_from((None, *COUNTRIES)),
    email=st.sampled_from((None, *EMAILS)),
    phone_invalid=seldom,
    email_invalid=seldom,
    blocked=seldom,
    opts_out=st.sampled_from(
        (frozenset(), frozenset(), frozenset(), frozenset({Channel.SMS}), frozenset(Channel))
    ),
    messaged_at=st.none() | moments,
    scores=st.none() | st.tuples(*[st.integers(1, 5)] * 3),
    city=st.sampled_from(CITIES),
    attendance=attendances,
)
ranges = st.none() | st.tuples(st.integers(1, 5), st.integers(1, 5)).map(
    lambda limits: ScoreRange(min(limits), max(limits))
)


@st.composite
def criteria(draw: st.DrawFn) -> Criteria:
    """Any criteria; the people picked by hand are places in the population, from 0."""
    events = tuple(draw(st.lists(st.sampled_from(EVENTS), unique=True)))
    return Criteria(
        events=events,
        min_events=draw(st.none() | st.integers(1, len(events))) if events else None,
        sources=tuple(draw(st.lists(st.sampled_from(Source), unique=True))),
        recency=draw(ranges),
        frequency=draw(ranges),
        monetary=draw(st.none() | ranges),
        cities=tuple(draw(st.lists(st.sampled_from(("toronto", "Zürich", "Nowhere")), max_size=2))),
        people=draw(st.none() | st.lists(st.integers(0, 30), max_size=12).map(tuple)),
        window_hours=draw(st.sampled_from((0, 24, 72))),
    )


# The plain reading.


def read_matches(person: Plain, place: int, wanted: Criteria) -> AudienceSource | None:
    """How the person comes into the audience, or None for one whom the criteria don't match."""
    if wanted.people is not None and place not in wanted.people:
        return None
    limits = (wanted.recency, wanted.frequency, wanted.monetary)
    for number, limit in enumerate(limits):
        if limit and not (person.scores and limit.low <= person.scores[number] <= limit.high):
            return None
    if wanted.cities:
        cities = {city.strip().casefold() for city in wanted.cities}
        if person.city.strip().casefold() not in cities:
            return None
    if not wanted.events:
        return AudienceSource.OTHER
    attended = [
        (event, source)
        for event, source, cancelled in person.attendance
        if event in wanted.events
        and not cancelled
        and (not wanted.sources or source in wanted.sources)
    ]
    counting = {source for _, source in attended}
    if len({event for event, _ in attended}) < (wanted.min_events or 1):
        return None
    if len(counting) == 2:
        return AudienceSource.BOTH
    return AudienceSource[counting.pop().name]


def read_audience(
    population: list[Plain], wanted: Criteria, channel: Channel
) -> dict[int, tuple[AudienceSource, Reason, str]]:
    """Place in the population -> how matched, why left out (or reachable), country."""
    refused = {p.address(channel) for p in population if channel in p.opts_out}
    window = timedelta(hours=wanted.window_hours)
    taken: set[str] = set()
    found: dict[int, tuple[AudienceSource, Reason, str]] = {}
    for place, person in enumerate(population):
        source = read_matches(person, place, wanted)
        if source is None:
            continue
        address = person.address(channel)
        if address is None:
            reason = Reason.NO_ADDRESS
        elif person.has_invalid_address(channel):
            reason = Reason.INVALID_ADDRESS
        elif person.blocked:
            reason = Reason.BLOCKED
        elif address in refused:
            reason = Reason.OPTED_OUT
        elif window and person.messaged_at and SENDING_AT - person.messaged_at < window:
            reason = Reason.RECENTLY_MESSAGED
        elif address in taken:
            reason = Reason.DUPLICATE_ADDRESS
        else:
            reason = Reason.REACHABLE
            taken.add(address)
        found[place] = (source, reason, COUNTRIES.get(person.phone or "", ""))
    return found


def read_funnel(rows: Iterable[tuple[AudienceSource, Reason, str]]) -> Funnel:
    rows = list(rows)
    reachable = [row for row in rows if row[1] is Reason.REACHABLE]
    return Funnel(
        left_out=dict(Counter(row[1] for row in rows if row[1] is not Reason.REACHABLE)),
        by_source=dict(Counter(row[0] for row in reachable)),
        by_country=dict(Counter(row[2] for row in reachable)),
    )


# The same population in the database.


def store(population: list[Plain]) -> tuple[Organisation, list[int]]:
    """Store the population as an organisation of its own; return its people's ids in order."""
    acme = make_organisation()
    events = {slug: make_event(acme, slug) for slug in EVENTS}
    ids = make_people(acme, [_stored(person) for person in population])
    set_scores_and_messages(ids, population)
    for slug, event in events.items():
        store_attendance(event, slug, ids, population)
    return acme, ids


def _stored(person: Plain) -> dict[str, Any]:
    refused = [channel for channel in person.opts_out if person.address(channel)]
    return {
        "phone": person.phone,
        "email": person.email,
        "phone_invalid": person.phone_invalid,
        "email_invalid": person.email_invalid,
        "blocked": person.blocked,
        "city": person.city,
        "opted_out": tuple(refused),
    }


def set_scores_and_messages(ids: list[int], population: list[Plain]) -> None:
    for person_id, person in zip(ids, population, strict=True):
        if person.scores or person.messaged_at:
            recency, frequency, monetary = person.scores or (None, None, None)
            set_facts(
                person_id,
                recency=recency,
                frequency=frequency,
                monetary=monetary,
                last_message_at=person.messaged_at,
            )


def store_attendance(event: Event, slug: str, ids: list[int], population: list[Plain]) -> None:
    for source in Source:
        for cancelled in (False, True):
            some = [
                person_id
                for person_id, person in zip(ids, population, strict=True)
                if (slug, source, cancelled) in person.attendance
            ]
            if some:
                attend(event, some, source, cancelled=cancelled)


def as_asked(wanted: Criteria, ids: list[int], stranger: int) -> Criteria:
    """The criteria with ids for places; a place beyond the population is somebody else's person."""
    if wanted.people is None:
        return wanted
    picked = tuple(ids[place] if place < len(ids) else stranger for place in wanted.people)
    return Criteria(**{**vars(wanted), "people": picked})


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    population=st.lists(people, max_size=24),
    questions=st.lists(st.tuples(criteria(), st.sampled_from(Channel)), min_size=4, max_size=8),
)
def test_the_audience_agrees_with_a_plain_reading_of_the_rules(app, population, questions):
    acme, ids = store(population)
    # The same people in another organisation: whoever of them came in would be noticed.
    _, others = store(population[:6])
    stranger = others[0] if others else 0
    place_of = {person_id: place for place, person_id in enumerate(ids)}
    for wanted, channel in questions:
        expected = read_audience(population, wanted, channel)
        asked = as_asked(wanted, ids, stranger)
        query = audience_select(acme.id, asked, channel, SENDING_AT)
        rows = db.session.execute(query.statement, query.values).all()
        found = {place_of[row.person_id]: (row.source, row.reason, row.country) for row in rows}
        assert found == expected
        assert len(rows) == len(expected)
        check_funnel(count_funnel(query.statement, query.values), expected)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(people, max_size=16), criteria(), st.sampled_from(Channel))
def test_the_staged_audience_has_the_same_funnel(app, population, wanted, channel):
    acme, ids = store(population)
    expected = read_audience(population, wanted, channel)
    asked = as_asked(wanted, ids, stranger=0)
    with staged_audience(acme.id, asked, channel, SENDING_AT) as funnel:
        check_funnel(funnel, expected)


def check_funnel(funnel: Funnel, expected: dict[int, tuple[AudienceSource, Reason, str]]) -> None:
    assert funnel == read_funnel(expected.values())
    said = funnel.to_json()
    assert said["matched"] == len(expected)
    assert said["matched"] == sum(said.values()) - said["matched"]
    assert said["reachable"] == sum(funnel.by_source_json().values())
