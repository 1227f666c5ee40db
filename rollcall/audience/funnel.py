"""The audience explained: matched, then each step that leaves people out, then reachable."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria.table import every_rule
from rollcall.audience.query import Rows
from rollcall.extensions import db
from rollcall.models import AudienceSource, Reason

# Each stands in the funnel only where the criteria exclude somebody so.
EXCLUSIONS = tuple(rule.step for rule in every_rule() if rule.step is not None)
STEPS = (
    *EXCLUSIONS,
    Reason.NO_ADDRESS,
    Reason.INVALID_ADDRESS,
    Reason.BLOCKED,
    Reason.OPTED_OUT,
    Reason.RECENTLY_MESSAGED,
    Reason.DUPLICATE_ADDRESS,
)


@dataclass(frozen=True)
class Funnel:
    """How many people each step leaves out; `by_source` and `by_country` count the reachable."""

    left_out: dict[Reason, int] = field(default_factory=dict)
    by_source: dict[AudienceSource, int] = field(default_factory=dict)
    by_country: dict[str, int] = field(default_factory=dict)

    @property
    def reachable(self) -> int:
        """Return how many people would get the message."""
        return sum(self.by_source.values())

    @property
    def matched(self) -> int:
        """Return how many people the criteria match, reachable or not."""
        return self.reachable + sum(self.left_out.values())

    def to_json(self) -> dict[str, int]:
        """Return the funnel in its order, as in the contract; the steps add up to matched."""
        steps = {
            step.key: self.left_out.get(step, 0)
            for step in STEPS
            if step in self.left_out or step not in EXCLUSIONS
        }
        return {"matched": self.matched, **steps, "reachable": self.reachable}

    def by_source_json(self) -> dict[str, int]:
        """Return the reachable people by how they came in."""
        order = (
            AudienceSource.REGISTRATION,
            AudienceSource.QR_SCAN,
            AudienceSource.BOTH,
            AudienceSource.OTHER,
        )
        return {source.key: self.by_source.get(source, 0) for source in order}


@dataclass(frozen=True)
class Group:
    """People of an audience who are alike, with the lowest and the highest of their ids.

    `zones` is where their phones are, "" where the audience was not asked for it.
    """

    reason: Reason
    source: AudienceSource
    country: str
    people: int
    first: int
    last: int
    zones: str = ""


def count_groups(audience: Rows, values: dict[str, Any]) -> list[Group]:
    """Return the groups of an audience in one statement, with two sample ids for each."""
    rows = audience.subquery("audience")
    keys = (rows.c.reason, rows.c.source, rows.c.country)
    zones = [rows.c.zones] if "zones" in rows.c else []
    counted = db.session.execute(
        sa.select(
            *keys,
            sa.func.count(),
            sa.func.min(rows.c.person_id),
            sa.func.max(rows.c.person_id),
            *zones,
        ).group_by(*keys, *zones),
        values,
    )
    return [Group(*row) for row in counted]


def funnel_of(groups: Iterable[Group], exclusions: Iterable[Reason] = ()) -> Funnel:
    """Return the funnel that the groups add up to, with a step for each of `exclusions`."""
    left_out: Counter[Reason] = Counter(dict.fromkeys(exclusions, 0))
    by_source: Counter[AudienceSource] = Counter()
    by_country: Counter[str] = Counter()
    for group in groups:
        if group.reason is not Reason.REACHABLE:
            left_out[group.reason] += group.people
        else:
            by_source[group.source] += group.people
            by_country[group.country] += group.people
    return Funnel(dict(left_out), dict(by_source), dict(by_country))


def count_funnel(
    audience: Rows, values: dict[str, Any], exclusions: Iterable[Reason] = ()
) -> Funnel:
    """Return the funnel of rows with `person_id`, `source`, `reason` and `country`."""
    return funnel_of(count_groups(audience, values), exclusions)
