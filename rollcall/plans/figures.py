"""A plan's quantities beside the event's head count, in numbers and in sentences."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rollcall.plans.items import FinishedGood, number_json, say_quantity
from rollcall.plans.records import Plan
from rollcall.wording import say_people, say_signed


@dataclass(frozen=True)
class Supply:
    """One finished good beside the people who attend; without `per_person` nothing is reckoned."""

    good: FinishedGood
    people: int

    @property
    def needed(self) -> Decimal | None:
        """Return how many it takes for everybody, or None where nothing is given each."""
        each = self.good.per_person
        return None if each is None else each * self.people

    @property
    def missing(self) -> Decimal | None:
        """Return how many are missing, 0 where it is enough; None where that isn't reckoned."""
        needed = self.needed
        return None if needed is None else max(needed - self.good.quantity, Decimal(0))

    @property
    def sentence(self) -> str:
        """Say it: "300 gift boxes for 412 people. At 1 each it takes 412: 112 are missing."."""
        quantity = say_quantity(self.good.quantity)
        beside = f"{quantity} {self.good.name} for {say_people(self.people)}."
        if self.needed is None or self.missing is None:
            return beside
        takes = f"At {say_quantity(self.good.per_person)} each it takes {say_quantity(self.needed)}"
        spare = self.good.quantity - self.needed
        if self.missing:
            verb = "is" if self.missing == 1 else "are"
            return f"{beside} {takes}: {say_quantity(self.missing)} {verb} missing."
        return f"{beside} {takes}: " + (
            f"{say_quantity(spare)} to spare." if spare else "just enough."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON gives it."""
        return {
            "slug": self.good.slug,
            "quantity": number_json(self.good.quantity),
            "people": self.people,
            "needed": number_json(self.needed),
            "missing": number_json(self.missing),
            "sentence": self.sentence,
        }


def compare_supplies(plan: Plan) -> list[Supply]:
    """Return each finished good, as amended, beside the people who attend now."""
    return [Supply(good, plan.people) for good in plan.items.finished_goods]


def say_growth(plan: Plan) -> str | None:
    """Say how the head count moved since production started; None before, and where it did not.

    For example "412 people now, 300 when production started: +112".
    """
    if plan.snapshot is None or not plan.growth:
        return None
    then = f"{plan.snapshot.people:,}"
    return f"{say_people(plan.people)} now, {then} when production started: " + say_signed(
        plan.growth
    )


def list_warnings(plan: Plan) -> list[str]:
    """Return what staff must know of: the audience has outgrown the plan, or something lacks."""
    warnings = [supply.sentence for supply in compare_supplies(plan) if supply.missing]
    growth = say_growth(plan)
    if growth and plan.growth is not None and plan.growth > 0:
        warnings.insert(0, f"{growth}.")
    return warnings
