"""What of sending needs mending, as the database and the send mark tell it."""

import json
from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.alerts import list_all_open_alerts
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import (
    Campaign,
    CampaignState,
    Channel,
    Installation,
    Organisation,
    ProviderState,
)
from rollcall.monitoring.findings import CheckResult, good, mend
from rollcall.sending.claims import BEGUN
from rollcall.sending.installation import mark_file, read_mark_outside
from rollcall.sending.providers import list_providers
from rollcall.wording import say_count

# The scheduler looks every second: what waits for longer is looked at by nobody.
PATIENCE = timedelta(minutes=1)


def examine_sending(settings: Settings) -> Iterable[CheckResult]:
    """Look at the send mark, the scheduler, the providers' state, alerts and organisations."""
    yield _check_mark(settings)
    yield _check_scheduler()
    yield from _check_provider_states(settings)
    yield from _check_alerts()
    if settings.reaches_people(Channel.EMAIL):
        yield from _check_postal_addresses()


def _check_mark(settings: Settings) -> CheckResult:
    row = db.session.get(Installation, 1)
    if row is None:
        return good("send mark", "Nothing has been sent yet.")
    if row.held_at is not None:
        return mend(
            "send mark",
            row.held_reason,
            "Look at what was stopped, then: flask restore confirm",
        )
    path = mark_file(settings, row.uuid)
    outside = read_mark_outside(settings, row.uuid)
    if outside.number > row.send_mark:
        return mend(
            "send mark",
            "The database is older than what was sent: it was restored from a backup.",
            "Nothing goes out until it is confirmed: flask restore confirm",
        )
    if row.send_mark and not path.exists():
        return mend(
            "send mark",
            f"{path} is not there, so that a restored backup would not be noticed.",
            "It is written by itself with the next message. Has the folder been moved or emptied?",
        )
    if path.exists() and not _is_readable(settings, row.uuid):
        return mend(
            "send mark",
            f"{path} can't be read, so that a restored backup would not be noticed.",
            "Let Rollcall's user read and write it, or remove it: it is written anew.",
        )
    return good("send mark", "The database is as new as what was sent.")


def _is_readable(settings: Settings, uuid: str) -> bool:
    try:
        json.loads(mark_file(settings, uuid).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return read_mark_outside(settings, uuid).at is not None


def _check_scheduler() -> CheckResult:
    late = clock.now() - PATIENCE
    held = db.session.scalar(sa.select(Installation.held_at).where(Installation.id == 1))
    overdue = db.session.scalars(
        sa.select(Campaign.id)
        .where(
            sa.or_(
                sa.and_(Campaign.state == CampaignState.SCHEDULED, Campaign.scheduled_at <= late),
                # One that waits for its people's morning is given back until then by its lease.
                sa.and_(
                    Campaign.state.in_(BEGUN),
                    sa.func.coalesce(Campaign.lease_until, Campaign.updated_at) <= late,
                ),
            )
        )
        .order_by(Campaign.id)
        .limit(10)
    ).all()
    if not overdue:
        return good("scheduler", "No campaign is overdue.")
    waiting = f"{', '.join(map(str, overdue))}"
    if held is not None:
        return good("scheduler", f"Held back with everything else: campaign {waiting}.")
    return mend(
        "scheduler",
        f"Nobody looks for due campaigns: {waiting} should have gone out.",
        "Start one: ROLLCALL_SCHEDULER=on, or flask scheduler run",
    )


def _check_provider_states(settings: Settings) -> Iterable[CheckResult]:
    known = set(db.session.scalars(sa.select(ProviderState.name)))
    for one in list_providers(settings):
        # What is missing in the settings is what its own check says.
        if one.name not in known or one.state == "not_set_up":
            continue
        subject = f"{one.declaration.label} ({one.channel})"
        if one.state == "failing":
            yield mend(subject, one.sentence, "Send a test: flask provider test")
        else:
            yield good(subject, one.sentence)


def _check_alerts() -> Iterable[CheckResult]:
    open_alerts = list_all_open_alerts()
    if not open_alerts:
        yield good("alerts", "None is open.")
    for alert in open_alerts[:10]:
        yield mend(f"alert {alert.id}", alert.text, f"Seen to it? flask alert close {alert.id}")
    if len(open_alerts) > 10:
        more = say_count(len(open_alerts) - 10, "more alert")
        yield mend("alerts", f"{more} are open.", "All of them: flask alert list")


def _check_postal_addresses() -> Iterable[CheckResult]:
    without = db.session.scalars(
        sa.select(Organisation.slug)
        .where(Organisation.postal_address == "")
        .order_by(Organisation.slug)
    ).all()
    if not without:
        yield good("postal addresses", "Each organisation has one, as e-mails need.")
    for slug in without:
        yield mend(
            "postal addresses",
            f"{slug} has none, so that none of its {Channel.EMAIL} campaigns can be scheduled.",
            f'Give it: flask org set {slug} --address "…"',
        )
