"""What a campaign says, filled in for one recipient, and whether it is their quiet hours (C14)."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from rollcall.audience.criteria import DEFAULT_WINDOW_HOURS, campaign_criteria
from rollcall.audience.quiet import read_sending_window
from rollcall.config import Settings
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.messages.parts import count_parts
from rollcall.messages.placeholders import PersonFields, Template, compile_template
from rollcall.messages.pricing import price_of_emails, price_of_parts
from rollcall.messages.quiet import SendingWindow
from rollcall.models import Campaign, Channel, Organisation, QuietHours
from rollcall.providers.base import OutgoingMessage
from rollcall.providers.declaration import Provider
from rollcall.providers.webhooks import REFERENCE
from rollcall.sending.references import unsubscribe_url, webhook_url, write_reference


@dataclass(frozen=True, slots=True)
class QuietRules:
    """What a campaign does about quiet hours; `window` is None where it need not ask."""

    mode: QuietHours
    window: SendingWindow | None

    def judge(self, phone_zones: str, now: datetime) -> datetime | None:
        """Return None where a message may go out now, else the next time at which it may.

        `phone_zones` as the person's facts have it. Answers are remembered, so that asking for
        each message costs next to nothing.
        """
        return self.window.next_allowed(phone_zones, now) if self.window else None


def read_quiet_rules(campaign: Campaign) -> QuietRules:
    """Return the rules for a campaign as its organisation has them set now.

    Nobody waits for an e-mail, in an organisation whose quiet hours are off, or where an admin
    chose to send all the same.
    """
    mode = QuietHours(campaign.quiet_hours)
    if mode == QuietHours.OVERRIDE:
        return QuietRules(mode, None)
    try:
        criteria = campaign_criteria(campaign)
    except InvalidInput:
        # Damaged criteria name no event; what else they mean is decided where the list is made.
        criteria = None
    window = read_sending_window(campaign.organisation, Channel(campaign.channel), criteria)
    return QuietRules(mode, window)


@dataclass(frozen=True)
class Content:
    """What a campaign says and how careful it is: fixed once sending has begun."""

    campaign_id: int
    organisation_id: int
    channel: Channel
    subject: Template
    message: Template
    link: str
    window_hours: int
    quiet: QuietRules
    not_after: datetime | None
    sender_name: str
    postal_address: str
    settings: Settings
    receipts_at: str | None  # where the provider reports to; the reference is added


@dataclass(frozen=True, slots=True)
class Ready:
    """A recipient's message, ready but for the last look and the token of the attempt."""

    person_id: int
    address: str
    subject: str
    text: str
    parts: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Intent:
    """A message that is written down as about to be sent."""

    message: OutgoingMessage
    parts: int
    cost: Decimal


def read_content(campaign_id: int, settings: Settings, provider: Provider) -> Content:
    """Return the campaign's content, its texts cut at their placeholders once."""
    campaign = db.session.get_one(Campaign, campaign_id, populate_existing=True)
    try:
        window = campaign_criteria(campaign).window_hours
    except InvalidInput:
        # Damaged criteria and the estimate list: hold to the usual window rather than to none.
        window = DEFAULT_WINDOW_HOURS
    organisation = db.session.get_one(Organisation, campaign.organisation_id)
    content = Content(
        campaign_id=campaign.id,
        organisation_id=campaign.organisation_id,
        channel=Channel(campaign.channel),
        subject=compile_template(campaign.subject, "subject"),
        message=compile_template(campaign.message),
        link=campaign.link,
        window_hours=window,
        quiet=read_quiet_rules(campaign),
        not_after=campaign.not_after,
        sender_name=organisation.name,
        postal_address=organisation.postal_address,
        settings=settings,
        receipts_at=receipts_url(settings, provider),
    )
    db.session.commit()
    return content


def receipts_url(settings: Settings, provider: Provider) -> str | None:
    """Return what the address begins with at which the provider is to report on a message.

    The message's reference follows. None where it can't report so, or need not.
    """
    route = provider.declaration.route("receipt")
    if route is None or not provider.reports_to(settings.public_url):
        return None
    return webhook_url(settings, provider.name, route.path.removesuffix(REFERENCE))


def prepare_message(content: Content, row: Any) -> Ready:
    """Fill in the texts for a recipient's row and count what it costs."""
    person = PersonFields(row.first_name, row.last_name, row.hash)
    text = content.message.render(person, content.link)
    # A header is one line, whatever stands in somebody's name.
    subject = " ".join(content.subject.render(person, content.link).split())
    sms = content.channel == Channel.SMS
    parts = count_parts(text).parts if sms else 1
    cost = price_of_parts(row.phone_country, parts) if sms else price_of_emails(1)
    return Ready(row.person_id, row.address, subject, text, parts, cost)


def give_token(content: Content, ready: Ready, token: int | None = None) -> Intent:
    """Return the message with what tells this attempt from every other: a random token, if none."""
    token = secrets.randbits(63) if token is None else token
    reference = write_reference(content.campaign_id, ready.person_id, token)
    message = OutgoingMessage(
        token=token,
        organisation_id=content.organisation_id,
        campaign_id=content.campaign_id,
        person_id=ready.person_id,
        channel=content.channel,
        address=ready.address,
        subject=ready.subject,
        text=ready.text,
        reference=reference,
        receipt_url=content.receipts_at + reference if content.receipts_at else None,
        sender_name=content.sender_name,
        postal_address=content.postal_address,
        unsubscribe_url=unsubscribe_url(content.settings, reference),
    )
    return Intent(message, ready.parts, ready.cost)
