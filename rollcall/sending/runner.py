"""One campaign from its claim to its end: resolve the list, send it, complete it."""

import threading
from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from rollcall import clock
from rollcall.actors import scheduler_actor
from rollcall.campaigns.states import change_state
from rollcall.config import Settings
from rollcall.errors import Conflict
from rollcall.extensions import db, end_reading, pause, write
from rollcall.models import Campaign, CampaignState, Recipient, RecipientState
from rollcall.providers.base import ProviderError
from rollcall.providers.declaration import Provider
from rollcall.providers.registry import channels_of, provider_for
from rollcall.sending.claims import Claim, ClaimLost, release_claim, renew_claim
from rollcall.sending.content import Content, Intent, Ready, read_content
from rollcall.sending.dry_run import send_dry_run
from rollcall.sending.installation import find_installation, keep_mark_outside
from rollcall.sending.intents import (
    Batch,
    claim_recipients,
    expire_waiting,
    next_moment,
    prepare_batch,
    unclaim_recipients,
    write_intents,
)
from rollcall.sending.outcomes import (
    Finished,
    doubt_unfinished,
    opt_out_at_carrier,
    record_outcomes,
)
from rollcall.sending.provider_health import (
    note_failures,
    note_success,
    read_health,
    reserve_messages,
)
from rollcall.sending.receipts import apply_early_receipts
from rollcall.sending.resolve import is_balanced, resolve_audience
from rollcall.sending.wire import LONGEST_TIMEOUT, Wire, slots_of

log = structlog.get_logger()

UNFINISHED = (RecipientState.QUEUED, RecipientState.CLAIMED, RecipientState.WIRING)
# How long answers are gathered, so that one commit serves several: seconds.
GATHERING = 0.01


def run_campaign(claim: Claim, settings: Settings, stop: threading.Event) -> None:
    """Take a claimed campaign as far as it goes: to its end, a pause, a wait, or `stop`.

    An error of the database or of our own gives the claim back, so that the next look at
    what is due goes on from the stored rows.
    """
    until: datetime | None = None
    try:
        if _state(claim.campaign_id) == CampaignState.CANCELLED:
            _doubt(claim, CampaignState.CANCELLED)
        elif _prepare(claim):
            _doubt(claim, CampaignState.SENDING)
            until = _send(claim, settings, stop)
    except ClaimLost as lost:
        db.session.rollback()
        log.info("campaign left", campaign_id=claim.campaign_id, why=str(lost))
    except Exception:
        db.session.rollback()
        log.exception("campaign interrupted", campaign_id=claim.campaign_id)
        raise
    finally:
        release_claim(claim, until)


def _send(claim: Claim, settings: Settings, stop: threading.Event) -> datetime | None:
    campaign = db.session.get_one(Campaign, claim.campaign_id, populate_existing=True)
    provider = provider_for(settings, campaign.channel)
    if not campaign.is_dry_run:
        return _Sending(claim, settings, provider, stop).run()
    end = send_dry_run(claim, settings, provider, stop)
    if end.complete:
        complete_campaign(claim)
    return end.until


def _prepare(claim: Claim) -> bool:
    state = _state(claim.campaign_id)
    if state == CampaignState.SENDING:
        return True
    if not resolve_audience(claim) or not is_balanced(claim):
        return False
    with write():
        renew_claim(claim, CampaignState.PREPARING)
        change_state(
            scheduler_actor(claim.organisation_id),
            claim.campaign_id,
            "start_sending",
            fence=claim.fence,
            sent_started_at=sa.func.coalesce(Campaign.sent_started_at, clock.now()),
        )
    return True


def _state(campaign_id: int) -> str | None:
    return db.session.scalar(sa.select(Campaign.state).where(Campaign.id == campaign_id))


def _doubt(claim: Claim, state: CampaignState) -> None:
    doubted = doubt_unfinished(claim, state)
    if doubted:
        log.warning("in doubt after a crash", campaign_id=claim.campaign_id, people=doubted)


class _Sending:
    """One run of a campaign: a single loop records what came back and writes down what goes.

    Both happen in the same transaction, so that one commit serves as many messages as the
    gateway answered meanwhile. At no moment is more written down than the process has slots.
    """

    def __init__(
        self, claim: Claim, settings: Settings, provider: Provider, stop: threading.Event
    ) -> None:
        self._claim = claim
        self._settings = settings
        self._provider = provider
        self._stop = stop
        self._content: Content = read_content(claim.campaign_id, settings, provider)
        self._uuid = find_installation().uuid
        self._rate = settings.send_rate or provider.declaration.rate
        self._slots = slots_of(provider.name, settings.send_concurrency)
        self._timeout = min(LONGEST_TIMEOUT, claim.lease.total_seconds() / 3)
        self._held = 0  # slots
        self._ready: list[Ready] = []
        self._on_wire: dict[int, Intent] = {}
        self._cursor: int | None = 0
        self._batch: Batch | None = None  # claimed, and not made ready yet
        self._finished: list[Finished] = []
        self._lost: ClaimLost | None = None
        self._wait_until: datetime | None = None
        self._troubled = False
        self._works = False  # it has taken a message of this run
        self._renewed_at = clock.now()

    def run(self) -> datetime | None:
        """Send what may be sent now; returns when to go on with those who wait, else None."""
        expire_waiting(self._claim, self._content)
        self._slots.join()
        line = Wire(self._provider, self._settings.send_concurrency, self._timeout)
        try:
            with line:
                self._loop(line)
        except Exception:
            self._salvage(line)
            raise
        finally:
            self._slots.leave(self._held)
        if self._lost is not None:
            raise self._lost
        if self._stop.is_set() or self._wait_until is not None:
            return self._wait_until
        return self._finish()

    def _loop(self, line: Wire) -> None:
        while True:
            if self._going and not self._ready:
                self._make_ready()
            granted = self._grant() if self._going and self._ready else 0
            if granted or self._finished:
                self._settle_and_write(line, granted)
            if self._on_wire:
                if self._going and len(self._ready) < self._slots.share and not self._troubled:
                    self._make_ready()  # the next ones, while the wire is busy
                self._collect(line)
            elif not self._finished and not (self._going and self._has_more()):
                break
        people = [one.person_id for one in self._ready]
        people += [row.person_id for row in self._batch.rows] if self._batch else []
        unclaim_recipients(self._claim, people)

    @property
    def _going(self) -> bool:
        """Whether anything more may go out: not stopped, paused, taken over or told to wait."""
        return self._lost is None and not self._stop.is_set() and self._wait_until is None

    def _has_more(self) -> bool:
        return bool(self._ready) or self._batch is not None or self._cursor is not None

    def _make_ready(self) -> None:
        """Claim the next batch and fill in its messages.

        Somebody at whom a process died before is dealt with when all else is recorded.
        """
        if self._batch is None and self._cursor is not None:
            self._claim_more()
        busy = self._on_wire or self._finished
        if self._batch is not None and not (self._batch.suspect and busy):
            batch, self._batch = self._batch, None
            self._ready += prepare_batch(self._claim, self._content, batch)

    def _claim_more(self) -> None:
        standing = read_health(self._provider.name)
        if standing.resting_until is not None:
            self._wait_until = standing.resting_until
            return
        self._troubled = standing.doubtful or standing.is_open
        size = 1 if self._troubled else self._settings.send_batch
        if self._rate:
            size = max(1, min(size, int(self._rate)))
        assert self._cursor is not None
        try:
            batch = claim_recipients(self._claim, self._content, self._cursor, size)
        except ClaimLost as lost:
            self._lost = lost
            return
        self._batch, self._cursor = batch, batch.cursor
        if batch.mark is not None:
            keep_mark_outside(self._settings, self._uuid, batch.mark)

    def _grant(self) -> int:
        """Return how many of those who are ready may go to the wire now; waits where none may."""
        if _grave_errors(self._finished):
            return 0  # what follows for the provider is drawn first
        wanted = min(len(self._ready), self._slots.share - len(self._on_wire))
        if self._troubled:
            # One goes first, to see whether the provider takes it.
            wanted = min(wanted, 1 - len(self._on_wire))
        if wanted < 1:
            return 0
        # The places of those that came back, to be recorded in the same transaction.
        free = 0 if self._slots.is_crowded else self._held - len(self._on_wire)
        granted = min(wanted, free)
        taken = self._slots.take(wanted - granted)
        self._held += taken
        granted += taken
        seconds = 0.005
        if granted and self._rate:
            granted, seconds = reserve_messages(self._provider.name, self._rate, granted)
        if not granted and not self._on_wire and not self._finished:
            self._rest(seconds)
        return granted

    def _rest(self, seconds: float) -> None:
        """Wait in small steps, so that a stop is noticed, with the claim kept meanwhile."""
        until = clock.now() + timedelta(seconds=seconds)
        while self._lost is None and not self._stop.is_set():
            left = (until - clock.now()).total_seconds()
            if left <= 0:
                return
            pause(min(left, 0.1))
            if clock.now() > self._renewed_at + self._claim.lease / 4:
                self._renew()

    def _renew(self) -> None:
        try:
            with write():
                renew_claim(self._claim, CampaignState.SENDING)
            self._renewed_at = clock.now()
        except ClaimLost as lost:
            self._lost = lost
            self._wait_until = None

    def _settle_and_write(self, line: Wire, granted: int) -> None:
        """Record what came back and write down what goes next, in one transaction."""
        finished, self._finished = self._finished, []
        going, self._ready = self._ready[:granted], self._ready[granted:]
        intents: list[Intent] = []
        with write():
            record_outcomes(self._claim, finished)
            if going:
                try:
                    renew_claim(self._claim, CampaignState.SENDING)
                    intents = write_intents(self._claim, self._content, going, self._provider.name)
                except ClaimLost as lost:
                    self._lost = lost
            self._renewed_at = clock.now()
        self._on_wire.update({one.message.token: one for one in intents})
        self._slots.give_back(self._held - len(self._on_wire))
        self._held = len(self._on_wire)
        if intents:
            latest = self._renewed_at + self._claim.lease - timedelta(seconds=self._timeout)
            line.post([one.message for one in intents], latest.timestamp())
        self._learn(finished)

    def _collect(self, line: Wire) -> None:
        end_reading()
        for outcome in line.collect(len(self._on_wire), GATHERING):
            self._finished.append(Finished(self._on_wire.pop(outcome.token), outcome))

    def _learn(self, finished: list[Finished]) -> None:
        """Draw what follows for the provider and the people from what it answered."""
        if not finished:
            return
        opt_out_at_carrier(finished)
        if self._provider.declaration.ids_in_receipts:
            ids = [one.outcome.provider_message_id for one in finished]
            apply_early_receipts(self._provider.name, [found for found in ids if found])
        if grave := _grave_errors(finished):
            self._troubled = True
            self._note_failures(grave)
            return
        taken = any(one.outcome.error is None for one in finished)
        if self._troubled or (taken and not self._works):
            self._troubled, self._works = False, True
            note_success(self._provider.name)

    def _note_failures(self, errors: list[ProviderError]) -> None:
        channels = channels_of(self._settings, self._provider.name) or [self._content.channel]
        note_failures(self._provider, channels, errors)
        if any(error.provider_wide for error in errors):
            # The others wait with the provider; a paused campaign is noticed by its claim.
            self._wait_until = read_health(self._provider.name).resting_until or clock.now()

    def _salvage(self, line: Wire) -> None:
        """Record what the provider answered all the same, though the run broke off."""
        db.session.rollback()
        while self._on_wire:
            self._collect(line)
        with suppress(Exception), write():  # else it is in doubt, as after a crash
            record_outcomes(self._claim, self._finished)

    def _finish(self) -> datetime | None:
        """Complete the campaign, or return when the first of those who wait may go."""
        moment = next_moment(self._claim.campaign_id)
        if moment is None:
            complete_campaign(self._claim)
            return None
        if self._content.not_after is not None:
            moment = min(moment, self._content.not_after + timedelta(seconds=1))
        return moment


def _grave_errors(finished: list[Finished]) -> list[ProviderError]:
    """Return those that say something of the provider and not only of a recipient."""
    errors = [one.outcome.error for one in finished if one.outcome.error is not None]
    return [error for error in errors if error.provider_wide or error.in_doubt]


def complete_campaign(claim: Claim) -> None:
    """Complete the campaign if the rows say that nothing is left to do; else leave it."""
    with write():
        renew_claim(claim, CampaignState.SENDING)
        left = db.session.scalar(
            sa.select(sa.func.count())
            .select_from(Recipient)
            .where(Recipient.campaign_id == claim.campaign_id, Recipient.state.in_(UNFINISHED))
        )
        if left:
            log.warning("not complete", campaign_id=claim.campaign_id, people=left)
            return
        try:
            change_state(
                scheduler_actor(claim.organisation_id),
                claim.campaign_id,
                "complete",
                fence=claim.fence,
                completed_at=clock.now(),
            )
        except Conflict as conflict:
            raise ClaimLost(str(conflict)) from conflict
