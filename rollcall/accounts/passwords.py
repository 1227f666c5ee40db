"""Passwords: what one must be, how it is kept (argon2id), and logging in with it."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from rollcall import clock
from rollcall.accounts.lookups import find_staff_by_email
from rollcall.actors import actor_for, record
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import StaffMember

SHORTEST = 8  # NIST SP 800-63B, 5.1.1.1: at least 8, and no rules about kinds of characters
LONGEST = 200

# The library's defaults follow RFC 9106 for machines with little memory: 64 MiB a hash.
# Tests put a cheaper one here.
hasher = PasswordHasher()


def check_password(password: str, email: str, field: str = "password") -> None:
    """Raise InvalidInput naming `field` when the password is too short, too long or the e-mail."""
    if len(password) < SHORTEST:
        raise InvalidInput({field: f"Choose a password of at least {SHORTEST} characters."})
    if len(password) > LONGEST:
        raise InvalidInput({field: f"Choose a password of at most {LONGEST} characters."})
    if password.strip().lower() == email.lower():
        raise InvalidInput({field: "Choose a password that is not the e-mail address."})


def check_same(password: str, repeated: str, field: str = "repeated") -> None:
    """Raise InvalidInput naming `field` unless the same password was typed twice."""
    if password != repeated:
        raise InvalidInput({field: "The two new passwords differ. Type the same twice."})


def hash_password(password: str) -> str:
    """Return what is kept of a password."""
    return hasher.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Return whether this is the password.

    Without a hash the same work is done in vain, so that the time taken does not tell whether
    an e-mail address is known.
    """
    try:
        matched = hasher.verify(password_hash or _hash_of_nobody(), password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return matched and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Return whether the hash was made with other parameters than today's."""
    return hasher.check_needs_rehash(password_hash)


def make_password() -> str:
    """Return a new random password, for staff who are created without one."""
    return secrets.token_urlsafe(12)


@cache
def _hash_of_nobody() -> str:
    return hasher.hash(secrets.token_urlsafe())


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
