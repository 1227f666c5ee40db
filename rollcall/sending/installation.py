"""This installation as a whole: who it is, up to where it has sent, whether it may go on.

The send mark goes up with every claim of recipients, before anything of them reaches the wire,
and is kept twice: in the database, and in a file outside of it. A database that is behind the
file was restored from a backup, and what was due in between has perhaps gone out already. Then
nothing goes out any more until somebody has confirmed it.
"""

import json
import os
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from rollcall import clock
from rollcall.accounts.alerts import alert_admins, settle_alerts
from rollcall.actors import Actor, record, scheduler_actor
from rollcall.campaigns.states import change_state
from rollcall.config import Settings
from rollcall.errors import Conflict
from rollcall.extensions import db, write
from rollcall.models import Campaign, CampaignState, Installation, Role, StaffMail
from rollcall.sql import insert_missing

log = structlog.get_logger()

ALERT_KEY = "installation.restored"


@dataclass(frozen=True)
class SendMark:
    """Up to where this installation has sent, and when that was."""

    number: int
    at: datetime | None


@dataclass(frozen=True)
class InstallationHold:
    """That nothing goes out any more, since when, and why."""

    at: datetime
    reason: str


class Held(Exception):
    """Nothing may go out: the database is older than what was sent."""


def find_installation() -> Installation:
    """Return the installation's one row, which is made when it is first asked for."""
    found = db.session.get(Installation, 1)
    if found is None:
        with write():
            db.session.execute(
                insert_missing(Installation).values(
                    id=1,
                    uuid=uuid.uuid4().hex,
                    webhook_secret=secrets.token_urlsafe(24),
                    send_mark=0,
                    held_reason="",
                )
            )
        found = db.session.get_one(Installation, 1)
    return found


def find_hold() -> InstallationHold | None:
    """Return since when and why nothing goes out, or None where nothing is held; writes nothing."""
    row = db.session.execute(
        sa.select(Installation.held_at, Installation.held_reason).where(
            Installation.id == 1, Installation.held_at.is_not(None)
        )
    ).one_or_none()
    return InstallationHold(row.held_at, row.held_reason) if row else None


def installation_document() -> dict[str, Any]:
    """Return whether messages may go out, as the API and the command line give it."""
    row = find_installation()
    return {
        "sending": "held" if row.held_at else "free",
        "held_at": _stamp(row.held_at),
        "held_reason": row.held_reason or None,
        "last_sent_at": _stamp(row.last_sent_at),
    }


def mark_file(settings: Settings, installation_uuid: str) -> Path:
    """Return where the send mark is kept outside the database; leave it out of every backup."""
    return settings.instance_path / f"last-send-{installation_uuid[:12]}.json"


def read_mark_outside(settings: Settings, installation_uuid: str) -> SendMark:
    """Return the mark in the file; 0 where there is none or it can't be read."""
    try:
        kept = json.loads(mark_file(settings, installation_uuid).read_text(encoding="utf-8"))
        return SendMark(int(kept["mark"]), datetime.fromisoformat(kept["at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return SendMark(0, None)


def raise_mark() -> SendMark:
    """Raise the mark inside the caller's transaction, which claims recipients."""
    now = clock.now()
    number = db.session.scalar(
        sa.update(Installation)
        .where(Installation.id == 1)
        .values(send_mark=Installation.send_mark + 1, last_sent_at=now)
        .returning(Installation.send_mark)
        .execution_options(synchronize_session=False)
    )
    assert number is not None, "find_installation makes the row before anything is sent"
    return SendMark(number, now)


def keep_mark_outside(settings: Settings, installation_uuid: str, mark: SendMark) -> None:
    """Write the mark to its file, before anything that it stands for reaches the wire.

    Raises Held where the file is ahead: the database under us was restored meanwhile.
    """
    outside = read_mark_outside(settings, installation_uuid)
    if outside.number > mark.number + _FEW:
        raise Held("the database is older than what was sent")
    if outside.number >= mark.number or mark.at is None:
        return
    path = mark_file(settings, installation_uuid)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always as long, and written at once, so that nobody reads half of an old one.
    text = json.dumps({"mark": mark.number, "at": mark.at.isoformat()}).ljust(_LENGTH)
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(file, text.encode(), 0)
    finally:
        os.close(file)


_LENGTH = 100
# Other processes raise the mark between our commit and our look at the file.
_FEW = 64


def may_send(settings: Settings) -> bool:
    """Return whether anything may go out; holds everything where the database went back in time."""
    installation = find_installation()
    if installation.held_at is not None:
        return False
    outside = read_mark_outside(settings, installation.uuid)
    # Read anew: other processes raise the mark in the database first and in the file afterwards.
    db.session.rollback()
    inside = db.session.scalar(sa.select(Installation.send_mark).where(Installation.id == 1)) or 0
    if outside.number <= inside:
        return True
    hold_installation(outside)
    return False


def hold_installation(outside: SendMark) -> None:
    """Stop everything that was due or going out, for staff to decide on, and say so once."""
    with write():
        installation = db.session.get_one(Installation, 1, populate_existing=True)
        if installation.held_at is not None:
            return
        before = installation.last_sent_at
        _hold(
            "This database is older than the last message that was sent: it was restored from a "
            f"backup. It knows of messages until {_say(before)}, but some went out until "
            f"{_say(outside.at)}. Nothing goes out until a super confirms that it may.",
            until=outside.at,
        )
    log.error("database is older than what was sent", last_sent_at=_say(before))


def hold_restored_backup(settings: Settings) -> str:
    """Stop everything because this database is a backup being put back; return the reason.

    What went out since it was taken is in no row of it, and may be in no file either: nothing is
    asked. E-mails to staff that waited when it was taken are given up.
    """
    outside = read_mark_outside(settings, find_installation().uuid)
    with write():
        before = db.session.get_one(Installation, 1, populate_existing=True).last_sent_at
        later = outside.at is not None and (before is None or outside.at > before)
        reason = " ".join(
            (
                "A backup was restored, and what went out after it was taken is not in it.",
                f"The last message that it knows of: {_say(before)}.",
                *([f"Some went out until {_say(outside.at)}."] if later else []),
                "Nothing goes out until a super confirms that it may.",
            )
        )
        db.session.execute(
            sa.update(StaffMail)
            .where(StaffMail.ended_at.is_(None))
            .values(ended_at=clock.now(), error="It waited when the backup was taken.")
        )
        _hold(reason, until=outside.at)
    return reason


def _hold(reason: str, until: datetime | None) -> None:
    installation = db.session.get_one(Installation, 1)
    installation.held_at = clock.now()
    installation.held_reason = reason
    _stop_campaigns(max(clock.now(), until or clock.now()))
    title = "Nothing goes out: a backup was restored"
    alert_admins("restored", ALERT_KEY, title, reason, path="/restored")


def _stop_campaigns(until: datetime) -> None:
    note = (
        "The database was restored from a backup, so this may have gone out already. Look at the "
        "provider's own list before you let it go on."
    )
    due = sa.and_(Campaign.state == CampaignState.SCHEDULED, Campaign.scheduled_at <= until)
    begun = Campaign.state.in_([CampaignState.PREPARING, CampaignState.SENDING])
    rows = db.session.execute(
        sa.select(Campaign.id, Campaign.organisation_id, Campaign.state).where(sa.or_(due, begun))
    ).all()
    for row in rows:
        action = "pause" if row.state == CampaignState.SENDING else "stop_for_review"
        actor = scheduler_actor(row.organisation_id)
        change_state(actor, row.id, action, state_note=note, owner=None, lease_until=None)


def confirm_restored(actor: Actor, settings: Settings) -> None:
    """Let messages go out again after a backup was restored; what was stopped stays stopped.

    Takes a super. Raises Conflict where nothing is held.
    """
    actor.require(Role.SUPER)
    outside = read_mark_outside(settings, find_installation().uuid)
    with write():
        installation = db.session.get_one(Installation, 1, populate_existing=True)
        if installation.held_at is None:
            raise Conflict("Nothing is held back, so there is nothing to confirm.")
        installation.held_at = None
        installation.held_reason = ""
        installation.send_mark = max(installation.send_mark, outside.number)
        settle_alerts(ALERT_KEY)
        record(actor, "installation.confirm_restored", "installation", 1)


def _say(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "none at all"


def _stamp(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
