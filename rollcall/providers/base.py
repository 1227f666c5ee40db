"""What goes to a provider and what comes back: messages, outcomes, receipts, replies."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One rendered message for one address.

    `token` is ours, random, 63 bits, and new for each attempt. `reference` is how it travels:
    campaign, person and token as one word of letters, digits and hyphens, good for a URL, a
    Message-ID or a header. `receipt_url` is where the provider is to report what became of the
    message, None where there is no outside address for it. The last four are for e-mail.
    """

    token: int
    organisation_id: int
    campaign_id: int
    person_id: int
    channel: str
    address: str
    subject: str
    text: str
    reference: str = ""
    receipt_url: str | None = None
    sender_name: str = ""
    postal_address: str = ""
    unsubscribe_url: str = ""


class ProviderError(Exception):
    """A message was not accepted, or it can't be known whether it was.

    `code` is the provider's own, `text` a sentence for staff. Exactly one of four kinds:

    - `in_doubt`: the message may have been accepted; it is never sent again by itself.
    - `permanent` (the default): refused for this recipient; trying again gives the same answer.
    - `permanent=False`: proof that nothing was accepted, and a later try may succeed.
    - `provider_wide`, with either: not this recipient is the reason but the provider or our
      account with it (wrong password, no credit: permanent; too many requests, connection
      refused: not), so that the whole provider rests, for `retry_after` seconds where it said so.

    `opted_out`: the carrier has this address on its own stop list.
    """

    def __init__(
        self,
        code: str,
        text: str,
        *,
        permanent: bool = True,
        in_doubt: bool = False,
        provider_wide: bool = False,
        retry_after: float | None = None,
        opted_out: bool = False,
    ) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.permanent = permanent and not in_doubt
        self.in_doubt = in_doubt
        self.provider_wide = provider_wide
        self.retry_after = retry_after
        self.opted_out = opted_out


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider answered for one message: its own id for it, or the error."""

    token: int
    provider_message_id: str | None = None
    error: ProviderError | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider reports later of a message that it took.

    `status` is "sent" (a carrier took it), "delivered" or "failed". The message is named by our
    own `reference`, or where that does not come back by the provider's id. `opted_out`: the
    carrier has the address on its own stop list.
    """

    status: str
    reference: str | None = None
    provider_message_id: str | None = None
    error_code: str = ""
    error_text: str = ""
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message that somebody sent to one of our numbers. `message_id` is the provider's.

    `answered`: the carrier has answered it by itself, as some do to STOP and HELP.
    """

    message_id: str
    address: str
    to_address: str
    text: str
    answered: bool = False


Sink = Callable[[Receipt | Inbound], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check looked at: whether it is in order, and else how to mend it."""

    ok: bool
    text: str


class Connection(Protocol):
    """One open line to the provider, used by one thread at a time."""

    def send(self, messages: Sequence[OutgoingMessage]) -> Iterable[Outcome]:
        """Try each message exactly once and give one outcome for each, in any order.

        Never raises for what the provider does or the network: that is an outcome. A line that
        broke is opened again at the next call.
        """
        ...

    def close(self) -> None:
        """End the line; nothing is sent any more."""
        ...
