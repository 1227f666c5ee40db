"""Opting out by the link in a message, for as long as the message exists, and in again.

The link's reference holds the random token of the attempt and is looked up in the database, so
that it never expires and no key is needed. Whoever has the link may change what its address and
the same person's other address get from this organisation, and sees neither in full.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    Campaign,
    Channel,
    Organisation,
    Person,
    Recipient,
    Role,
    Suppression,
)
from rollcall.people.consent import release_addresses, suppress_addresses
from rollcall.people.facts import hash_address
from rollcall.people.identity import lock_people
from rollcall.sending.inbound import await_quiet_wire
from rollcall.sending.references import TEST_PERSON, Reference, database_in_reach, read_reference


@dataclass(frozen=True)
class Subscription:
    """What one address gets from the organisation over one channel."""

    channel: Channel
    address: str
    opted_out: bool

    @property
    def masked(self) -> str:
        """Return the address so that only whoever has it knows it again."""
        if self.channel == Channel.SMS:
            return f"{self.address[:3]}…{self.address[-3:]}"
        name, _, domain = self.address.partition("@")
        return f"{name[:1]}…@{domain}"


@dataclass(frozen=True)
class UnsubscribePage:
    """Whose messages they are, and what the person gets; nothing for a test message."""

    organisation_id: int
    organisation_name: str
    person_id: int
    campaign_id: int
    channel: Channel  # of the message with the link
    subscriptions: list[Subscription]

    @property
    def is_test(self) -> bool:
        """Return whether the message was a test, which has nobody to unsubscribe."""
        return self.person_id == TEST_PERSON


@database_in_reach()
def find_unsubscribe_page(reference: str) -> UnsubscribePage:
    """Return what the link in a message leads to; raises NotFound for none of ours."""
    named = read_reference(reference)
    if named is None:
        raise NotFound("This link belongs to no message.")
    if named.person_id == TEST_PERSON:
        return UnsubscribePage(0, "", TEST_PERSON, named.campaign_id, Channel.EMAIL, [])
    row = _find_row(named)
    if row is None:
        raise NotFound("This link belongs to no message.")
    addresses = {Channel.EMAIL: row.email, Channel.SMS: row.phone}
    channel = Channel(row.channel)
    # Where the message went to, whatever the person's address is by now.
    addresses[channel] = row.address or addresses[channel]
    return UnsubscribePage(
        row.id,
        row.name,
        named.person_id,
        named.campaign_id,
        channel,
        _subscriptions(row.id, addresses, channel),
    )


def _find_row(named: Reference) -> Any | None:
    return db.session.execute(
        sa.select(
            Organisation.id,
            Organisation.name,
            Campaign.channel,
            Recipient.address,
            Person.phone,
            Person.email,
        )
        .select_from(Attempt)
        .join(Campaign, Campaign.id == Attempt.campaign_id)
        .join(Organisation, Organisation.id == Campaign.organisation_id)
        .join(
            Recipient,
            sa.and_(
                Recipient.campaign_id == Attempt.campaign_id,
                Recipient.person_id == Attempt.person_id,
            ),
        )
        .join(Person, Person.id == Attempt.person_id)
        .where(
            Attempt.campaign_id == named.campaign_id,
            Attempt.person_id == named.person_id,
            Attempt.token == named.token,
        )
    ).one_or_none()


def _subscriptions(
    organisation_id: int, addresses: dict[Channel, str | None], first: Channel
) -> list[Subscription]:
    found = []
    for channel in sorted(addresses, key=lambda channel: channel != first):
        address = addresses[channel]
        if address:
            out = _is_suppressed(organisation_id, channel, address)
            found.append(Subscription(channel, address, out))
    return found


def _is_suppressed(organisation_id: int, channel: Channel, address: str) -> bool:
    found = db.session.scalar(
        sa.select(Suppression.id).where(
            Suppression.organisation_id == organisation_id,
            Suppression.channel == channel,
            Suppression.address_hash == hash_address(channel, address),
        )
    )
    return found is not None


@database_in_reach()
def unsubscribe(reference: str, channel: Channel | None = None) -> bool:
    """Opt the address out of a channel, by default that of the message, and say if that was new.

    Returns once no message to it is going to the wire any more. Raises NotFound for a link of no
    message, InvalidInput for a channel over which the person has no address.
    """
    address = _change(reference, channel, opted_out=True)
    if address is None:
        return False
    await_quiet_wire(address)
    return True


@database_in_reach()
def subscribe_again(reference: str, channel: Channel) -> bool:
    """Opt the address in to a channel again, and say if that was new; raises as `unsubscribe`."""
    return _change(reference, channel, opted_out=False) is not None


def _change(reference: str, channel: Channel | None, *, opted_out: bool) -> str | None:
    page = find_unsubscribe_page(reference)
    if page.is_test:
        return None
    wanted = channel or page.channel
    address = next((one.address for one in page.subscriptions if one.channel == wanted), None)
    if address is None:
        raise InvalidInput({"channel": "We have no address of yours for these messages."})
    source = f"unsubscribe link, campaign {page.campaign_id}"[:40]
    with write():
        lock_people(page.organisation_id)
        if _is_suppressed(page.organisation_id, wanted, address) == opted_out:
            return None
        apply = suppress_addresses if opted_out else release_addresses
        apply(page.organisation_id, wanted, [address], source, clock.now())
        record(
            Actor(page.organisation_id, None, Role.STAFF, "recipient"),
            "person.opt_out" if opted_out else "person.opt_in",
            "person",
            page.person_id,
            after={"channel": str(wanted), "source": source},
        )
    return address
