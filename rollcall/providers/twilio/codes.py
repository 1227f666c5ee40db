"""What Twilio's error codes mean, in words for staff, and whom they concern.

The codes and their meanings are those of Twilio's error and warning dictionary.
"""

from enum import Enum
from typing import NamedTuple

from rollcall.providers.base import ProviderError


class Concerns(Enum):
    """Who is affected by an error, and so what follows from it."""

    RECIPIENT = "recipient"  # refused for this one
    OPTED_OUT = "opted out"  # refused for this one, who is on the carrier's own stop list
    ACCOUNT = "account"  # refused for everybody, until somebody mends it
    LATER = "later"  # refused for everybody, for a while


class CodeMeaning(NamedTuple):
    """What one code means."""

    concerns: Concerns
    text: str


def _recipient(text: str) -> CodeMeaning:
    return CodeMeaning(Concerns.RECIPIENT, text)


def _account(text: str) -> CodeMeaning:
    return CodeMeaning(Concerns.ACCOUNT, text)


CODES: dict[int, CodeMeaning] = {
    # The account, the log-in, the sender.
    20003: _account(
        "Twilio did not accept the log-in: check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN. "
        "A suspended account, for want of credit for example, is answered in the same way."
    ),
    20005: _account("The Twilio account is suspended or closed: look at its console."),
    20006: _account("Twilio denies this account the right to send messages."),
    20008: _account("TWILIO_AUTH_TOKEN is that of Twilio's test credentials, which send nothing."),
    20404: _account("Twilio knows no such account: check TWILIO_ACCOUNT_SID and TWILIO_BASE_URL."),
    20429: CodeMeaning(Concerns.LATER, "Twilio asks for fewer requests at a time."),
    21212: _account("TWILIO_FROM is no number or name that can send messages."),
    21601: _account("The number in TWILIO_FROM can't send text messages."),
    21603: _account("The message has no sender: set TWILIO_FROM."),
    21606: _account(
        "The number in TWILIO_FROM does not belong to this Twilio account, or can't send messages."
    ),
    21607: _account("A Twilio trial account sends only from its trial number: set TWILIO_FROM."),
    21609: _account("Twilio can't use the address for receipts: check PUBLIC_URL."),
    21611: CodeMeaning(
        Concerns.LATER, "Too many messages are waiting at Twilio for the number in TWILIO_FROM."
    ),
    21659: _account("The number in TWILIO_FROM is not one of Twilio's, or of another country."),
    21660: _account("The number in TWILIO_FROM belongs to another Twilio account."),
    21661: _account("The number in TWILIO_FROM can't send text messages."),
    21701: _account("The messaging service in TWILIO_FROM does not exist."),
    21702: _account("The messaging service in TWILIO_FROM can't send at present."),
    21703: _account("The messaging service in TWILIO_FROM has no number that can send."),
    21704: _account("The messaging service in TWILIO_FROM has no numbers: add one to its pool."),
    21705: _account("The messaging service in TWILIO_FROM is not a valid one."),
    # The recipient.
    21211: _recipient("This is not a valid phone number."),
    21214: _recipient("This number can't be reached."),
    21217: _recipient("This does not look like a phone number."),
    21265: _recipient("A short code can't be sent messages."),
    21266: _recipient("This is the number that we send from."),
    21408: _recipient(
        "The Twilio account may not send to this country: allow it under Geo permissions."
    ),
    21604: _recipient("There is no phone number to send to."),
    21608: _recipient("A Twilio trial account sends only to numbers verified in its console."),
    21610: CodeMeaning(Concerns.OPTED_OUT, "Opted out at the carrier."),
    21612: _recipient("This number can't be reached from our sender."),
    21614: _recipient("This is not a mobile number, or one that takes no text messages."),
    21635: _recipient("This is a landline, which takes no text messages."),
    # The text.
    21602: _recipient("The message has no text."),
    21605: _recipient("The message is too long for Twilio."),
    21617: _recipient("The message is longer than the 1,600 characters that Twilio takes."),
    21618: _recipient("Twilio can't send this text."),
    21619: _recipient("The message has no text."),
    # What comes later, in receipts.
    30001: _recipient("Too many messages were waiting at Twilio, and this one was dropped."),
    30002: _account("The Twilio account was suspended before the message went out."),
    30003: _recipient("The phone is switched off or out of reach."),
    30004: _recipient("This number or its carrier blocks our messages."),
    30005: _recipient("This number does not exist any more, or is not known to its carrier."),
    30006: _recipient("This is a landline, or its carrier takes no text messages."),
    30007: _recipient("The carrier held the message for spam, or against its rules."),
    30008: _recipient("The message could not be delivered; the carrier gave no reason."),
    30009: _recipient("A part of the message got lost."),
    30010: _recipient("The message would have cost more than the account allows."),
    30022: CodeMeaning(
        Concerns.LATER, "The carrier takes no more messages a minute from our sender."
    ),
    30023: _recipient("The carrier takes no more messages from our sender today."),
    30024: _recipient("Our sender is not set up at the recipient's carrier."),
    30032: _account("The toll-free number in TWILIO_FROM is not verified yet."),
    30034: _account("The number in TWILIO_FROM is not registered with US carriers (A2P 10DLC)."),
    30036: _recipient("The message was not delivered within its time."),
    30410: _recipient("The carrier did not answer in time."),
}

OPT_OUT_CODES = frozenset(
    code for code, meaning in CODES.items() if meaning.concerns is Concerns.OPTED_OUT
)


def describe_code(code: int) -> str:
    """Return what the code means in words for staff; of an unknown one, its number."""
    meaning = CODES.get(code)
    return meaning.text if meaning else f"Twilio reports error {code}."


def error_of(code: int, status: int, said: str, retry_after: float | None) -> ProviderError:
    """Return the error for a rejection with a code: documented, so nothing was accepted.

    `said` is Twilio's own message, shown where the code is not known here.
    """
    meaning = CODES.get(code)
    if meaning is None:
        everybody = status in (401, 402, 403, 404)
        concerns = Concerns.ACCOUNT if everybody else Concerns.RECIPIENT
        meaning = CodeMeaning(concerns, said or describe_code(code))
    if status == 429:
        meaning = CodeMeaning(Concerns.LATER, meaning.text)
    return ProviderError(
        str(code),
        meaning.text,
        permanent=meaning.concerns is not Concerns.LATER,
        provider_wide=meaning.concerns in (Concerns.ACCOUNT, Concerns.LATER),
        retry_after=retry_after if meaning.concerns is Concerns.LATER else None,
        opted_out=meaning.concerns is Concerns.OPTED_OUT,
    )
