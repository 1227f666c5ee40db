"""What answers say of guards and reviews, for the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel


class GuardLimitsDocument(BaseModel):
    """How far the final audience may differ from the estimate; null is no limit."""

    growth_percent: int | None
    growth_people: int | None
    ceiling: int | None
    fall_percent: int | None
    fall_stops: bool
    minimum: int | None
    budget: str | None


class GuardVerdictDocument(BaseModel):
    """What the guards said of the final list, in sentences."""

    blockers: list[str]
    warnings: list[str]


class ReviewDocument(BaseModel):
    """What was decided of a campaign that was stopped."""

    decision: Literal["final", "estimate"]
    reason: str | None
    decided_at: str | None
    decided_by: str | None
