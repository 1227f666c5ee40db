"""Messages in doubt: nobody knows whether they went out, so that somebody has to decide (D8).

A late receipt ends a doubt by itself. The provider can be asked where it answers such questions.
Else staff decide: count it as sent, or send it again, which may be the second time. Listed are
those in doubt, and what was decided of those that were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall.actors import Actor, record
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.states import change_state
from rollcall.config import Settings
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db, end_reading, write
from rollcall.models import (
    Attempt,
    Campaign,
    CampaignState,
    Person,
    PersonFacts,
    Recipient,
    RecipientState,
    Role,
)
from rollcall.models import RecipientState as R
from rollcall.models.types import IdList, IsOneOf
from rollcall.providers.base import ProviderError
from rollcall.providers.declaration import Provider
from rollcall.providers.registry import find_provider
from rollcall.sending.claims import Claim
from rollcall.sending.content import Content, give_token, prepare_message, read_content
from rollcall.sending.outcomes import (
    Finished,
    opt_out_at_carrier,
    record_outcomes,
    take_back_reservation,
)

DECISIONS = ("sent", "again")
SENDABLE = (CampaignState.SENDING, CampaignState.PAUSED, CampaignState.COMPLETED)
MOST_ASKED = 200  # in one go: each is a request to the provider


def resolve_doubts(
    actor: Actor, campaign_id: int, decision: str, person_id: int | None = None
) -> int:
    """Decide on the messages in doubt of a campaign, or of one person of it; returns how many.

    "sent" counts them as sent. "again" takes an admin: it sends them once more, and somebody may
    get the message twice; a completed campaign goes back to sending for it. Raises InvalidInput
    for another word, Conflict where nothing is in doubt (any more) or nothing can be sent any
    more.
    """
    if decision not in DECISIONS:
        raise InvalidInput({"decision": f"Choose one of {', '.join(DECISIONS)}."})
    campaign = find_campaign(actor.organisation_id, campaign_id)
    again = decision == "again"
    if again:
        actor.require(Role.ADMIN)
    if again and campaign.state not in SENDABLE:
        raise Conflict("This campaign has been ended, so nothing can be sent again.")
    with write():
        if again and campaign.state == CampaignState.COMPLETED:
            change_state(
                actor,
                campaign_id,
                "send_again",
                completed_at=None,
                owner=None,
                lease_until=None,
                state_note="",
            )
        people = _settle(campaign_id, again, person_id)
        if not people:
            raise Conflict("Nothing is in doubt here any more: load the page again.")
        if again:
            take_back_reservation(db.session.connection(), people)
        record(
            actor,
            "campaign.resolve_doubt",
            "campaign",
            campaign_id,
            after={"decision": decision, "people": len(people), "first_people": people[:50]},
        )
    return len(people)


def _settle(campaign_id: int, again: bool, person_id: int | None) -> list[int]:
    values: dict[str, Any] = {"state": R.SENT}
    if again:
        # The address is set anew with the next intent, which else would find it taken.
        values = {"state": R.QUEUED, "address": None, "claims": 0, "not_before": None}
    wanted = [Recipient.campaign_id == campaign_id, Recipient.state == R.IN_DOUBT]
    if person_id is not None:
        wanted.append(Recipient.person_id == person_id)
    people = sorted(
        db.session.scalars(
            sa.update(Recipient)
            .where(*wanted)
            .values(**values)
            .returning(Recipient.person_id)
            .execution_options(synchronize_session=False)
        )
    )
    db.session.execute(
        sa.update(Attempt)
        .where(
            Attempt.campaign_id == campaign_id,
            IsOneOf(Attempt.person_id, sa.literal(people, IdList)),
            Attempt.outcome == R.IN_DOUBT,
            Attempt.resolution.is_(None),
        )
        .values(resolution="again" if again else "sent")
        .execution_options(synchronize_session=False)
    )
    return people


def may_ask_provider(settings: Settings, campaign_id: int) -> bool:
    """Return whether the provider of this campaign's doubts answers what became of them."""
    name = db.session.scalar(
        sa.select(Attempt.provider)
        .where(Attempt.campaign_id == campaign_id, Attempt.outcome == R.IN_DOUBT)
        .limit(1)
    )
    return name is not None and find_provider(settings, name).declaration.lookup


def ask_provider(actor: Actor, campaign_id: int, settings: Settings) -> tuple[int, int]:
    """Ask the provider what became of the messages in doubt; returns how many it knew, of how many.

    At most 200 are asked for at once. What it knows nothing of stays in doubt, since that proves
    nothing. Raises Conflict where the provider can't be asked now, or nothing is in doubt.
    """
    campaign = find_campaign(actor.organisation_id, campaign_id)
    doubts = _find_doubts(campaign)
    if not doubts:
        raise Conflict("Nothing is in doubt here any more: load the page again.")
    provider = find_provider(settings, doubts[0].provider)
    if not provider.declaration.lookup:
        raise Conflict(f"{provider.declaration.label} can't be asked what became of a message.")
    claim = Claim(campaign_id, actor.organisation_id, campaign.fence)
    content = read_content(campaign_id, settings, provider)
    found = _ask(provider, content, doubts)
    with write():
        record_outcomes(claim, found)
        record(
            actor,
            "campaign.ask_provider",
            "campaign",
            campaign_id,
            after={"asked": len(doubts), "known": len(found)},
        )
    opt_out_at_carrier(found)
    return len(found), len(doubts)


def _ask(provider: Provider, content: Content, doubts: Sequence[Any]) -> list[Finished]:
    found = []
    asked = [give_token(content, prepare_message(content, row), row.token) for row in doubts]
    end_reading()  # the provider may take seconds for each
    for row, intent in zip(doubts, asked, strict=True):
        try:
            outcome = provider.find(intent.message, row.started_at)
        except ProviderError as error:
            raise Conflict(f"The provider can't be asked now: {error.text}") from error
        if outcome is not None:
            found.append(Finished(intent, outcome))
    return found


def _find_doubts(campaign: Campaign) -> Sequence[Any]:
    return db.session.execute(
        sa.select(
            Attempt.token,
            Attempt.started_at,
            Attempt.provider,
            Recipient.person_id,
            Recipient.address,
            Person.first_name,
            Person.last_name,
            Person.hash,
            PersonFacts.phone_country,
        )
        .join(
            Recipient,
            sa.and_(
                Recipient.campaign_id == Attempt.campaign_id,
                Recipient.person_id == Attempt.person_id,
            ),
        )
        .join(Person, Person.id == Recipient.person_id)
        .join(PersonFacts, PersonFacts.person_id == Recipient.person_id)
        .where(
            Attempt.campaign_id == campaign.id,
            Attempt.outcome == R.IN_DOUBT,
            Attempt.resolution.is_(None),
            Recipient.state == R.IN_DOUBT,
        )
        .order_by(Attempt.id)
        .limit(MOST_ASKED)
    ).all()


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
