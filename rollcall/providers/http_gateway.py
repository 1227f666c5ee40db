"""What the gateways over HTTP have in common: a message a request, each once, over a kept line."""

from collections.abc import Sequence
from typing import Protocol

from rollcall.providers.base import Outcome, OutgoingMessage, ProviderError
from rollcall.providers.http import Address, HttpLine


class HttpGateway(Protocol):
    """A gateway where it is, and how one message is handed to it."""

    address: Address | None

    def missing(self) -> list[str]:
        """Say which settings are missing or unusable, one sentence each."""
        ...

    def hand_over(self, line: HttpLine, message: OutgoingMessage) -> Outcome:
        """Ask once for one message and read the answer; raises ProviderError where none came."""
        ...


class GatewayLine:
    """One line to a gateway, opened when first used."""

    def __init__(self, gateway: HttpGateway, timeout: float) -> None:
        self._gateway = gateway
        self._timeout = timeout
        self._line: HttpLine | None = None

    def close(self) -> None:
        """End the line."""
        if self._line is not None:
            self._line.close()

    def send(self, messages: Sequence[OutgoingMessage]) -> list[Outcome]:
        """Hand over each message, once, and say what the gateway answered."""
        missing = self._gateway.missing()
        address = self._gateway.address
        if missing or address is None:
            error = ProviderError("settings", " ".join(missing), provider_wide=True)
            return [Outcome(message.token, error=error) for message in messages]
        return [self._send_one(message, address) for message in messages]

    def _send_one(self, message: OutgoingMessage, address: Address) -> Outcome:
        self._line = self._line or HttpLine(address, self._timeout)
        try:
            return self._gateway.hand_over(self._line, message)
        except ProviderError as error:
            return Outcome(message.token, error=error)
