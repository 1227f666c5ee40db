"""Event plans: written, locked, put into production, amended."""

from collections.abc import Callable
from typing import Annotated, Literal

from flask import Response
from pydantic import Field

from blueprints.access import api_scope, current_actor
from blueprints.api import plan_documents as documents
from blueprints.api.answering import answer, answer_page
from blueprints.api.events import find_by_key
from blueprints.api.ground import api_blueprint
from blueprints.api.plan_documents import Kind, Number
from blueprints.api.reading import Body, PageQuery, named_as
from rollcall.plans.amendments import LONGEST_REASON, amend_plan, list_amendments
from rollcall.plans.changes import Change, ItemAddition, ItemRemoval, NumbersChange
from rollcall.plans.document import amendment_document, plan_document
from rollcall.plans.reading import LONGEST_NAME, MOST_ITEMS, read_items
from rollcall.plans.records import (
    complete_plan,
    find_event_snapshot,
    find_plan,
    lock_plan,
    set_plan,
    start_production,
    unlock_plan,
)
from rollcall.plans.snapshot import snapshot_content
from rollcall.text import LONGEST_SLUG

api = api_blueprint("plans", "Plans")

Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Slug = Annotated[
    str | None, Field(max_length=LONGEST_SLUG, description="Made of the name when left out.")
]
RecipeSlug = Annotated[str, Field(max_length=LONGEST_NAME, description="Or the recipe's name.")]
Version = Annotated[
    int | None,
    Field(ge=1, le=2**31 - 1, description="Refuse when it is no longer at this version."),
]


class RecipeValues(Body):
    """How something is made, and how much one batch gives."""

    name: Name
    slug: Slug = None
    yield_per_batch: Number


class FinishedGoodValues(Body):
    """Something to be there at the event, how many, and where it applies how many a person."""

    name: Name
    slug: Slug = None
    quantity: Number
    per_person: Number | None = None


class BatchDecisionValues(Body):
    """How many batches of a recipe are made; name and yield are the recipe's when left out."""

    name: Name | None = None
    slug: Slug = None
    recipe_slug: RecipeSlug
    batches: Number
    yield_per_batch: Number | None = None


class PlanValues(Body):
    """Everything that the plan is to hold; a list that is left out is empty."""

    recipes: list[RecipeValues] = Field([], max_length=MOST_ITEMS)
    finished_goods: list[FinishedGoodValues] = Field([], max_length=MOST_ITEMS)
    batch_decisions: list[BatchDecisionValues] = Field([], max_length=MOST_ITEMS)
    version: Version = None


class PlanAct(Body):
    """What is done to the plan as it was seen."""

    version: Version = None


class AddedItem(Body):
    """An item that is added: with the fields of its kind, as in the plan's lists."""

    name: Name | None = None
    slug: Slug = None
    recipe_slug: RecipeSlug | None = None
    yield_per_batch: Number | None = None
    quantity: Number | None = None
    per_person: Number | None = None
    batches: Number | None = None


class NewNumbers(Body):
    """What numbers become; those that are left out stay. `per_person` may become null."""

    yield_per_batch: Number | None = None
    quantity: Number | None = None
    per_person: Number | None = None
    batches: Number | None = None


class Amendment(Body):
    """One change: `change` takes slug and numbers, `add` takes item, `take_out` takes slug."""

    action: Literal["change", "add", "take_out"]
    kind: Kind
    reason: str = Field(max_length=LONGEST_REASON, description="Why; kept with the amendment.")
    slug: str = Field("", max_length=LONGEST_SLUG)
    numbers: NewNumbers = NewNumbers()
    item: AddedItem = AddedItem()
    version: Version = None


@api.get("/events/<event_key>/plan")
@api_scope("read")
@api.output(documents.PlanDocument)
def show(event_key: str) -> Response:
    """Show an event's plan

    What was planned, what became of it by amendments, and whether it is enough for the people
    who attend now. An event without a plan has an empty draft.
    """
    return _answer_plan(find_by_key(event_key).id)


@api.put("/events/<event_key>/plan")
@api_scope("write")
@api.input(PlanValues)
@api.output(documents.PlanDocument)
def replace(event_key: str, json_data: PlanValues) -> Response:
    """Write an event's plan

    Replaces everything in it; only while it is a draft.
    """
    event_id = find_by_key(event_key).id
    items = read_items(json_data.model_dump(exclude={"version"}))
    set_plan(current_actor(), event_id, items, json_data.version)
    return _answer_plan(event_id)


@api.post("/events/<event_key>/plan/lock")
@api_scope("write")
@api.input(PlanAct)
@api.output(documents.PlanDocument)
def lock(event_key: str, json_data: PlanAct) -> Response:
    """Lock a draft, so that nobody changes it any more"""
    return _act(lock_plan, event_key, json_data)


@api.post("/events/<event_key>/plan/unlock")
@api_scope("write")
@api.input(PlanAct)
@api.output(documents.PlanDocument)
def unlock(event_key: str, json_data: PlanAct) -> Response:
    """Make a locked plan a draft again"""
    return _act(unlock_plan, event_key, json_data)


@api.post("/events/<event_key>/plan/start")
@api_scope("write")
@api.input(PlanAct)
@api.output(documents.PlanDocument)
def start(event_key: str, json_data: PlanAct) -> Response:
    """Start production

    Only from locked. The snapshot is stored in the same step; from then on changes are
    amendments.
    """
    return _act(start_production, event_key, json_data)


@api.post("/events/<event_key>/plan/complete")
@api_scope("write")
@api.input(PlanAct)
@api.output(documents.PlanDocument)
def complete(event_key: str, json_data: PlanAct) -> Response:
    """Complete a plan in production: it can't be amended any more"""
    return _act(complete_plan, event_key, json_data)


@api.get("/events/<event_key>/plan/snapshot")
@api_scope("read")
@api.output(documents.PlanSnapshotDocument)
def snapshot(event_key: str) -> Response:
    """Show a plan as it was when production started; not found before that"""
    event = find_by_key(event_key)
    return answer(snapshot_content(find_event_snapshot(event.organisation_id, event.id)))


@api.get("/events/<event_key>/plan/amendments")
@api_scope("read")
@api.input(PageQuery, location="query")
@api.output(documents.AmendmentPage)
def amendments(event_key: str, query_data: PageQuery) -> Response:
    """List what was amended in a plan, the newest first"""
    event = find_by_key(event_key)
    found = list_amendments(event.organisation_id, event.id, query_data.cursor, query_data.limit)
    return answer_page(map(amendment_document, found.rows), found.next_cursor)


@api.post("/events/<event_key>/plan/amendments")
@api_scope("write")
@api.input(Amendment)
@api.output(documents.PlanDocument)
def amend(event_key: str, json_data: Amendment) -> Response:
    """Amend a plan in production

    Each number that changes is an amendment of its own. Answers with the plan as it is then.
    """
    event_id = find_by_key(event_key).id
    with named_as(_places(json_data)):
        amend_plan(
            current_actor(), event_id, _change(json_data), json_data.reason, json_data.version
        )
    return _answer_plan(event_id)


def _act(verb: Callable[..., None], event_key: str, body: PlanAct) -> Response:
    event_id = find_by_key(event_key).id
    verb(current_actor(), event_id, body.version)
    return _answer_plan(event_id)


def _answer_plan(event_id: int) -> Response:
    return answer(plan_document(find_plan(current_actor().organisation_id, event_id)))


def _places(body: Amendment) -> dict[str, str]:
    """Return where in the body each field of an item or of its numbers stands."""
    place, known = {
        "change": ("numbers", NewNumbers.model_fields),
        "add": ("item", AddedItem.model_fields),
        "take_out": ("", {}),
    }[body.action]
    return {name: f"{place}.{name}" for name in known}


def _change(body: Amendment) -> Change:
    # What was not given is no null: a null takes `per_person` away.
    if body.action == "change":
        return NumbersChange(body.kind, body.slug, body.numbers.model_dump(exclude_unset=True))
    if body.action == "add":
        return ItemAddition(body.kind, body.item.model_dump(exclude_unset=True))
    return ItemRemoval(body.kind, body.slug)
