"""Whether this installation can work at all."""

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from rollcall.extensions import db

log = structlog.get_logger()


def database_answers() -> bool:
    """Return whether the database can be reached; the reason it can't is logged."""
    try:
        db.session.execute(sa.text("SELECT 1"))
    except DBAPIError as error:
        log.error("database unreachable", reason=str(error.orig))
        return False
    return True
