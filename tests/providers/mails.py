"""Mails to try the SMTP provider with, and what came of them in a word or two."""

from dataclasses import replace
from email import message_from_bytes, policy

from rollcall.providers.base import Outcome, OutgoingMessage, ProviderError
from rollcall.providers.smtp.provider import SmtpConnection, SmtpProvider, SmtpSettings
from tests.waiting import HANGS

MESSAGE = OutgoingMessage(
    token=4711,
    organisation_id=1,
    campaign_id=2,
    person_id=3,
    channel="email",
    address="sarah@example.com",
    subject="Friday",
    text="Hi Sarah,\n.\n..see you\n",
    reference="2-3-abc",
    sender_name="Art Battle",
    postal_address="12 Main St, Toronto",
    unsubscribe_url="https://rollcall.example/u/x",
)
ACCEPTED, TEMPORARY, PERMANENT, DOUBT = "accepted", "temporary", "permanent", "in doubt"
WIDE = " for all"


def kind(outcome: Outcome) -> str:
    error = outcome.error
    if error is None:
        return ACCEPTED
    assert error.text.endswith(".")
    name = DOUBT if error.in_doubt else PERMANENT if error.permanent else TEMPORARY
    return name + (WIDE if error.provider_wide else "")


def the_error(outcome: Outcome) -> ProviderError:
    assert outcome.error is not None
    return outcome.error


def read_text(mail: bytes) -> str:
    body = message_from_bytes(mail, policy=policy.default).get_body(("plain",))
    assert body is not None
    return body.get_content().replace("\r\n", "\n")


def people(count: int) -> list[OutgoingMessage]:
    return [
        replace(MESSAGE, token=number, address=f"p{number}@example.com", reference=f"2-{number}-x")
        for number in range(count)
    ]


def line_to(port: int, timeout: float = HANGS, query: str = "") -> SmtpConnection:
    settings = SmtpSettings(f"smtp://127.0.0.1:{port}{query}", "News <news@example.org>")
    return SmtpProvider(settings).connect(timeout)
