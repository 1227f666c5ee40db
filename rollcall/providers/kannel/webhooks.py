"""What Kannel brings: delivery reports, and what people write to our numbers.

It proves itself by the secret in the addresses that it was given. See the user's guide of version
1.4.5, chapters 6 ("SMS service") and 7 (delivery reports).
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from rollcall.messages.parts import count_parts
from rollcall.providers.base import Inbound, Receipt
from rollcall.providers.numbers import write_international
from rollcall.providers.webhooks import (
    EnteredAddress,
    Events,
    Route,
    Unreadable,
    WebhookAnswer,
    WebhookRequest,
    first_of_each,
)

_METHODS = ("GET", "POST")

# The end states of SMPP 3.4, section 5.2.28, as they stand in the text of a receipt.
_END_STATES = {
    "UNDELIV": "The network could not deliver the message.",
    "EXPIRED": "The phone was not reached in time, and the network gave up.",
    "DELETED": "The network deleted the message.",
    "REJECTD": "The network rejected the message.",
    "UNKNOWN": "The network does not know what became of the message.",
}


def take_receipt(request: WebhookRequest) -> Events:
    """Return what a delivery report says of the message that its address names."""
    values = {**first_of_each(request.read_form()), **request.read_query()}
    status = values.get("status", "")
    if not (status.isascii() and status.isdigit() and len(status) <= 4):
        raise Unreadable("The parameter status must be a number: write status=%d in dlr-url.")
    receipt = read_receipt(values, request.path["reference"])
    return Events(receipts=(receipt,) if receipt else ())


def take_text(request: WebhookRequest) -> Events:
    """Return what somebody wrote; the answer's body is what Kannel sends back to them."""
    request.read_form()
    inbound = read_text(request.query or request.body)
    if inbound is None:
        raise Unreadable("The parameters from and id are missing: see get-url in the documents.")
    return Events(inbound=(inbound,), answer=_answer)


def _answer(replies: Sequence[str]) -> WebhookAnswer:
    [text] = replies
    # Without it every letter that the GSM alphabet lacks becomes a question mark.
    headers = {} if fits_gsm(text) else {"X-Kannel-Coding": "2"}
    return WebhookAnswer(text.encode("utf-8", "replace"), headers=headers)


def fits_gsm(text: str) -> bool:
    """Return whether the text goes out in the GSM alphabet."""
    return count_parts(text).encoding == "GSM-7"


def read_receipt(values: Mapping[str, str], reference: str | None = None) -> Receipt | None:
    """Return what a request to our receipt address reports; None where it reports nothing yet.

    `values` are the parameters that we asked for in dlr-url, `reference` ours from its path.
    `status` is a set of bits: 1 delivered, 2 failed, 4 and 8 taken by the network, 16 refused by
    it; further bits (32: on its way, or expired with 2) only add to these.
    """
    text = values.get("status", "")
    if not (text.isascii() and text.isdigit()):
        return None
    status = int(text)
    if status & 1:
        return Receipt("delivered", reference)
    if status & (2 | 16):
        code, words = _read_reason(status, values.get("reply", ""))
        return Receipt("failed", reference, error_code=code, error_text=words)
    if status & (4 | 8):
        return Receipt("sent", reference)
    return None


def read_text(query: bytes) -> Inbound | None:
    """Return the message that Kannel brought to the address in get-url; None where it is none.

    `query` is the raw query string, since a text in UTF-16 is no longer one once it has been
    decoded as UTF-8.
    """
    try:
        found = parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=50
        )
    except ValueError:
        return None
    # Octets of zero mean nothing in any of these, and databases refuse them.
    values = {name: value.replace("\0", "") for name, value in found if name != "text"}
    address = write_international(values.get("from", ""))
    message_id = values.get("id", "")
    if not address or not message_id:
        return None
    text = _decode(dict(found).get("text", "").encode("latin-1"), values).replace("\0", "")
    return Inbound(message_id, address, values.get("to", "").strip(), text)


def _read_reason(status: int, reply: str) -> tuple[str, str]:
    """Return a code and words for a failure, from the text that the network gave with it."""
    state = re.search(r"stat:\s*([A-Z]+)", reply)
    number = re.search(r"err:\s*(\w+)", reply)
    refused = re.match(r"NACK/(\w+)/?(.*)", reply, re.DOTALL)
    if state:
        code = state[1] + (f" {number[1]}" if number and number[1].strip("0") else "")
        words = _END_STATES.get(state[1], _END_STATES["UNDELIV"])
        return code[:40], words
    if refused:
        said = f": {refused[2].strip()}" if refused[2].strip() else ""
        return refused[1][:40], f"The network refused the message{said[:160]}."
    if status & 16:
        return "rejected", "The network refused the message."
    return "failed", _END_STATES["EXPIRED" if status & 32 else "UNDELIV"]


def _decode(text: bytes, values: Mapping[str, str]) -> str:
    """Return the text in whatever its octets are, with signs in place of what can't be read.

    A reply with a broken octet may still be somebody's STOP: it is never turned away.
    """
    charset = values.get("charset", "").strip().lower()
    if charset in ("ucs-2", "ucs2") or (not charset and values.get("coding") == "2"):
        charset = "utf-16-be"
    try:
        # Octets without a named meaning: most senders write UTF-8, older ones Latin-1.
        return text.decode(charset if charset not in ("", "8-bit") else "utf-8")
    except UnicodeDecodeError:
        return text.decode(charset, "replace") if charset.startswith("utf") else _read_old(text)
    except LookupError:
        return _read_old(text)


def _read_old(text: bytes) -> str:
    return text.decode("latin-1")


ROUTES = (
    Route("receipt", "/<secret>/receipt/<reference>", _METHODS, take_receipt),
    Route("inbound", "/<secret>/inbound", _METHODS, take_text),
)
INBOUND = EnteredAddress(
    route="inbound",
    label="get-url of Kannel's sms-service, for what people write",
    query="from=%p&to=%P&text=%b&id=%I&charset=%C&coding=%c",
)
