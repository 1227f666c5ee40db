"""Targeting criteria as calls give them, in the names that a campaign's JSON has."""

from contextlib import AbstractContextManager
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from blueprints.api.reading import LARGEST_ID, Body, Id, named_as
from rollcall.audience.criteria import (
    KEYS,
    MAX_EXCLUSIONS,
    MAX_PEOPLE,
    MAX_WINDOW_HOURS,
    Criteria,
    Reached,
)
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


class SegmentReference(Body):
    """A segment by its slug: live, or one of its versions."""

    slug: Word
    version: Id | None = None


class CampaignReference(Body):
    """The people of an earlier campaign."""

    id: Id
    who: Literal["planned", "sent", "delivered"] = "planned"


def _or_plain(
    key: str, kind: type, plain: dict[str, Any], rest: dict[str, Any], say: str
) -> tuple[Any, Any]:
    """Let a plain slug or number stand for the object that holds nothing else."""

    def read(value: Any) -> Any:
        if not isinstance(value, dict) and type(value) is not kind:
            raise ValueError(say)
        return value if isinstance(value, dict) else {key: value}

    described = {
        "anyOf": [
            plain,
            {
                "type": "object",
                "properties": {key: plain, **rest},
                "required": [key],
                "additionalProperties": False,
            },
        ]
    }
    return BeforeValidator(read), WithJsonSchema(described)


_ID = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}
_SLUG = {"type": "string", "minLength": 1, "maxLength": 200}
_VERSION = {"anyOf": [_ID, {"type": "null"}], "description": "The live one when left out."}
_WHO = {
    "enum": [who.value for who in Reached],
    "default": Reached.PLANNED.value,
    "description": "Everybody on its list, whoever was or may have been sent its message, or "
    "those for whom it was reported as delivered.",
}
_SAY_SEGMENT = 'Give a segment\'s slug, or {"slug": "vip", "version": 4}.'
_SAY_CAMPAIGN = 'Give campaigns\' numbers (ids), or {"id": 12, "who": "sent"}.'
SegmentGiven = Annotated[
    SegmentReference, *_or_plain("slug", str, _SLUG, {"version": _VERSION}, _SAY_SEGMENT)
]
CampaignGiven = Annotated[
    CampaignReference, *_or_plain("id", int, _ID, {"who": _WHO}, _SAY_CAMPAIGN)
]


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
    segment: SegmentGiven | None = Field(None, description="People of a segment.")
    exclude_events: list[Word] | None = Field(
        None, max_length=MAX_EXCLUSIONS, description="Leave out the people of these events."
    )
    exclude_segments: list[SegmentGiven] | None = Field(
        None, max_length=MAX_EXCLUSIONS, description="Leave out the people of these segments."
    )
    exclude_campaigns: list[CampaignGiven] | None = Field(
        None, max_length=MAX_EXCLUSIONS, description="Leave out the people of these campaigns."
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
