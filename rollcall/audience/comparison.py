"""If it were sent now: today's audience beside a scheduled campaign's estimate (C12).

In figures, and person by person: who would join, who would leave.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import Criteria, campaign_criteria
from rollcall.audience.difference import AudienceChange
from rollcall.audience.query import audience_select
from rollcall.audience.staging import staged, staged_audience
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import (
    AudienceMode,
    AudienceSource,
    Campaign,
    Channel,
    Person,
    Reason,
    Recipient,
)
from rollcall.wording import moment_json, say_change, say_people


@dataclass(frozen=True)
class Comparison:
    """Who would join and who would leave if the criteria were run again at this moment."""

    at: datetime
    change: AudienceChange
    joined_by_source: dict[AudienceSource, int]
    left_by_reason: dict[Reason, int]
    funnel: dict[str, int]
    by_mode: dict[AudienceMode, int]

    @property
    def joined(self) -> int:
        """Return how many people would join."""
        return sum(self.joined_by_source.values())

    @property
    def left(self) -> int:
        """Return how many people would leave."""
        return sum(self.left_by_reason.values())

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as the API gives it."""
        return {
            "at": moment_json(self.at),
            "estimated_recipients": self.change.estimate,
            "current_recipients": self.change.final,
            "change_absolute": self.change.absolute,
            "change_percent": self.change.percent,
            "joined": self.joined,
            "joined_by_source": {
                source.key: people for source, people in self.joined_by_source.items()
            },
            "left": self.left,
            "left_by_reason": {
                reason.key: people for reason, people in self.left_by_reason.items()
            },
            "funnel": self.funnel,
            "by_mode": {mode.value: people for mode, people in self.by_mode.items()},
        }

    def sentence(self) -> str:
        """Return the comparison in one sentence."""
        change = say_change(self.change.absolute, self.change.percent)
        return (
            f"If it were sent now: {say_people(self.change.final)} instead of "
            f"{say_people(self.change.estimate)} ({change}); "
            f"{self.joined:,} would join, {self.left:,} would leave."
        )


def compare_with_now(campaign: Campaign) -> Comparison:
    """Return today's audience beside the estimate; nothing is stored.

    Raises InvalidInput where the criteria are missing or damaged.
    """
    return compare_with(campaign, campaign_criteria(campaign), clock.now())


def compare_with(campaign: Campaign, criteria: Criteria, moment: datetime) -> Comparison:
    """Return the audience that these criteria give as of sending at `moment` beside the estimate.

    Nothing is stored. Raises InvalidInput where the criteria name what there is not.
    """
    campaign_id, estimate = campaign.id, campaign.estimated_recipients or 0
    channel = Channel(campaign.channel)
    with staged_audience(campaign.organisation_id, criteria, channel, moment) as funnel:
        joined, left = _joined(campaign_id), _left(campaign_id)
        return Comparison(
            at=moment,
            change=AudienceChange(estimate, funnel.reachable),
            joined_by_source=joined,
            left_by_reason=left,
            funnel=funnel.to_json(),
            by_mode=_by_mode(estimate, sum(joined.values()), sum(left.values())),
        )


def _by_mode(estimate: int, joined: int, left: int) -> dict[AudienceMode, int]:
    """Return how many people each mode would send to."""
    return {
        AudienceMode.FROZEN: estimate,
        AudienceMode.REPROCESS: estimate + joined - left,
        AudienceMode.REMOVALS: estimate - left,
        AudienceMode.ADDITIONS: estimate + joined,
    }


def _joined(campaign_id: int) -> dict[AudienceSource, int]:
    known = sa.exists().where(
        Recipient.campaign_id == campaign_id,
        Recipient.person_id == staged.c.person_id,
        Recipient.in_estimate.is_(True),
    )
    rows = db.session.execute(
        sa.select(staged.c.source, sa.func.count())
        .where(staged.c.reason == Reason.REACHABLE, ~known)
        .group_by(staged.c.source)
    )
    return {source: people for source, people in rows}  # noqa: C416 (typed rows)


def _left(campaign_id: int) -> dict[Reason, int]:
    reason = sa.func.coalesce(staged.c.reason, int(Reason.CRITERIA_NO_LONGER_MET))
    rows = db.session.execute(
        sa.select(reason, sa.func.count())
        .select_from(Recipient)
        .outerjoin(staged, staged.c.person_id == Recipient.person_id)
        .where(
            Recipient.campaign_id == campaign_id,
            Recipient.in_estimate.is_(True),
            reason != int(Reason.REACHABLE),
        )
        .group_by(reason)
    )
    return {Reason(code): people for code, people in rows}


MOVEMENTS = ("joined", "left")
PAGE = 50


@dataclass(frozen=True)
class Mover:
    """Somebody who would join (`reason` is None) or leave, and why."""

    person_id: int
    name: str
    phone: str | None
    email: str | None
    reason: Reason | None


def list_movers(
    campaign: Campaign,
    movement: str,
    *,
    reason: Reason | None = None,
    after: int = 0,
    limit: int = PAGE,
) -> list[Mover]:
    """Return who would join or leave if it were sent now, beyond person id `after`.

    `reason` narrows those who would leave. Nothing is stored. Raises InvalidInput for another
    movement, and where the criteria are missing or damaged.
    """
    if movement not in MOVEMENTS:
        raise InvalidInput({"change": f"Use one of {', '.join(MOVEMENTS)}."})
    query = audience_select(
        campaign.organisation_id,
        campaign_criteria(campaign),
        Channel(campaign.channel),
        clock.now(),
    )
    audience = query.statement.subquery("audience")
    if movement == "joined":
        movers = _joining(campaign.id, audience)
    else:
        movers = _leaving(campaign.id, audience, reason)
    people = movers.subquery("movers")
    rows = db.session.execute(
        sa.select(Person, people.c.reason)
        .join(people, people.c.person_id == Person.id)
        .where(Person.id > after)
        .order_by(Person.id)
        .limit(limit),
        query.values,
    )
    return [
        Mover(
            person.id,
            person.full_name,
            person.phone,
            person.email,
            Reason(code) if code is not None and code != Reason.REACHABLE else None,
        )
        for person, code in rows
    ]


def _joining(campaign_id: int, audience: sa.Subquery) -> sa.Select[*tuple[Any, ...]]:
    estimate = sa.exists().where(
        Recipient.campaign_id == campaign_id,
        Recipient.person_id == audience.c.person_id,
        Recipient.in_estimate.is_(True),
    )
    return sa.select(audience.c.person_id, audience.c.reason).where(
        audience.c.reason == Reason.REACHABLE, ~estimate
    )


def _leaving(
    campaign_id: int, audience: sa.Subquery, reason: Reason | None
) -> sa.Select[*tuple[Any, ...]]:
    why = sa.func.coalesce(audience.c.reason, int(Reason.CRITERIA_NO_LONGER_MET))
    statement = (
        sa.select(Recipient.person_id, why.label("reason"))
        .outerjoin_from(Recipient, audience, audience.c.person_id == Recipient.person_id)
        .where(Recipient.campaign_id == campaign_id, Recipient.in_estimate.is_(True))
    )
    if reason is None:
        return statement.where(why != int(Reason.REACHABLE))
    return statement.where(why == int(reason))
