"""Where staff let messages go to look at them: an address as it was typed, read and checked."""

import sqlalchemy as sa

from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Channel, Organisation, Suppression
from rollcall.people.facts import hash_address
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.phones import TYPED_AT_HOME, normalise_phone


def read_trial_address(
    organisation: Organisation, channel: Channel, typed: str, field: str = "address"
) -> str:
    """Return the address as messages of the channel go to it.

    A phone is read as people write it in the organisation's country. Raises InvalidInput under
    `field` where it is empty, none of the channel's, or has opted out.
    """
    sms = channel == Channel.SMS
    if not typed.strip():
        what = "phone" if sms else "e-mail address"
        raise InvalidInput({field: f"Give the {what} that it is to go to."})
    try:
        address = (
            normalise_phone(typed, organisation.country, TYPED_AT_HOME)
            if sms
            else normalise_email(typed)
        )
    except ValueError as error:
        raise InvalidInput({field: str(error)}) from error
    if has_opted_out(organisation.id, channel, address):
        raise InvalidInput({field: f"{address} has opted out, so not even a test goes there."})
    return address


def has_opted_out(organisation_id: int, channel: Channel, address: str) -> bool:
    """Return whether the address wants no messages of the channel from the organisation."""
    known = db.session.scalar(
        sa.select(Suppression.id).where(
            Suppression.organisation_id == organisation_id,
            Suppression.channel == channel,
            Suppression.address_hash == hash_address(channel, address),
        )
    )
    return known is not None
