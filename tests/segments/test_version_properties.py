"""Any sequence of joining, leaving, edits, bumps and snapshots, against a plain reading of B1, B2.

A version's snapshot never changes unless another is forced, its members are what the
definition gave at its time, and versions only go up.
"""

from dataclasses import dataclass, field

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria, criteria_from_text
from rollcall.extensions import db, write
from rollcall.models import Attendance, Event, SegmentMember, SegmentSnapshot, Source
from rollcall.segments.records import (
    SegmentDraft,
    create_segment,
    edit_segment,
    find_segment,
    find_version,
    list_versions,
    listed_people,
)
from rollcall.segments.snapshots import ensure_segment_snapshot, snapshot_exists
from tests.factories import make_actor, make_event, make_organisation, make_people

PEOPLE = 6
EVENTS = ("show", "gala")
DEFINITIONS = (
    Criteria(events=("show",), window_hours=0),
    Criteria(events=("show", "gala"), window_hours=0),
    Criteria(events=("gala",), sources=(Source.QR_SCAN,), window_hours=0),
    Criteria(events=("show",), exclude_events=("gala",), window_hours=0),
)

person = st.integers(0, PEOPLE - 1)
attendance = st.tuples(person, st.sampled_from(EVENTS), st.sampled_from(Source))
steps = st.one_of(
    st.tuples(st.just("counts"), attendance, st.booleans()),
    st.tuples(st.just("counts"), attendance, st.just(True)),
    st.tuples(st.just("edit rule"), st.sampled_from(DEFINITIONS), st.booleans()),
    st.tuples(st.just("edit list"), st.frozensets(person), st.booleans()),
    st.tuples(st.just("snapshot"), st.booleans(), st.tuples(st.booleans(), st.booleans())),
)


@dataclass
class Plain:
    """A segment as the requirements know one: what each version says, and its snapshots."""

    definitions: list[Criteria | frozenset[int]]
    snapshots: dict[int, list[frozenset[int]]] = field(default_factory=dict)

    @property
    def version(self) -> int:
        return len(self.definitions)

    def edit(self, definition: Criteria | frozenset[int]) -> None:
        if definition != self.definitions[-1]:
            self.definitions.append(definition)

    def ensure(self, bump: bool, force: bool, counting: set[tuple[int, str, Source]]) -> None:
        if bump:
            self.definitions.append(self.definitions[-1])
        taken = self.snapshots.setdefault(self.version, [])
        if force or not taken:
            taken.append(read_members(self.definitions[-1], counting))


def read_members(
    definition: Criteria | frozenset[int], counting: set[tuple[int, str, Source]]
) -> frozenset[int]:
    if isinstance(definition, frozenset):
        return definition
    excluded = {who for who, slug, _ in counting if slug in definition.exclude_events}
    return frozenset(
        who
        for who, slug, source in counting
        if slug in definition.events
        and (not definition.sources or source in definition.sources)
        and who not in excluded
    )


class World:
    """The same two segments in the database, changed by the verbs, and read back whole."""

    def __init__(self) -> None:
        organisation = make_organisation()
        self.actor: Actor = make_actor(organisation)
        self.ids = make_people(organisation, PEOPLE)
        self.events = {slug: make_event(organisation, slug).id for slug in EVENTS}
        create_segment(self.actor, SegmentDraft("Rule", DEFINITIONS[0]))
        create_segment(self.actor, SegmentDraft("List", people=()))
        self.plain = {"rule": Plain([DEFINITIONS[0]]), "list": Plain([frozenset()])}
        self.counting: set[tuple[int, str, Source]] = set()

    def take(self, step: tuple) -> None:
        kind, what, how = step
        if kind == "counts":
            self.set_attendance(what, how)
        elif kind == "snapshot":
            self.snapshot("list" if what else "rule", *how)
        else:
            self.edit("rule" if kind == "edit rule" else "list", what, other_name=how)

    def set_attendance(self, one: tuple[int, str, Source], counts: bool) -> None:
        who, slug, source = one
        (self.counting.add if counts else self.counting.discard)(one)
        event = db.session.get_one(Event, self.events[slug])
        same = (
            Attendance.event_id == event.id,
            Attendance.person_id == self.ids[who],
            Attendance.source == source,
        )
        with write():
            known = db.session.scalar(sa.select(Attendance).where(*same))
            row = known or Attendance(
                event_id=self.events[slug],
                person_id=self.ids[who],
                source=source,
                occurred_at=event.starts_at,
                recorded_at=event.starts_at,
            )
            row.cancelled = not counts
            db.session.add(row)

    def edit(self, slug: str, definition: Criteria | frozenset[int], other_name: bool) -> None:
        name = "Another name" if other_name else slug.capitalize()
        if isinstance(definition, frozenset):
            draft = SegmentDraft(name, people=tuple(sorted(self.ids[who] for who in definition)))
        else:
            draft = SegmentDraft(name, definition)
        self.plain[slug].edit(definition)
        assert edit_segment(self.actor, slug, draft) == self.plain[slug].version

    def snapshot(self, slug: str, bump: bool, force: bool) -> None:
        plain = self.plain[slug]
        plain.ensure(bump, force, self.counting)
        taken = ensure_segment_snapshot(self.actor, slug, bump_version=bump, force=force)
        expected = plain.snapshots[plain.version]
        assert (taken.version, taken.number) == (plain.version, len(expected))
        assert taken.people == len(expected[-1])

    def check(self) -> None:
        """Whatever was ever stored is still there, and nothing else."""
        for slug, plain in self.plain.items():
            segment = find_segment(self.actor.organisation_id, slug)
            assert segment.version == plain.version
            versions = sorted(list_versions(segment), key=lambda version: version.version)
            assert [self.read(version) for version in versions] == plain.definitions
            for number in range(1, plain.version + 1):
                version = find_version(segment, number)
                assert self.members(version.id) == plain.snapshots.get(number, [])
                assert snapshot_exists(self.actor.organisation_id, slug, number) == (
                    number in plain.snapshots
                )

    def read(self, version) -> Criteria | frozenset[int]:
        if version.definition is None:
            return frozenset(self.ids.index(person_id) for person_id in listed_people(version))
        return criteria_from_text(version.definition)

    def members(self, version_id: int) -> list[frozenset[int]]:
        snapshots = db.session.scalars(
            sa.select(SegmentSnapshot)
            .where(SegmentSnapshot.version_id == version_id)
            .order_by(SegmentSnapshot.number)
        )
        return [
            frozenset(
                self.ids.index(person_id)
                for person_id in db.session.scalars(
                    sa.select(SegmentMember.person_id).where(
                        SegmentMember.snapshot_id == snapshot.id
                    )
                )
            )
            for snapshot in snapshots
        ]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(steps, max_size=12))
def test_snapshots_are_what_was_at_their_time_and_stay_so(app, history):
    world = World()
    for step in history:
        world.take(step)
        world.check()
