"""The people behind "if it were sent now": who would join a scheduled campaign, who would leave."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.query import audience_select
from rollcall.campaigns.drafts import campaign_criteria
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Campaign, Channel, Person, Reason, Recipient

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
