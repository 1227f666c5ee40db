"""Links by which staff members set a password: made, found, used once, withdrawn.

Only the hash of a link's secret is kept. Whatever gives somebody a password, or takes their
access away, withdraws every link that they still have.
"""

import hashlib
import secrets
from datetime import timedelta

import sqlalchemy as sa

from rollcall import clock
from rollcall.config import Settings
from rollcall.errors import Conflict
from rollcall.extensions import db
from rollcall.models import Channel, LinkKind, StaffLink, StaffMail, StaffMember

LIVES = {LinkKind.INVITATION: timedelta(days=7), LinkKind.RESET: timedelta(hours=1)}
SAID_LIVES = {LinkKind.INVITATION: "7 days", LinkKind.RESET: "1 hour"}

UNKNOWN = "It belongs to nobody. Perhaps it was cut off: open it from the mail itself."
USED = "It has been used. Log in with the password that was chosen with it."
WITHDRAWN = "A newer one was made since, or it was withdrawn."


class DeadLink(Conflict):
    """A link that opens nothing any more; `str()` says why."""


class UnknownLink(DeadLink):
    """A link that never was one."""


def sends_mail(settings: Settings) -> bool:
    """Return whether mails of this installation reach anybody.

    The simulator's outbox can be read by all staff, so that no secret may ever be put there.
    """
    return settings.reaches_people(Channel.EMAIL)


def make_link(staff: StaffMember, kind: LinkKind, made_by: int | None) -> str:
    """Make a link inside the caller's transaction and return its path; earlier ones are dead.

    The path can't be shown again.
    """
    withdraw_links(staff.id)
    secret, now = secrets.token_urlsafe(32), clock.now()
    link = StaffLink(
        staff_id=staff.id,
        kind=kind,
        token_hash=_hash(secret),
        created_at=now,
        created_by_id=made_by,
        expires_at=now + LIVES[kind],
    )
    db.session.add(link)
    return f"/link/{secret}"


def withdraw_links(staff_id: int) -> None:
    """Make every unused link of a staff member dead inside the caller's transaction.

    A mail with such a link that has not gone out goes no more.
    """
    now = clock.now()
    db.session.execute(
        sa.update(StaffLink)
        .where(
            StaffLink.staff_id == staff_id,
            StaffLink.used_at.is_(None),
            StaffLink.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
    )
    db.session.execute(
        sa.update(StaffMail)
        .where(StaffMail.staff_id == staff_id, StaffMail.secret, StaffMail.ended_at.is_(None))
        .values(ended_at=now, path="", error="withdrawn before it went out")
    )


def find_link(secret: str) -> StaffLink:
    """Return the link of this secret while it may be used; raises DeadLink saying why not."""
    link = db.session.scalar(sa.select(StaffLink).where(StaffLink.token_hash == _hash(secret)))
    if link is None:
        raise UnknownLink(UNKNOWN)
    if link.used_at is not None:
        raise DeadLink(USED)
    if link.withdrawn_at is not None or not link.staff.active:
        raise DeadLink(WITHDRAWN)
    if link.expires_at <= clock.now():
        raise DeadLink(f"It was valid for {SAID_LIVES[LinkKind(link.kind)]}, which have passed.")
    return link


def use_link(secret: str) -> StaffLink:
    """Use a link up inside the caller's transaction; where two try at once, one gets DeadLink."""
    link = find_link(secret)
    used = db.session.execute(
        sa.update(StaffLink)
        .where(StaffLink.id == link.id, StaffLink.used_at.is_(None))
        .values(used_at=clock.now())
        .returning(StaffLink.id)
    ).all()
    if not used:
        raise DeadLink(USED)
    return link


def _hash(secret: str) -> str:
    # A secret has 256 random bits, so that no slow hash is needed against guessing.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
