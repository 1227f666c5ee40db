"""The browsers in which staff members are logged in: begun, seen, listed, ended.

A cookie holds a row's id and a random key, of which only the hash is kept. A session ends when
its row says so, when it has not been seen for as long as its cookie lasts, and with its staff
member. What a browser calls itself is put into words by which its owner knows it again.
"""

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.config import SESSION_LASTS, Settings
from rollcall.errors import NotAllowed, NotFound
from rollcall.extensions import db, write
from rollcall.models import StaffMember, StaffSession

LONGEST_NAME = 200

# In this order: nearly every browser also claims to be Chrome, Safari and Mozilla.
BROWSERS = (
    ("Edge", re.compile(r"\bEdg(e|A|iOS)?/")),
    ("Opera", re.compile(r"\b(OPR|OPT|Opera)/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\b(Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(Chrome|CriOS|HeadlessChrome|Chromium)/")),
    ("Safari", re.compile(r"\bSafari/")),
)
SYSTEMS = (
    ("an iPhone", re.compile(r"\biPhone\b")),
    ("an iPad", re.compile(r"\biPad\b")),
    ("Android", re.compile(r"\bAndroid\b")),
    ("a Chromebook", re.compile(r"\bCrOS\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("a Mac", re.compile(r"\b(Macintosh|Mac OS X)\b")),
    ("Linux", re.compile(r"\b(Linux|X11)\b")),
)


def say_browser(user_agent: str) -> str:
    """Return "Firefox on Windows", or as much of it as can be told from a User-Agent header."""
    browser = _first(BROWSERS, user_agent)
    system = _first(SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    if system:
        return f"A browser on {system}"
    return browser or "An unknown browser"


def _first(known: tuple[tuple[str, re.Pattern[str]], ...], user_agent: str) -> str:
    return next((name for name, pattern in known if pattern.search(user_agent)), "")


# The last look is kept this coarsely, so that reading pages hardly ever writes.
SEEN_EVERY = timedelta(minutes=1)
KEPT = timedelta(days=90)
MOST_LISTED = 20


class NewSession(NamedTuple):
    """A session just begun: `key` goes into the cookie, and is kept nowhere else."""

    id: int
    key: str


def begin_session(staff_id: int, address: str | None, browser: str) -> NewSession:
    """Keep that a browser is logged in, by a new key; `browser` is what it calls itself."""
    key, now = secrets.token_urlsafe(32), clock.now()
    with write():
        row = StaffSession(
            staff_id=staff_id,
            key_hash=_hash(key),
            created_at=now,
            last_seen_at=now,
            address=address,
            browser=browser[:LONGEST_NAME],
        )
        db.session.add(row)
        db.session.flush()
        return NewSession(row.id, key)


def find_session(session_id: int, key: str) -> StaffSession | None:
    """Return the session whose cookie holds this id and key, or None when it has ended."""
    row = db.session.get(StaffSession, session_id)
    if row is None or not hmac.compare_digest(row.key_hash, _hash(key)):
        return None
    over = row.ended_at is not None or row.last_seen_at <= clock.now() - SESSION_LASTS
    return None if over or not row.staff.active else row


def note_session_use(session_id: int, address: str | None) -> None:
    """Keep when and from where the browser was last seen, to the minute."""
    now = clock.now()
    row = db.session.get_one(StaffSession, session_id)
    if now - row.last_seen_at < SEEN_EVERY:
        return
    with write():
        db.session.execute(
            sa.update(StaffSession)
            .where(StaffSession.id == session_id, StaffSession.last_seen_at <= now - SEEN_EVERY)
            .values(last_seen_at=now, address=address)
            .execution_options(synchronize_session=False)
        )


def list_sessions(staff_id: int, limit: int = MOST_LISTED) -> list[StaffSession]:
    """Return where the staff member is logged in, what was seen last first; at most so many."""
    return list(
        db.session.scalars(
            sa.select(StaffSession)
            .where(StaffSession.staff_id == staff_id, _is_open())
            .order_by(StaffSession.last_seen_at.desc(), StaffSession.id.desc())
            .limit(limit)
        )
    )


def count_sessions(staff_id: int) -> int:
    """Return in how many browsers the staff member is logged in."""
    query = sa.select(sa.func.count(StaffSession.id))
    return db.session.scalar(query.where(StaffSession.staff_id == staff_id, _is_open())) or 0


def log_out(actor: Actor, session_id: int) -> None:
    """End the session of the browser from which the actor logs out; twice changes nothing."""
    with write():
        if end_sessions(_own(actor), only=session_id):
            record(actor, "staff.log_out", "staff", actor.staff_id)


def end_own_session(actor: Actor, session_id: int) -> None:
    """End one of the actor's sessions; twice changes nothing.

    Raises NotFound for one of somebody else.
    """
    with write():
        row = db.session.get(StaffSession, session_id)
        if row is None or row.staff_id != _own(actor):
            raise NotFound("There is no such session of yours.")
        after = {"sessions_ended": 1, "browser": say_browser(row.browser)}
        if end_sessions(row.staff_id, only=session_id):
            record(actor, "staff.end_sessions", "staff", row.staff_id, after=after)


def end_other_sessions(actor: Actor, present_id: int) -> int:
    """End all of the actor's sessions but the present one; return how many there were."""
    with write():
        ended = end_sessions(_own(actor), but=present_id)
        if ended:
            after = {"sessions_ended": ended}
            record(actor, "staff.end_sessions", "staff", actor.staff_id, after=after)
        return ended


def end_sessions(staff_id: int, *, only: int | None = None, but: int | None = None) -> int:
    """End a staff member's sessions inside the caller's transaction; return how many were open.

    `only` this one, or all `but` this one.
    """
    query = sa.update(StaffSession).where(StaffSession.staff_id == staff_id, _is_open())
    if only is not None:
        query = query.where(StaffSession.id == only)
    if but is not None:
        query = query.where(StaffSession.id != but)
    ended = query.values(ended_at=clock.now()).returning(StaffSession.id)
    return len(db.session.scalars(ended.execution_options(synchronize_session="fetch")).all())


def remove_old_sessions(_settings: Settings) -> int:
    """Remove the rows of sessions that ended 90 days ago or earlier; return how many."""
    end = clock.now() - KEPT
    old = sa.or_(
        StaffSession.ended_at <= end,
        sa.and_(StaffSession.ended_at.is_(None), StaffSession.last_seen_at <= end - SESSION_LASTS),
    )
    # Asked first, as there hardly ever is one, and looking for it holds no writer up.
    if db.session.scalar(sa.select(StaffSession.id).where(old).limit(1)) is None:
        return 0
    with write():
        removed = sa.delete(StaffSession).where(old).returning(StaffSession.id)
        return len(db.session.scalars(removed).all())


def _is_open() -> sa.ColumnElement[bool]:
    return sa.and_(
        StaffSession.ended_at.is_(None), StaffSession.last_seen_at > clock.now() - SESSION_LASTS
    )


def _own(actor: Actor) -> int:
    if actor.staff_id is None:
        raise NotAllowed("Only a staff member is logged in anywhere.")
    return db.session.get_one(StaffMember, actor.staff_id).id


def _hash(key: str) -> str:
    # A key has 256 random bits, so that no slow hash is needed against guessing.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
