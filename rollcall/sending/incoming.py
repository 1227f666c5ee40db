"""What every message from outside needs: proof that it is from our gateway, a database in reach."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import OperationalError

from rollcall.errors import Busy
from rollcall.extensions import db
from rollcall.sending.installation import find_installation

log = structlog.get_logger()


@contextmanager
def database_in_reach() -> Iterator[None]:
    """Raise Busy where the database is locked or away, so that whoever asked tries again."""
    try:
        yield
    except OperationalError as error:
        db.session.rollback()
        log.warning("database busy", reason=str(error.orig))
        raise Busy("This can't be stored at the moment. Try again in a minute.") from error


@database_in_reach()
def is_webhook_secret(given: str) -> bool:
    """Return whether this is the secret in the addresses that we give our own gateway."""
    ours = find_installation().webhook_secret
    return hmac.compare_digest(given.encode("utf-8", "replace"), ours.encode())
