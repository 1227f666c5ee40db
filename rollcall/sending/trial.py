"""One message to a staff member, by the provider that a channel uses: does it work?"""

import secrets

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.config import Settings
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import Channel, Organisation, Role, StaffMember, Suppression
from rollcall.people.facts import hash_address
from rollcall.people.reading.phones import normalise_phone
from rollcall.providers.base import Outcome, OutgoingMessage
from rollcall.providers.registry import channels_of, provider_for
from rollcall.sending.content import receipts_url
from rollcall.sending.provider_health import note_failures, note_success
from rollcall.sending.references import TEST_PERSON, unsubscribe_url, write_reference

TIMEOUT = 10.0  # seconds
SUBJECT = "A test from Rollcall"


def send_trial(actor: Actor, settings: Settings, channel: Channel, address: str = "") -> Outcome:
    """Send one test message and return what the provider answered; nothing of it is a campaign.

    Takes an admin. An e-mail goes to the acting staff member's own address, a text message to
    `address`, a phone as people write it in the organisation's country. An answer that says the
    provider works closes its breaker. Raises InvalidInput for a phone that is none or was opted
    out.
    """
    actor.require(Role.ADMIN)
    organisation = db.session.get_one(Organisation, actor.organisation_id)
    to = _own_email(actor) if channel == Channel.EMAIL else _read_phone(organisation, address)
    _refuse_opted_out(organisation, channel, to)
    provider = provider_for(settings, channel)
    message = _write(settings, organisation, provider.name, channel, to)
    db.session.commit()
    connection = provider.connect(TIMEOUT)
    try:
        outcome = next(iter(connection.send([message])))
    finally:
        connection.close()
    error = outcome.error
    if error is None or not (error.provider_wide or error.in_doubt):
        note_success(provider.name)
    else:
        note_failures(provider, channels_of(settings, provider.name), [error])
    with write():
        after = {"channel": str(channel), "answer": str(error) if error else "accepted"}
        record(actor, "provider.test", "provider", provider.name, after=after)
    return outcome


def describe_answer(settings: Settings, channel: Channel, outcome: Outcome) -> str:
    """Return in words for staff what a provider made of a test."""
    label = provider_for(settings, channel).declaration.label
    error = outcome.error
    if error is None:
        return f"{label} took it. It should be there in a minute."
    said = error.text if error.text.endswith((".", "!", "?", "…")) else f"{error.text}."
    if error.in_doubt:
        return f"Nobody can know whether {label} took it. {said}"
    return f"{label} did not take it. {said}"


def _own_email(actor: Actor) -> str:
    staff = db.session.get(StaffMember, actor.staff_id) if actor.staff_id else None
    if staff is None:
        raise InvalidInput({"address": "Only a staff member can be sent a test."})
    return staff.email


def _read_phone(organisation: Organisation, address: str) -> str:
    if not address.strip():
        raise InvalidInput({"address": "Give the phone that the test is to go to."})
    try:
        return normalise_phone(address, organisation.country)
    except ValueError as error:
        raise InvalidInput({"address": str(error)}) from error


def _refuse_opted_out(organisation: Organisation, channel: Channel, address: str) -> None:
    known = db.session.scalar(
        sa.select(Suppression.id).where(
            Suppression.organisation_id == organisation.id,
            Suppression.channel == channel,
            Suppression.address_hash == hash_address(channel, address),
        )
    )
    if known is not None:
        raise InvalidInput({"address": f"{address} has opted out, so not even a test goes there."})


def _write(
    settings: Settings, organisation: Organisation, provider: str, channel: Channel, to: str
) -> OutgoingMessage:
    token = secrets.randbits(63)
    reference = write_reference(0, TEST_PERSON, token)
    receipts = receipts_url(settings, provider)
    return OutgoingMessage(
        token=token,
        organisation_id=organisation.id,
        campaign_id=0,
        person_id=TEST_PERSON,
        channel=channel,
        address=to,
        subject=SUBJECT,
        text=f"Rollcall of {organisation.name}: this test came through at {clock.now():%H:%M} UTC.",
        reference=reference,
        receipt_url=receipts + reference if receipts else None,
        sender_name=organisation.name,
        postal_address=organisation.postal_address,
        unsubscribe_url=unsubscribe_url(settings, reference),
    )
