"""API tokens: a program acts as a staff member; the token is shown once, its hash is kept."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.invitations import find_invitation
from rollcall.accounts.lookups import find_staff
from rollcall.actors import Actor, record
from rollcall.errors import InvalidInput, NotAllowed, NotFound
from rollcall.extensions import db, write
from rollcall.models import ApiToken, Role

PREFIX = "rc_"
SCOPES = ("read", "write", "send")
# The time of last use is kept this coarsely, so that reading by API hardly ever writes.
USE_KEPT_EVERY = timedelta(hours=1)


class NewToken(NamedTuple):
    """A token just made: `plain` is what the program sends, and can't be shown again."""

    id: int
    plain: str


def create_token(
    actor: Actor, name: str, staff_id: int, scopes: Iterable[str] = SCOPES
) -> NewToken:
    """Make a token by which a program acts as this staff member.

    Takes an admin whose role is not below the staff member's. Raises InvalidInput for a
    missing name, unknown scopes or a deactivated staff member.
    """
    actor.require(Role.ADMIN)
    label = _read_name(name)
    wanted = _read_scopes(scopes)
    plain = PREFIX + secrets.token_urlsafe(32)
    with write():
        staff = find_staff(actor.organisation_id, staff_id)
        if not actor.role.at_least(staff.rank):
            raise NotAllowed(f"Your role ({actor.role}) does not reach to somebody {staff.rank}.")
        if not staff.active:
            raise InvalidInput({"staff": f"{staff.email} is deactivated; choose somebody else."})
        if find_invitation(staff) is not None:
            raise InvalidInput({"staff": f"{staff.email} has not accepted the invitation yet."})
        token = ApiToken(
            organisation_id=actor.organisation_id,
            staff_id=staff.id,
            name=label,
            token_hash=_hash(plain),
            scopes=wanted,
            created_at=clock.now(),
        )
        db.session.add(token)
        db.session.flush()
        after = {"name": label, "staff": staff.email, "scopes": wanted}
        record(actor, "token.create", "token", token.id, after=after)
        return NewToken(token.id, plain)


def revoke_token(actor: Actor, token_id: int) -> None:
    """Make a token useless from now on; doing it twice changes nothing."""
    actor.require(Role.ADMIN)
    with write():
        token = db.session.get(ApiToken, token_id)
        if token is None or token.organisation_id != actor.organisation_id:
            raise NotFound("There is no such token.")
        if token.revoked_at is not None:
            return
        token.revoked_at = clock.now()
        state = {"name": token.name, "revoked": False}
        record(
            actor, "token.revoke", "token", token.id, before=state, after={**state, "revoked": True}
        )


def list_tokens(organisation_id: int) -> list[ApiToken]:
    """Return an organisation's tokens, the newest first; revoked ones too."""
    return list(
        db.session.scalars(
            sa.select(ApiToken)
            .where(ApiToken.organisation_id == organisation_id)
            .order_by(ApiToken.id.desc())
        )
    )


def find_token(plain: str) -> ApiToken | None:
    """Return the token if it may be used: known, not revoked, its staff member active."""
    token = db.session.scalar(sa.select(ApiToken).where(ApiToken.token_hash == _hash(plain)))
    if token is None or token.revoked_at is not None or not token.staff.active:
        return None
    return token


def note_token_use(token_id: int) -> None:
    """Keep when the token was last used, to the hour; writes nothing in between."""
    token = db.session.get_one(ApiToken, token_id)
    now = clock.now()
    if token.last_used_at is not None and now - token.last_used_at < USE_KEPT_EVERY:
        return
    with write():
        db.session.execute(
            sa.update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=now)
        )


def _read_name(text: str) -> str:
    name = " ".join(text.split())
    if not 1 <= len(name) <= 100:
        raise InvalidInput({"name": "Name the token after its program, in at most 100 characters."})
    return name


def _read_scopes(scopes: Iterable[str]) -> list[str]:
    wanted = set(scopes)
    if not wanted or not wanted <= set(SCOPES):
        raise InvalidInput({"scopes": f"Choose one or more of {', '.join(SCOPES)}."})
    return [scope for scope in SCOPES if scope in wanted]


def _hash(plain: str) -> str:
    # A token has 256 random bits, so that no slow hash is needed against guessing.
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()
