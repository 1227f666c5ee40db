"""The table of criteria: every door and every sentence goes through these rows, in this order."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from rollcall.audience.criteria.attendance import EVENTS, EXCLUDE_EVENTS, SOURCES
from rollcall.audience.criteria.campaigns import EXCLUDE_CAMPAIGNS
from rollcall.audience.criteria.cities import CITIES
from rollcall.audience.criteria.criterion import Attends, Criterion, Mentions, Rule, Unkept
from rollcall.audience.criteria.min_events import MIN_EVENTS
from rollcall.audience.criteria.people import PEOPLE
from rollcall.audience.criteria.scores import RFM_FILTERS
from rollcall.audience.criteria.segments import EXCLUDE_SEGMENTS, SEGMENT
from rollcall.audience.criteria.values import Criteria, Names
from rollcall.audience.criteria.window import RECENT_MESSAGE_HOURS
from rollcall.errors import InvalidInput
from rollcall.models import Campaign


def check_table(table: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
    """Return the table; raises ValueError where its rows do not make a whole."""
    rules = [rule for row in table for rule in row.rules]
    for what, names in {
        "key": [row.key for row in table],
        "field": [name for row in table for name in row.holds],
        "option": [row.option.flag for row in table],
        "input": [name for row in table for name in row.form.inputs],
        "rule": [rule.key for rule in rules],
        "step": [rule.step.key for rule in rules if rule.step is not None],
    }.items():
        twice = [name for name, rows in Counter(names).items() if rows > 1]
        if twice:
            raise ValueError(f"Two criteria have the same {what}: {', '.join(twice)}.")
    held = {name for row in table for name in row.holds}
    if held != {field.name for field in fields(Criteria)}:
        raise ValueError("Each field of Criteria is held by a row, and each row's field is there.")
    implied = {key for rule in rules for key in rule.implies}
    if not implied <= {rule.key for rule in rules}:
        raise ValueError("A rule can imply only what is a rule.")
    return table


TABLE = check_table(
    (
        PEOPLE,
        EVENTS,
        SOURCES,
        MIN_EVENTS,
        SEGMENT,
        RFM_FILTERS,
        CITIES,
        EXCLUDE_EVENTS,
        EXCLUDE_SEGMENTS,
        EXCLUDE_CAMPAIGNS,
        RECENT_MESSAGE_HOURS,
    )
)


def criteria_keys() -> list[str]:
    """Return the names that criteria have in JSON."""
    return [row.key for row in TABLE]


def every_criterion() -> Iterator[Criterion]:
    """Yield the rows of the table."""
    return iter(TABLE)


def every_rule() -> Iterator[Rule]:
    """Yield the rules in the order in which they are asked."""
    return (rule for row in TABLE for rule in row.rules)


def rule_of(key: str) -> Rule:
    """Return the rule of that key."""
    return next(rule for rule in every_rule() if rule.key == key)


def without_exclusions(criteria: Criteria) -> Criteria:
    """Return the criteria that match people, with nobody left out of them."""
    plain = Criteria()
    rows = [row for row in TABLE if any(rule.step is not None for rule in row.rules)]
    return replace(criteria, **{name: getattr(plain, name) for row in rows for name in row.holds})


def unkept_in(several: Iterable[Criteria]) -> list[Unkept]:
    """Return what may have changed without a trace by which these criteria match, each once."""
    on = [row for criteria in several for row in TABLE if row.is_on(criteria)]
    rules = [rule for row in on for rule in row.rules if rule.step is None]
    found = [rule.history for rule in rules if isinstance(rule.history, Unkept)]
    return list(dict.fromkeys(found))


def attended_by(criteria: Criteria) -> Attends | None:
    """Return the strictest of what is asked of attendance, None where no event is asked for."""
    on = [
        rule
        for row in TABLE
        for rule in row.rules
        if row.is_on(criteria) and rule.attends and rule.step is None
    ]
    implied = {key for rule in on for key in rule.implies}
    found = next((rule.attends for rule in on if rule.key not in implied), None)
    return found if found is not None and found.slugs(criteria) else None


def mentions_of(criteria: Criteria) -> Mentions:
    """Return all that the criteria name by slug or number."""
    found = Mentions()
    for row in TABLE:
        found |= row.mentions(criteria)
    return found


def check_chooses_somebody(criteria: Criteria) -> None:
    """Raise InvalidInput where nothing is chosen: an empty form must not mean everybody."""
    if not any(row.suffices and row.is_on(criteria) for row in TABLE):
        said = "Choose who gets this: an event, a segment, people by hand, or a filter."
        raise InvalidInput({"events": said})


def criteria_from_text(text: str) -> Criteria:
    """Return the criteria that `criteria_to_text` wrote; raises InvalidInput for anything else."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput({"targeting_criteria": f"This is not JSON: {error}"}) from error
    return criteria_from_json(data)


def campaign_criteria(campaign: Campaign) -> Criteria:
    """Return the campaign's criteria; raises InvalidInput where they are missing or damaged."""
    if not campaign.targeting_criteria:
        raise InvalidInput({"targeting_criteria": "This campaign has no criteria."})
    return criteria_from_text(campaign.targeting_criteria)


def criteria_from_json(data: Any) -> Criteria:
    """Return criteria read from JSON; raises InvalidInput naming every field that is wrong."""
    if not isinstance(data, Mapping):
        raise InvalidInput({"criteria": 'Give an object, such as {"events": ["my-event"]}.'})
    known = criteria_keys()
    problems = {
        str(key): f"This is not a criterion; known are {', '.join(known)}."
        for key in data
        if key not in known
    }
    values: dict[str, Any] = {}
    for row in TABLE:
        if data.get(row.key) is None:
            continue
        try:
            values |= row.read(data[row.key])
        except ValueError as error:
            problems[row.key] = str(error)
    if not problems:
        criteria = Criteria(**values)
        problems = {row.key: said for row in TABLE if (said := row.check(criteria))}
        if not problems:
            return criteria
    raise InvalidInput(problems)


def criteria_to_json(criteria: Criteria) -> dict[str, Any]:
    """Return the criteria as they are stored and as the API gives them."""
    return {key: value for row in TABLE for key, value in row.write(criteria).items()}


def criteria_to_text(criteria: Criteria) -> str:
    """Return the criteria as JSON text, always the same for the same criteria."""
    return json.dumps(criteria_to_json(criteria), sort_keys=True, separators=(",", ":"))


def describe_criteria(criteria: Criteria, names: Names) -> str:
    """Return the criteria as one English sentence without its full stop.

    What has no name is called by its slug or number.
    """
    said = [(row.opening, row.says(criteria, names)) for row in TABLE]
    opening = [clause for _, clause in sorted((place, text) for place, text in said if place)]
    rest = [text for place, text in said if place is None and text]
    return ", ".join([_describe_base(criteria, [text for text in opening if text]), *rest])


def _describe_base(criteria: Criteria, opening: list[str]) -> str:
    if criteria.people is not None:
        return opening[0]
    return " ".join(["People", *opening]) if opening else "Everybody"
