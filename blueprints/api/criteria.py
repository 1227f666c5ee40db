"""Targeting criteria as calls give them, in the names that a campaign's JSON has."""

from contextlib import AbstractContextManager
from typing import Annotated, Literal

from pydantic import Field

from blueprints.api.reading import Body, Id, named_as
from rollcall.audience.criteria import KEYS, MAX_PEOPLE, MAX_WINDOW_HOURS, Criteria
from rollcall.audience.criteria import criteria_from_json as read_criteria

Word = Annotated[str, Field(min_length=1, max_length=200)]
Score = Annotated[int, Field(ge=1, le=5)]
ScoreLimits = Annotated[
    list[Score], Field(min_length=2, max_length=2, description="From and to, 1 to 5.")
]


class ScoreFilters(Body):
    """Ranges of RFM scores; one that is left out is off."""

    r: ScoreLimits | None = Field(None, description="Recency.")
    f: ScoreLimits | None = Field(None, description="Frequency.")
    m: ScoreLimits | None = Field(None, description="Monetary.")


class TargetingCriteria(Body):
    """Which people: each criterion that is given narrows the audience, and one must be given."""

    events: list[Word] | None = Field(
        None, max_length=500, description="Slugs; people of any of these events."
    )
    sources: list[Literal["registration", "qr_scan"]] | None = Field(
        None, max_length=2, description="Which attendances count; all when left out."
    )
    rfm_filters: ScoreFilters | None = None
    cities: list[Word] | None = Field(None, max_length=500)
    people: list[Id] | None = Field(
        None, max_length=MAX_PEOPLE, description="Ids of people picked by hand."
    )
    recent_message_hours: int | None = Field(
        None,
        ge=0,
        le=MAX_WINDOW_HOURS,
        description="Leave out who had a message within so many hours; 72 when left out, 0 is off.",
    )


def criteria_of(body: TargetingCriteria, field: str) -> Criteria:
    """Return the criteria; raises InvalidInput whose names begin with `field`."""
    with names_in_criteria(field):
        return read_criteria(body.model_dump(exclude_none=True))


def names_in_criteria(field: str) -> AbstractContextManager[None]:
    """Let errors of the block name a criterion as part of `field`."""
    return named_as({key: f"{field}.{key}" for key in KEYS})
