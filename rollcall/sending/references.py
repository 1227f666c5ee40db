"""How a message is named where the outside sees it: by campaign, person and random token.

The token is new for each attempt and stored with it, so that nobody can make a reference up, and
what a reference allows needs no key that could be lost.
"""

import re
from typing import NamedTuple

from rollcall.config import Settings

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
