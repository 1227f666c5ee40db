"""What a provider is: something that carries messages and says truthfully what became of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
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
    own `reference`, or where that does not come back by the provider's id.
    """

    status: str
    reference: str | None = None
    provider_message_id: str | None = None
    error_code: str = ""
    error_text: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message that somebody sent to one of our numbers. `message_id` is the provider's."""

    message_id: str
    address: str
    to_address: str
    text: str


Sink = Callable[[Receipt | Inbound], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check looked at: whether it is in order, and else how to mend it."""

    ok: bool
    text: str


@dataclass(frozen=True)
class Declaration:
    """What a provider says of itself, for staff, documents and the runner.

    `proves_refusal` and `leaves_doubt` list, in words, which answers prove that nothing was
    accepted and which leave a message in doubt. `rate` is its limit in messages a second where
    it has one of its own. `receipts` is "webhook", "session" or "none".
    """

    label: str
    channels: tuple[str, ...]
    proves_refusal: tuple[str, ...]
    leaves_doubt: tuple[str, ...]
    rate: float | None
    receipts: str


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


class Provider(Protocol):
    """Carries messages over one channel or several. Knows no models, no database, no Flask.

    `together` is how many messages a connection is best handed at once.
    """

    name: str
    together: int
    declaration: Declaration

    def connect(self, timeout: float) -> Connection:
        """Return a line that is opened when first used; no answer is waited for longer."""
        ...

    def check(self) -> list[Finding]:
        """Look whether the settings are complete and the provider can be reached and logged in to.

        Sends nothing to anybody and takes at most a few seconds.
        """
        ...


class Asked(Protocol):
    """A provider that can be asked what became of a message whose answer never came."""

    def find(self, message: OutgoingMessage, since: datetime) -> Outcome | None:
        """Return what the provider knows of the message, None where it knows nothing."""
        ...


class Configured(Protocol):
    """A provider that can tell by its settings alone what is missing in them."""

    def missing(self) -> list[str]:
        """Return which settings are missing or unusable, one sentence each; asks nobody."""
        ...


class Listening(Protocol):
    """A provider whose receipts and inbound messages come over its own session."""

    def listen(self, sink: Sink) -> Callable[[], None]:
        """Keep a session open and hand all that comes over it to `sink`; returns how to stop.

        What comes over any session of this process goes to the sink, those that send included.
        """
        ...
