"""Messages to try providers with."""

from rollcall.providers.base import Outcome, OutgoingMessage, ProviderError
from rollcall.providers.declaration import Provider
from tests.waiting import HANGS

REFERENCE = "2-3-00000000000000ff"


def make_message(
    address: str = "+420601000001", text: str = "Doors open at 7", receipts: str | None = None
) -> OutgoingMessage:
    """One message as the runner would hand it over; `receipts` is where to report to."""
    receipt_url = f"{receipts}/receipt/{REFERENCE}" if receipts else None
    return OutgoingMessage(255, 1, 2, 3, "sms", address, "", text, REFERENCE, receipt_url)


def send(provider: Provider, *messages: OutgoingMessage, timeout: float = HANGS) -> list[Outcome]:
    """Send the messages over one new line, which is closed again."""
    line = provider.connect(timeout)
    try:
        return list(line.send(messages))
    finally:
        line.close()


def error_of(outcome: Outcome) -> ProviderError:
    """The error of an outcome that has one."""
    assert outcome.error is not None, outcome
    return outcome.error


def kind_of(error: ProviderError) -> str:
    """The kind of an error in one word or two, as `ProviderError` lists them."""
    if error.in_doubt:
        assert not error.permanent
        assert not error.provider_wide
        return "doubt"
    return ("refused" if error.permanent else "later") + (" all" if error.provider_wide else "")
