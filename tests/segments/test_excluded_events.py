"""What a comparison says of those whom an excluded event leaves out, as things stood then."""

from datetime import timedelta

import pytest

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.models import Organisation, Source
from rollcall.segments.changed_people import list_moved
from rollcall.segments.comparison import compare_sides
from rollcall.segments.difference import Movement
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment, find_segment
from rollcall.segments.sides import find_side
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.campaigns.stage import Stage
from tests.factories import make_event, make_people

AT_THE_SHOW = Criteria(events=("show",), window_hours=0)
NOT_AT_THE_GALA = Criteria(events=("show",), exclude_events=("gala",), window_hours=0)


class Town:
    """Somebody at the show, and the segment of those who are not at the gala as well."""

    def __init__(self, stage: Stage, definition: Criteria) -> None:
        self.clock = stage.clock
        self.actor: Actor = stage.actor
        self.organisation: Organisation = stage.organisation
        self.gala_id = make_event(self.organisation, "gala").id
        [self.person] = make_people(self.organisation, 1)
        stage.attend([self.person])
        self.clock.shift(timedelta(hours=1))
        create_segment(self.actor, SegmentDraft("it", definition))

    def attend_gala(self) -> None:
        self.clock.shift(timedelta(hours=1))
        record_attendance(self.actor, self.gala_id, [self.person], Source.REGISTRATION)

    def cancel_gala(self) -> None:
        self.clock.shift(timedelta(hours=1))
        cancel_attendance(self.actor, self.gala_id, self.person)

    def edit(self, definition: Criteria) -> None:
        self.clock.shift(timedelta(hours=1))
        edit_segment(self.actor, "it", SegmentDraft("it", definition))

    def snapshot(self) -> str:
        self.clock.shift(timedelta(hours=1))
        return str(ensure_segment_snapshot(self.actor, "it", force=True).id)

    def causes(self, earlier: str, later: str) -> dict[str, str | None]:
        """How the person moved between the sides, and why."""
        segment = find_segment(self.organisation.id, "it")
        sides = find_side(segment, earlier, "from"), find_side(segment, later, "to")
        found = {
            movement.value: person.cause.key if person.cause else None
            for movement in Movement
            for person in list_moved(*sides, movement).rows
        }
        for movement in (Movement.CAME, Movement.WENT):
            counted = getattr(compare_sides(*sides), f"{movement.value}_by_cause")
            listed = [cause for moved, cause in found.items() if moved == movement.value]
            assert [count.cause.key for count in counted] == listed
        return found


@pytest.fixture
def town(stage: Stage) -> Town:
    return Town(stage, NOT_AT_THE_GALA)


def test_who_comes_to_the_excluded_event_goes_for_it(town: Town):
    before = town.snapshot()
    town.attend_gala()
    after = town.snapshot()
    assert town.causes(before, after) == {"went": "person.exclude_events"}
    assert town.causes(before, "now") == {"went": "person.exclude_events"}


def test_who_cancels_the_excluded_event_comes_in_for_it(town: Town):
    town.attend_gala()
    before = town.snapshot()
    town.cancel_gala()
    after = town.snapshot()
    assert town.causes(before, after) == {"came": "person.exclude_events"}
    assert town.causes(after, before) == {"went": "person.exclude_events"}
    assert town.causes(before, "now") == {"came": "person.exclude_events"}


def test_of_rules_that_begin_to_exclude_it_who_was_there_is_left_out_by_the_rules(stage: Stage):
    town = Town(stage, AT_THE_SHOW)
    town.attend_gala()
    before = town.snapshot()
    town.edit(NOT_AT_THE_GALA)
    after = town.snapshot()
    assert town.causes(before, after) == {"went": "definition.exclude_events"}
    assert town.causes(before, "now") == {"went": "definition.exclude_events"}
    assert town.causes("now:1", "now:2") == {"went": "definition.exclude_events"}
    assert town.causes("now:2", "now:1") == {"came": "definition.exclude_events"}


def test_of_rules_that_begin_to_exclude_it_who_came_later_is_left_out_by_coming(stage: Stage):
    town = Town(stage, AT_THE_SHOW)
    before = town.snapshot()
    town.edit(NOT_AT_THE_GALA)
    town.attend_gala()
    after = town.snapshot()
    assert town.causes(before, after) == {"went": "person.exclude_events"}


def test_who_had_cancelled_it_before_the_rules_began_to_exclude_it_stays(stage: Stage):
    town = Town(stage, AT_THE_SHOW)
    town.attend_gala()
    before = town.snapshot()
    town.cancel_gala()
    town.edit(NOT_AT_THE_GALA)
    after = town.snapshot()
    assert town.causes(before, after) == {"stayed": None}
