"""Passwords: what one must be, how it is kept (argon2id), how it is compared."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from rollcall.errors import InvalidInput

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
