"""A rehearsal: the whole way to the final list, gone by the code of sending, and taken back (C16).

The audience is staged outside of any lock, as of the campaign's own time. Then, inside one
transaction, the list is stored and judged as sending does it, its figures are read, and a
savepoint takes everything back but the rehearsal's own row and what its author is told.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.notices import tell_author
from rollcall.audience.difference import AudienceChange, count_final
from rollcall.campaigns.guards import estimate_cost
from rollcall.campaigns.results import campaign_results
from rollcall.config import Settings
from rollcall.errors import Conflict
from rollcall.extensions import db, write
from rollcall.models import Campaign, CampaignState, Channel, OnFailure, Rehearsal
from rollcall.sending.last_look import count_last_look, list_obstacles, window_of
from rollcall.sending.rehearsal_words import RehearsalSetting, Rehearsed, say_before, say_rehearsed
from rollcall.sending.resolve import (
    FELL_BACK,
    NO_CRITERIA,
    ReprocessFailed,
    SendingPlan,
    audience_again,
    read_plan,
    settle_list,
)
from rollcall.sql import lock_row
from rollcall.wording import say_time


@dataclass(frozen=True)
class Due:
    """A rehearsal to be gone: of which campaign, at its time, as it was when it was found.

    `hours` is how long before the time it was due, None for one by hand.
    """

    campaign_id: int
    organisation_id: int
    version: int
    scheduled_at: datetime
    hours: int | None = None


class NotAnyMore(Conflict):
    """The campaign was changed meanwhile, or another process has rehearsed it."""


def rehearse(due: Due, settings: Settings) -> int:
    """Go the whole way without sending; store what was found, tell the author, return its id.

    Raises NotAnyMore where the campaign is no longer as it was found.
    """
    started = time.monotonic()
    plan = read_plan(due.campaign_id)
    if not plan.mode.computes_again:
        return _store_estimate(due, settings, started)
    if not plan.criteria_text:
        return _store_estimate(due, settings, started, note=NO_CRITERIA)
    try:
        return _rehearse_again(due, plan, settings, started)
    except ReprocessFailed as error:
        if plan.on_failure == OnFailure.ESTIMATE:
            return _store_estimate(due, settings, started, FELL_BACK, str(error))
        return store_failure(due, settings, str(error), started)


def store_failure(due: Due, settings: Settings, error: str, started: float | None = None) -> int:
    """Store that making the list failed, tell the author, and return the rehearsal's id."""
    with write():
        campaign = _lock(due)
        found = Rehearsed(None, error=error, obstacles=_obstacles(campaign, settings))
        return _store(due, campaign, found, started or time.monotonic())


def _rehearse_again(due: Due, plan: SendingPlan, settings: Settings, started: float) -> int:
    moment = _moment(due)
    again = audience_again(due.campaign_id, due.organisation_id, plan.channel, moment)
    with again as funnel, write():
        _lock(due)
        undone = db.session.begin_nested()
        try:
            settle_list(due.campaign_id, plan.min_growth, funnel, moment, started)
            found = _read_list(db.session.get_one(Campaign, due.campaign_id), moment)
        finally:
            undone.rollback()
        campaign = db.session.get_one(Campaign, due.campaign_id, populate_existing=True)
        found = replace(found, obstacles=_obstacles(campaign, settings))
        return _store(due, campaign, found, started)


def _store_estimate(
    due: Due, settings: Settings, started: float, note: str = "", error: str = ""
) -> int:
    """Store a rehearsal of the list that is frozen: nothing is computed again."""
    with write():
        campaign = _lock(due)
        estimate = campaign.estimated_recipients or 0
        found = Rehearsed(
            AudienceChange(estimate, estimate),
            again=False,
            cost=estimate_cost(campaign, count_final(campaign.id)),
            note=note,
            error=error,
            look=count_last_look(campaign, _moment(due)),
            obstacles=_obstacles(campaign, settings),
        )
        return _store(due, campaign, found, started)


def _read_list(campaign: Campaign, moment: datetime) -> Rehearsed:
    """Return what stands in the database now: the list that would be sent to."""
    results = campaign_results(campaign.id)
    verdict = campaign.guard_verdict or {}
    return Rehearsed(
        AudienceChange(campaign.estimated_recipients or 0, campaign.actual_recipients or 0),
        joined=results.changes["joined"],
        left_by_reason=dict(results.left_by_reason),
        cost=estimate_cost(campaign, count_final(campaign.id)),
        blockers=tuple(verdict.get("blockers", ())),
        warnings=tuple(verdict.get("warnings", ())),
        note=campaign.audience_note,
        look=count_last_look(campaign, moment),
    )


def _moment(due: Due) -> datetime:
    return max(due.scheduled_at, clock.now())


def _obstacles(campaign: Campaign, settings: Settings) -> tuple[str, ...]:
    moment = max(campaign.scheduled_at or clock.now(), clock.now())
    return tuple(list_obstacles(campaign, settings, moment))


def _lock(due: Due) -> Campaign:
    """Lock the campaign for the transaction; of several processes the others wait here."""
    campaign = lock_row(Campaign, due.campaign_id)
    changed = campaign.version != due.version or campaign.state != CampaignState.SCHEDULED
    if changed or _is_stored(due):
        raise NotAnyMore(
            "The campaign was changed while it was rehearsed: look at it, and rehearse it again."
        )
    return campaign


def _is_stored(due: Due) -> bool:
    if due.hours is None:
        return False
    same = sa.exists().where(
        Rehearsal.campaign_id == due.campaign_id,
        Rehearsal.scheduled_at == due.scheduled_at,
        Rehearsal.hours_before == due.hours,
    )
    return bool(db.session.scalar(sa.select(same)))


def _store(due: Due, campaign: Campaign, found: Rehearsed, started: float) -> int:
    now = clock.now()
    zone = campaign.scheduled_timezone or campaign.organisation.timezone
    frozen_at = campaign.frozen_at or now
    hours = window_of(campaign)
    setting = RehearsalSetting(frozen_at, now, zone, Channel(campaign.channel), hours)
    rehearsal = Rehearsal(
        campaign_id=campaign.id,
        scheduled_at=due.scheduled_at,
        hours_before=due.hours,
        at=now,
        duration_ms=round((time.monotonic() - started) * 1000),
        estimate=campaign.estimated_recipients or 0,
        people=found.people,
        joined=found.joined,
        left=found.left,
        left_by_reason=dict(found.left_by_reason),
        cost=found.cost,
        outcome=found.outcome,
        verdict=_verdict_json(found),
        sentence=say_rehearsed(found, setting),
    )
    db.session.add(rehearsal)
    db.session.flush()
    if due.hours is not None:
        _tell(campaign, rehearsal, zone)
    return rehearsal.id


def _verdict_json(found: Rehearsed) -> dict[str, Any]:
    look = found.look
    return {
        "blockers": list(found.blockers),
        "warnings": list(found.warnings),
        "obstacles": list(found.obstacles),
        "held_back_by_reason": {reason.key: n for reason, n in look.held_back.items()},
        "waiting": look.waiting,
        "waiting_until": look.last_at.isoformat() if look.last_at else None,
    }


def _tell(campaign: Campaign, rehearsal: Rehearsal, zone: str) -> None:
    first, _, _ = rehearsal.sentence.partition(". ")
    when = say_time(rehearsal.scheduled_at, zone)
    tell_author(
        campaign,
        "rehearsal",
        f"rehearsal.{rehearsal.id}",
        f"“{campaign.name}”: {first.removesuffix('.')}",
        f"Rehearsed {say_before(rehearsal.hours_before)}, without sending anything: "
        f"{rehearsal.sentence} It is due {when}.",
    )
