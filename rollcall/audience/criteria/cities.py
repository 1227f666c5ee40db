"""Where people live."""

from collections.abc import Hashable
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import Field as Limit

from rollcall.audience.criteria.criterion import (
    BY_RULES,
    Asked,
    Criterion,
    Field,
    Given,
    Lack,
    Lookup,
    Option,
    Rule,
    Stored,
    Unkept,
    Values,
    as_given,
    mentions_nothing,
    nothing_wrong,
    take_text,
)
from rollcall.audience.criteria.reading import read_words
from rollcall.audience.criteria.values import Criteria, either
from rollcall.models import Person
from rollcall.text import fold

_NAMED = 4


def _bind(criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
    keys = [fold(city) for city in criteria.cities]
    return (True, {"cities": keys}) if keys else None


def _now(asked: Asked) -> Any:
    there = sa.select(Person.id).where(Person.city_key.in_(asked.bound("cities", expanding=True)))
    if not asked.one_by_one:
        there = there.where(Person.organisation_id == sa.bindparam("organisation_id"))
    return asked.among(there)


def _proved_by(wanted: Criteria, met: Criteria) -> bool:
    cities, met_cities = ({fold(city) for city in one.cities} for one in (wanted, met))
    return bool(met_cities) and met_cities <= cities


def _say(criteria: Criteria) -> str:
    return either(criteria.cities, _NAMED)


def _shows(facts: Any) -> str:
    return f"lives in {facts.city} now" if facts.city else "no city is known now"


def _lacks(stored: Stored) -> Lack:
    city = stored.facts.get("city") or ""
    lives = f"lives in {city}" if city else "has no city on record"
    text = f"{lives}, and {_say(stored.criteria)} is asked for"
    return Lack(text, then=False, kind="fact", details={"city": city or None})


CITIES = Criterion(
    key="cities",
    holds=("cities",),
    suffices=True,
    read=lambda value: {"cities": read_words(value, "cities")},
    write=lambda criteria: {"cities": list(criteria.cities)} if criteria.cities else {},
    check=nothing_wrong,
    mentions=mentions_nothing,
    opening=None,
    says=lambda criteria, names: f"from {either(criteria.cities)}" if criteria.cities else "",
    rules=(
        Rule(
            key="cities",
            noun="a city",
            bind=_bind,
            now=_now,
            history=Unkept("cities", "city", "city"),
            implies=(),
            step=None,
            proved_by=_proved_by,
            asks=lambda criteria, names: f"people from {_say(criteria)}",
            came=lambda criteria, names: f"now from {_say(criteria)}",
            went=lambda criteria, names: f"no longer from {_say(criteria)}",
            reads=(Person.city,),
            shows=_shows,
            lacks=_lacks,
        ),
    ),
    form=Field(
        ways=BY_RULES,
        place="narrow",
        template="campaigns/criteria/_cities.html",
        inputs={"cities": take_text},
        fill=lambda criteria: {"cities": ", ".join(criteria.cities)},
        read=lambda values: [city.strip() for city in values["cities"].split(",") if city.strip()],
    ),
    option=Option("--city", "text", True, None, "Only people of this city.", as_given),
    given=Given(list[Annotated[str, Limit(min_length=1, max_length=200)]], 500, None),
)
