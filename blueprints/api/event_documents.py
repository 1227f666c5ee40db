"""What answers say of events and who attends them, for the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class HeadCountDocument(BaseModel):
    """How many people attend, each counted once; cancelled attendances do not count."""

    total: int
    registration: int
    qr_scan: int
    both: int


class EventDocument(BaseModel):
    """An event: its moments in UTC, and as wall-clock times in its own zone."""

    id: int
    slug: str
    name: str
    starts_at: str
    ends_at: str
    starts: str
    ends: str
    timezone: str
    venue: str | None
    city: str | None
    cancelled_at: str | None = Field(description="Null for an event that takes place.")
    attendance: HeadCountDocument


class ChangedEventDocument(EventDocument):
    """An event after a change, and what became of its campaigns."""

    held_campaigns: list[int] = Field(
        description="The ids of those that wait for a decision because of this change."
    )
    going_out: list[int] = Field(
        description="The ids of those that are going out already, and are not held."
    )


class EventTimesDocument(BaseModel):
    """When an event is, and by which clock."""

    starts_at: str
    ends_at: str
    timezone: str


class MovedTimeDocument(BaseModel):
    """When a campaign would go out if it moved with its event."""

    scheduled_at: str
    scheduled_local_time: str
    not_after: str | None


class HeldForDocument(BaseModel):
    """The change of an event that holds a campaign for a decision."""

    model_config = ConfigDict(serialize_by_alias=True)

    event_id: int
    slug: str
    name: str
    change: Literal["moved", "cancelled", "reopened"]
    from_: EventTimesDocument = Field(alias="from")
    to: EventTimesDocument
    moved: MovedTimeDocument | None = Field(
        description="Where the decision `move` would bring it; null where it can't move along."
    )


class EventPage(BaseModel):
    """A page of events."""

    data: list[EventDocument]
    next_cursor: str | None


class RejectedAttendee(BaseModel):
    """A row that did not go in: its place in the list, from 0, and why."""

    index: int
    reason: str


class AttendanceReport(BaseModel):
    """What became of the rows."""

    added: int
    restored: int
    withdrawn: int
    unchanged: int
    people_added: int
    rejected: list[RejectedAttendee]
