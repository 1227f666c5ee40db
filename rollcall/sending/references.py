"""How a message is named where the outside sees it: by campaign, person and random token.

The token is new for each attempt and stored with it, so that nobody can make a reference up, and
what a reference allows needs no key that could be lost. Whatever comes from outside has to prove
that it is from our gateway, and needs a database in reach.
"""

import hmac
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import structlog
from sqlalchemy.exc import OperationalError

from rollcall.config import Settings
from rollcall.errors import Busy
from rollcall.extensions import db
from rollcall.providers.webhooks import SECRET
from rollcall.sending.installation import find_installation

TEST_PERSON = 0  # who a test message is for, as far as its reference goes
# Read as PostgreSQL can compare it: ids of 31 bits, a token of 63.
_WRITTEN = re.compile(r"(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})-([0-7][0-9a-f]{15})")
_LARGEST_ID = 2**31 - 1


class Reference(NamedTuple):
    """What names one attempt: its campaign, its person and its own random token."""

    campaign_id: int
    person_id: int
    token: int


def write_reference(campaign_id: int, person_id: int, token: int) -> str:
    """Return the reference as one word of letters, digits and hyphens."""
    return f"{campaign_id}-{person_id}-{token:016x}"


def read_reference(text: str | None) -> Reference | None:
    """Return what `write_reference` was given, or None for anything else."""
    found = _WRITTEN.fullmatch(text or "")
    if found is None:
        return None
    campaign_id, person_id = int(found[1]), int(found[2])
    if max(campaign_id, person_id) > _LARGEST_ID:
        return None
    return Reference(campaign_id, person_id, int(found[3], 16))


def unsubscribe_url(settings: Settings, reference: str) -> str:
    """Return the address of the page on which whoever got the message can stop them."""
    return f"{settings.public_url}/u/{reference}"


def webhook_url(settings: Settings, provider_name: str, path: str) -> str:
    """Return the address of a provider's webhook, with this installation's secret if it asks it.

    `path` as the provider's route declares it.
    """
    if SECRET in path:
        path = path.replace(SECRET, find_installation().webhook_secret)
    return f"{settings.public_url}/webhooks/{provider_name}{path}"


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
