"""Whose messages are in doubt, and what was decided of those that were: read, never changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall.campaigns.drafts import find_campaign
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import Attempt, Person, Recipient, RecipientState
from rollcall.providers.registry import find_provider

PAGE = 50
# What a message in doubt has as its reason where no answer of the provider tells one.
STOPPED = "Rollcall stopped while it was on its way."


@dataclass(frozen=True)
class Doubt:
    """One person whose message may have gone out, when that was tried, and why nobody knows."""

    person_id: int
    name: str
    address: str
    tried_at: datetime
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return the doubt as the API and the command line give it."""
        return {
            "person_id": self.person_id,
            "name": self.name,
            "address": self.address,
            "tried_at": self.tried_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "why": self.why,
        }


@dataclass(frozen=True)
class DoubtPage:
    """A part of a campaign's doubts in the order of person ids, with the figures of all."""

    rows: list[Doubt]
    next_after: int | None
    open: int
    counted_as_sent: int
    sent_again: int
    provider: str | None  # the label of whoever carried them


def list_doubts(
    settings: Settings, organisation_id: int, campaign_id: int, after: int = 0, limit: int = PAGE
) -> DoubtPage:
    """Return the campaign's people in doubt beyond person id `after`; raises NotFound."""
    campaign = find_campaign(organisation_id, campaign_id)
    rows = db.session.execute(
        sa.select(
            Attempt.person_id,
            Attempt.started_at,
            Attempt.error_text,
            Attempt.provider,
            Recipient.address,
            Person.first_name,
            Person.last_name,
        )
        .join(
            Recipient,
            sa.and_(
                Recipient.campaign_id == Attempt.campaign_id,
                Recipient.person_id == Attempt.person_id,
            ),
        )
        .join(Person, Person.id == Attempt.person_id)
        .where(*_undecided(campaign.id), Attempt.person_id > after)
        .order_by(Attempt.person_id)
        .limit(limit + 1)
    ).all()
    shown = rows[:limit]
    return DoubtPage(
        rows=[_doubt(row) for row in shown],
        next_after=shown[-1].person_id if len(rows) > limit else None,
        open=_count_open(campaign.id),
        provider=find_provider(settings, rows[0].provider).declaration.label if rows else None,
        **_count_decided(campaign.id),
    )


def count_doubts(campaign_id: int) -> int:
    """Return how many people of the campaign are in doubt."""
    return _count_open(campaign_id)


def _undecided(campaign_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Attempt.campaign_id == campaign_id,
        Attempt.outcome == RecipientState.IN_DOUBT,
        Attempt.resolution.is_(None),
        Recipient.state == RecipientState.IN_DOUBT,
    )


def _count_open(campaign_id: int) -> int:
    counted = db.session.scalar(
        sa.select(sa.func.count())
        .select_from(Recipient)
        .where(Recipient.campaign_id == campaign_id, Recipient.state == RecipientState.IN_DOUBT)
    )
    return counted or 0


def _count_decided(campaign_id: int) -> dict[str, int]:
    rows = db.session.execute(
        sa.select(Attempt.resolution, sa.func.count())
        .where(Attempt.campaign_id == campaign_id, Attempt.resolution.is_not(None))
        .group_by(Attempt.resolution)
    )
    decided = {str(row[0]): row[1] for row in rows}
    return {"counted_as_sent": decided.get("sent", 0), "sent_again": decided.get("again", 0)}


def _doubt(row: Any) -> Doubt:
    return Doubt(
        person_id=row.person_id,
        name=f"{row.first_name} {row.last_name}".strip(),
        address=row.address or "",
        tried_at=row.started_at,
        why=row.error_text or STOPPED,
    )
