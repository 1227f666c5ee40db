"""What a provider is: something that carries messages and says truthfully what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One rendered message for one address; `token` is ours and travels with it."""

    token: int
    organisation_id: int
    campaign_id: int
    person_id: int
    channel: str
    address: str
    subject: str
    text: str


class ProviderError(Exception):
    """A message was not accepted, or it can't be known whether it was.

    `permanent`: trying again would give the same answer. `in_doubt`: it may have been accepted.
    """

    def __init__(
        self, code: str, text: str, *, permanent: bool = True, in_doubt: bool = False
    ) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.permanent = permanent
        self.in_doubt = in_doubt


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider answered for one message: its own id for it, or the error."""

    token: int
    provider_message_id: str | None = None
    error: ProviderError | None = None


class Provider(Protocol):
    """Carries messages over one channel or several. Knows no models, no database, no Flask."""

    name: str

    def send(self, messages: Sequence[OutgoingMessage]) -> list[Outcome]:
        """Try each message exactly once and return one outcome for each, in any order."""
        ...
