"""The form of an event's plan: rows of recipes, finished goods and batch decisions, as typed."""

import re
from collections.abc import Mapping

from rollcall.plans.items import ItemKind, PlanItems, number_text
from rollcall.plans.reading import MOST_ITEMS, fields_of
from rollcall.plans.words import FIELD_LABELS

Rows = dict[str, list[dict[str, str]]]

_PLURALS = tuple(kind.plural for kind in ItemKind)
_NAME = re.compile(rf"({'|'.join(_PLURALS)})-(\d{{1,4}})-([a-z_]+)", re.ASCII)
_REMOVE = re.compile(rf"({'|'.join(_PLURALS)})-(\d{{1,4}})", re.ASCII)


def rows_of_plan(items: PlanItems) -> Rows:
    """Return the rows that show a plan; a kind without any item gets an empty row to begin with."""
    rows = {
        kind.plural: [
            {
                field: number_text(getattr(item, field))
                if field in kind.numbers
                else getattr(item, field)
                for field in fields_of(kind)
            }
            for item in items.of(kind)
        ]
        for kind in ItemKind
    }
    for row, decision in zip(rows["batch_decisions"], items.batch_decisions, strict=True):
        row["recipe_slug"] = _recipe_words(items, decision.recipe_slug)
    return {plural: found or [{}] for plural, found in rows.items()}


def rows_of_form(form: Mapping[str, str]) -> Rows:
    """Return the rows as typed, in their order, without the empty ones and the one to remove."""
    found: dict[str, dict[int, dict[str, str]]] = {plural: {} for plural in _PLURALS}
    for name, value in form.items():
        match = _NAME.fullmatch(name)
        if match and match[3] in fields_of(_kind_of(match[1])):
            found[match[1]].setdefault(int(match[2]), {})[match[3]] = value
    removed = _REMOVE.fullmatch(form.get("remove_row", ""))
    if removed:
        found[removed[1]].pop(int(removed[2]), None)
    return {
        plural: [row for _, row in sorted(rows.items()) if _says_something(row)]
        for plural, rows in found.items()
    }


def with_new_row(rows: Rows, plural: str) -> Rows:
    """Return the rows with an empty one more of the kind that was asked for."""
    if plural not in rows or len(rows[plural]) >= MOST_ITEMS:
        return rows
    return {**rows, plural: [*rows[plural], {}]}


def errors_by_id(fields: Mapping[str, str]) -> dict[str, str]:
    """Return each error under the id of its input: "recipes.0.name" is "recipes-0-name"."""
    # Nobody sees an item's own slug in the form: what is wrong with it stands at its name.
    return {
        re.sub(r"-slug$", "-name", path.replace(".", "-")): text for path, text in fields.items()
    }


def summary_of(errors: Mapping[str, str]) -> dict[str, str]:
    """Return the same errors, each saying its row and field: "Recipe 2, name: …"."""
    said = {}
    for place, text in errors.items():
        match = _NAME.fullmatch(place)
        if match:
            kind = _kind_of(match[1]).label.capitalize()
            said[place] = f"{kind} {int(match[2]) + 1}, {FIELD_LABELS[match[3]]}: {text}"
        else:
            said[place] = text
    return said


def _kind_of(plural: str) -> ItemKind:
    return ItemKind(plural.removesuffix("s"))


def _says_something(row: Mapping[str, str]) -> bool:
    return any(value.strip() for field, value in row.items() if field != "slug")


def _recipe_words(items: PlanItems, slug: str) -> str:
    """Return the recipe's name where that leads back to it, else its slug."""
    recipe = next(one for one in items.recipes if one.slug == slug)
    same = [
        one
        for one in items.recipes
        if one.name.casefold() == recipe.name.casefold() or one.slug == recipe.name
    ]
    return recipe.name if same == [recipe] else slug
