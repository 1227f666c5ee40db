"""Messages on the wire, as rows: what receipts and opt-outs are about."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from rollcall import clock
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    Campaign,
    CampaignState,
    Channel,
    Person,
    PersonFacts,
    Recipient,
    RecipientState,
)
from rollcall.sending.references import write_reference


@dataclass(frozen=True)
class Wired:
    """One message that was written down, and where its rows are."""

    campaign_id: int
    person_id: int
    token: int

    @property
    def reference(self) -> str:
        return write_reference(self.campaign_id, self.person_id, self.token)

    @property
    def attempt(self) -> Attempt:
        db.session.expire_all()
        return db.session.scalars(
            sa.select(Attempt).where(
                Attempt.campaign_id == self.campaign_id,
                Attempt.person_id == self.person_id,
                Attempt.token == self.token,
            )
        ).one()

    @property
    def state(self) -> RecipientState:
        db.session.expire_all()
        key = (self.campaign_id, self.person_id)
        return db.session.get_one(Recipient, key).state

    @property
    def last_message_at(self) -> datetime | None:
        db.session.expire_all()
        return db.session.get_one(PersonFacts, self.person_id).last_message_at

    def force(self, state: RecipientState, outcome: RecipientState | None) -> None:
        """Set both states, as somebody else's work leaves them."""
        with write():
            attempt = self.attempt
            attempt.outcome = outcome
            db.session.get_one(Recipient, (self.campaign_id, self.person_id)).state = state


def make_campaign(
    organisation_id: int, channel: Channel = Channel.SMS, name: str = "Doors open", **values: object
) -> int:
    """A campaign that is going out, its lease running for a minute."""
    now = clock.now()
    campaign = Campaign(
        organisation_id=organisation_id,
        name=name,
        channel=channel,
        message="Doors open at 7",
        state=CampaignState.SENDING,
        fence=1,
        lease_until=now + timedelta(minutes=1),
        created_at=now,
        updated_at=now,
        **values,
    )
    with write():
        db.session.add(campaign)
    return campaign.id


def put_on_wire(
    person: Person,
    provider: str = "kannel",
    *,
    campaign_id: int | None = None,
    channel: Channel = Channel.SMS,
    state: RecipientState = RecipientState.WIRING,
    outcome: RecipientState | None = None,
    provider_message_id: str | None = None,
    at: datetime | None = None,
) -> Wired:
    """Write a message to this person down, in a campaign of its own unless one is given."""
    campaign_id = campaign_id or make_campaign(person.organisation_id, channel)
    token, at = secrets.randbits(63), at or clock.now()
    address = person.phone if channel == Channel.SMS else person.email
    with write():
        if db.session.get(Recipient, (campaign_id, person.id)) is None:
            db.session.add(
                Recipient(
                    campaign_id=campaign_id,
                    person_id=person.id,
                    in_estimate=True,
                    in_final=True,
                    state=state,
                    address=address,
                )
            )
        db.session.add(
            Attempt(
                campaign_id=campaign_id,
                person_id=person.id,
                token=token,
                fence=1,
                started_at=at,
                outcome=outcome,
                provider=provider,
                provider_message_id=provider_message_id,
            )
        )
        facts = db.session.get_one(PersonFacts, person.id)
        facts.last_message_at = at
    return Wired(campaign_id, person.id, token)
