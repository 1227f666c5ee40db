"""What answers about segments look like, for the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from blueprints.api.documents import IfSentNow, SnapshotDocument


class SegmentSummary(BaseModel):
    """A segment as lists give it."""

    id: int
    slug: str
    name: str
    kind: Literal["dynamic", "static"] = Field(description="By criteria, or a list of people.")
    version: int = Field(description="The live one.")
    latest_snapshot: SnapshotDocument | None
    scheduled_campaigns: int = Field(description="How many scheduled campaigns use it.")
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    updated_at: str = Field(json_schema_extra={"format": "date-time"})


class VersionDocument(BaseModel):
    """What one version says."""

    version: int
    description: str = Field(description="Who belongs to it, as a sentence without its full stop.")
    criteria: dict[str, Any] | None = Field(description="Null for a list of people.")
    listed: int | None = Field(description="How many people are on the list; null for criteria.")
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    created_by: str | None


class SegmentDocument(SegmentSummary):
    """A segment with what its live version says, and its newest 50 versions."""

    description: str
    criteria: dict[str, Any] | None
    listed: int | None
    versions: list[VersionDocument]


class SegmentPage(BaseModel):
    """Some segments."""

    data: list[SegmentSummary]
    next_cursor: str | None


class SegmentSnapshotDocument(SnapshotDocument):
    """A version's members at one moment."""

    segment: str = Field(description="The segment's slug.")
    created_by: str | None


class EnsuredSnapshotDocument(SegmentSnapshotDocument):
    """The snapshot that was asked for."""

    taken: bool = Field(description="Whether this call took it.")


class SegmentSnapshotPage(BaseModel):
    """Some snapshots."""

    data: list[SegmentSnapshotDocument]
    next_cursor: str | None


class MemberDocument(BaseModel):
    """One person of a segment."""

    person_id: int
    name: str
    phone: str | None
    email: str | None


class MemberPage(BaseModel):
    """Some people of a segment."""

    data: list[MemberDocument]
    next_cursor: str | None


class VersionUseDocument(BaseModel):
    """How many scheduled campaigns' lists stand on a version."""

    version: int
    campaigns: int
    needs_decision: int = Field(
        description="How many of them neither keep this version nor adopted the live one."
    )


class UsingCampaign(BaseModel):
    """A campaign that names the segment."""

    id: int
    name: str
    status: str


class UseDocument(UsingCampaign):
    """A campaign on the segment."""

    campaign_version: int = Field(description="To be sent back with a decision.")
    segment_version: int | None = Field(description="That its list stands on.")
    pinned_version: int | None = Field(description="That its criteria name; null is the live one.")
    reprocess_audience_at_send: bool
    needs_decision: bool = Field(
        description="Whether its list stands on an earlier version that nobody decided to keep."
    )
    if_adopted: IfSentNow | None = Field(
        description="Its list and the one that the live version would give at its time; only for "
        "lists on an earlier version, the newest 20 campaigns."
    )


class UsageDocument(BaseModel):
    """Where a segment is used. Of the campaigns the newest 50 of each kind are given."""

    segment: str
    version: int
    scheduled_by_version: list[VersionUseDocument]
    campaigns_by_status: dict[str, int]
    scheduled: list[UseDocument]
    others: list[UseDocument]
    excluded_by: list[UsingCampaign]
