"""The audience explained: matched, then each step that leaves people out, then reachable."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import AudienceSource, Reason

STEPS = (
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
        steps = {step.key: self.left_out.get(step, 0) for step in STEPS}
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


def count_funnel(audience: sa.Select[Any], values: dict[str, Any]) -> Funnel:
    """Return the funnel of rows with `source`, `reason` and `country`, in one statement."""
    rows = audience.subquery("audience")
    counted = db.session.execute(
        sa.select(rows.c.reason, rows.c.source, rows.c.country, sa.func.count()).group_by(
            rows.c.reason, rows.c.source, rows.c.country
        ),
        values,
    )
    left_out: Counter[Reason] = Counter()
    by_source: Counter[AudienceSource] = Counter()
    by_country: Counter[str] = Counter()
    for reason, source, country, people in counted:
        if reason is not Reason.REACHABLE:
            left_out[reason] += people
        else:
            by_source[source] += people
            by_country[country] += people
    return Funnel(dict(left_out), dict(by_source), dict(by_country))
