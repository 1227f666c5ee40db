"""Events, and who attends them."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from flask import Response, url_for
from pydantic import Discriminator, Field, Tag

from blueprints.access import api_scope, current_actor
from blueprints.api import event_documents
from blueprints.api.answering import answer, answer_page, moment_text
from blueprints.api.ground import api_blueprint
from blueprints.api.people import PersonValues
from blueprints.api.reading import Body, Id, Moment, PageQuery
from rollcall.campaigns.event_holds import Holding, cancel_event, edit_event, reopen_event
from rollcall.errors import NotFound
from rollcall.events.attendance import MOST_AT_ONCE, record_attendance
from rollcall.events.figures import HeadCount, count_heads
from rollcall.events.records import EventDraft, create_event, draft_of_event, list_events
from rollcall.lookups import find_event
from rollcall.models import Event, Source

api = api_blueprint("events", "Events")

LocalTime = Annotated[
    str,
    Field(
        max_length=30,
        description="Wall-clock time in the event's zone.",
        examples=["2026-11-28T19:00"],
    ),
]
Choice = Annotated[
    Literal["earlier", "later"] | None,
    Field(description="Which one is meant where clocks go back and show the time twice."),
]


class EventValues(Body):
    """What can be changed of an event."""

    name: str | None = Field(None, max_length=200)
    starts: LocalTime | None = None
    ends: LocalTime | None = None
    timezone: str | None = Field(None, max_length=64, examples=["America/Toronto"])
    venue: str | None = Field(None, max_length=200)
    city: str | None = Field(None, max_length=200)
    starts_choice: Choice = None
    ends_choice: Choice = None


class NewEvent(Body):
    """A new event; without a slug one is made of its name."""

    name: str = Field(max_length=200)
    starts: LocalTime
    ends: LocalTime
    timezone: str = Field(
        "", max_length=64, description="The organisation's when left out.", examples=["UTC"]
    )
    slug: str = Field("", max_length=80)
    venue: str = Field("", max_length=200)
    city: str = Field("", max_length=200)
    starts_choice: Choice = None
    ends_choice: Choice = None


class Attendee(PersonValues):
    """Somebody who attends: by id, or by phone or e-mail and what else is known."""

    id: Id | None = None
    status: str | None = Field(
        None, max_length=40, description="Such as cancelled or refunded; attending when left out."
    )


def _kind_of_attendee(value: Any) -> str:
    return "#id" if isinstance(value, int) else "#person"


AnyAttendee = Annotated[
    Annotated[Id, Tag("#id")] | Annotated[Attendee, Tag("#person")],
    Discriminator(_kind_of_attendee),
]
Attendees = Annotated[list[AnyAttendee], Field(min_length=1, max_length=MOST_AT_ONCE)]


class AttendanceRecord(Body):
    """Who attends, from which source, since when."""

    people: Attendees
    source: Literal["registration", "qr_scan"]
    occurred_at: Moment | None = Field(None, description="Now when left out.")


class AttendanceCancellation(Body):
    """Who no longer attends."""

    people: Attendees
    source: Literal["registration", "qr_scan"] = "registration"
    status: Literal["cancelled", "refunded"] = "cancelled"


def find_by_key(key: str) -> Event:
    """Return the event of an id or a slug; a slug may consist of figures too."""
    organisation_id = current_actor().organisation_id
    if key.isascii() and key.isdecimal() and len(key) < 20:
        try:
            return find_event(organisation_id, int(key))
        except NotFound:
            pass
    return find_event(organisation_id, key)


@api.get("/events")
@api_scope("read")
@api.input(PageQuery, location="query")
@api.output(event_documents.EventPage)
def index(query_data: PageQuery) -> Response:
    """List events, the latest first"""
    found = list_events(current_actor().organisation_id, query_data.cursor, query_data.limit)
    return answer_page(
        (_document(line.event, line.heads) for line in found.rows), found.next_cursor
    )


@api.post("/events")
@api_scope("write")
@api.input(NewEvent)
@api.output(event_documents.EventDocument, status_code=201)
def create(json_data: NewEvent) -> Response:
    """Create an event"""
    event_id = create_event(current_actor(), EventDraft(**json_data.model_dump()))
    return _answer_event(event_id, made=True)


@api.get("/events/<event_key>")
@api_scope("read")
@api.output(event_documents.EventDocument)
def show(event_key: str) -> Response:
    """Show an event, by its id or its slug"""
    return _answer_event(find_by_key(event_key).id)


@api.patch("/events/<event_key>")
@api_scope("write")
@api.input(EventValues)
@api.output(event_documents.ChangedEventDocument)
def edit(event_key: str, json_data: EventValues) -> Response:
    """Change an event

    What is left out stays. The slug can't be changed: criteria and addresses name it. Where its
    times or its zone change, its scheduled campaigns are held for a decision.
    """
    event = find_by_key(event_key)
    given = json_data.model_dump(exclude_none=True)
    holding = edit_event(current_actor(), event.id, replace(draft_of_event(event), **given))
    return _answer_change(event.id, holding)


@api.post("/events/<event_key>/cancel")
@api_scope("write")
@api.output(event_documents.ChangedEventDocument)
def cancel(event_key: str) -> Response:
    """Mark an event as cancelled

    Its scheduled campaigns are held for a decision. Attendance stays as it is, since those
    people may have to be told.
    """
    event = find_by_key(event_key)
    return _answer_change(event.id, cancel_event(current_actor(), event.id))


@api.post("/events/<event_key>/reopen")
@api_scope("write")
@api.output(event_documents.ChangedEventDocument)
def reopen(event_key: str) -> Response:
    """Let a cancelled event take place after all

    Campaigns that were held stay held until somebody decides on each.
    """
    event = find_by_key(event_key)
    return _answer_change(event.id, reopen_event(current_actor(), event.id))


@api.post("/events/<event_key>/attendance")
@api_scope("write")
@api.input(AttendanceRecord)
@api.output(event_documents.AttendanceReport)
def attend(event_key: str, json_data: AttendanceRecord) -> Response:
    """Record who attends

    One person or thousands, by id or by phone or e-mail; whoever is not known is added. Good
    rows go in, the others are reported with their place in the list. Sent again, it changes
    nothing.
    """
    report = record_attendance(
        current_actor(),
        find_by_key(event_key).id,
        _rows(json_data.people),
        Source.from_key(json_data.source),
        json_data.occurred_at,
    )
    return answer(report.to_json())


@api.post("/events/<event_key>/attendance/cancel")
@api_scope("write")
@api.input(AttendanceCancellation)
@api.output(event_documents.AttendanceReport)
def cancel_attendance(event_key: str, json_data: AttendanceCancellation) -> Response:
    """Let attendances no longer count, as cancelled or refunded

    A later registration restores one, and a later scan counts by itself.
    """
    rows = [{"id": row} if isinstance(row, int) else row for row in _rows(json_data.people)]
    report = record_attendance(
        current_actor(),
        find_by_key(event_key).id,
        [{**row, "status": json_data.status} for row in rows],
        Source.from_key(json_data.source),
    )
    return answer(report.to_json())


def _rows(people: list[int | Attendee]) -> list[int | dict[str, Any]]:
    return [row if isinstance(row, int) else row.model_dump(exclude_none=True) for row in people]


def _answer_event(event_id: int, made: bool = False) -> Response:
    event = find_event(current_actor().organisation_id, event_id)
    location = url_for("api_events.show", event_key=str(event.id)) if made else None
    heads = count_heads([event.id])[event.id]
    return answer(_document(event, heads), 201 if made else 200, location)


def _answer_change(event_id: int, holding: Holding) -> Response:
    event = find_event(current_actor().organisation_id, event_id)
    document = _document(event, count_heads([event.id])[event.id])
    held = [touched.campaign_id for touched in holding.held]
    going = [touched.campaign_id for touched in holding.going_out]
    return answer({**document, "held_campaigns": held, "going_out": going})


def _document(event: Event, heads: HeadCount) -> dict[str, Any]:
    typed = draft_of_event(event)
    return {
        "id": event.id,
        "slug": event.slug,
        "name": event.name,
        "starts_at": moment_text(event.starts_at),
        "ends_at": moment_text(event.ends_at),
        "starts": typed.starts,
        "ends": typed.ends,
        "timezone": event.timezone,
        "venue": event.venue or None,
        "city": event.city or None,
        "cancelled_at": moment_text(event.cancelled_at),
        "attendance": heads.to_json(),
    }
