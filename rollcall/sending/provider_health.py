"""How a provider does, shared by all processes: its rate, its rest, and the breaker.

Trouble of the provider as a whole sends nobody's message to "failed": the messages wait. What
passes by itself (too many requests, nobody at home) makes the provider rest, longer each time.
What does not (a refused password, one doubt after the other, trouble for half an hour) opens the
breaker: its campaigns are paused with an alert. After either, one message goes first to try.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from rollcall import clock
from rollcall.accounts.alerts import alert_admins, settle_alerts
from rollcall.actors import scheduler_actor
from rollcall.campaigns.states import change_state
from rollcall.errors import Conflict
from rollcall.extensions import db, write
from rollcall.models import Campaign, CampaignState, ProviderState
from rollcall.providers.base import ProviderError
from rollcall.providers.declaration import Provider
from rollcall.sql import insert_missing

log = structlog.get_logger()

LONGEST_REST = 60.0  # seconds
TROUBLE_LIMIT = timedelta(minutes=30)
DOUBT_LIMIT = 25  # messages in doubt one after the other
TRYING_AGAIN = "Rollcall tries again by itself."


@dataclass(frozen=True)
class ProviderHealth:
    """Whether a provider can be given messages now."""

    resting_until: datetime | None
    is_open: bool  # the breaker is: its campaigns were paused
    doubtful: bool  # the last answers were failures: one message goes first


SOUND = ProviderHealth(None, False, False)


def read_health(name: str) -> ProviderHealth:
    """Return how the provider does as far as any process knows."""
    row = db.session.execute(
        sa.select(
            ProviderState.resting_until, ProviderState.open_since, ProviderState.failures
        ).where(ProviderState.name == name)
    ).one_or_none()
    if row is None:
        return SOUND
    resting = row.resting_until
    resting = resting if resting is not None and resting > clock.now() else None
    return ProviderHealth(resting, row.open_since is not None, row.failures > 0)


def reserve_messages(name: str, rate: float, wanted: int) -> tuple[int, float]:
    """Reserve up to `wanted` messages at `rate` a second, of all processes together.

    Returns how many may go now, and where that is none the seconds until the next one may. At
    most a tenth of a second's messages go at once.
    """
    burst = max(1.0, rate / 10)
    _make_row(name)
    with write():
        state = db.session.get_one(
            ProviderState, name, populate_existing=True, with_for_update=True
        )
        now = clock.now().timestamp()
        # A clock that was set back must not stop everything until it has caught up.
        free_at = state.free_at if state.free_at <= now + burst / rate + 60 else now
        tokens = min(burst, (now - free_at) * rate + 1e-3)
        granted = min(wanted, int(tokens))
        if granted < 1:
            return 0, max((1 - tokens) / rate, 0.001)
        state.free_at = max(free_at, now - burst / rate) + granted / rate
        return granted, 0.0


def note_success(name: str) -> None:
    """Note that the provider took a message: its troubles are over."""
    _make_row(name)
    with write():
        state = db.session.get_one(ProviderState, name, populate_existing=True)
        state.failures = 0
        state.resting_until = state.trouble_since = state.open_since = None
        state.succeeded_at = clock.now()
        settle_alerts(_alert_key(name))


def note_failures(provider: Provider, channels: list[str], errors: list[ProviderError]) -> None:
    """Note what went wrong beyond single recipients; rests the provider or opens its breaker.

    `errors` are those of the provider as a whole, and the doubts. `channels` are the ones that
    it carries here.
    """
    _make_row(provider.name)
    with write():
        state = db.session.get_one(
            ProviderState, provider.name, populate_existing=True, with_for_update=True
        )
        now = clock.now()
        state.error_code, state.error_text = errors[-1].code[:40], errors[-1].text[:300]
        state.error_at = now
        state.trouble_since = state.trouble_since or now
        state.failures += sum(error.in_doubt for error in errors)
        if any(error.provider_wide and not error.permanent for error in errors):
            _rest(state, errors, now)
        elif not all(error.in_doubt for error in errors):
            state.failures += 1  # no rest: it works again as soon as somebody has mended it
        reason = _reason_to_open(state, errors, now)
        if reason:
            _open(state, provider, channels, reason, now)


def _rest(state: ProviderState, errors: list[ProviderError], now: datetime) -> None:
    if state.resting_until is not None and state.resting_until > now:
        return  # of many that were on the wire at once, the first one counts
    state.failures += 1
    asked = max((error.retry_after or 0.0 for error in errors), default=0.0)
    growing = min(LONGEST_REST, 2.0 ** min(state.failures - 1, 10))
    # Jitter, so that not every process and campaign comes back in the same instant.
    seconds = max(min(asked, 3600.0), growing * random.uniform(0.5, 1.0))
    state.resting_until = now + timedelta(seconds=seconds)


def _reason_to_open(state: ProviderState, errors: list[ProviderError], now: datetime) -> str | None:
    for error in errors:
        if error.provider_wide and error.permanent:
            return f"{error.text} Nothing was lost: whoever was left waits."
    doubtful = all(error.in_doubt for error in errors)
    if doubtful and (state.failures >= DOUBT_LIMIT or state.open_since is not None):
        return (
            f"{state.failures} messages one after the other are in doubt ({errors[-1].text}) "
            "So the others wait."
        )
    if state.trouble_since is not None and now - state.trouble_since > TROUBLE_LIMIT:
        return f"It has taken no message for half an hour ({errors[-1].text})"
    return None


def _open(
    state: ProviderState, provider: Provider, channels: list[str], reason: str, now: datetime
) -> None:
    state.open_since = state.open_since or now
    # Half an hour begins anew for whoever tries again.
    state.trouble_since = now
    label = provider.declaration.label
    note = f"{label} is failing, so this was paused. {reason} Mend it and resume."
    paused = _pause_campaigns(channels, note)
    alert_admins(
        "provider",
        _alert_key(provider.name),
        f"{label} is failing",
        f"{label} is failing, and its campaigns are paused. {reason}",
        path="/providers",
    )
    log.error("provider failing", provider=provider.name, reason=reason, paused=paused)


def _pause_campaigns(channels: list[str], note: str) -> list[int]:
    paused = []
    rows = db.session.execute(
        sa.select(Campaign.id, Campaign.organisation_id).where(
            Campaign.state == CampaignState.SENDING, Campaign.channel.in_(channels)
        )
    ).all()
    for row in rows:
        try:
            change_state(scheduler_actor(row.organisation_id), row.id, "pause", state_note=note)
        except Conflict:
            continue  # somebody has paused or cancelled it at this moment
        paused.append(row.id)
    return paused


def _make_row(name: str) -> None:
    if db.session.get(ProviderState, name) is None:
        with write():
            db.session.execute(
                insert_missing(ProviderState).values(
                    name=name, free_at=0.0, failures=0, error_code="", error_text=""
                )
            )


def _alert_key(name: str) -> str:
    return f"provider.{name}"
