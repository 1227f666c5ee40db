"""How many people attend an event, by source, and how their number grew."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from rollcall.extensions import db
from rollcall.models import Attendance, Source
from rollcall.models.types import EpochSeconds

CURVE_POINTS = 60


@dataclass(frozen=True)
class HeadCount:
    """How many people attend; each counts once. Cancelled and refunded ones don't count."""

    registration_only: int = 0
    qr_scan_only: int = 0
    both: int = 0

    @property
    def people(self) -> int:
        """Return how many people attend, by whatever source."""
        return self.registration_only + self.qr_scan_only + self.both

    def to_json(self) -> dict[str, int]:
        """Return the count as the API gives it, in the words of an audience's sources."""
        return {
            "total": self.people,
            "registration": self.registration_only,
            "qr_scan": self.qr_scan_only,
            "both": self.both,
        }


@dataclass(frozen=True)
class CurvePoint:
    """So many people had been recorded as attending by that moment."""

    at: datetime
    people: int


def count_heads(event_ids: Sequence[int]) -> dict[int, HeadCount]:
    """Return the head count of each event, of those without anybody too."""
    # Two passes over the covering index instead of one that sorts people: whoever has a
    # counting scan beside a counting registration was counted under both.
    rows = db.session.execute(
        sa.select(Attendance.event_id, Attendance.source, sa.func.count())
        .where(Attendance.event_id.in_(event_ids), Attendance.cancelled.is_(False))
        .group_by(Attendance.event_id, Attendance.source)
    )
    by_source: defaultdict[int, dict[Source, int]] = defaultdict(dict)
    for event_id, source, people in rows:
        by_source[event_id][source] = people
    both = _count_both(event_ids)
    return {
        event_id: HeadCount(
            registration_only=by_source[event_id].get(Source.REGISTRATION, 0)
            - both.get(event_id, 0),
            qr_scan_only=by_source[event_id].get(Source.QR_SCAN, 0) - both.get(event_id, 0),
            both=both.get(event_id, 0),
        )
        for event_id in event_ids
    }


def attendance_curve(
    event_ids: int | Sequence[int],
    points: int = CURVE_POINTS,
    *,
    sources: Sequence[Source] = (),
    until: datetime | None = None,
) -> list[CurvePoint]:
    """Return how the number of attending people grew, in at most `points` steps.

    Each person is counted once over all the events, from the first record of theirs that
    counts today; time is cut into equal steps, and each point stands at the last arrival of
    its step. `sources` limit which records count, `until` leaves out what came later.
    """
    several = [event_ids] if isinstance(event_ids, int) else list(event_ids)
    conditions: list[sa.ColumnElement[bool]] = [
        Attendance.event_id.in_(several),
        Attendance.cancelled.is_(False),
    ]
    if sources:
        conditions.append(Attendance.source.in_(sources))
    if until is not None:
        conditions.append(Attendance.recorded_at <= until)
    rows = db.session.execute(_curve(conditions, points))
    return [CurvePoint(datetime.fromtimestamp(row.at, UTC), row.people) for row in rows]


def _count_both(event_ids: Sequence[int]) -> dict[int, int]:
    scan = aliased(Attendance)
    registration = aliased(Attendance)
    rows = db.session.execute(
        sa.select(scan.event_id, sa.func.count().label("people"))
        .join(
            registration,
            sa.and_(
                registration.event_id == scan.event_id,
                registration.person_id == scan.person_id,
                registration.source == Source.REGISTRATION,
                registration.cancelled.is_(False),
            ),
        )
        .where(
            scan.event_id.in_(event_ids),
            scan.cancelled.is_(False),
            scan.source == Source.QR_SCAN,
        )
        .group_by(scan.event_id)
    )
    return {row.event_id: row.people for row in rows}


def _curve(
    conditions: Sequence[sa.ColumnElement[bool]], points: int
) -> sa.Select[*tuple[Any, ...]]:
    # One statement: when each person first counted, the span of those moments, how many
    # people fall into each step of it, and the running sum.
    first = (
        sa.select(sa.func.min(EpochSeconds(Attendance.recorded_at)).label("at"))
        .where(*conditions)
        .group_by(Attendance.person_id)
        .cte("first")
    )
    begin, end = sa.func.min(first.c.at), sa.func.max(first.c.at)
    span = sa.select(begin.label("begin"), ((end - begin) // points + 1).label("step")).cte("span")
    slot = ((first.c.at - span.c.begin) // span.c.step).label("slot")
    steps = (
        sa.select(slot, sa.func.max(first.c.at).label("at"), sa.func.count().label("arrived"))
        .select_from(first.join(span, sa.true()))
        .group_by(slot)
        .subquery("steps")
    )
    people = sa.func.sum(steps.c.arrived).over(order_by=steps.c.slot)
    return sa.select(steps.c.at, sa.cast(people, sa.BigInteger).label("people")).order_by(
        steps.c.slot
    )
