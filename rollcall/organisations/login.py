"""Logging in by e-mail and password."""

from rollcall import clock
from rollcall.actors import actor_for, record
from rollcall.extensions import db, write
from rollcall.models import StaffMember
from rollcall.organisations.passwords import hash_password, is_outdated, matches
from rollcall.organisations.reading import find_staff_by_email


def authenticate(email: str, password: str, address: str | None = None) -> StaffMember | None:
    """Return the staff member whose e-mail and password these are, or None.

    None does not say which of the two is wrong, and takes as long for an unknown e-mail.
    `address` is the network address it came from, for the audit trail.
    """
    staff = find_staff_by_email(email)
    known_hash = staff.password_hash if staff is not None else None
    if not matches(password, known_hash) or staff is None or not staff.active:
        return None
    fresh_hash = hash_password(password) if known_hash and is_outdated(known_hash) else None
    with write():
        staff = db.session.get_one(StaffMember, staff.id)
        staff.last_login_at = clock.now()
        # A password that was changed while this log-in was on its way stays as changed.
        if fresh_hash is not None and staff.password_hash == known_hash:
            staff.password_hash = fresh_hash
        record(actor_for(staff, "browser", address), "staff.log_in", "staff", staff.id)
    return staff
