"""What a gateway that has proved itself brought over HTTP: stored, and the answers due to it."""

from rollcall.errors import NotAllowed
from rollcall.providers.webhooks import Events
from rollcall.sending.inbound import answer_inbound
from rollcall.sending.receipts import store_receipt


def store_events(provider_name: str, events: Events) -> list[str]:
    """Store receipts and inbound messages; returns the text that is due to each of the latter.

    Raises NotAllowed where none of the receipts is about a message that this installation sent.
    """
    ours = [store_receipt(provider_name, receipt) for receipt in events.receipts]
    if ours and not any(ours):
        raise NotAllowed("This installation sent no such message.")
    return [answer_inbound(provider_name, inbound).text for inbound in events.inbound]
