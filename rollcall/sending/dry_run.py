"""A dry run's last stretch: nobody of the list is messaged, and staff get a few of its messages.

What becomes of the list is stored before the first message, so that no crash can turn a dry run
into a real one. Each message is written down before the wire and never sent a second time: one
whose process died there is in doubt, and is shown so.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from rollcall import clock
from rollcall.campaigns.dry_run import DRY_RUN
from rollcall.config import Settings
from rollcall.extensions import db, end_reading, pause, write
from rollcall.models import (
    Campaign,
    CampaignState,
    Channel,
    Organisation,
    Person,
    PersonFacts,
    Reason,
    Recipient,
    RecipientState,
    TrialMessage,
)
from rollcall.people.trial_addresses import has_opted_out
from rollcall.providers.base import OutgoingMessage
from rollcall.providers.declaration import Provider
from rollcall.sending.claims import Claim, renew_claim
from rollcall.sending.content import Content, prepare_message, read_content
from rollcall.sending.provider_health import read_health, reserve_messages
from rollcall.sending.trial import TrialText, describe_outcome, hand_over, write_trial
from rollcall.sending.wire import LONGEST_TIMEOUT

log = structlog.get_logger()

LONGEST_ANSWER = 400


@dataclass(frozen=True)
class DryRunEnd:
    """Whether all messages of a dry run are through; if not, when to go on (None: at once)."""

    complete: bool
    until: datetime | None = None


def send_dry_run(
    claim: Claim, settings: Settings, provider: Provider, stop: threading.Event
) -> DryRunEnd:
    """Hold back the whole list, then send some of its messages to the dry-run address.

    Raises ClaimLost where the campaign was paused, cancelled or taken over.
    """
    _hold_everybody(claim)
    run = _DryRun(claim, settings, provider, stop)
    timeout = min(LONGEST_TIMEOUT, claim.lease.total_seconds() / 3)
    end_reading()
    connection = provider.connect(timeout)
    try:
        for row in run.choose_people():
            end = run.wait_for_turn()
            if end is not None:
                return end
            written = run.write_intent(row)
            if written is not None:
                trial_id, message = written
                outcome = hand_over(settings, provider, message, connection)
                error = outcome.error
                said = describe_outcome(provider.declaration.label, outcome) if error else None
                _store_answer(trial_id, said)
    finally:
        connection.close()
    return DryRunEnd(complete=True)


def _hold_everybody(claim: Claim) -> None:
    with write():
        renew_claim(claim, CampaignState.SENDING)
        db.session.execute(
            sa.update(Recipient)
            .where(
                Recipient.campaign_id == claim.campaign_id,
                Recipient.state.in_([RecipientState.QUEUED, RecipientState.CLAIMED]),
            )
            .values(
                state=RecipientState.HELD_BACK,
                held_reason=Reason.DRY_RUN,
                held_at=clock.now(),
                not_before=None,
                address=None,
            )
            .execution_options(synchronize_session=False)
        )


def spread_over(total: int, wanted: int) -> list[int]:
    """Return places from 1 to `total`, evenly apart, the first and the last among them."""
    if wanted >= total:
        return list(range(1, total + 1))
    if wanted == 1:
        return [(total + 1) // 2]
    return [1 + place * (total - 1) // (wanted - 1) for place in range(wanted)]


class _DryRun:
    """One process' work on a dry run: who is chosen, what is written down, when it may go."""

    def __init__(
        self, claim: Claim, settings: Settings, provider: Provider, stop: threading.Event
    ) -> None:
        self._claim = claim
        self._settings = settings
        self._provider = provider
        self._stop = stop
        self._content: Content = read_content(claim.campaign_id, settings, provider)
        campaign = db.session.get_one(Campaign, claim.campaign_id)
        self._address = campaign.dry_run_address or ""
        self._limit = campaign.dry_run_limit or 0
        self._rate = settings.send_rate or provider.declaration.rate

    def choose_people(self) -> Sequence[Any]:
        """Return for whom messages are to be filled in still, spread over the final list.

        Whoever has a message already, also one in doubt, has had their turn.
        """
        done = db.session.scalars(
            sa.select(TrialMessage.person_id).where(
                TrialMessage.campaign_id == self._claim.campaign_id, TrialMessage.kind == DRY_RUN
            )
        ).all()
        final = (Recipient.campaign_id == self._claim.campaign_id, Recipient.in_final.is_(True))
        total = db.session.scalar(sa.select(sa.func.count()).select_from(Recipient).where(*final))
        place = sa.func.row_number().over(order_by=Recipient.person_id).label("place")
        placed = sa.select(Recipient.person_id, place).where(*final).subquery("placed")
        rows = db.session.execute(
            sa.select(
                Person.id.label("person_id"),
                Person.first_name,
                Person.last_name,
                Person.hash,
                PersonFacts.phone_country,
                sa.literal(self._address).label("address"),
            )
            .join(placed, placed.c.person_id == Person.id)
            .join(PersonFacts, PersonFacts.person_id == Person.id)
            .where(placed.c.place.in_(spread_over(total or 0, self._limit)))
            .order_by(Person.id)
        ).all()
        db.session.commit()
        waiting = [row for row in rows if row.person_id not in done]
        return waiting[: max(0, self._limit - len(done))]

    def wait_for_turn(self) -> DryRunEnd | None:
        """Wait until the provider's rate allows a message; returns how to end where it can't be."""
        while not self._stop.is_set():
            standing = read_health(self._provider.name)
            if standing.resting_until is not None:
                return DryRunEnd(complete=False, until=standing.resting_until)
            if not self._rate:
                return None
            granted, seconds = reserve_messages(self._provider.name, self._rate, 1)
            if granted:
                return None
            self._rest(seconds)
        return DryRunEnd(complete=False)

    def _rest(self, seconds: float) -> None:
        """Wait in small steps, so that a stop is noticed, with the claim kept meanwhile."""
        until = clock.now() + timedelta(seconds=seconds)
        renew_at = clock.now()
        while not self._stop.is_set() and clock.now() < until:
            if clock.now() >= renew_at:
                with write():
                    renew_claim(self._claim, CampaignState.SENDING)
                renew_at = clock.now() + self._claim.lease / 4
            pause(max(0.0, min((until - clock.now()).total_seconds(), 0.1)))

    def write_intent(self, row: Any) -> tuple[int, OutgoingMessage] | None:
        """Write down the message for one person; None where it may not go to the address."""
        ready = prepare_message(self._content, row)
        channel = Channel(self._content.channel)
        with write():
            renew_claim(self._claim, CampaignState.SENDING)
            gone = has_opted_out(self._claim.organisation_id, channel, self._address)
            trial = TrialMessage(
                campaign_id=self._claim.campaign_id,
                kind=DRY_RUN,
                person_id=row.person_id,
                address=self._address,
                subject=ready.subject[:300],
                text=ready.text,
                parts=ready.parts,
                provider=self._provider.name,
                started_at=clock.now(),
                error=f"{self._address} has opted out, so nothing went there." if gone else None,
            )
            db.session.add(trial)
            db.session.flush()
            trial_id = trial.id
        if gone:
            return None
        organisation = db.session.get_one(Organisation, self._claim.organisation_id)
        asked = TrialText(
            channel, self._address, ready.subject, ready.text, self._claim.campaign_id
        )
        return trial_id, write_trial(self._settings, organisation, self._provider, asked)


def _store_answer(trial_id: int, error: str | None) -> None:
    with write():
        store_trial_answer(trial_id, error)


def store_trial_answer(trial_id: int, error: str | None) -> None:
    """Store what the provider answered to a trial message, in the open transaction."""
    answer = {"error": error[:LONGEST_ANSWER]} if error else {"accepted_at": clock.now()}
    db.session.execute(
        sa.update(TrialMessage)
        .where(TrialMessage.id == trial_id)
        .values(**answer)
        .execution_options(synchronize_session=False)
    )
