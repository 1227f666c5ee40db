"""What a plan holds: recipes, finished goods and batch decisions. Pure: no database here.

Numbers are exact Decimals from 0 to LARGEST_NUMBER with at most DECIMALS decimals. In JSON a
whole one is a whole number (300) and any other a plain decimal number (2.5), never a text: within
these limits every JSON reader gives back the very number that was written.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

LARGEST_NUMBER = 1_000_000_000
DECIMALS = 6


class ItemKind(enum.StrEnum):
    """The three kinds of things a plan holds."""

    RECIPE = "recipe"
    FINISHED_GOOD = "finished_good"
    BATCH_DECISION = "batch_decision"

    @property
    def plural(self) -> str:
        """Return the name of the kind's list in JSON: "finished_goods"."""
        return f"{self.value}s"

    @property
    def label(self) -> str:
        """Return the kind as a sentence says it: "finished good"."""
        return self.value.replace("_", " ")

    @property
    def numbers(self) -> tuple[str, ...]:
        """Return the fields of the kind that hold a number."""
        return NUMBERS[self]


# What may be left out of an item: not every finished good is counted by the person.
OPTIONAL_NUMBERS = ("per_person",)
NUMBERS = {
    ItemKind.RECIPE: ("yield_per_batch",),
    ItemKind.FINISHED_GOOD: ("quantity", "per_person"),
    ItemKind.BATCH_DECISION: ("batches", "yield_per_batch"),
}


@dataclass(frozen=True)
class Recipe:
    """How something is made, and how much one batch gives."""

    name: str
    slug: str
    yield_per_batch: Decimal

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON gives it."""
        return {
            "name": self.name,
            "slug": self.slug,
            "yield_per_batch": number_json(self.yield_per_batch),
        }


@dataclass(frozen=True)
class FinishedGood:
    """Something to be there at the event, how many, and how many for each person."""

    name: str
    slug: str
    quantity: Decimal
    per_person: Decimal | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the finished good as JSON gives it."""
        return {
            "name": self.name,
            "slug": self.slug,
            "quantity": number_json(self.quantity),
            "per_person": number_json(self.per_person),
        }


@dataclass(frozen=True)
class BatchDecision:
    """How many batches of a recipe are made, and what each is reckoned to give."""

    name: str
    slug: str
    recipe_slug: str
    batches: Decimal
    yield_per_batch: Decimal

    def to_json(self) -> dict[str, Any]:
        """Return the batch decision as JSON gives it."""
        return {
            "name": self.name,
            "slug": self.slug,
            "recipe_slug": self.recipe_slug,
            "batches": number_json(self.batches),
            "yield_per_batch": number_json(self.yield_per_batch),
        }


Item = Recipe | FinishedGood | BatchDecision
CLASSES: dict[ItemKind, Any] = {
    ItemKind.RECIPE: Recipe,
    ItemKind.FINISHED_GOOD: FinishedGood,
    ItemKind.BATCH_DECISION: BatchDecision,
}


@dataclass(frozen=True)
class PlanItems:
    """Everything in a plan, in the order in which it was written; three empty lists are valid."""

    recipes: tuple[Recipe, ...] = ()
    finished_goods: tuple[FinishedGood, ...] = ()
    batch_decisions: tuple[BatchDecision, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.recipes or self.finished_goods or self.batch_decisions)

    def of(self, kind: ItemKind) -> tuple[Any, ...]:
        """Return the items of one kind."""
        return getattr(self, kind.plural)

    def find(self, kind: ItemKind, slug: str) -> Any | None:
        """Return the item with this slug, or None."""
        return next((item for item in self.of(kind) if item.slug == slug), None)

    def with_items(self, kind: ItemKind, items: Iterator[Any] | tuple[Any, ...]) -> "PlanItems":
        """Return the same plan with these items of one kind."""
        return replace(self, **{kind.plural: tuple(items)})

    def to_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return the three lists as JSON gives them."""
        return {kind.plural: [item.to_json() for item in self.of(kind)] for kind in ItemKind}


def items_of_json(content: Mapping[str, Any]) -> PlanItems:
    """Return the items of JSON that Rollcall wrote itself: of a snapshot or an amendment."""
    return PlanItems(
        **{
            kind.plural: tuple(item_of_json(kind, item) for item in content[kind.plural])
            for kind in ItemKind
        }
    )


def item_of_json(kind: ItemKind, data: Mapping[str, Any]) -> Any:
    """Return one item of JSON that Rollcall wrote itself; ids are of no account."""
    texts = {name: data[name] for name in ("name", "slug", "recipe_slug") if name in data}
    return CLASSES[kind](**texts, **{name: number_of_json(data[name]) for name in kind.numbers})


def number_json(number: Decimal | None) -> int | float | None:
    """Return a number as JSON gives it: 300, 2.5, or None."""
    if number is None:
        return None
    return int(number) if number == number.to_integral_value() else float(number)


def number_of_json(value: float | None) -> Decimal | None:
    """Return the number that `number_json` wrote, exactly."""
    return None if value is None else Decimal(str(value))


def say_quantity(number: Decimal | float | None) -> str:
    """Give a number with separators and without idle zeros: "1,200", "2.5", "–" for none."""
    if number is None:
        return "–"
    text = f"{Decimal(str(number)):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_text(number: Decimal | None) -> str:
    """Return a number as a form shows it, to be typed over: "1200", "2.5", "" for none."""
    return "" if number is None else say_quantity(number).replace(",", "")
