"""A plan as it was when production started beside what it is now, item by item."""

from dataclasses import dataclass
from typing import Any

from rollcall.plans.items import ItemKind, PlanItems, number_json
from rollcall.plans.words import FIELD_LABELS, say_item, say_movement

ADDED, TAKEN_OUT = "added", "taken out"
# Where there is no doubt which number is meant, it isn't named.
_PLAIN = (("recipe", "yield_per_batch"), ("finished_good", "quantity"))


@dataclass(frozen=True)
class ItemBeside:
    """One item, then and now, in words; `difference` is None where nothing has changed."""

    slug: str
    name: str
    before: str | None
    after: str | None
    difference: str | None


def items_beside(planned: PlanItems, now: PlanItems, kind: ItemKind) -> list[ItemBeside]:
    """Return each of the kind's items, then and now; those that were added come last."""
    pairs = [(item, now.find(kind, item.slug)) for item in planned.of(kind)]
    pairs += [(None, item) for item in now.of(kind) if planned.find(kind, item.slug) is None]
    return [_beside(kind, old, new) for old, new in pairs]


def _beside(kind: ItemKind, old: Any | None, new: Any | None) -> ItemBeside:
    item: Any = new or old
    return ItemBeside(
        slug=item.slug,
        name=item.name,
        before=say_item(old) if old else None,
        after=say_item(new) if new else None,
        difference=_say_difference(kind, old, new),
    )


def _say_difference(kind: ItemKind, old: Any | None, new: Any | None) -> str | None:
    if old is None or new is None:
        return ADDED if old is None else TAKEN_OUT
    said = []
    for field in kind.numbers:
        before, after = number_json(getattr(old, field)), number_json(getattr(new, field))
        if before == after:
            continue
        moved = say_movement(before, after) or (ADDED if before is None else TAKEN_OUT)
        said.append(moved if (kind, field) in _PLAIN else f"{FIELD_LABELS[field]} {moved}")
    return ", ".join(said) or None
