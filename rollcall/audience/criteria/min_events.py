"""At how many of the chosen events people were: each counts once, from whichever source."""

from collections.abc import Hashable
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import Field as Limit

from rollcall.audience.criteria.attendance import (
    MOST_EVENTS,
    attended,
    attending,
    event_names,
    same_events,
    same_sources,
    say_share,
)
from rollcall.audience.criteria.criterion import (
    BY_RULES,
    Asked,
    Attends,
    Criterion,
    Field,
    Given,
    Lack,
    Lookup,
    Option,
    People,
    Recorded,
    Rule,
    Shown,
    Stored,
    Values,
    as_given,
    mentions_nothing,
    shows_nothing,
    take_text,
)
from rollcall.audience.criteria.reading import whole_number
from rollcall.audience.criteria.values import Criteria, Names
from rollcall.models import Attendance
from rollcall.wording import say_count

_ASKED = Attends(lambda criteria: criteria.events, True, lambda criteria: _needed(criteria))


def _read(value: Any) -> dict[str, Any]:
    if type(value) is not int or not 1 <= value <= MOST_EVENTS:
        raise ValueError("Give a whole number from 1 to the number of chosen events.")
    return {"min_events": value}


def _check(criteria: Criteria) -> str | None:
    chosen, needed = len(criteria.events), _needed(criteria)
    if criteria.min_events is not None and not chosen:
        return "At least so many of which events? Choose them, or leave this empty."
    if needed > max(chosen, 1):
        chosen_events = f"{say_count(chosen, 'event')} {'is' if chosen == 1 else 'are'} chosen"
        return f"Only {chosen_events}, so that nobody can have come to {needed}."
    return None


def _needed(criteria: Criteria) -> int:
    return criteria.min_events or 1


def _bind(criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
    # One is what the events ask for themselves.
    on = criteria.events and _needed(criteria) > 1
    return (bool(criteria.sources), {"min_events": criteria.min_events}) if on else None


def _enough(asked: Asked, people: People) -> People:
    events = sa.func.count(Attendance.event_id.distinct())
    return people.group_by(Attendance.person_id).having(events >= asked.bound("min_events"))


def _proved_by(wanted: Criteria, met: Criteria) -> bool:
    same = same_events(wanted, met) and same_sources(wanted, met)
    return same and _needed(met) >= _needed(wanted)


def _says(criteria: Criteria, names: Names) -> str:
    needed = _needed(criteria)
    return f"at least {needed} of these events" if criteria.events and needed > 1 else ""


def _at_least(criteria: Criteria, names: Names) -> str:
    return f"at least {_needed(criteria)} of {event_names(criteria.events, names, 'and')}"


def _lacks(stored: Stored) -> Lack:
    visits = {one.slug for one in stored.visits if _ASKED.counts(stored.criteria, one)}
    came, needed = "had come" if stored.past else "came", _needed(stored.criteria)
    return Lack(
        f"{came} to {say_share(len(visits), stored.criteria.events)}",
        rest=f"; {needed} are needed",
        kind="fact",
        details={"events": len(visits), "needed": needed},
    )


def _read_form(values: Shown) -> Any:
    text = values["min_events"]
    return whole_number(text) if text.strip() else None


MIN_EVENTS = Criterion(
    key="min_events",
    holds=("min_events",),
    suffices=False,
    read=_read,
    write=lambda criteria: {"min_events": criteria.min_events} if criteria.min_events else {},
    check=_check,
    mentions=mentions_nothing,
    opening=None,
    says=_says,
    rules=(
        Rule(
            key="min_events",
            noun="a number of events",
            bind=_bind,
            now=lambda asked: _enough(asked, attending(asked, by_source=asked.shape)),
            history=Recorded(
                then=lambda asked: _enough(asked, attended(asked, by_source=asked.shape)),
                moves=_ASKED,
            ),
            implies=("events", "sources"),
            step=None,
            proved_by=_proved_by,
            asks=_at_least,
            came=lambda criteria, names: f"now at {_at_least(criteria, names)}",
            went=lambda criteria, names: f"no longer at {_at_least(criteria, names)}",
            reads=(),
            shows=shows_nothing,
            lacks=_lacks,
        ),
    ),
    form=Field(
        ways=BY_RULES,
        place="narrow",
        template="campaigns/criteria/_min_events.html",
        inputs={"min_events": take_text},
        fill=lambda criteria: {"min_events": str(criteria.min_events or "")},
        read=_read_form,
    ),
    option=Option(
        "--min-events", "number", False, None, "Only people of at least so many of them.", as_given
    ),
    given=Given(
        Annotated[int, Limit(ge=1, le=MOST_EVENTS)],
        None,
        "People of at least so many of `events`; each event counts once.",
    ),
)
