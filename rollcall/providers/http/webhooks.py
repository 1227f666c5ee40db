"""What a gateway brings over HTTP, read as its file says.

Every address holds the secret of this installation. A gateway that signs its requests can be held
to that as well.
"""

from collections.abc import Sequence
from typing import Any

from rollcall.providers.base import Inbound, Receipt
from rollcall.providers.http.file import (
    Described,
    InboundTable,
    ReceiptTable,
    States,
    When,
)
from rollcall.providers.http.judging import LONGEST_ID, hide, holds
from rollcall.providers.http.pointers import find_text, find_values, read_document
from rollcall.providers.http.proofs import is_proved
from rollcall.providers.numbers import write_international
from rollcall.providers.webhooks import (
    EnteredAddress,
    Events,
    NotGenuine,
    Route,
    Unreadable,
    WebhookAnswer,
    WebhookRequest,
    first_of_each,
    say_nothing,
)

_METHODS = ("GET", "POST")
_JSON = "application/json"


def take_receipts(request: WebhookRequest) -> Events:
    """Return what the gateway reports of messages that it took."""
    described = _read_genuine(request)
    table = described.gateway.receipts
    if table is None:
        raise Unreadable("HTTP_PROVIDER_FILE says nothing of receipts.")
    found = _find_events(_read_document(request), table.each, table.when)
    return _read_receipts(described, table, found, request.path.get("reference"))


def take_texts(request: WebhookRequest) -> Events:
    """Return what people wrote, or the receipts that the gateway brings to the same address."""
    described = _read_genuine(request)
    table, receipts = described.gateway.inbound, described.gateway.receipts
    document = _read_document(request)
    if receipts is not None and receipts.when is not None:
        reported = _find_events(document, receipts.each, receipts.when)
        if reported:
            return _read_receipts(described, receipts, reported, None)
    if table is None:
        raise Unreadable("HTTP_PROVIDER_FILE says nothing of what people write.")
    inbound = [_read_text(table, one) for one in _find_events(document, table.each, table.when)]
    answer = _answer if table.reply == "body" else say_nothing
    return Events(inbound=inbound, answer=answer)


def _read_genuine(request: WebhookRequest) -> Described:
    described: Described | None = request.settings.described
    if described is None:
        raise NotGenuine("HTTP_PROVIDER_FILE is not set, so that nothing can be from a gateway.")
    proof = described.gateway.proof
    if proof and not is_proved(proof, request.url, request.headers, request.body):
        raise NotGenuine("The request does not carry the proof that HTTP_PROVIDER_FILE asks for.")
    return described


def _read_document(request: WebhookRequest) -> Any:
    """Return the request's JSON, or else the fields of its query and its form."""
    if request.content_type == _JSON or request.content_type.endswith("+json"):
        document = read_document(request.body)
        if document is None:
            raise Unreadable("The body is not JSON.")
        return document
    return {**first_of_each(request.read_form()), **request.read_query()}


def _find_events(document: Any, each: str, when: When | None) -> list[Any]:
    found = [one for one in find_values(document, each) if one is not None]
    return [one for one in found if when is None or holds(when, one)]


def _read_receipts(
    described: Described, table: ReceiptTable, found: Sequence[Any], reference: str | None
) -> Events:
    read = [_read_receipt(described, table, one, reference) for one in found]
    unknown = sorted({one for one in read if isinstance(one, str)})
    unread = f"receipts with a status that HTTP_PROVIDER_FILE does not know: {', '.join(unknown)}"
    receipts = [one for one in read if isinstance(one, Receipt)]
    return Events(receipts=receipts, unread=unread if unknown else "")


def _read_receipt(
    described: Described, table: ReceiptTable, one: Any, reference: str | None
) -> Receipt | str | None:
    """Return the receipt, None where its status says nothing yet, or a status that is not known."""
    status = find_text(one, table.status)
    reference = reference or find_text(one, table.reference) or None
    message_id = find_text(one, table.id)[:LONGEST_ID] or None
    if not status:
        raise Unreadable(f"No status stands at {table.status}.")
    if not (reference or message_id):
        places = " or ".join(filter(None, (table.reference, table.id)))
        raise Unreadable(f"No message is named at {places or 'the end of the address'}.")
    if status in table.states.ignored:
        return None
    state = _state_of(table.states, status)
    if state is None:
        return hide(status, described)[:40]
    if state != "failed":
        return Receipt(state, reference, message_id)
    code = hide(find_text(one, table.code), described)[:40] or status[:40]
    said = hide(find_text(one, table.text), described)[:160]
    text = f"{described.gateway.label} could not deliver the message."
    known = table.codes.get(code)
    text = known or (f"{text} It says: {said}" if said else text)
    stopped = code in table.opted_out or status in table.opted_out
    return Receipt("failed", reference, message_id, code, text, stopped)


def _state_of(states: States, status: str) -> str | None:
    for state, words in (
        ("sent", states.sent),
        ("delivered", states.delivered),
        ("failed", states.failed),
    ):
        if status in words:
            return state
    return None


def _read_text(table: InboundTable, one: Any) -> Inbound:
    parts = [find_text(one, pointer) for pointer in table.id]
    sender = write_international(find_text(one, table.sender))
    if not any(parts):
        raise Unreadable(f"No id stands at {' or '.join(table.id)}.")
    if not sender:
        raise Unreadable(f"No sender stands at {table.sender}.")
    message_id = "-".join(parts)[:LONGEST_ID].replace("\0", "")
    to_address, text = find_text(one, table.to), find_text(one, table.text)
    return Inbound(message_id, sender, to_address.strip(), text)


def _answer(replies: Sequence[str]) -> WebhookAnswer:
    return WebhookAnswer("\n".join(filter(None, replies)).encode("utf-8", "replace"))


ROUTES = (
    Route("receipt", "/<secret>/receipt/<reference>", _METHODS, take_receipts),
    Route("receipts", "/<secret>/receipts", _METHODS, take_receipts),
    Route("inbound", "/<secret>/inbound", _METHODS, take_texts),
)
INBOUND = EnteredAddress(route="inbound", label="Enter at the gateway, for what people write")
REPORTS = EnteredAddress(route="receipts", label="Enter at the gateway, for delivery receipts")
