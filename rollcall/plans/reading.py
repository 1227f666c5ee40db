"""Reads what a plan is to hold, from JSON and from the rows of a form, naming what is wrong.

Each mistake is named by its place: "finished_goods.0.quantity" is the quantity of the first
finished good. Forms give every value as text; in JSON a number is a number.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from rollcall.errors import InvalidInput
from rollcall.people.reading.cells import clean_cell, shown
from rollcall.plans.items import (
    CLASSES,
    DECIMALS,
    LARGEST_NUMBER,
    OPTIONAL_NUMBERS,
    ItemKind,
    PlanItems,
    Recipe,
)
from rollcall.text import check_slug, free_slug

MOST_ITEMS = 200  # of each kind
LONGEST_NAME = 200

NO_NUMBER = "Give a number of 0 or more, as 300 or 2.5."
TOO_LARGE = f"Give at most {LARGEST_NUMBER:,}."
TOO_FINE = f"Give at most {DECIMALS} decimals."

_TYPED = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)
_TEXTS = {
    ItemKind.RECIPE: ("name", "slug"),
    ItemKind.FINISHED_GOOD: ("name", "slug"),
    ItemKind.BATCH_DECISION: ("name", "slug", "recipe_slug"),
}


def fields_of(kind: ItemKind) -> tuple[str, ...]:
    """Return the fields that an item of this kind may have, in order."""
    return _TEXTS[kind] + kind.numbers


def read_items(data: Any, *, typed: bool = False) -> PlanItems:
    """Return the items of an object with the lists recipes, finished_goods, batch_decisions.

    A list that is left out is empty. Without a slug one is made of the name; a batch decision
    without a name or a yield takes its recipe's. `typed`: numbers come as text, from a form.
    Raises InvalidInput naming every field that is wrong.
    """
    if not isinstance(data, Mapping):
        raise InvalidInput({"plan": "Give an object with recipes, finished_goods and others."})
    problems = {
        str(key): f"There is no such field; known are {', '.join(k.plural for k in ItemKind)}."
        for key in data
        if key not in [kind.plural for kind in ItemKind]
    }
    items = PlanItems()
    for kind in ItemKind:
        reading = _Reading(kind, items, problems, typed)
        items = items.with_items(kind, reading.read_list(data.get(kind.plural, [])))
    if problems:
        raise InvalidInput(problems)
    return items


def read_item(items: PlanItems, kind: ItemKind, data: Any, *, typed: bool = False) -> Any:
    """Return one more item for a plan that holds `items`; raises InvalidInput."""
    problems: dict[str, str] = {}
    if len(items.of(kind)) >= MOST_ITEMS:
        raise InvalidInput({"kind": _too_many(kind)})
    reading = _Reading(kind, items, problems, typed)
    item = reading.read_one(data, "")
    if item is not None and not problems:
        item = reading.with_slug(item, {other.slug for other in items.of(kind)}, "")
    if item is None or problems:
        raise InvalidInput(problems)
    return item


def read_number(value: Any, *, typed: bool = False) -> Decimal:
    """Return an exact number of 0 or more; raises ValueError with the sentence to show."""
    if typed and isinstance(value, str):
        text = value.strip()
        number = Decimal(text) if _TYPED.fullmatch(text) else None
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        number = None
    else:
        number = Decimal(str(value)) if math.isfinite(value) else None
    if number is None or number < 0:
        raise ValueError(NO_NUMBER)
    if number > LARGEST_NUMBER:
        raise ValueError(TOO_LARGE)
    if number != round(number, DECIMALS):
        raise ValueError(TOO_FINE)
    return abs(number)  # without the sign of a zero that was written as -0.0


@dataclass
class _Reading:
    """The items of one kind; `items` holds those of the kinds read before, the recipes first."""

    kind: ItemKind
    items: PlanItems
    problems: dict[str, str]
    typed: bool

    def read_list(self, rows: Any) -> tuple[Any, ...]:
        if not isinstance(rows, list):
            self.problems[self.kind.plural] = "Give a list."
            return ()
        if len(rows) > MOST_ITEMS:
            self.problems[self.kind.plural] = _too_many(self.kind)
            return ()
        paths = [f"{self.kind.plural}.{index}" for index in range(len(rows))]
        found = [
            (path, self.read_one(row, f"{path}.")) for path, row in zip(paths, rows, strict=True)
        ]
        whole = [(path, item) for path, item in found if item is not None]
        given = {item.slug for _, item in whole if item.slug}
        taken: set[str] = set()
        finished = []
        for path, item in whole:
            # One that is made must not take what another item of the list was given.
            others = taken if item.slug else taken | given
            finished.append(self.with_slug(item, others, f"{path}."))
            taken.add(finished[-1].slug)
        return tuple(finished)

    def read_one(self, row: Any, path: str) -> Any | None:
        """Return the item, still without a slug where none was given; None if it is wrong."""
        if not isinstance(row, Mapping):
            self.problems[path.rstrip(".") or "item"] = "Give an object."
            return None
        before = len(self.problems)
        for key in row:
            if key not in fields_of(self.kind):
                known = ", ".join(fields_of(self.kind))
                self.problems[f"{path}{key}"] = f"There is no such field; known are {known}."
        recipe = self._read_recipe(row, path) if self.kind is ItemKind.BATCH_DECISION else None
        values: dict[str, Any] = {
            "name": self._read_name(row, path, recipe),
            "slug": self._read_slug(row, path),
        }
        if self.kind is ItemKind.BATCH_DECISION:
            values["recipe_slug"] = recipe.slug if recipe else ""
        for name in self.kind.numbers:
            values[name] = self._read_number(row, name, path, recipe)
        return CLASSES[self.kind](**values) if len(self.problems) == before else None

    def with_slug(self, item: Any, taken: Iterable[str], path: str) -> Any:
        """Return the item with a slug of its own: the one that was given, or one that is made."""
        if item.slug:
            if item.slug in taken:
                self.problems[f"{path}slug"] = (
                    f"There is another {self.kind.label} {item.slug!r}; choose another slug."
                )
            return item
        otherwise, others = self.kind.value.replace("_", "-"), set(taken)
        slug = free_slug(item.name, otherwise, others.__contains__)
        return replace(item, slug=slug)

    def _read_name(self, row: Mapping[str, Any], path: str, recipe: Recipe | None) -> str:
        value = row.get("name")
        if value is not None and not isinstance(value, str):
            self.problems[f"{path}name"] = "Give a text."
            return ""
        name = clean_cell(value or "")
        if not name and self.kind is ItemKind.BATCH_DECISION:
            return recipe.name if recipe else ""
        if not name:
            self.problems[f"{path}name"] = f"Give the {self.kind.label} a name."
        elif len(name) > LONGEST_NAME:
            self.problems[f"{path}name"] = f"Use at most {LONGEST_NAME} characters."
        return name

    def _read_slug(self, row: Mapping[str, Any], path: str) -> str:
        value = row.get("slug")
        if value is None or (isinstance(value, str) and not value.strip()):
            return ""
        try:
            return check_slug(value.strip() if isinstance(value, str) else "", f"{path}slug")
        except InvalidInput as error:
            self.problems.update(error.fields)
            return ""

    def _read_recipe(self, row: Mapping[str, Any], path: str) -> Recipe | None:
        """Return the plan's recipe that is called so: by its slug, else by its name."""
        value = row.get("recipe_slug")
        wanted = clean_cell(value) if isinstance(value, str) else ""
        for recipe in self.items.recipes:
            if recipe.slug == wanted:
                return recipe
        for recipe in self.items.recipes:
            if recipe.name.casefold() == wanted.casefold():
                return recipe
        if wanted and any(place.startswith("recipes.") for place in self.problems):
            return None  # it may well be the recipe that is wrong itself, which is said already
        self.problems[f"{path}recipe_slug"] = (
            f"There is no recipe {shown(wanted)} in this plan: add it, or correct the name."
            if wanted
            else "Name a recipe of this plan."
        )
        return None

    def _read_number(
        self, row: Mapping[str, Any], name: str, path: str, recipe: Recipe | None
    ) -> Decimal | None:
        value = row.get(name)
        if value is None or (self.typed and isinstance(value, str) and not value.strip()):
            if name in OPTIONAL_NUMBERS:
                return None
            if name == "yield_per_batch" and self.kind is ItemKind.BATCH_DECISION:
                return recipe.yield_per_batch if recipe else None
        try:
            return read_number(value, typed=self.typed)
        except ValueError as error:
            self.problems[f"{path}{name}"] = str(error)
            return None


def _too_many(kind: ItemKind) -> str:
    return f"A plan holds at most {MOST_ITEMS} {kind.label}s."
