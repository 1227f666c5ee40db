"""Any history of people and versions: each comparison against a plain replay of it (B4).

The replay keeps how everybody stood at every moment, which the database does not: where the
database can know the cause it must be the replay's, and where it can't it must say so.
"""

import csv
import io
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import combinations
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.actors import Actor
from rollcall.audience.criteria import SCORES, Criteria, ScoreRange
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.models import Organisation, Source
from rollcall.people.details import PersonDraft
from rollcall.people.records import edit_person
from rollcall.segments.causes import Cause, Changed
from rollcall.segments.changed_people import export_moved, list_moved
from rollcall.segments.comparison import compare_sides
from rollcall.segments.difference import Movement
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment, find_segment
from rollcall.segments.sides import Side, find_side
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.campaigns.stage import Stage
from tests.factories import make_actor, make_event, make_organisation, make_people, set_facts

EVENTS = ("show", "fair", "gala")
CITIES = ("", "Toronto", "Ottawa")
AT_FIRST = 5
EVER = 7  # so many people there may be in the end

place = st.integers(0, EVER - 1)
limits = st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda ends: ScoreRange(*sorted(ends)))
maybe_limits = st.one_of(st.none(), st.none(), limits)


def some(values: Any, least: int = 0) -> Any:
    chosen = [tuple(c) for n in range(least, len(values) + 1) for c in combinations(values, n)]
    return st.sampled_from(chosen)


definitions = st.builds(
    Criteria,
    events=some(EVENTS[:2], least=1),
    sources=some(tuple(Source)),
    recency=maybe_limits,
    frequency=maybe_limits,
    cities=st.one_of(st.just(()), st.just(()), some(CITIES[1:])),
    exclude_events=st.one_of(st.just(()), st.just(EVENTS[2:])),
    window_hours=st.just(0),
)
definitions = st.tuples(definitions, st.booleans()).map(
    lambda drawn: replace(drawn[0], min_events=len(drawn[0].events)) if drawn[1] else drawn[0]
)
# Everything in these keeps its history, so that every cause can be told.
exact_definitions = definitions.map(
    lambda drawn: replace(drawn, recency=None, frequency=None, cities=())
)
attendances = st.tuples(place, st.sampled_from(EVENTS), st.sampled_from(Source))


def steps(of_definitions: Any) -> Any:
    attends = st.tuples(st.just("attend"), attendances)
    return st.one_of(
        attends,
        attends,
        st.tuples(st.just("cancel"), attendances),
        st.tuples(st.just("score"), st.tuples(place, st.sampled_from("rf"), st.integers(1, 5))),
        st.tuples(st.just("move"), st.tuples(place, st.sampled_from(CITIES))),
        st.tuples(st.just("add"), st.none()),
        st.tuples(st.just("edit"), of_definitions),
        st.tuples(st.just("snapshot"), st.none()),
        st.tuples(st.just("snapshot"), st.none()),
    )


@dataclass(frozen=True)
class Standing:
    """How one person stood at one moment."""

    attends: frozenset[tuple[str, Source]] = frozenset()
    scores: dict[str, int] = field(default_factory=dict)
    city: str = ""


@dataclass(frozen=True)
class Known:
    """A side as the replay knows it: what it asked, how everybody stood, and who was in."""

    side: Side
    asked: Criteria | frozenset[int]
    standings: dict[int, Standing]

    @property
    def members(self) -> set[int]:
        return {who for who, stood in self.standings.items() if not fails(self.asked, who, stood)}


def fails(asked: Criteria | frozenset[int], who: int, stood: Standing | None) -> list[str]:
    """Every criterion that leaves somebody out, in the order in which they are asked for."""
    if isinstance(asked, frozenset):
        return [] if who in asked else ["people"]
    stood = stood or Standing()
    here = [source for event, source in stood.attends if event in asked.events]
    found = {
        "events": not here,
        "sources": bool(asked.sources) and not set(here) & set(asked.sources),
    }
    came_to = {
        event
        for event, source in stood.attends
        if event in asked.events and source in (asked.sources or tuple(Source))
    }
    found["min_events"] = len(came_to) < (asked.min_events or 1) and (asked.min_events or 1) > 1
    for letter, wanted in asked.scores.items():
        found[SCORES[letter]] = not wanted.low <= stood.scores.get(letter, 0) <= wanted.high
    found["cities"] = bool(asked.cities) and stood.city not in asked.cities
    found["exclude_events"] = any(event in asked.exclude_events for event, _ in stood.attends)
    return [criterion for criterion, failed in found.items() if failed]


class Replay:
    """An organisation whose history is made twice: by the verbs, and plainly."""

    def __init__(self, stage: Stage, definition: Criteria | frozenset[int]) -> None:
        self.clock = stage.clock
        self.organisation: Organisation = make_organisation()
        self.actor: Actor = make_actor(self.organisation)
        self.events = {slug: make_event(self.organisation, slug).id for slug in EVENTS}
        self.ids: list[int] = []
        self.standings: dict[int, Standing] = {}
        self.came_back: set[int] = set()
        self.cancelled: set[Any] = set()
        self.versions: list[Criteria | frozenset[int]] = []
        self.sides: list[Known] = []
        for _ in range(AT_FIRST):
            self.add(None)
        create_segment(self.actor, self._draft(definition))

    def run(self, history: list[tuple[str, Any]]) -> None:
        for verb, values in history:
            self.clock.shift(timedelta(hours=1))
            getattr(self, verb)(values)
        self.clock.shift(timedelta(hours=1))

    def add(self, _: None) -> None:
        if len(self.ids) < EVER:
            self.ids += make_people(self.organisation, 1)
            self.standings[self.ids[-1]] = Standing()

    def attend(self, values: tuple[int, str, Source]) -> None:
        who, event, source = self._read(values)
        if who is None:
            return
        record_attendance(self.actor, self.events[event], [who], source)
        if (who, event, source) in self.cancelled:
            self.came_back.add(who)
        self._change(who, attends=self.standings[who].attends | {(event, source)})

    def cancel(self, values: tuple[int, str, Source]) -> None:
        who, event, source = self._read(values)
        if who is None or (event, source) not in self.standings[who].attends:
            return
        cancel_attendance(self.actor, self.events[event], who, source=source)
        self.cancelled.add((who, event, source))
        self._change(who, attends=self.standings[who].attends - {(event, source)})

    def score(self, values: tuple[int, str, int]) -> None:
        who, letter, score = self._read(values)
        if who is not None:
            set_facts(who, **{SCORES[letter]: score})
            self._change(who, scores={**self.standings[who].scores, letter: score})

    def move(self, values: tuple[int, str]) -> None:
        who, city = self._read(values)
        if who is not None:
            edit_person(self.actor, who, PersonDraft(email=f"p{who}@example.org", city=city))
            self._change(who, city=city)

    def edit(self, definition: Criteria | frozenset[int]) -> None:
        if isinstance(definition, frozenset) == isinstance(self.versions[0], frozenset):
            before = len(self.versions)
            version = edit_segment(self.actor, "it", self._draft(definition))
            del self.versions[version:]
            assert version in (before, before + 1)

    def snapshot(self, _: None) -> None:
        if len(self.sides) < 3:
            taken = ensure_segment_snapshot(self.actor, "it", force=True)
            self._keep(str(taken.id), taken.version)

    def look_now(self) -> list[Known]:
        for version in {1, len(self.versions)}:
            self._keep(f"now:{version}", version)
        return self.sides

    def _keep(self, word: str, version: int) -> None:
        side = find_side(find_segment(self.organisation.id, "it"), word, "from")
        self.sides.append(Known(side, self.versions[version - 1], dict(self.standings)))

    def _draft(self, definition: Criteria | frozenset[int]) -> SegmentDraft:
        """The definition, with the people's places made their ids."""
        if isinstance(definition, frozenset):
            listed = frozenset(self.ids[one] for one in definition if one < len(self.ids))
            self.versions.append(listed)
            return SegmentDraft("it", people=tuple(sorted(listed)))
        self.versions.append(definition)
        return SegmentDraft("it", definition)

    def _read(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        who = self.ids[values[0]] if values[0] < len(self.ids) else None
        return who, *values[1:]

    def _change(self, who: int, **changes: Any) -> None:
        self.standings[who] = replace(self.standings[who], **changes)


def causes_of(earlier: Known, later: Known, movement: Movement) -> dict[int, Cause | None]:
    """Everybody of a movement with the cause, read in pages of two."""
    found: dict[int, Cause | None] = {}
    cursor = None
    while True:
        page = list_moved(earlier.side, later.side, movement, cursor=cursor, limit=2)
        assert all(person.movement is movement for person in page.rows)
        assert not found.keys() & {person.person_id for person in page.rows}
        found |= {person.person_id: person.cause for person in page.rows}
        cursor = page.next_cursor
        if cursor is None:
            return found


def check_pair(earlier: Known, later: Known, came_back: set[int]) -> None:
    """One comparison: its sets, its sums, its mirror image, its lists, its causes."""
    before, after = earlier.members, later.members
    there = compare_sides(earlier.side, later.side)
    assert (there.earlier_people, there.later_people) == (len(before), len(after))
    came, went, stayed = after - before, before - after, before & after
    assert (there.came, there.went, there.stayed) == (len(came), len(went), len(stayed))
    back = compare_sides(later.side, earlier.side)
    assert (back.came, back.went, back.stayed) == (there.went, there.came, there.stayed)
    assert _counts(back.came_by_cause) == _counts(there.went_by_cause)
    assert _counts(back.went_by_cause) == _counts(there.came_by_cause)
    assert there.earlier_people + there.came - there.went == there.later_people
    assert set(causes_of(earlier, later, Movement.STAYED)) == stayed
    for movement, people, inside, outside, counted in (
        (Movement.CAME, came, later, earlier, there.came_by_cause),
        (Movement.WENT, went, earlier, later, there.went_by_cause),
    ):
        causes = causes_of(earlier, later, movement)
        assert set(causes) == people
        tally: dict[Any, int] = {}
        for who, cause in causes.items():
            tally[cause] = tally.get(cause, 0) + 1
            assert cause is not None
            certain = next(count.certain for count in counted if count.cause == cause)
            if who not in came_back:
                check_cause(cause, certain, who, inside, outside)
        assert tally == _counts(counted)
    exported = "".join(export_moved(earlier.side, later.side)).removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert {int(row["person"]) for row in rows if row["change"] == "came"} == came
    assert {int(row["person"]) for row in rows if row["change"] == "went"} == went
    assert len(rows) == len(came) + len(went)


def _counts(counted: Any) -> dict[Any, int]:
    return {count.cause: count.people for count in counted}


def check_cause(cause: Cause, certain: bool, who: int, inside: Known, outside: Known) -> None:
    """The cause is the replay's where all that it rests on is kept, and true in every case."""
    at_first = fails(outside.asked, who, inside.standings.get(who))
    at_last = fails(outside.asked, who, outside.standings.get(who))
    assert at_last
    if isinstance(outside.asked, frozenset) or not (outside.asked.scores or outside.asked.cities):
        changed = Changed.DEFINITION if at_first else Changed.PERSON
        assert certain
        assert (cause.changed, cause.criterion) == (changed, (at_first or at_last)[0])
        return
    unread = {*SCORES.values(), "cities"}
    if not certain:
        # Found by elimination: whatever else could be read let them in then.
        assert unread & set(at_last)
        assert not set(at_last) - unread
        assert not outside.side.is_now
    elif cause.changed is Changed.PERSON:
        assert cause.criterion in at_last
        assert cause.criterion not in at_first
    else:
        assert cause.criterion in at_first + (at_last if outside.side.is_now else [])
        assert inside.asked != outside.asked
    if outside.side.is_now and inside.side.is_now:
        assert (cause.changed, cause.criterion) == (Changed.DEFINITION, at_first[0])


def check_history(
    stage: Stage, definition: Criteria | frozenset[int], history: list[tuple[str, Any]]
) -> None:
    replay = Replay(stage, definition)
    replay.run(history)
    pairs = combinations(replay.look_now(), 2)
    for number, (earlier, later) in enumerate(pairs):
        # Every other pair the wrong way round: then people come back to what they were.
        asked = (later, earlier) if number % 2 else (earlier, later)
        check_pair(*asked, replay.came_back)


few = settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@few
@given(definition=definitions, history=st.lists(steps(definitions), min_size=6, max_size=24))
def test_rules_compare_as_a_plain_replay_does(stage, definition, history):
    check_history(stage, definition, history)


@few
@given(
    definition=exact_definitions,
    history=st.lists(steps(exact_definitions), min_size=6, max_size=24),
)
def test_causes_are_the_replays_where_everything_is_kept(stage, definition, history):
    check_history(stage, definition, history)


lists = st.frozensets(place, max_size=EVER)


@few
@given(definition=lists, history=st.lists(steps(lists), min_size=4, max_size=12))
def test_lists_compare_as_a_plain_replay_does(stage, definition, history):
    check_history(stage, definition, history)
