"""What can be amended in a plan, step by step: said, replayed, and compared. Pure.

The plan as amended is the snapshot's content with every step done in order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from rollcall.errors import InvalidInput
from rollcall.people.reading.cells import shown
from rollcall.plans.items import (
    OPTIONAL_NUMBERS,
    ItemKind,
    PlanItems,
    item_of_json,
    number_json,
    number_of_json,
)
from rollcall.plans.reading import read_item, read_number


@dataclass(frozen=True)
class NumbersChange:
    """Some numbers of one item become others; values are as given, text where `typed`."""

    kind: str
    slug: str
    numbers: Mapping[str, Any]
    typed: bool = False


@dataclass(frozen=True)
class ItemAddition:
    """One more item, described as in a plan's list."""

    kind: str
    item: Mapping[str, Any]
    typed: bool = False


@dataclass(frozen=True)
class ItemRemoval:
    """One item is taken out."""

    kind: str
    slug: str


Change = NumbersChange | ItemAddition | ItemRemoval


@dataclass(frozen=True)
class Step:
    """One amendment as it is stored: a number with what it was and is, or a whole item.

    Without a field the item itself is meant: `before` is None for one that was added, `after`
    for one that was taken out.
    """

    kind: ItemKind
    slug: str
    field: str | None
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """How one value, or the presence of one item, differs between two plans.

    `field` is None for an item that only one of them holds; then the values are whole items.
    """

    kind: ItemKind
    slug: str
    name: str
    field: str | None
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON gives it."""
        return {
            "kind": self.kind.value,
            "slug": self.slug,
            "name": self.name,
            "field": self.field,
            "before": self.before,
            "after": self.after,
        }


def steps_of(items: PlanItems, change: Change) -> list[Step]:
    """Return the steps that make the change to `items`; raises InvalidInput naming the field."""
    kind = read_kind(change.kind)
    if isinstance(change, ItemAddition):
        item = read_item(items, kind, change.item, typed=change.typed)
        return [Step(kind, item.slug, None, None, item.to_json())]
    item = items.find(kind, change.slug)
    if item is None:
        raise InvalidInput({"slug": f"There is no {kind.label} {change.slug!r} in this plan now."})
    if isinstance(change, ItemRemoval):
        _refuse_if_needed(items, kind, change.slug)
        return [Step(kind, change.slug, None, item.to_json(), None)]
    return _number_steps(kind, item, change)


def read_kind(text: Any) -> ItemKind:
    """Return the kind of item that is named; raises InvalidInput."""
    try:
        return ItemKind(text)
    except ValueError:
        names = ", ".join(kind.value for kind in ItemKind)
        raise InvalidInput({"kind": f"Use one of {names}."}) from None


def replay(items: PlanItems, steps: Iterable[Step]) -> PlanItems:
    """Return the plan after every step, done in order."""
    for step in steps:
        old = items.of(step.kind)
        if step.field is not None:
            value = {step.field: number_of_json(step.after)}
            new = (replace(item, **value) if item.slug == step.slug else item for item in old)
        elif step.after is None:
            new = (item for item in old if item.slug != step.slug)
        else:
            new = (*old, item_of_json(step.kind, step.after))
        items = items.with_items(step.kind, tuple(new))
    return items


def difference(before: PlanItems, after: PlanItems) -> list[Difference]:
    """Return everything that differs: what changed and was taken out, then what was added."""
    found: list[Difference] = []
    for kind in ItemKind:
        for item in before.of(kind):
            found += _item_differences(kind, item, after.find(kind, item.slug))
        for item in after.of(kind):
            if before.find(kind, item.slug) is None:
                found.append(Difference(kind, item.slug, item.name, None, None, item.to_json()))
    return found


def _item_differences(kind: ItemKind, item: Any, other: Any | None) -> list[Difference]:
    old = item.to_json()
    if other is None:
        return [Difference(kind, item.slug, item.name, None, old, None)]
    new = other.to_json()
    return [
        Difference(kind, item.slug, other.name, field, old[field], new[field])
        for field in old
        if old[field] != new[field]
    ]


def _number_steps(kind: ItemKind, item: Any, change: NumbersChange) -> list[Step]:
    problems: dict[str, str] = {}
    steps: list[Step] = []
    for field, value in change.numbers.items():
        if field not in kind.numbers:
            known = ", ".join(kind.numbers)
            problems[field] = f"A {kind.label} has no such number; it has {known}."
            continue
        try:
            number = _read_new_number(field, value, change.typed)
        except ValueError as error:
            problems[field] = str(error)
            continue
        old = getattr(item, field)
        if number != old:
            before, after = number_json(old), number_json(number)
            steps.append(Step(kind, change.slug, field, before, after))
    if problems:
        raise InvalidInput(problems)
    if not steps:
        raise InvalidInput(_nothing_changes(kind, change))
    return steps


def _read_new_number(field: str, value: Any, typed: bool) -> Decimal | None:
    empty = value is None or (typed and isinstance(value, str) and not value.strip())
    if empty and field in OPTIONAL_NUMBERS:
        return None
    return read_number(value, typed=typed)


def _nothing_changes(kind: ItemKind, change: NumbersChange) -> dict[str, str]:
    first = next(iter(change.numbers), None)
    if first is None:
        return {"numbers": f"Give at least one of {', '.join(kind.numbers)}."}
    return {first: "This is what the plan says already; give another number."}


def _refuse_if_needed(items: PlanItems, kind: ItemKind, slug: str) -> None:
    if kind is not ItemKind.RECIPE:
        return
    for decision in items.batch_decisions:
        if decision.recipe_slug == slug:
            raise InvalidInput(
                {
                    "slug": f"The batch decision {shown(decision.name)} is made by this recipe: "
                    "take that one out first."
                }
            )
