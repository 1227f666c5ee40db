"""Events: created, edited, found and listed."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import InvalidInput
from rollcall.events.figures import HeadCount, count_heads
from rollcall.extensions import db, write
from rollcall.models import Event, Organisation
from rollcall.paging import (
    PAGE_LENGTH,
    Page,
    check_page_length,
    cut_page,
    read_moment_cursor,
)
from rollcall.people.reading.cells import clean_cell
from rollcall.text import check_slug, free_slug
from rollcall.walltime import resolve_wall_time

LONGEST_TEXT = 200


@dataclass(frozen=True)
class EventDraft:
    """An event as typed; `starts` and `ends` are wall-clock times ("2026-11-28T19:00").

    They are read in `timezone`, by default the organisation's. The `_choice` of a time says
    `earlier` or `later` where the clocks show it twice. Without a slug, one is made of the name.
    """

    name: str
    starts: str
    ends: str
    timezone: str = ""
    slug: str = ""
    venue: str = ""
    city: str = ""
    starts_choice: str | None = None
    ends_choice: str | None = None


@dataclass(frozen=True)
class EventLine:
    """An event in a list, with how many people count as attending."""

    event: Event
    heads: HeadCount


def create_event(actor: Actor, draft: EventDraft) -> int:
    """Store a new event and return its id; raises InvalidInput naming every field that is wrong."""
    values = event_values(actor.organisation_id, draft)
    slug = check_slug(draft.slug.strip()) if draft.slug.strip() else ""
    try:
        with write():
            is_taken = partial(_is_taken, actor.organisation_id)
            slug = slug or free_slug(values["name"], "event", is_taken)
            if is_taken(slug):
                raise _slug_taken(slug)
            event = Event(
                organisation_id=actor.organisation_id,
                slug=slug,
                created_at=clock.now(),
                **values,
            )
            db.session.add(event)
            db.session.flush()
            record(actor, "event.create", "event", event.id, after=audited_event(event))
            event_id = event.id
    except IntegrityError as error:
        # Somebody else took the slug between the look and the insert.
        raise _slug_taken(slug) from error
    return event_id


def draft_of_event(event: Event) -> EventDraft:
    """Return the event as it would be typed, its times by its own clock."""
    zone = ZoneInfo(event.timezone)
    starts, ends = event.starts_at.astimezone(zone), event.ends_at.astimezone(zone)
    return EventDraft(
        name=event.name,
        starts=_wall_clock(starts),
        ends=_wall_clock(ends),
        timezone=event.timezone,
        venue=event.venue,
        city=event.city,
        starts_choice="later" if starts.fold else "earlier",
        ends_choice="later" if ends.fold else "earlier",
    )


def _wall_clock(moment: datetime) -> str:
    # Whole, with what is below a second: what is typed back unchanged must move nothing.
    return moment.replace(tzinfo=None).isoformat()


def list_events(
    organisation_id: int, cursor: str | None = None, limit: int = PAGE_LENGTH
) -> Page[EventLine]:
    """Return a page of the organisation's events with their head counts, the latest first."""
    check_page_length(limit)
    query = (
        sa.select(Event)
        .where(Event.organisation_id == organisation_id)
        .order_by(Event.starts_at.desc(), Event.id.desc())
        .limit(limit + 1)
    )
    if cursor:
        starts_at, event_id = read_moment_cursor(cursor)
        later = sa.tuple_(Event.starts_at, Event.id) < sa.tuple_(
            sa.literal(starts_at, Event.starts_at.type), event_id
        )
        query = query.where(later)
    events = list(db.session.scalars(query))
    page = cut_page(events, limit, lambda event: (event.starts_at.isoformat(), event.id))
    heads = count_heads([event.id for event in page.rows])
    return Page([EventLine(event, heads[event.id]) for event in page.rows], page.next_cursor)


def list_cities(organisation_id: int) -> list[str]:
    """Return the cities of the organisation's events, each once, in order."""
    return sorted(
        filter(
            None,
            db.session.scalars(
                sa.select(Event.city).where(Event.organisation_id == organisation_id).distinct()
            ),
        )
    )


def event_values(organisation_id: int, draft: EventDraft) -> dict[str, Any]:
    """Return the columns to store; raises InvalidInput naming every field that is wrong."""
    problems: dict[str, str] = {}
    texts = {name: clean_cell(getattr(draft, name)) for name in ("name", "venue", "city")}
    if not texts["name"]:
        problems["name"] = "Give the event a name."
    for name, text in texts.items():
        if len(text) > LONGEST_TEXT:
            problems[name] = f"Use at most {LONGEST_TEXT} characters."
    timezone = draft.timezone.strip() or db.session.get_one(Organisation, organisation_id).timezone
    starts_at = _read_time(draft, "starts", timezone, problems)
    ends_at = _read_time(draft, "ends", timezone, problems)
    if starts_at and ends_at and ends_at <= starts_at:
        problems["ends"] = "The event must end after it starts."
    if problems:
        raise InvalidInput(problems)
    return {**texts, "timezone": timezone, "starts_at": starts_at, "ends_at": ends_at}


def _read_time(
    draft: EventDraft, name: str, timezone: str, problems: dict[str, str]
) -> datetime | None:
    try:
        return resolve_wall_time(
            getattr(draft, name), timezone, getattr(draft, f"{name}_choice"), field=name
        )
    except InvalidInput as error:
        problems.update(error.fields)
        return None


def _slug_taken(slug: str) -> InvalidInput:
    return InvalidInput({"slug": f"There is an event {slug!r} already; choose another slug."})


def _is_taken(organisation_id: int, slug: str) -> bool:
    here = sa.exists().where(Event.organisation_id == organisation_id, Event.slug == slug)
    return bool(db.session.scalar(sa.select(here)))


def audited_event(event: Event) -> dict[str, Any]:
    """Return what the audit trail is told of an event."""
    return {
        "slug": event.slug,
        "name": event.name,
        "starts_at": event.starts_at.isoformat(),
        "ends_at": event.ends_at.isoformat(),
        "timezone": event.timezone,
        "venue": event.venue,
        "city": event.city,
    }
