"""Whether this installation can work at all."""

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from rollcall.extensions import db
from rollcall.models import Installation

log = structlog.get_logger()


def database_answers() -> bool:
    """Return whether the database can be reached; the reason it can't is logged."""
    try:
        db.session.execute(sa.text("SELECT 1"))
    except DBAPIError as error:
        log.error("database unreachable", reason=str(error.orig))
        return False
    return True


def sending_is_held() -> bool:
    """Return whether nothing may go out, because a backup was restored; False without tables."""
    try:
        held = sa.select(Installation.held_at).where(Installation.id == 1)
        return db.session.scalar(held) is not None
    except DBAPIError as error:
        log.error("installation can't be read", reason=str(error.orig))
        return False
