"""Dry runs: a campaign that goes the whole way, but whose messages come to staff (C11).

What it has found: its messages with their answers, and what the real thing would be.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import campaign_criteria
from rollcall.audience.difference import count_final
from rollcall.audience.funnel import Group
from rollcall.audience.quiet import QuietCount, count_quiet, read_sending_window
from rollcall.campaigns.guards import estimate_cost
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.messages.pricing import DEFAULT_PRICES
from rollcall.models import (
    AudienceSource,
    Campaign,
    CampaignState,
    Channel,
    Organisation,
    Person,
    PersonFacts,
    QuietHours,
    Reason,
    Recipient,
    TrialMessage,
)
from rollcall.people.trial_addresses import read_trial_address

DRY_RUN = "dry_run"


LOST = (
    "Nobody can know whether it was taken: Rollcall stopped while it was on the way. "
    "It is not sent again."
)
TAKEN = "The provider took it."
ON_ITS_WAY = "It is on its way."


@dataclass(frozen=True)
class TrialLine:
    """One message as it went: for whom it was filled in, what it says, what became of it.

    `outcome` is `accepted`, `refused`, `in_doubt`, or `sending` while the answer is waited for.
    """

    person_id: int | None
    name: str
    subject: str
    text: str
    parts: int
    provider: str
    at: datetime
    outcome: str
    answer: str

    def to_json(self) -> dict[str, Any]:
        """Return the message as the API gives it."""
        return {
            "person_id": self.person_id,
            "subject": self.subject or None,
            "message": self.text,
            "sms_parts": self.parts,
            "provider": self.provider,
            "sent_at": self.at.isoformat(),
            "outcome": self.outcome,
            "answer": self.answer,
        }


@dataclass(frozen=True)
class DryRunReport:
    """What happened in a dry run, and what would have happened had it been real.

    `cost`, `quiet` and the guards' sentences are of the final list at the moment when it was
    computed; None and empty before that, `quiet` also where quiet hours play no part.
    """

    address: str
    limit: int
    messages: list[TrialLine]
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    cost: Decimal | None = None
    currency: str = DEFAULT_PRICES.currency
    quiet: QuietCount | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the report as the API gives it."""
        return {
            "address": self.address,
            "limit": self.limit,
            "messages": [line.to_json() for line in self.messages],
            "would_stop": list(self.blockers),
            "warnings": list(self.warnings),
            "cost": None if self.cost is None else str(self.cost.quantize(Decimal("0.01"))),
            "currency": self.currency,
            "quiet_hours": self.quiet.to_json() if self.quiet else None,
        }


def report_dry_run(campaign: Campaign) -> DryRunReport | None:
    """Return what a dry run has found so far, None for a campaign that is none."""
    if campaign.dry_run_address is None:
        return None
    address, limit = campaign.dry_run_address, campaign.dry_run_limit or 0
    messages = _read_messages(campaign)
    if campaign.final_at is None:
        return DryRunReport(address, limit, messages)
    verdict = campaign.guard_verdict or {}
    return DryRunReport(
        address=address,
        limit=limit,
        messages=messages,
        blockers=tuple(verdict.get("blockers", ())),
        warnings=tuple(verdict.get("warnings", ())),
        cost=estimate_cost(campaign, count_final(campaign.id)),
        quiet=_count_quiet(campaign, campaign.final_at),
    )


def _read_messages(campaign: Campaign) -> list[TrialLine]:
    rows = db.session.execute(
        sa.select(TrialMessage, Person.first_name, Person.last_name)
        .outerjoin(Person, Person.id == TrialMessage.person_id)
        .where(TrialMessage.campaign_id == campaign.id, TrialMessage.kind == DRY_RUN)
        .order_by(TrialMessage.id)
    ).all()
    last = rows[-1][0].id if rows else None
    sending = campaign.state == CampaignState.SENDING
    return [
        _line(trial, f"{first or ''} {name or ''}".strip(), sending and trial.id == last)
        for trial, first, name in rows
    ]


def _line(trial: TrialMessage, name: str, may_be_on_the_wire: bool) -> TrialLine:
    if trial.accepted_at is not None:
        outcome, answer = "accepted", TAKEN
    elif trial.error is not None:
        outcome = "in_doubt" if trial.error.startswith("Nobody can know") else "refused"
        answer = trial.error
    elif may_be_on_the_wire:
        outcome, answer = "sending", ON_ITS_WAY
    else:
        outcome, answer = "in_doubt", LOST
    return TrialLine(
        person_id=trial.person_id,
        name=name,
        subject=trial.subject,
        text=trial.text,
        parts=trial.parts,
        provider=trial.provider,
        at=trial.started_at,
        outcome=outcome,
        answer=answer,
    )


def _count_quiet(campaign: Campaign, moment: datetime) -> QuietCount | None:
    """Return how many of the final list were in their quiet hours when it was computed."""
    try:
        criteria = campaign_criteria(campaign)
    except InvalidInput:
        criteria = None
    window = read_sending_window(campaign.organisation, Channel(campaign.channel), criteria)
    if window is None or campaign.quiet_hours == QuietHours.OVERRIDE:
        return None
    rows = db.session.execute(
        sa.select(PersonFacts.phone_zones, sa.func.count())
        .join(Recipient, Recipient.person_id == PersonFacts.person_id)
        .where(Recipient.campaign_id == campaign.id, Recipient.in_final.is_(True))
        .group_by(PersonFacts.phone_zones)
    )
    # Only where their phones are matters here, and how many they are.
    groups = [
        Group(Reason.REACHABLE, AudienceSource.OTHER, "", people, 0, 0, zones)
        for zones, people in rows
    ]
    return count_quiet(groups, window, moment)


USUAL_MESSAGES = 5
MOST_MESSAGES = 50


def check_dry_run(
    organisation: Organisation, channel: Channel, address: str | None, limit: int | None
) -> dict[str, Any]:
    """Return the columns that say whether a campaign is a dry run, and where its messages go.

    Raises InvalidInput for an address that is none of the channel's or has opted out, and for a
    number of messages that can't be.
    """
    if address is None:
        if limit is not None:
            raise InvalidInput({"dry_run_limit": "Only a dry run has one: give its address too."})
        return {"dry_run_address": None, "dry_run_limit": None}
    problems: dict[str, str] = {}
    limit = USUAL_MESSAGES if limit is None else limit
    if not 1 <= limit <= MOST_MESSAGES:
        problems["dry_run_limit"] = f"Give a whole number from 1 to {MOST_MESSAGES}."
    read = ""
    try:
        read = read_trial_address(organisation, channel, address, "dry_run_address")
    except InvalidInput as error:
        problems |= error.fields
    if problems:
        raise InvalidInput(problems)
    return {"dry_run_address": read, "dry_run_limit": limit}
