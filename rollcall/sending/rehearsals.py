"""Rehearsals: which are due, gone by hand or by themselves, and what they found (C16)."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from rollcall import clock
from rollcall.accounts.settings import LONGEST_HOURS, rehearsal_hours
from rollcall.actors import Actor, record
from rollcall.audience.difference import AudienceChange
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.results import format_cost
from rollcall.campaigns.states import STATE_WORDS
from rollcall.config import Settings
from rollcall.errors import Conflict
from rollcall.extensions import db, write
from rollcall.messages.pricing import DEFAULT_PRICES
from rollcall.models import Campaign, CampaignState, Organisation, Rehearsal
from rollcall.paging import (
    PAGE_LENGTH,
    Page,
    check_page_length,
    cut_page,
    read_cursor,
)
from rollcall.sending.rehearsal import Due, NotAnyMore, rehearse, store_failure
from rollcall.wording import moment_json

log = structlog.get_logger()


def rehearse_campaign(actor: Actor, campaign_id: int, settings: Settings) -> Rehearsal:
    """Rehearse a scheduled campaign now, and return what was found; nothing is sent.

    Raises Conflict from any other state, or where it is changed meanwhile.
    """
    campaign = find_campaign(actor.organisation_id, campaign_id)
    if campaign.state != CampaignState.SCHEDULED or campaign.scheduled_at is None:
        words = STATE_WORDS[CampaignState(campaign.state)]
        raise Conflict(f"This campaign is {words}, so it can't be rehearsed: schedule it first.")
    if campaign.dry_run_address is not None:
        raise Conflict("This is a dry run, which messages nobody anyway: send it instead.")
    due = Due(campaign.id, campaign.organisation_id, campaign.version, campaign.scheduled_at)
    rehearsal_id = rehearse(due, settings)
    with write():
        rehearsal = db.session.get_one(Rehearsal, rehearsal_id)
        after = {"outcome": rehearsal.outcome, "people": rehearsal.people}
        record(actor, "campaign.rehearse", "campaign", campaign_id, after=after)
        return rehearsal


def run_due_rehearsals(settings: Settings) -> list[int]:
    """Rehearse every campaign whose hour for it has come; return the campaigns' ids.

    One whose rehearsal breaks off is told so, and keeps no other from its own.
    """
    run = []
    for due in find_due_rehearsals():
        try:
            rehearse(due, settings)
            run.append(due.campaign_id)
        except NotAnyMore:
            continue  # changed at this moment, or another process was faster
        except Exception as error:
            log.exception("rehearsal failed", campaign_id=due.campaign_id)
            db.session.rollback()
            _tell_failed(due, settings, error)
    return run


def _tell_failed(due: Due, settings: Settings, error: Exception) -> None:
    try:
        store_failure(due, settings, f"the rehearsal failed ({type(error).__name__}: {error})")
    except Exception:  # the database itself may be what fails: the next look tries again
        log.exception("rehearsal not stored", campaign_id=due.campaign_id)
        db.session.rollback()


def find_due_rehearsals() -> list[Due]:
    """Return the rehearsals whose time has come and that nobody has gone yet, the next send first.

    Of several that are due for one campaign, as after a stop, the latest counts. One whose
    time lay before the list was frozen is left out: whoever scheduled it has just looked. A dry
    run is one itself.
    """
    now = clock.now()
    rows = db.session.execute(
        sa.select(
            Campaign.id,
            Campaign.organisation_id,
            Campaign.version,
            Campaign.scheduled_at,
            Campaign.frozen_at,
            Organisation.rehearsal_hours,
        )
        .join(Organisation, Organisation.id == Campaign.organisation_id)
        .where(
            Campaign.state == CampaignState.SCHEDULED,
            Campaign.dry_run_address.is_(None),
            Campaign.scheduled_at > now,
            Campaign.scheduled_at <= now + timedelta(hours=LONGEST_HOURS),
        )
        .order_by(Campaign.scheduled_at, Campaign.id)
    ).all()
    found = [
        Due(row.id, row.organisation_id, row.version, row.scheduled_at, hours)
        for row in rows
        if (hours := _hours_due(row, now)) is not None
    ]
    gone = _find_gone({due.campaign_id for due in found})
    return [due for due in found if (due.campaign_id, due.scheduled_at, due.hours) not in gone]


def _hours_due(row: Any, now: datetime) -> int | None:
    since = {hours: row.scheduled_at - timedelta(hours=hours) for hours in rehearsal_hours(row)}
    come = [
        hours
        for hours, moment in since.items()
        if moment <= now and (row.frozen_at is None or moment >= row.frozen_at)
    ]
    return min(come, default=None)


def _find_gone(campaign_ids: set[int]) -> set[tuple[int, datetime, int | None]]:
    rows = db.session.execute(
        sa.select(Rehearsal.campaign_id, Rehearsal.scheduled_at, Rehearsal.hours_before).where(
            Rehearsal.campaign_id.in_(campaign_ids), Rehearsal.hours_before.is_not(None)
        )
    )
    return {(row.campaign_id, row.scheduled_at, row.hours_before) for row in rows}


def list_rehearsals(
    campaign_id: int, cursor: str | None = None, limit: int = PAGE_LENGTH
) -> Page[Rehearsal]:
    """Return a page of a campaign's rehearsals, the newest first."""
    check_page_length(limit)
    query = (
        sa.select(Rehearsal)
        .where(Rehearsal.campaign_id == campaign_id)
        .order_by(Rehearsal.id.desc())
    )
    if cursor:
        (before,) = read_cursor(cursor, int)
        query = query.where(Rehearsal.id < before)
    found = list(db.session.scalars(query.limit(limit + 1)))
    return cut_page(found, limit, lambda row: row.id)


def rehearsal_document(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return a rehearsal as the API and the command line give it."""
    change = (
        AudienceChange(rehearsal.estimate, rehearsal.people)
        if rehearsal.people is not None
        else None
    )
    return {
        "id": rehearsal.id,
        "campaign_id": rehearsal.campaign_id,
        "at": moment_json(rehearsal.at),
        "hours_before": rehearsal.hours_before,
        "scheduled_at": moment_json(rehearsal.scheduled_at),
        "duration_ms": rehearsal.duration_ms,
        "outcome": rehearsal.outcome,
        "sentence": rehearsal.sentence,
        "estimated_recipients": rehearsal.estimate,
        "people": rehearsal.people,
        "change_absolute": change.absolute if change else None,
        "change_percent": change.percent if change else None,
        "joined": rehearsal.joined,
        "left": rehearsal.left,
        "left_by_reason": rehearsal.left_by_reason or {},
        "cost": format_cost(rehearsal.cost),
        "currency": DEFAULT_PRICES.currency,
        **(rehearsal.verdict or {}),
    }
