"""One campaign from its claim to its end: resolve the list, send it batch by batch, complete it."""

import threading
import time

import sqlalchemy as sa
import structlog

from rollcall import clock
from rollcall.actors import scheduler_actor
from rollcall.audience.criteria import DEFAULT_WINDOW_HOURS
from rollcall.campaigns.drafts import campaign_criteria
from rollcall.campaigns.states import change_state
from rollcall.config import Settings
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db, write
from rollcall.models import Campaign, CampaignState, Recipient, RecipientState
from rollcall.providers.registry import provider_for
from rollcall.sending.claims import Claim, ClaimLost, release_claim, renew_claim
from rollcall.sending.deliver import (
    Content,
    doubt_unfinished,
    put_on_wire,
    read_content,
    record_outcomes,
    take_batch,
)
from rollcall.sending.resolve import resolve_audience

log = structlog.get_logger()

UNFINISHED = (RecipientState.QUEUED, RecipientState.CLAIMED, RecipientState.WIRING)


def run_campaign(claim: Claim, settings: Settings, stop: threading.Event) -> None:
    """Take a claimed campaign as far as it goes: to its end, a pause, or `stop`.

    An error of the database or of our own gives the claim back, so that the next look at
    what is due goes on from the stored rows.
    """
    try:
        if _state(claim.campaign_id) == CampaignState.CANCELLED:
            _doubt(claim, CampaignState.CANCELLED)
        elif _prepare(claim):
            _send(claim, settings, stop)
    except ClaimLost as lost:
        db.session.rollback()
        log.info("campaign left", campaign_id=claim.campaign_id, why=str(lost))
    except Exception:
        db.session.rollback()
        log.exception("campaign interrupted", campaign_id=claim.campaign_id)
        raise
    finally:
        release_claim(claim)


def _prepare(claim: Claim) -> bool:
    state = _state(claim.campaign_id)
    if state == CampaignState.SENDING:
        return True
    if not resolve_audience(claim):
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


def _send(claim: Claim, settings: Settings, stop: threading.Event) -> None:
    content = _content(claim.campaign_id)
    provider = provider_for(settings, content.channel)
    _doubt(claim, CampaignState.SENDING)
    pace = Pace(settings.send_rate)
    size = settings.send_batch
    if settings.send_rate:
        size = max(1, min(size, int(settings.send_rate)))
    cursor: int | None = 0
    while cursor is not None and not stop.is_set():
        intents, cursor = take_batch(claim, content, provider, cursor, size)
        if intents:
            record_outcomes(claim, intents, put_on_wire(provider, intents))
        pace.wait_after(len(intents), stop)
    if not stop.is_set():
        complete_campaign(claim)


def _doubt(claim: Claim, state: CampaignState) -> None:
    doubted = doubt_unfinished(claim, state)
    if doubted:
        log.warning("in doubt after a crash", campaign_id=claim.campaign_id, people=doubted)


def _content(campaign_id: int) -> Content:
    campaign = db.session.get_one(Campaign, campaign_id, populate_existing=True)
    try:
        window = campaign_criteria(campaign).window_hours
    except InvalidInput:
        # Damaged criteria and the estimate list: hold to the usual window rather than to none.
        window = DEFAULT_WINDOW_HOURS
    content = read_content(campaign, window)
    db.session.commit()
    return content


class Pace:
    """Keeps one campaign's sending at or under a rate, in messages a second; None is no limit."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._free_at = time.monotonic()

    def wait_after(self, messages: int, stop: threading.Event) -> None:
        """Wait until the messages just sent are paid for, or until `stop` is set."""
        if self._rate is None:
            return
        self._free_at = max(self._free_at, time.monotonic() - 1) + messages / self._rate
        stop.wait(max(0.0, self._free_at - time.monotonic()))


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
