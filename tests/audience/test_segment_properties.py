"""Audiences on segments and with people left out, compared with a plain reading of A2 and A3.

The populations and the reading of what criteria match are those of the funnel's properties;
here a segment by rules, a segment by list with an older version and a snapshot, and an
earlier campaign come in.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall import clock
from rollcall.actors import Actor
from rollcall.audience.criteria import (
    CampaignChoice,
    Criteria,
    Reached,
    SegmentChoice,
    criteria_from_text,
    criteria_to_text,
)
from rollcall.audience.funnel import count_funnel
from rollcall.audience.query import audience_select
from rollcall.extensions import db, write
from rollcall.models import (
    AudienceSource,
    Campaign,
    Channel,
    Organisation,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.audience.test_funnel_properties import (
    EVENTS,
    SENDING_AT,
    Plain,
    criteria,
    people,
    read_audience,
    read_matches,
    store,
)
from tests.factories import make_actor

MOST = 16
places = st.frozensets(st.integers(0, MOST - 1), max_size=8)
states = st.sampled_from(RecipientState)


@dataclass(frozen=True)
class World:
    """A population with its segments and an earlier campaign; people are places from 0."""

    population: list[Plain]
    rule: Criteria
    old_list: frozenset[int]
    new_list: frozenset[int]
    messages: dict[int, tuple[RecipientState, bool]]  # state, in the final list


@dataclass(frozen=True)
class Question:
    """Criteria whose segment and exclusions are named by what they are in the world."""

    base: Criteria
    segment: str | None  # rule, list, old list, old snapshot
    exclude_events: tuple[str, ...]
    exclude_segments: tuple[str, ...]
    exclude_campaigns: tuple[Reached, ...]


rules = criteria().map(lambda drawn: replace(drawn, people=None, window_hours=0))
choosing_rules = st.tuples(rules, st.sampled_from(EVENTS)).map(
    lambda drawn: (
        drawn[0]
        if drawn[0].events or drawn[0].scores or drawn[0].cities
        else replace(drawn[0], events=(drawn[1],))
    )
)
worlds = st.builds(
    World,
    population=st.lists(people, min_size=1, max_size=MOST),
    rule=st.tuples(choosing_rules, st.sets(st.sampled_from(EVENTS), max_size=1)).map(
        lambda drawn: replace(drawn[0], exclude_events=tuple(drawn[1]))
    ),
    old_list=places,
    new_list=places,
    messages=st.dictionaries(st.integers(0, MOST - 1), st.tuples(states, st.booleans())),
)
SETS = ("rule", "list", "old list", "old snapshot")
questions = st.builds(
    Question,
    base=criteria().map(lambda drawn: replace(drawn, people=None)),
    segment=st.none() | st.sampled_from(SETS),
    exclude_events=st.lists(st.sampled_from(EVENTS), max_size=2, unique=True).map(tuple),
    exclude_segments=st.lists(st.sampled_from(SETS), max_size=2, unique=True).map(tuple),
    exclude_campaigns=st.lists(st.sampled_from(Reached), max_size=2, unique=True).map(tuple),
)


# The plain reading.


def read_members(world: World, name: str) -> set[int]:
    if name == "rule":
        return {
            place
            for place, person in enumerate(world.population)
            if read_matches(person, place, world.rule) is not None
            and not attends(person, world.rule.exclude_events)
        }
    listed = world.new_list if name == "list" else world.old_list
    return {place for place in listed if place < len(world.population)}


def attends(person: Plain, events: tuple[str, ...]) -> bool:
    return any(slug in events and not cancelled for slug, _, cancelled in person.attendance)


_REACHES: dict[Reached, Callable[[RecipientState, bool], bool]] = {
    Reached.PLANNED: lambda state, in_final: in_final,
    Reached.SENT: lambda state, in_final: state.key in ("wiring", "sent", "delivered", "in_doubt"),
    Reached.DELIVERED: lambda state, in_final: state.key == "delivered",
}


def read_exclusion(world: World, asked: Question, place: int) -> Reason | None:
    if attends(world.population[place], asked.exclude_events):
        return Reason.EXCLUDED_EVENT
    if any(place in read_members(world, name) for name in asked.exclude_segments):
        return Reason.EXCLUDED_SEGMENT
    message = world.messages.get(place)
    if message and any(_REACHES[who](*message) for who in asked.exclude_campaigns):
        return Reason.EXCLUDED_CAMPAIGN
    return None


def read_source(world: World, asked: Question, place: int) -> AudienceSource:
    """Of a segment by rules on events, how the person attends those, if at all."""
    rule = world.rule
    if asked.base.events or asked.segment != "rule" or not rule.events:
        return read_matches(world.population[place], place, asked.base) or AudienceSource.OTHER
    only_events = Criteria(events=rule.events, sources=rule.sources)
    return read_matches(world.population[place], place, only_events) or AudienceSource.OTHER


def read_on_segments(
    world: World, asked: Question, channel: Channel
) -> dict[int, tuple[AudienceSource, Reason, str]]:
    # Those outside of the segment are made unmatched, and those left out unreachable, so that
    # the funnel's own reading goes over the rest; whoever is left out takes no shared address.
    members = read_members(world, asked.segment) if asked.segment else None
    inside = {
        place
        for place, person in enumerate(world.population)
        if (members is None or place in members)
        and read_matches(person, place, asked.base) is not None
    }
    excluded = {place: read_exclusion(world, asked, place) for place in inside}
    rest = tuple(place for place in inside if excluded[place] is None)
    found = read_audience(world.population, replace(asked.base, people=rest), channel)
    everybody = read_audience(world.population, replace(asked.base, people=tuple(inside)), channel)
    return {
        place: (
            read_source(world, asked, place),
            excluded[place] or found[place][1],
            everybody[place][2],
        )
        for place in inside
    }


# The same world in the database.


def store_world(world: World) -> tuple[Organisation, list[int], dict[str, Any]]:
    acme, ids = store(world.population)
    actor = make_actor(acme)
    create_segment(actor, SegmentDraft("Rule", world.rule))
    create_segment(actor, SegmentDraft("List", people=of(ids, world.old_list)))
    snapshot = ensure_segment_snapshot(actor, "list")
    edit_segment(actor, "list", SegmentDraft("List", people=of(ids, world.new_list)))
    named = {
        "rule": SegmentChoice("rule"),
        "list": SegmentChoice("list"),
        "old list": SegmentChoice("list", version=1),
        "old snapshot": SegmentChoice("list", version=1, snapshot=snapshot.id),
    }
    return acme, ids, {**named, "campaign": store_campaign(actor, ids, world)}


def of(ids: list[int], chosen: frozenset[int]) -> tuple[int, ...]:
    return tuple(sorted(ids[place] for place in chosen if place < len(ids)))


def store_campaign(actor: Actor, ids: list[int], world: World) -> int:
    with write():
        now = clock.now()
        campaign = Campaign(
            organisation_id=actor.organisation_id,
            name="Earlier",
            channel=Channel.SMS,
            message="Hello",
            created_at=now,
            updated_at=now,
        )
        db.session.add(campaign)
        db.session.flush()
        for place, (state, in_final) in world.messages.items():
            if place < len(ids):
                db.session.add(
                    Recipient(
                        campaign_id=campaign.id,
                        person_id=ids[place],
                        in_estimate=True,
                        in_final=in_final,
                        state=state,
                    )
                )
        return campaign.id


def as_asked(asked: Question, named: dict[str, Any]) -> Criteria:
    return replace(
        asked.base,
        segment=named[asked.segment] if asked.segment else None,
        exclude_events=asked.exclude_events,
        exclude_segments=tuple(named[name] for name in asked.exclude_segments),
        exclude_campaigns=tuple(
            CampaignChoice(named["campaign"], who) for who in asked.exclude_campaigns
        ),
    )


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    world=worlds,
    asking=st.lists(st.tuples(questions, st.sampled_from(Channel)), min_size=4, max_size=8),
)
def test_audiences_on_segments_agree_with_a_plain_reading(app, world, asking):
    acme, ids, named = store_world(world)
    place_of = {person_id: place for place, person_id in enumerate(ids)}
    for asked, channel in asking:
        expected = read_on_segments(world, asked, channel)
        query = audience_select(acme.id, as_asked(asked, named), channel, SENDING_AT)
        rows = db.session.execute(query.statement, query.values).all()
        found = {place_of[row.person_id]: (row.source, row.reason, row.country) for row in rows}
        assert found == expected
        assert len(rows) == len(expected)
        check_steps(asked, count_funnel(query.statement, query.values, query.exclusions))


def check_steps(asked: Question, funnel: Any) -> None:
    """An exclusion has its step where it is asked for, though it may leave out nobody."""
    said = funnel.to_json()
    assert ("excluded_event" in said) == bool(asked.exclude_events)
    assert ("excluded_segment" in said) == bool(asked.exclude_segments)
    assert ("excluded_campaign" in said) == bool(asked.exclude_campaigns)
    assert said["matched"] == sum(said.values()) - said["matched"]


@settings(max_examples=200)
@given(questions)
def test_criteria_survive_being_stored(asked):
    named = {name: SegmentChoice(name.replace(" ", "-"), version=2) for name in SETS}
    wanted = as_asked(asked, {**named, "campaign": 12})
    wanted = replace(wanted, cities=tuple(dict.fromkeys(wanted.cities)))
    assert criteria_from_text(criteria_to_text(wanted)) == wanted
