"""Segments: named sets of people, their versions, and the snapshots taken of them."""

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rollcall.extensions import Model
from rollcall.models.organisations import StaffMember
from rollcall.models.types import UTCDateTime


class SegmentKind(enum.StrEnum):
    """What says who belongs to a segment: criteria, or a list of people."""

    DYNAMIC = "dynamic"
    STATIC = "static"


class SnapshotMode(enum.StrEnum):
    """Which snapshot a campaign on a segment is frozen from."""

    REUSE = "reuse"  # the version's own, taken only where there is none yet
    REFRESH = "refresh"  # always a new one


class Segment(Model):
    """A named, versioned set of people; its slug never changes, since criteria name it."""

    __tablename__ = "segment"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "slug"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    slug: Mapped[str] = mapped_column(sa.String(80))
    name: Mapped[str] = mapped_column(sa.String(200))
    kind: Mapped[SegmentKind] = mapped_column(sa.String(10))
    version: Mapped[int] = mapped_column(default=1)  # the one that is live
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class SegmentVersion(Model):
    """What a segment's version says; kept for ever, as snapshots and campaigns refer to it.

    A dynamic one holds criteria as JSON text; a static one's people stand in `segment_listing`.
    """

    __tablename__ = "segment_version"
    __table_args__ = (sa.UniqueConstraint("segment_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    segment_id: Mapped[int] = mapped_column(sa.ForeignKey("segment.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column()
    definition: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))

    segment: Mapped[Segment] = relationship()
    created_by: Mapped[StaffMember | None] = relationship()


class SegmentVersionEvent(Model):
    """An event that a version's criteria choose people by, or leave out."""

    __tablename__ = "segment_version_event"
    __table_args__ = (sa.Index("ix_segment_version_event_event_id", "event_id"),)

    version_id: Mapped[int] = mapped_column(
        sa.ForeignKey("segment_version.id", ondelete="CASCADE"), primary_key=True
    )
    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("event.id", ondelete="CASCADE"), primary_key=True
    )
    excluded: Mapped[bool] = mapped_column(primary_key=True)


class SegmentListing(Model):
    """One person of a static segment's version."""

    __tablename__ = "segment_listing"
    __table_args__ = ({"sqlite_with_rowid": False},)

    version_id: Mapped[int] = mapped_column(
        sa.ForeignKey("segment_version.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[int] = mapped_column(
        sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )


class SegmentSnapshot(Model):
    """The members of a segment's version at one moment; never changed once it is taken.

    A version's snapshot is the one with its highest number: taking one by force adds another
    and leaves the earlier ones as they are.
    """

    __tablename__ = "segment_snapshot"
    __table_args__ = (sa.UniqueConstraint("version_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    segment_id: Mapped[int] = mapped_column(
        sa.ForeignKey("segment.id", ondelete="CASCADE"), index=True
    )
    version_id: Mapped[int] = mapped_column(sa.ForeignKey("segment_version.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column()
    people: Mapped[int] = mapped_column()
    taken_at: Mapped[datetime] = mapped_column(UTCDateTime)
    taken_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))

    segment: Mapped[Segment] = relationship()
    of_version: Mapped[SegmentVersion] = relationship()
    taken_by: Mapped[StaffMember | None] = relationship()

    @property
    def version(self) -> int:
        """Return the number of the segment's version that this is a snapshot of."""
        return self.of_version.version


class SegmentMember(Model):
    """One person of a snapshot."""

    __tablename__ = "segment_member"
    __table_args__ = ({"sqlite_with_rowid": False},)

    snapshot_id: Mapped[int] = mapped_column(
        sa.ForeignKey("segment_snapshot.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[int] = mapped_column(
        sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )
