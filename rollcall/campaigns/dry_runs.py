"""Dry runs: a campaign that goes the whole way, but whose messages come to staff (C11)."""

from typing import Any

from rollcall.errors import InvalidInput
from rollcall.models import Channel, Organisation
from rollcall.people.trial_addresses import read_trial_address

USUAL_MESSAGES = 5
MOST_MESSAGES = 50


def check_dry_run(
    organisation: Organisation, channel: Channel, address: str | None, limit: int | None
) -> dict[str, Any]:
    """Return the columns that say whether a campaign is a dry run, and where its messages go.

    Raises InvalidInput for an address that is none of the channel's or has opted out, and for a
    number of messages that can't be.
    """
    if address is None:
        if limit is not None:
            raise InvalidInput({"dry_run_limit": "Only a dry run has one: give its address too."})
        return {"dry_run_address": None, "dry_run_limit": None}
    problems: dict[str, str] = {}
    limit = USUAL_MESSAGES if limit is None else limit
    if not 1 <= limit <= MOST_MESSAGES:
        problems["dry_run_limit"] = f"Give a whole number from 1 to {MOST_MESSAGES}."
    read = ""
    try:
        read = read_trial_address(organisation, channel, address, "dry_run_address")
    except InvalidInput as error:
        problems |= error.fields
    if problems:
        raise InvalidInput(problems)
    return {"dry_run_address": read, "dry_run_limit": limit}
