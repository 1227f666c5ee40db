"""The people of an event, those who were recorded last first."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import Attendance, Event, Person, Source
from rollcall.paging import (
    PAGE_LENGTH,
    Page,
    check_page_length,
    cut_page,
    read_moment_cursor,
)


@dataclass(frozen=True)
class Attendee:
    """One attendance with its person; the moments are aware UTC."""

    attendance_id: int
    person_id: int
    name: str
    phone: str | None
    email: str | None
    source: Source
    status: str
    cancelled: bool
    occurred_at: datetime
    recorded_at: datetime


def list_attendees(
    event: Event, cursor: str | None = None, limit: int = PAGE_LENGTH
) -> Page[Attendee]:
    """Return a page of the event's attendances, the latest recorded first, cancelled ones too."""
    check_page_length(limit)
    query = (
        sa.select(
            Attendance.id,
            Person.id,
            sa.func.trim(Person.first_name + " " + Person.last_name),
            Person.phone,
            Person.email,
            Attendance.source,
            Attendance.status,
            Attendance.cancelled,
            Attendance.occurred_at,
            Attendance.recorded_at,
        )
        .join(Person, Person.id == Attendance.person_id)
        .where(Attendance.event_id == event.id)
        .order_by(Attendance.recorded_at.desc(), Attendance.id.desc())
        .limit(limit + 1)
    )
    if cursor:
        recorded_at, last_id = read_moment_cursor(cursor)
        place = sa.tuple_(sa.literal(recorded_at, Attendance.recorded_at.type), last_id)
        query = query.where(sa.tuple_(Attendance.recorded_at, Attendance.id) < place)
    rows = [Attendee(*row) for row in db.session.execute(query)]
    return cut_page(rows, limit, lambda row: (row.recorded_at.isoformat(), row.attendance_id))
