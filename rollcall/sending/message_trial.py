"""One message of a campaign, filled in as somebody would read it, to the staff who ask for it."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.audience.criteria import campaign_criteria
from rollcall.audience.preview import MessageText, preview_audience
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.states import STATE_WORDS
from rollcall.config import Settings
from rollcall.errors import Conflict, InvalidInput, TooOften
from rollcall.extensions import db, write
from rollcall.messages.parts import count_parts
from rollcall.messages.placeholders import compile_template
from rollcall.models import (
    Campaign,
    CampaignState,
    Channel,
    Organisation,
    StaffMember,
    TrialMessage,
)
from rollcall.people.trial_addresses import read_trial_address
from rollcall.providers.base import OutgoingMessage
from rollcall.providers.declaration import Provider
from rollcall.providers.registry import provider_for
from rollcall.sending.dry_run import store_trial_answer
from rollcall.sending.trial import (
    TrialText,
    describe_outcome,
    hand_over,
    own_email,
    write_trial,
)

TEST = "test"
MARK = "[Test] "  # before an e-mail's subject; in a text message it would change the SMS parts
MOST_TESTS = 10
PER = timedelta(minutes=1)
TESTABLE = (CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.NEEDS_REVIEW)


@dataclass(frozen=True)
class FilledIn:
    """A message as one person would read it; nobody in particular where `person_id` is None."""

    channel: Channel
    subject: str
    text: str
    person_id: int | None = None


@dataclass(frozen=True)
class TrialAnswer:
    """Where a test went, whether the provider took it, and in words what it answered."""

    address: str
    taken: bool
    said: str


def send_campaign_test(
    actor: Actor, settings: Settings, campaign_id: int, address: str = ""
) -> TrialAnswer:
    """Send a campaign's message to whoever acts, filled in for somebody of today's audience.

    Raises Conflict for one that is on its way or over, and what `send_message_test` raises.
    """
    campaign = find_campaign(actor.organisation_id, campaign_id)
    if campaign.state not in TESTABLE:
        said = STATE_WORDS[CampaignState(campaign.state)]
        raise Conflict(f"This campaign is {said}: duplicate it, and try the copy.")
    return send_message_test(actor, settings, fill_in(campaign), address, campaign_id)


def fill_in(campaign: Campaign) -> FilledIn:
    """Return the campaign's message for the first sample of today's audience.

    Without anybody there, or where the criteria can't be run, for an invented person.
    """
    channel = Channel(campaign.channel)
    text = MessageText(campaign.subject, campaign.message, campaign.link)
    try:
        criteria = campaign_criteria(campaign)
        samples = preview_audience(campaign.organisation_id, criteria, channel, None, text).samples
    except InvalidInput:
        samples = []
    if samples:
        return FilledIn(channel, samples[0].subject, samples[0].text, samples[0].person_id)
    return fill_in_for_nobody(channel, text)


def fill_in_for_nobody(channel: Channel, text: MessageText) -> FilledIn:
    """Return a message for an invented person; raises InvalidInput for an unknown placeholder."""
    subject = compile_template(text.subject, "subject").sample(text.link)
    return FilledIn(channel, subject, compile_template(text.message).sample(text.link))


def send_message_test(
    actor: Actor,
    settings: Settings,
    message: FilledIn,
    address: str = "",
    campaign_id: int | None = None,
) -> TrialAnswer:
    """Send one message to whoever acts, and return what the provider answered.

    An e-mail goes to the staff member's own address, a text message to `address`, a phone as
    people write it in the organisation's country. Raises InvalidInput naming `message` or
    `address`, and TooOften beyond ten in a minute.
    """
    organisation = db.session.get_one(Organisation, actor.organisation_id)
    email = message.channel == Channel.EMAIL
    if not message.text.strip():
        raise InvalidInput({"message": "Write the message first."})
    own = own_email(actor)
    if email and address.strip() and address.strip().lower() != own.lower():
        raise InvalidInput({"address": f"The test of an e-mail goes to your own address, {own}."})
    to = read_trial_address(organisation, message.channel, own if email else address)
    provider = provider_for(settings, message.channel)
    subject = " ".join(f"{MARK}{message.subject}".split()) if email else ""
    asked = TrialText(message.channel, to, subject, message.text, campaign_id or 0)
    trial_id = _write_intent(actor, provider, message, asked)
    outgoing = write_trial(settings, organisation, provider, asked)
    return _send(actor, settings, provider, trial_id, outgoing)


def last_test_phone(staff_id: int) -> str:
    """Return the phone that the staff member's last test went to, or an empty text."""
    found = db.session.scalar(
        sa.select(TrialMessage.address)
        .where(
            TrialMessage.staff_id == staff_id,
            TrialMessage.kind == TEST,
            TrialMessage.address.startswith("+"),
        )
        .order_by(TrialMessage.started_at.desc())
        .limit(1)
    )
    return found or ""


def _write_intent(actor: Actor, provider: Provider, message: FilledIn, asked: TrialText) -> int:
    with write():
        assert actor.staff_id is not None
        # Held until the test is stored, so that two at once are counted one by one.
        own = sa.select(StaffMember.id).where(StaffMember.id == actor.staff_id)
        db.session.execute(own.with_for_update())
        _check_rate(actor.staff_id)
        trial = TrialMessage(
            campaign_id=asked.campaign_id or None,
            kind=TEST,
            person_id=message.person_id,
            staff_id=actor.staff_id,
            address=asked.address,
            subject=asked.subject[:300],
            text=asked.text,
            parts=count_parts(asked.text).parts if message.channel == Channel.SMS else 1,
            provider=provider.name,
            started_at=clock.now(),
        )
        db.session.add(trial)
        db.session.flush()
        return trial.id


def _check_rate(staff_id: int) -> None:
    recent = db.session.scalar(
        sa.select(sa.func.count())
        .select_from(TrialMessage)
        .where(
            TrialMessage.staff_id == staff_id,
            TrialMessage.started_at > clock.now() - PER,
            TrialMessage.kind == TEST,
        )
    )
    if (recent or 0) >= MOST_TESTS:
        raise TooOften(f"That were {MOST_TESTS} tests within a minute: wait a little.")


def _send(
    actor: Actor, settings: Settings, provider: Provider, trial_id: int, message: OutgoingMessage
) -> TrialAnswer:
    outcome = hand_over(settings, provider, message)
    said = describe_outcome(provider.declaration.label, outcome)
    taken = outcome.error is None
    with write():
        store_trial_answer(trial_id, None if taken else said)
        record(
            actor,
            "campaign.test",
            "campaign",
            message.campaign_id or "form",
            after={"channel": message.channel, "answer": "accepted" if taken else said},
        )
    return TrialAnswer(message.address, taken, said)
