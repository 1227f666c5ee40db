"""Who attended what, and when it was recorded: what shows that somebody matched, or did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria
from rollcall.audience.criteria.criterion import Attends, Visit
from rollcall.explanations.context import Context
from rollcall.explanations.verdicts import Evidence
from rollcall.extensions import db
from rollcall.models import Attendance, Event, Source
from rollcall.models.types import IdList, IsOneOf

_DEEDS = {Source.REGISTRATION: "registered for", Source.QR_SCAN: "scanned a QR code at"}


@dataclass(frozen=True)
class Presence:
    """One attendance as it is recorded; only the last cancellation of it is kept."""

    slug: str
    event: str
    source: Source
    status: str
    cancelled: bool
    recorded_at: datetime
    cancelled_at: datetime | None

    @property
    def visit(self) -> Visit:
        """Return it as the rows of the criteria know one."""
        return Visit(self.slug, self.source)

    def counted_at(self, moment: datetime) -> bool:
        """Return whether it counted then, by what was recorded."""
        if self.recorded_at > moment:
            return False
        return not self.cancelled or (self.cancelled_at is not None and self.cancelled_at > moment)

    def arrival(self, text: str) -> Evidence:
        """Return that the person came, as what shows something."""
        return Evidence("attendance", text, self.recorded_at, self._details)

    def cancellation(self, text: str) -> Evidence:
        """Return that the person cancelled, as what shows something."""
        details = {**self._details, "status": self.status}
        return Evidence("attendance", text, self.cancelled_at, details)

    @property
    def _details(self) -> dict[str, str]:
        return {"event": self.slug, "source": self.source.key}


def attendances_at(
    context: Context, people: Sequence[int], slugs: Sequence[str]
) -> dict[int, list[Presence]]:
    """Return by person what is recorded of them at these events, the earliest first."""
    if not people or not slugs:
        return {}
    rows = db.session.execute(
        sa.select(
            Attendance.person_id,
            Event.slug,
            Event.name,
            Attendance.source,
            Attendance.status,
            Attendance.cancelled,
            Attendance.recorded_at,
            Attendance.cancelled_at,
        )
        .join(Event, Event.id == Attendance.event_id)
        .where(
            IsOneOf(Attendance.person_id, sa.literal(list(people), IdList)),
            Event.organisation_id == context.organisation_id,
            Event.slug.in_(slugs),
        )
        .order_by(Attendance.recorded_at, Attendance.id)
    )
    found: dict[int, list[Presence]] = {}
    for row in rows:
        found.setdefault(row.person_id, []).append(Presence(*row[1:]))
    return found


def visits_at(rows: Sequence[Presence], moment: datetime | None) -> tuple[Visit, ...]:
    """Return those attendances that counted at the moment, or that count now."""
    return tuple(
        row.visit
        for row in rows
        if (not row.cancelled if moment is None else row.counted_at(moment))
    )


def counted_events(
    criteria: Criteria, attends: Attends, rows: Sequence[Presence], moment: datetime | None
) -> set[str]:
    """Return at which events somebody had an attendance of those asked for, then or now."""
    return {visit.slug for visit in visits_at(rows, moment) if attends.counts(criteria, visit)}


def say_attendance(context: Context, shown: Presence) -> str:
    """Return what the person did and when, such as "registered for Show on Fri …"."""
    return f"{_DEEDS[shown.source]} {shown.event} on {context.say(shown.recorded_at)}"


def say_cancellation(context: Context, shown: Presence) -> str:
    """Return that the person no longer attends, since when: "cancelled Show on Fri …"."""
    verb = "got the money back for" if shown.status == "refunded" else "cancelled"
    return f"{verb} {shown.event} on {context.say(shown.cancelled_at)}"
