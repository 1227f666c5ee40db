"""Events, who attends them from which source, and what people spent."""

import enum
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from rollcall.extensions import Model
from rollcall.models.types import Code, Money, UTCDateTime


class Source(enum.IntEnum):
    """Where an attendance came from."""

    REGISTRATION = 1
    QR_SCAN = 2

    @property
    def key(self) -> str:
        """Return the word used in files, forms and JSON."""
        return self.name.lower()

    @classmethod
    def from_key(cls, key: str) -> "Source":
        """Return the source of that name; raises KeyError for any other word."""
        return cls[key.upper()]


class Event(Model):
    """Something that people attend; its moments are UTC, read in its own time zone."""

    __tablename__ = "event"
    __table_args__ = (
        sa.UniqueConstraint("organisation_id", "slug"),
        sa.Index("ix_event_organisation_id_starts_at", "organisation_id", "starts_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    slug: Mapped[str] = mapped_column(sa.String(80))
    name: Mapped[str] = mapped_column(sa.String(200))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    timezone: Mapped[str] = mapped_column(sa.String(64))
    venue: Mapped[str] = mapped_column(sa.String(200), default="")
    city: Mapped[str] = mapped_column(sa.String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Attendance(Model):
    """One person at one event from one source; a cancelled or refunded one does not count."""

    __tablename__ = "attendance"
    __table_args__ = (
        sa.UniqueConstraint("event_id", "person_id", "source"),
        # Covers the audience query: everybody who counts at an event, without the table.
        sa.Index("ix_attendance_counting", "event_id", "cancelled", "source", "person_id"),
        sa.Index("ix_attendance_person_id", "person_id"),
        sa.Index("ix_attendance_recorded_at", "event_id", "recorded_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"))
    source: Mapped[Source] = mapped_column(Code(Source))
    cancelled: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(sa.String(20), default="attending")
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime)  # when Rollcall learned of it
    cancelled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Purchase(Model):
    """Money spent by a person; the reference is what makes a second import change nothing."""

    __tablename__ = "purchase"
    __table_args__ = (
        sa.UniqueConstraint("organisation_id", "reference"),
        sa.Index("ix_purchase_person_id", "person_id", "purchased_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"))
    event_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"))
    reference: Mapped[str] = mapped_column(sa.String(120))
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(sa.String(3))
    purchased_at: Mapped[datetime] = mapped_column(UTCDateTime)
