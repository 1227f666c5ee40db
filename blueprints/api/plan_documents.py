"""What answers about event plans look like, for the OpenAPI document."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from rollcall.plans.items import LARGEST_NUMBER

Number = Annotated[
    float,
    Field(ge=0, le=LARGEST_NUMBER, description="At most 6 decimals; whole where it is whole."),
]
Kind = Literal["recipe", "finished_good", "batch_decision"]


class RecipeDocument(BaseModel):
    """How something is made, and how much one batch gives."""

    name: str
    slug: str
    yield_per_batch: Number


class FinishedGoodDocument(BaseModel):
    """Something to be there at the event, and how many."""

    name: str
    slug: str
    quantity: Number
    per_person: Number | None


class BatchDecisionDocument(BaseModel):
    """How many batches of a recipe are made."""

    name: str
    slug: str
    recipe_slug: str
    batches: Number
    yield_per_batch: Number


class PlanItemsDocument(BaseModel):
    """What a plan holds."""

    recipes: list[RecipeDocument]
    finished_goods: list[FinishedGoodDocument]
    batch_decisions: list[BatchDecisionDocument]


class PlanEventDocument(BaseModel):
    """The event that is planned for."""

    id: int
    slug: str
    name: str


class DifferenceDocument(BaseModel):
    """What differs from the snapshot now; without a field, an item that came or went."""

    kind: Kind
    slug: str
    name: str
    field: str | None
    before: Any
    after: Any


class SupplyDocument(BaseModel):
    """A finished good, as amended, beside the people who attend now."""

    slug: str
    quantity: Number
    people: int
    needed: float | None = Field(description="People times per_person; null without per_person.")
    missing: float | None
    sentence: str


class PlanDocument(PlanItemsDocument):
    """An event's plan. The lists are what was planned, and never change after the snapshot."""

    event: PlanEventDocument
    state: Literal["draft", "locked", "in_production", "completed"]
    version: int
    head_count: int = Field(description="The people who attend now.")
    snapshot_taken_at: str | None
    snapshot_head_count: int | None
    amended: PlanItemsDocument | None = Field(
        description="The snapshot with every amendment; null before production starts."
    )
    difference: list[DifferenceDocument]
    supplies: list[SupplyDocument]
    warnings: list[str] = Field(description="Sentences: outgrown since the snapshot, or missing.")
    updated_at: str | None = Field(description="Null for a plan that was never written.")


class SnapshotRecipe(RecipeDocument):
    """A recipe as it was when production started."""

    id: int


class SnapshotFinishedGood(FinishedGoodDocument):
    """A finished good as it was when production started."""

    id: int


class SnapshotBatchDecision(BatchDecisionDocument):
    """A batch decision as it was when production started."""

    id: int
    recipe_id: int


class PlanSnapshotDocument(BaseModel):
    """A plan as it was when production started; it never changes."""

    snapshot_version: Literal["1.0"]
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    event: PlanEventDocument
    head_count: int
    recipes: list[SnapshotRecipe]
    finished_goods: list[SnapshotFinishedGood]
    batch_decisions: list[SnapshotBatchDecision]


class AmendmentDocument(BaseModel):
    """One amendment. Without a field the whole item is meant.

    Then `before` is null for one that was added, `after` for one that was taken out.
    """

    id: int
    kind: Kind
    slug: str
    field: str | None
    before: Any
    after: Any
    reason: str
    amended_at: str
    amended_by: str | None = Field(description="The staff member's e-mail address.")


class AmendmentPage(BaseModel):
    """A page of amendments, the newest first."""

    data: list[AmendmentDocument]
    next_cursor: str | None
