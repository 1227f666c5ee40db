"""What Twilio brings: status callbacks, and what people write to our numbers.

It proves itself by its signature over the address and the fields.
"""

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from rollcall.providers.base import Inbound, Receipt
from rollcall.providers.twilio.codes import OPT_OUT_CODES, describe_code
from rollcall.providers.twilio.signature import is_signed
from rollcall.providers.webhooks import (
    EnteredAddress,
    Events,
    NotGenuine,
    Route,
    Unreadable,
    WebhookAnswer,
    WebhookRequest,
    first_of_each,
)

_TAKEN = ("accepted", "scheduled", "queued", "sending", "sent")
FAILED = ("failed", "undelivered", "canceled")


def take_receipt(request: WebhookRequest) -> Events:
    """Return what a status callback says of the message that its address names."""
    form = _read_genuine(request)
    if not (form.get("MessageStatus") or form.get("SmsStatus")):
        raise Unreadable("The field MessageStatus is missing.")
    receipt = read_receipt(form, request.path["reference"])
    return Events(receipts=(receipt,) if receipt else ())


def take_text(request: WebhookRequest) -> Events:
    """Return what somebody wrote; the answer says in TwiML what Twilio is to send back."""
    inbound = read_text(_read_genuine(request))
    if inbound is None:
        raise Unreadable("The fields MessageSid and From are missing.")
    return Events(inbound=(inbound,), answer=_answer)


def _read_genuine(request: WebhookRequest) -> dict[str, str]:
    """Return the form's fields once the signature proves that they are Twilio's."""
    json = request.content_type == "application/json"
    fields = [] if json else request.read_form()
    signature = request.headers.get("x-twilio-signature", "")
    token, body = request.settings.auth_token, request.body if json else None
    if not is_signed(token, request.url, signature, fields, body):
        raise NotGenuine("The signature is not Twilio's for this address and these fields.")
    return first_of_each(fields)


def _answer(replies: Sequence[str]) -> WebhookAnswer:
    root = ElementTree.Element("Response")
    for text in filter(None, replies):
        ElementTree.SubElement(root, "Message").text = text
    markup = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return WebhookAnswer(markup, "text/xml; charset=utf-8")


def read_receipt(form: Mapping[str, str], reference: str | None = None) -> Receipt | None:
    """Return what a status callback reports; None where it is none, or of a state unknown here.

    All states before "sent" count as that: they prove that Twilio took the message.
    """
    status = form.get("MessageStatus") or form.get("SmsStatus") or ""
    sid = form.get("MessageSid") or form.get("SmsSid")
    if status in _TAKEN:
        return Receipt("sent", reference, sid)
    if status in ("delivered", "read"):
        return Receipt("delivered", reference, sid)
    if status in FAILED:
        code = read_code(form.get("ErrorCode"))
        text = describe_code(code) if code else "Twilio could not deliver the message."
        stopped = code in OPT_OUT_CODES
        return Receipt("failed", reference, sid, str(code or status), text, stopped)
    return None


def read_text(form: Mapping[str, str]) -> Inbound | None:
    """Return the message that somebody sent us, None where the form holds none.

    Twilio answers by itself where its Advanced Opt-Out is on, and says so by OptOutType.
    """
    sid, sender = form.get("MessageSid") or form.get("SmsSid"), form.get("From")
    if not sid or not sender:
        return None
    answered = bool(form.get("OptOutType"))
    to_address, text = form.get("To", "").strip(), form.get("Body", "")
    return Inbound(sid, sender.strip(), to_address, text, answered)


def read_code(value: object) -> int | None:
    """Return an error code as a number, None where there is none."""
    try:
        return int(str(value))
    except ValueError:
        return None


ROUTES = (
    Route("receipt", "/receipt/<reference>", ("POST",), take_receipt),
    Route("inbound", "/inbound", ("POST",), take_text),
)
INBOUND = EnteredAddress(
    route="inbound",
    label="Enter at the provider, for “A message comes in”, by POST",
)
