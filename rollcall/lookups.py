"""Events found by their id or slug, for every floor that is given one."""

import sqlalchemy as sa

from rollcall.errors import NotFound
from rollcall.extensions import db
from rollcall.models import Event

LARGEST_ID = 2**31 - 1


def find_event(organisation_id: int, key: int | str) -> Event:
    """Return the organisation's event by its id (a number) or its slug (a text); or NotFound."""
    if isinstance(key, int):
        matches = Event.id == key if 0 < key <= LARGEST_ID else sa.false()
    else:
        matches = Event.slug == key.strip().replace("\0", "")
    event = db.session.scalar(
        sa.select(Event).where(Event.organisation_id == organisation_id, matches)
    )
    if event is None:
        raise NotFound(f"There is no event {key!r}.")
    return event
