"""A forgotten password: a link to the e-mail address that logs in, and the new password by it."""

import time

from rollcall.accounts.invitations import find_invitation
from rollcall.accounts.links import SAID_LIVES, find_link, make_link, use_link
from rollcall.accounts.lookups import find_staff_by_email
from rollcall.accounts.notices import queue_mail
from rollcall.accounts.passwords import check_password, hash_password
from rollcall.accounts.staff import find_for_change, hold_organisation, replace_password
from rollcall.actors import Actor, actor_for, record
from rollcall.errors import Conflict
from rollcall.extensions import db, pause, write
from rollcall.models import LinkKind, Role, StaffMember

# Longer than a request takes, so that how long the answer takes says nothing of the address.
SAME_TIME = 0.3  # seconds


def request_reset(email: str, address: str | None = None) -> None:
    """Send a link for a new password where the e-mail address logs in, and nothing otherwise.

    Takes the same time for both. Nobody is told which it was: only the mailbox's owner sees.
    `address` is the network address it was asked from, for the audit trail.
    """
    started = time.monotonic()
    with write():
        staff = find_staff_by_email(email)
        if staff is not None and staff.active and find_invitation(staff) is None:
            path = make_link(staff, LinkKind.RESET, None)
            queue_mail(staff, *_write_mail(staff), path, secret=True)
            visitor = Actor(staff.organisation_id, None, Role.STAFF, "visitor", address)
            record(visitor, "staff.request_reset", "staff", staff.id)
    pause(max(0.0, SAME_TIME - (time.monotonic() - started)))


def make_reset_link(actor: Actor, staff_id: int) -> str:
    """Return the path of a link by which a staff member sets a new password, to pass on.

    Takes an admin whose role is not below theirs. Raises Conflict for somebody deactivated or
    invited, whom a password would let in by another door.
    """
    actor.require(Role.ADMIN)
    with write():
        staff = find_for_change(actor, staff_id)
        if not staff.active:
            raise Conflict(f"{staff.email} is deactivated. Let them in again first.")
        if find_invitation(staff) is not None:
            raise Conflict(f"{staff.email} has not accepted the invitation. Invite them again.")
        path = make_link(staff, LinkKind.RESET, actor.staff_id)
        record(actor, "staff.make_reset_link", "staff", staff.id)
    return path


def set_password_by_link(secret: str, password: str, address: str | None = None) -> StaffMember:
    """Give the link's staff member this password, end all their sessions, and return them.

    The link is used up; where two use it at once, one wins. Raises DeadLink, or InvalidInput
    for a weak password, which leaves the link as it was.
    """
    link = find_link(secret)
    check_password(password, link.staff.email)
    organisation_id, password_hash = link.staff.organisation_id, hash_password(password)
    with write():
        # Whoever deactivates or invites them again at this moment comes before or after.
        hold_organisation(organisation_id)
        link = use_link(secret)
        staff, invited = link.staff, link.kind == LinkKind.INVITATION
        replace_password(staff, password_hash)
        action = "staff.accept_invitation" if invited else "staff.reset_password"
        record(actor_for(staff, "browser", address), action, "staff", staff.id)
        if not invited:
            queue_mail(staff, *_write_notice(staff))
        staff_id = staff.id
    return db.session.get_one(StaffMember, staff_id)


def _write_mail(staff: StaffMember) -> tuple[str, str]:
    return (
        "Choose a new password for Rollcall",
        f"Somebody, perhaps you, asked for a new password for {staff.email} at "
        f"{staff.organisation.name}. Choose it with the link below. It can be used once, within "
        f"{SAID_LIVES[LinkKind.RESET]}.\n\n"
        "If it was not you, do nothing: your password stays as it is.",
    )


def _write_notice(staff: StaffMember) -> tuple[str, str]:
    return (
        "Your password for Rollcall was changed",
        f"The password of {staff.email} at {staff.organisation.name} was changed by a link that "
        "was sent to this address, and every browser was logged out. If it was not you, ask for a "
        "new password at once and tell an admin of your organisation.",
    )
