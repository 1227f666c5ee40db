"""What answers say of trying a campaign out, and of others that want the same people."""

from typing import Literal

from pydantic import BaseModel, Field


class QuietCountDocument(BaseModel):
    """How many of the reachable are in their quiet hours at that moment, and when they wake."""

    people: int
    next_at: str | None = Field(json_schema_extra={"format": "date-time"})
    last_at: str | None = Field(json_schema_extra={"format": "date-time"})


class TrialMessageDocument(BaseModel):
    """One message of a dry run as it went, and what the provider answered."""

    person_id: int | None = Field(description="For whom it was filled in; null once erased.")
    subject: str | None
    message: str
    sms_parts: int
    provider: str
    sent_at: str = Field(json_schema_extra={"format": "date-time"})
    outcome: Literal["accepted", "refused", "in_doubt", "sending"]
    answer: str


class DryRunDocument(BaseModel):
    """What a dry run has found, and what would have happened had it been real."""

    address: str = Field(description="Where its messages go, and nowhere else.")
    limit: int
    messages: list[TrialMessageDocument]
    would_stop: list[str] = Field(description="Why the guards would have asked for a decision.")
    warnings: list[str]
    cost: str | None = Field(description="Of the real campaign; a decimal number as text.")
    currency: str
    quiet_hours: QuietCountDocument | None


class RivalDocument(BaseModel):
    """Another campaign, and how many people one of the two loses to the other."""

    campaign_id: int
    name: str
    scheduled_at: str
    recent_message_hours: int
    people: int


class OrderDocument(BaseModel):
    """The campaigns by name in the order that loses the fewest messages."""

    campaigns: list[str]
    messages_lost: int


class CollisionsDocument(BaseModel):
    """Whom a campaign will lose to others, and take from them, by the anti-spam windows."""

    at: str
    recent_message_hours: int
    people: int = Field(description="On its list, and to be reached.")
    already_messaged: int = Field(description="Had a message within the window already.")
    loses: list[RivalDocument]
    takes: list[RivalDocument]
    would_get_it: int
    messages_lost: int = Field(description="Of all these campaigns together.")
    best_order: OrderDocument
    dynamic_audiences: list[str] = Field(description="Campaigns whose list may still change.")
    not_looked_at: int
    sentences: list[str]


class CollisionsAnswer(BaseModel):
    """The collisions of one campaign; null where no other comes near enough, and of a dry run."""

    collisions: CollisionsDocument | None


class MessageTestDocument(BaseModel):
    """Where a test went, and what the provider made of it."""

    address: str
    accepted: bool
    answer: str
