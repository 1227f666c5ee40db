"""What the campaign form offers: events to choose, people to pick."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rollcall import clock
from rollcall.events.figures import count_heads
from rollcall.extensions import db
from rollcall.models import Event, Person

EVENTS_SHOWN = 12
PEOPLE_SHOWN = 50


@dataclass(frozen=True)
class EventOption:
    """An event that can be chosen, with how many people attend it."""

    slug: str
    name: str
    event: Event
    people: int
    over: bool


@dataclass(frozen=True)
class EventOptions:
    """The chosen events first, then others; `more` says that some did not fit."""

    options: list[EventOption]
    more: bool


def find_event_options(
    organisation_id: int, chosen: Sequence[str] = (), text: str = "", limit: int = EVENTS_SHOWN
) -> EventOptions:
    """Return all chosen events and up to `limit` others that hold `text`, the latest first."""
    of_organisation = sa.select(Event).where(Event.organisation_id == organisation_id)
    ticked = of_organisation.where(Event.slug.in_(chosen)).order_by(Event.starts_at.desc())
    others = (
        of_organisation.where(Event.slug.not_in(chosen), *_holds(text))
        .order_by(Event.starts_at.desc(), Event.id.desc())
        .limit(limit + 1)
    )
    found = list(db.session.scalars(others))
    events = [*db.session.scalars(ticked), *found[:limit]]
    heads = count_heads([event.id for event in events])
    now = clock.now()
    return EventOptions(
        [
            EventOption(event.slug, event.name, event, heads[event.id].people, event.ends_at <= now)
            for event in events
        ],
        more=len(found) > limit,
    )


def find_chosen_events(organisation_id: int, slugs: Sequence[str]) -> list[Event]:
    """Return the organisation's events with these slugs, in order of their start."""
    return list(
        db.session.scalars(
            sa.select(Event)
            .where(Event.organisation_id == organisation_id, Event.slug.in_(slugs))
            .order_by(Event.starts_at)
        )
    )


def find_picked_people(organisation_id: int, person_ids: Sequence[int]) -> list[Person]:
    """Return the organisation's people with the first PEOPLE_SHOWN of these ids."""
    return list(
        db.session.scalars(
            sa.select(Person)
            .where(
                Person.organisation_id == organisation_id,
                Person.id.in_(person_ids[:PEOPLE_SHOWN]),
            )
            .order_by(Person.id)
        )
    )


def _holds(text: str) -> list[sa.ColumnElement[bool]]:
    return [
        sa.or_(
            Event.name.icontains(word, autoescape=True),
            Event.city.icontains(word, autoescape=True),
            Event.slug.icontains(word, autoescape=True),
        )
        for word in text.split()
    ]


def has_anybody(organisation_id: int) -> bool:
    """Return whether the organisation knows a person at all."""
    anybody = sa.exists().where(Person.organisation_id == organisation_id)
    return bool(db.session.scalar(sa.select(anybody)))


def has_events(organisation_id: int) -> bool:
    """Return whether the organisation has an event."""
    return bool(
        db.session.scalar(sa.select(sa.exists().where(Event.organisation_id == organisation_id)))
    )
