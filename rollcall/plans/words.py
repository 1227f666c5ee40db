"""Amendments and differences as people say them."""

from decimal import Decimal
from typing import Any

from rollcall.models import PlanAmendment
from rollcall.plans.changes import Difference
from rollcall.plans.items import BatchDecision, Item, ItemKind, Recipe, say_quantity
from rollcall.plans.records import Plan

FIELD_LABELS = {
    "name": "name",
    "recipe_slug": "recipe",
    "yield_per_batch": "yield per batch",
    "quantity": "quantity",
    "per_person": "per person",
    "batches": "batches",
}


def say_amendment(plan: Plan, row: PlanAmendment) -> str:
    """Say one amendment: "gift boxes: quantity from 300 to 420", "Stickers: added, quantity 500".

    An item is called by its name where the plan has it, before or now, else by its slug.
    """
    kind = ItemKind(row.kind)
    whole = row.after or row.before if row.field is None else None
    item = plan.items.find(kind, row.slug) or plan.planned.find(kind, row.slug)
    name = whole["name"] if whole else item.name if item else row.slug
    return _say(kind, name, row.field, row.before, row.after)


def say_difference(one: Difference) -> str:
    """Say one difference, as `say_amendment` does; numbers with how much they moved."""
    text = _say(one.kind, one.name, one.field, one.before, one.after)
    moved = say_movement(one.before, one.after) if one.field in one.kind.numbers else None
    return f"{text} ({moved})" if moved else text


def say_item(item: Item) -> str:
    """Say an item's numbers: "300, 1 a person", "80 a batch", "4 × 80 = 320"."""
    if isinstance(item, Recipe):
        return f"{say_quantity(item.yield_per_batch)} a batch"
    if isinstance(item, BatchDecision):
        made = say_quantity(item.batches * item.yield_per_batch)
        return f"{say_quantity(item.batches)} × {say_quantity(item.yield_per_batch)} = {made}"
    each = "" if item.per_person is None else f", {say_quantity(item.per_person)} a person"
    return f"{say_quantity(item.quantity)}{each}"


def say_movement(before: Any, after: Any) -> str | None:
    """Say how far a number moved: "+120", "-2.5"; None where there is nothing to subtract."""
    if before is None or after is None or before == after:
        return None
    moved = say_quantity(abs(Decimal(str(after)) - Decimal(str(before))))
    return f"+{moved}" if after > before else f"-{moved}"


def _say(kind: ItemKind, name: str, field: str | None, before: Any, after: Any) -> str:
    if field is None:
        done, item = ("added", after) if after is not None else ("taken out", before)
        numbers = ", ".join(
            f"{FIELD_LABELS[number]} {say_quantity(item[number])}"
            for number in kind.numbers
            if item[number] is not None
        )
        return f"{name}: {kind.label} {done}, {numbers}"
    said = say_quantity if field in kind.numbers else str
    old, new = ("none" if value is None else said(value) for value in (before, after))
    return f"{name}: {FIELD_LABELS[field]} from {old} to {new}"
