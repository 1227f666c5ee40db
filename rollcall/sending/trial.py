"""One message to a staff member, to see whether a channel works; and the simulator's outbox."""

import secrets
from dataclasses import dataclass

import structlog

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.config import Settings
from rollcall.errors import InvalidInput
from rollcall.extensions import db, end_reading, write
from rollcall.models import Channel, Organisation, Role, StaffMember
from rollcall.paging import Page
from rollcall.people.trial_addresses import read_trial_address
from rollcall.providers.base import Connection, Outcome, OutgoingMessage, ProviderError
from rollcall.providers.declaration import Provider
from rollcall.providers.registry import channels_of, provider_for
from rollcall.providers.simulator import OutboxMessage, read_outbox
from rollcall.sending.content import receipts_url
from rollcall.sending.provider_health import note_failures, note_success
from rollcall.sending.references import TEST_PERSON, unsubscribe_url, write_reference

log = structlog.get_logger()

TIMEOUT = 10.0  # seconds
BROKE = ProviderError("unexpected", "The provider broke off without an answer.", in_doubt=True)
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
    typed = own_email(actor) if channel == Channel.EMAIL else address
    to = read_trial_address(organisation, channel, typed)
    provider = provider_for(settings, channel)
    trial = _write(organisation, channel, to)
    message = write_trial(settings, organisation, provider, trial)
    outcome = hand_over(settings, provider, message)
    error = outcome.error
    with write():
        after = {"channel": str(channel), "answer": str(error) if error else "accepted"}
        record(actor, "provider.test", "provider", provider.name, after=after)
    return outcome


def hand_over(
    settings: Settings,
    provider: Provider,
    message: OutgoingMessage,
    connection: Connection | None = None,
) -> Outcome:
    """Send one message, once, and draw from the answer whether the provider works.

    Ends the open transaction first. What the provider says nothing of is in doubt.
    """
    end_reading()
    line = connection or provider.connect(TIMEOUT)
    try:
        outcome = next(iter(line.send([message])), None) or Outcome(message.token, error=BROKE)
    except Exception as error:  # whatever happened, the message may have gone out
        log.error("provider broke", provider=provider.name, error=repr(error))
        outcome = Outcome(message.token, error=BROKE)
    finally:
        if connection is None:
            line.close()
    error = outcome.error
    if error is None or not (error.provider_wide or error.in_doubt):
        note_success(provider.name)
    else:
        note_failures(provider, channels_of(settings, provider.name), [error])
    return outcome


def describe_answer(settings: Settings, channel: Channel, outcome: Outcome) -> str:
    """Return in words for staff what a provider made of a test."""
    label = provider_for(settings, channel).declaration.label
    return describe_outcome(label, outcome)


def describe_outcome(label: str, outcome: Outcome) -> str:
    """Return in words for staff what the provider that is called `label` made of a message."""
    error = outcome.error
    if error is None:
        return f"{label} took it. It should be there in a minute."
    said = error.text if error.text.endswith((".", "!", "?", "…")) else f"{error.text}."
    if error.in_doubt:
        return f"Nobody can know whether {label} took it. {said}"
    return f"{label} did not take it. {said}"


def own_email(actor: Actor) -> str:
    """Return the acting staff member's own address; raises InvalidInput for nobody in person."""
    staff = db.session.get(StaffMember, actor.staff_id) if actor.staff_id else None
    if staff is None:
        raise InvalidInput({"address": "Only a staff member can be sent a test."})
    return staff.email


def _write(organisation: Organisation, channel: Channel, address: str) -> "TrialText":
    text = f"Rollcall of {organisation.name}: this test came through at {clock.now():%H:%M} UTC."
    return TrialText(channel, address, SUBJECT, text)


@dataclass(frozen=True)
class TrialText:
    """A message as staff are to see it; `campaign_id` says in whose outbox it stands."""

    channel: Channel
    address: str
    subject: str
    text: str
    campaign_id: int = 0


def write_trial(
    settings: Settings, organisation: Organisation, provider: Provider, trial: TrialText
) -> OutgoingMessage:
    """Return the message as the provider is given it, for nobody as far as its reference goes.

    So no receipt of it, and no link in it, touches a person.
    """
    token = secrets.randbits(63)
    reference = write_reference(0, TEST_PERSON, token)
    receipts = receipts_url(settings, provider)
    return OutgoingMessage(
        token=token,
        organisation_id=organisation.id,
        campaign_id=trial.campaign_id,
        person_id=TEST_PERSON,
        channel=trial.channel,
        address=trial.address,
        subject=trial.subject,
        text=trial.text,
        reference=reference,
        receipt_url=receipts + reference if receipts else None,
        sender_name=organisation.name,
        postal_address=organisation.postal_address,
        unsubscribe_url=unsubscribe_url(settings, reference),
    )


PAGE = 24


def list_outbox(
    settings: Settings,
    organisation_id: int,
    *,
    campaign_id: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> Page[OutboxMessage]:
    """Return a page of the organisation's simulated messages, the newest first.

    `campaign_id` narrows them to one campaign, `before` is the id that the page goes on from.
    """
    found = read_outbox(
        settings.outbox_path,
        organisation_id,
        campaign_id=campaign_id,
        before=before,
        limit=limit + 1,
    )
    rows = found[:limit]
    return Page(rows, str(rows[-1].id) if len(found) > limit else None)
