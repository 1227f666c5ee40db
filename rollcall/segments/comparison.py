"""Two sides of a segment beside each other: who came, who went, who stayed, and why (B4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.segments.causes import Cause, causes_by_code, is_certain, say_move_cause
from rollcall.segments.difference import Movement, moves_select
from rollcall.segments.records import find_segment
from rollcall.segments.sides import NOW, Side, find_side, side_people, staged_sides
from rollcall.wording import say_number, say_people


@dataclass(frozen=True)
class CauseCount:
    """So many people moved for this cause; `certain` unless it was found by elimination."""

    cause: Cause
    people: int
    sentence: str
    certain: bool

    def to_json(self) -> dict[str, Any]:
        """Return the count as the API gives it."""
        return {
            "cause": self.cause.key,
            "people": self.people,
            "sentence": self.sentence,
            "certain": self.certain,
        }


@dataclass(frozen=True)
class SegmentComparison:
    """How many people came and went between two sides, by cause, the largest first."""

    earlier: Side
    later: Side
    earlier_people: int
    later_people: int
    came_by_cause: tuple[CauseCount, ...]
    went_by_cause: tuple[CauseCount, ...]

    @property
    def came(self) -> int:
        """Return how many are in the later side only."""
        return sum(count.people for count in self.came_by_cause)

    @property
    def went(self) -> int:
        """Return how many are in the earlier side only."""
        return sum(count.people for count in self.went_by_cause)

    @property
    def stayed(self) -> int:
        """Return how many are in both."""
        return self.earlier_people - self.went

    def by_cause(self, movement: Movement) -> tuple[CauseCount, ...]:
        """Return the causes of one movement; those who stayed have none."""
        return {
            Movement.CAME: self.came_by_cause,
            Movement.WENT: self.went_by_cause,
            Movement.STAYED: (),
        }[movement]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as the API gives it."""
        return {
            "segment": self.earlier.segment_slug,
            "from": self._side_json(self.earlier, self.earlier_people),
            "to": self._side_json(self.later, self.later_people),
            "came": self.came,
            "went": self.went,
            "stayed": self.stayed,
            "came_by_cause": [count.to_json() for count in self.came_by_cause],
            "went_by_cause": [count.to_json() for count in self.went_by_cause],
        }

    def sentence(self) -> str:
        """Return the comparison in one sentence."""
        return (
            f"{say_people(self.earlier_people)} before, {say_people(self.later_people)} after: "
            f"{say_number(self.came)} came, {say_number(self.went)} went, "
            f"{say_number(self.stayed)} stayed."
        )

    @staticmethod
    def _side_json(side: Side, people: int) -> dict[str, Any]:
        return {**side.to_json(), "people": people, "erased": erased_since(side, people)}


def compare_segment(
    organisation_id: int, key: int | str, earlier: str, later: str = NOW
) -> SegmentComparison:
    """Return what came between two sides of a segment; `find_side` says what can be asked for.

    Raises NotFound for what there is not, InvalidInput naming `from` or `to`.
    """
    segment = find_segment(organisation_id, key)
    return compare_sides(find_side(segment, earlier, "from"), find_side(segment, later, "to"))


def compare_sides(earlier: Side, later: Side) -> SegmentComparison:
    """Return what came between two sides of the same segment; nothing is stored."""
    with staged_sides(earlier, later):
        counts = _count(earlier, later)
    people = {place: counts[place].get(None, 0) for place in ("earlier", "later")}
    return SegmentComparison(
        earlier=earlier,
        later=later,
        earlier_people=people["earlier"],
        later_people=people["later"],
        came_by_cause=_explain(counts[Movement.CAME], later, earlier),
        went_by_cause=_explain(counts[Movement.WENT], earlier, later),
    )


def erased_since(side: Side, people: int) -> int:
    """Return how many of a snapshot's people have been erased since it was taken."""
    return 0 if side.people_then is None else side.people_then - people


def _count(earlier: Side, later: Side) -> dict[str, dict[Cause | None, int]]:
    """Return both sizes, and those who moved by cause, from one statement."""
    values: dict[str, Any] = {}
    parts: list[Any] = []
    for movement in (Movement.CAME, Movement.WENT):
        moves, more = moves_select(earlier, later, movement)
        values |= more
        moved = moves.subquery(f"who_{movement}")
        parts.append(
            sa.select(
                sa.literal(movement.value).label("what"),
                moved.c.cause,
                sa.func.count().label("people"),
            ).group_by(moved.c.cause)
        )
    for place, side in (("earlier", earlier), ("later", later)):
        people = side_people(side, place).subquery(f"all_{place}")
        none = sa.cast(sa.null(), sa.SmallInteger)
        parts.append(sa.select(sa.literal(place), none, sa.func.count()).select_from(people))
    counts: dict[str, dict[Cause | None, int]] = {
        what: {} for what in (Movement.CAME, Movement.WENT, "earlier", "later")
    }
    causes = causes_by_code()
    for row in db.session.execute(sa.union_all(*parts), values):
        counts[row.what][None if row.cause is None else causes[row.cause]] = row.people
    return counts


def _explain(
    counts: Mapping[Cause | None, int], inside: Side, outside: Side
) -> tuple[CauseCount, ...]:
    found = [
        CauseCount(
            cause,
            people,
            say_move_cause(cause, inside, outside, outside.known.names),
            is_certain(cause, inside, outside),
        )
        for cause, people in counts.items()
        if cause is not None
    ]
    return tuple(sorted(found, key=lambda count: (-count.people, count.cause.code)))
