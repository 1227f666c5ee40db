"""Who attends: at which events, from which source, and at which events nobody may be."""

from collections.abc import Hashable
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import Field as Limit

from rollcall.audience.criteria.criterion import (
    BY_RULES,
    EVERY_WAY,
    Asked,
    Attends,
    Criterion,
    Field,
    Given,
    Lack,
    Lookup,
    Mentions,
    Option,
    People,
    Recorded,
    Rule,
    Shown,
    Stored,
    Values,
    as_given,
    mentions_nothing,
    nothing_wrong,
    shows_nothing,
    take_list,
)
from rollcall.audience.criteria.reading import at_most, read_words
from rollcall.audience.criteria.values import MAX_EXCLUSIONS, Criteria, Names, either
from rollcall.models import Attendance, Reason, Source

Slug = Annotated[str, Limit(min_length=1, max_length=200)]
_DEEDS = {Source.REGISTRATION: "registered", Source.QR_SCAN: "scanned a QR code"}
_NOUNS = {Source.REGISTRATION: "registration", Source.QR_SCAN: "QR scan"}
_WITH_ARTICLE = {Source.REGISTRATION: "a registration", Source.QR_SCAN: "a QR scan"}
_NAMED = 4  # of more events only the first are named
MOST_EVENTS = 500


def attending(asked: Asked, key: str = "events", by_source: bool = False) -> People:
    """Return whoever counts as attending one of the events whose ids are bound as `key`."""
    return _of_events(asked, key, by_source).where(Attendance.cancelled.is_(False))


def attended(asked: Asked, key: str = "events", by_source: bool = False) -> People:
    """Return whoever counted at the moment: recorded by then, and not cancelled by then.

    Somebody who cancelled and came back counts as never having left: of a cancellation nothing
    is kept once it is taken back.
    """
    return _of_events(asked, key, by_source).where(
        Attendance.recorded_at <= asked.moment,
        sa.or_(Attendance.cancelled.is_(False), Attendance.cancelled_at > asked.moment),
    )


def _of_events(asked: Asked, key: str, by_source: bool) -> People:
    events = asked.bound(key, expanding=True)
    attendances = sa.select(Attendance.person_id).where(Attendance.event_id.in_(events))
    if by_source:
        sources = asked.bound("sources", expanding=True)
        attendances = attendances.where(Attendance.source.in_(sources))
    return attendances


def event_names(slugs: tuple[str, ...], names: Names, last: str = "or") -> str:
    """Return the events as a choice; of many only the first few are named."""
    return either([names.events.get(slug, slug) for slug in slugs], _NAMED, last)


def say_share(events: int, slugs: tuple[str, ...]) -> str:
    """Return "2 of the 3 chosen events"."""
    return f"{events} of the {len(slugs)} chosen events"


# At one of these events.


def _bind_events(criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
    return (True, {"events": lookup.event_ids(criteria.events)}) if criteria.events else None


def same_events(wanted: Criteria, met: Criteria) -> bool:
    """Return whether whoever attends what is met attends what is wanted."""
    return bool(met.events) and set(met.events) <= set(wanted.events)


def _say_events(criteria: Criteria, names: Names) -> str:
    if not criteria.events:
        return ""
    events = either([names.events.get(slug, slug) for slug in criteria.events])
    if not criteria.sources:
        return f"who registered for or attended {events}"
    how = " or ".join(_DEEDS[source] for source in criteria.sources)
    return f"who {how} at {events}"


def _lacks_events(stored: Stored) -> Lack:
    return Lack(f"{stored.verb} not at {event_names(stored.criteria.events, stored.names)}")


EVENTS = Criterion(
    key="events",
    holds=("events",),
    suffices=True,
    read=lambda value: {"events": read_words(value, "event slugs")},
    write=lambda criteria: {"events": list(criteria.events)},
    check=nothing_wrong,
    mentions=lambda criteria: Mentions(events=criteria.events),
    opening=3,
    says=_say_events,
    rules=(
        Rule(
            key="events",
            noun="attendance",
            bind=_bind_events,
            now=attending,
            history=Recorded(
                then=attended,
                moves=Attends(lambda criteria: criteria.events, False, lambda criteria: 1),
            ),
            implies=(),
            step=None,
            proved_by=same_events,
            asks=lambda criteria, names: f"people of {event_names(criteria.events, names)}",
            came=lambda criteria, names: (
                f"registered for or scanned at {event_names(criteria.events, names)}"
            ),
            went=lambda criteria, names: f"no longer at {event_names(criteria.events, names)}",
            reads=(),
            shows=shows_nothing,
            lacks=_lacks_events,
        ),
    ),
    form=Field(
        ways=BY_RULES,
        place="events",
        template="campaigns/criteria/_events.html",
        inputs={"events": take_list, "segment_events": take_list},
        fill=lambda criteria: {
            "events": () if criteria.segment else criteria.events,
            "segment_events": criteria.events if criteria.segment else (),
        },
        read=lambda values: list(chosen_events(values)),
    ),
    option=Option("--event", "text", True, "SLUG", "Any of these.", as_given),
    given=Given(list[Slug], MOST_EVENTS, "Slugs; people of any of these events."),
)


def chosen_events(values: Shown) -> tuple[str, ...]:
    """Return the events of the form: those that narrow its segment, where it is by segment."""
    return values["segment_events" if values["mode"] == "segment" else "events"]


# From one of these sources.


def _read_sources(value: Any) -> dict[str, Any]:
    try:
        return {"sources": tuple(Source.from_key(key) for key in read_words(value, "sources"))}
    except KeyError as error:
        raise ValueError(
            f"{str(error.args[0]).lower()!r} is not a source: use registration or qr_scan."
        ) from error


def _bind_sources(criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
    on = criteria.events and criteria.sources
    return (True, {"sources": list(criteria.sources)}) if on else None


def same_sources(wanted: Criteria, met: Criteria) -> bool:
    """Return whether an attendance that counts for what is met counts for what is wanted."""
    if not wanted.sources:
        return True
    return bool(met.sources) and set(met.sources) <= set(wanted.sources)


def _say_sources(criteria: Criteria, nouns: dict[Source, str]) -> str:
    return either([nouns[source] for source in criteria.sources])


def _lacks_sources(stored: Stored) -> Lack:
    how = _say_sources(stored.criteria, _NOUNS)
    events = event_names(stored.criteria.events, stored.names)
    return Lack(f"{'had' if stored.past else 'has'} no {how} at {events}")


def _read_ticked_sources(values: Shown) -> list[str]:
    # Both are the same as no limit; and a source narrows a segment only at events.
    says_nothing = values["mode"] == "segment" and not values["segment_events"]
    return [] if len(values["sources"]) != 1 or says_nothing else list(values["sources"])


SOURCES = Criterion(
    key="sources",
    holds=("sources",),
    suffices=False,
    read=_read_sources,
    write=lambda criteria: {"sources": [source.key for source in criteria.sources]},
    check=nothing_wrong,
    mentions=mentions_nothing,
    opening=None,
    says=lambda criteria, names: "",  # said with the events
    rules=(
        Rule(
            key="sources",
            noun="attendance",
            bind=_bind_sources,
            now=lambda asked: attending(asked, by_source=True),
            history=Recorded(
                then=lambda asked: attended(asked, by_source=True),
                moves=Attends(lambda criteria: criteria.events, True, lambda criteria: 1),
            ),
            implies=("events",),
            step=None,
            proved_by=lambda wanted, met: same_events(wanted, met) and same_sources(wanted, met),
            asks=lambda criteria, names: _say_sources(criteria, _WITH_ARTICLE),
            came=lambda criteria, names: f"now with {_say_sources(criteria, _WITH_ARTICLE)}",
            went=lambda criteria, names: f"no longer with {_say_sources(criteria, _WITH_ARTICLE)}",
            reads=(),
            shows=shows_nothing,
            lacks=_lacks_sources,
        ),
    ),
    form=Field(
        ways=BY_RULES,
        place="events",
        template="campaigns/criteria/_sources.html",
        inputs={"sources": take_list},
        fill=lambda criteria: {"sources": tuple(source.key for source in criteria.sources)},
        read=_read_ticked_sources,
    ),
    option=Option(
        "--source",
        "text",
        True,
        None,
        "registration or qr_scan; only these attendances count.",
        as_given,
    ),
    given=Given(
        list[Literal["registration", "qr_scan"]],
        2,
        "Which attendances count; all when left out.",
    ),
)


# At none of these events.


def _bind_excluded(criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
    slugs = criteria.exclude_events
    return (True, {"exclude_events": lookup.event_ids(slugs)}) if slugs else None


def _say_excluded(criteria: Criteria, names: Names) -> str:
    slugs = criteria.exclude_events
    events = either([names.events.get(slug, slug) for slug in slugs]) if slugs else ""
    return f"who are not at {events}" if events else ""


def _left_out(criteria: Criteria, names: Names) -> str:
    return f"{event_names(criteria.exclude_events, names)}, which is left out"


EXCLUDE_EVENTS = Criterion(
    key="exclude_events",
    holds=("exclude_events",),
    suffices=False,
    read=lambda value: {"exclude_events": at_most(read_words(value, "event slugs"))},
    write=lambda criteria: (
        {"exclude_events": list(criteria.exclude_events)} if criteria.exclude_events else {}
    ),
    check=nothing_wrong,
    mentions=lambda criteria: Mentions(events=criteria.exclude_events),
    opening=None,
    says=_say_excluded,
    rules=(
        Rule(
            key="exclude_events",
            noun="an event that is left out",
            bind=_bind_excluded,
            now=lambda asked: attending(asked, "exclude_events"),
            history=Recorded(
                then=lambda asked: attended(asked, "exclude_events"),
                moves=Attends(lambda criteria: criteria.exclude_events, False, lambda criteria: 1),
            ),
            implies=(),
            step=Reason.EXCLUDED_EVENT,
            proved_by=lambda wanted, met: set(wanted.exclude_events) <= set(met.exclude_events),
            asks=lambda criteria, names: f"nobody of {event_names(criteria.exclude_events, names)}",
            came=lambda criteria, names: f"no longer at {_left_out(criteria, names)}",
            went=lambda criteria, names: f"now at {_left_out(criteria, names)}",
            reads=(),
            shows=shows_nothing,
            lacks=lambda stored: Lack(
                f"{stored.verb} at {_left_out(stored.criteria, stored.names)}"
            ),
        ),
    ),
    form=Field(
        ways=EVERY_WAY,
        place="leave_out",
        template="campaigns/_exclusions.html",
        inputs={"exclude_events": take_list},
        fill=lambda criteria: {"exclude_events": criteria.exclude_events},
        read=lambda values: list(values["exclude_events"]),
    ),
    option=Option(
        "--exclude-event", "text", True, "SLUG", "Leave out the people of this event.", as_given
    ),
    given=Given(list[Slug], MAX_EXCLUSIONS, "Leave out the people of these events."),
)
