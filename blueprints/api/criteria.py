"""Targeting criteria as calls give them: a field for each row of the table."""

from contextlib import AbstractContextManager
from typing import Any

from pydantic import Field, create_model

from blueprints.api.reading import Body, named_as
from rollcall.audience.criteria import Criteria
from rollcall.audience.criteria import criteria_from_json as read_criteria
from rollcall.audience.criteria.table import TABLE, criteria_keys

_FIELDS: dict[str, Any] = {
    row.key: (
        row.given.kind | None,
        Field(None, max_length=row.given.most, description=row.given.says),
    )
    for row in TABLE
}
_Fields = create_model("_Fields", __base__=Body, **_FIELDS)


class TargetingCriteria(_Fields):
    """Which people: each criterion that is given narrows the audience, and one must be given."""


def criteria_of(body: TargetingCriteria, field: str) -> Criteria:
    """Return the criteria; raises InvalidInput whose names begin with `field`."""
    with names_in_criteria(field):
        return read_criteria(body.model_dump(exclude_none=True))


def names_in_criteria(field: str) -> AbstractContextManager[None]:
    """Let errors of the block name a criterion as part of `field`."""
    return named_as({key: f"{field}.{key}" for key in criteria_keys()})
