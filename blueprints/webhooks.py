"""What gateways bring: delivery receipts, and what people send to our numbers.

Kannel proves itself by the secret in the address, Twilio by its signature. Whatever does not, and
whatever is about a message that this installation did not send, is refused and changes nothing.
"""

from typing import Any
from xml.etree import ElementTree

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import BadRequest

from blueprints.access import signed
from rollcall.config import Settings
from rollcall.errors import NotAllowed
from rollcall.providers.base import Receipt
from rollcall.providers.kannel import (
    kannel_reply_headers,
    read_kannel_inbound,
    read_kannel_receipt,
)
from rollcall.providers.twilio import (
    check_twilio_signature,
    read_twilio_inbound,
    read_twilio_receipt,
)
from rollcall.sending.inbound import answer_inbound
from rollcall.sending.receipts import store_receipt
from rollcall.sending.references import is_webhook_secret

pages = Blueprint("webhooks", __name__, url_prefix="/webhooks")

LARGEST_BODY = 64 * 1024
FORM_TYPES = ("", "application/x-www-form-urlencoded")


@pages.route("/kannel/<secret>/receipt/<reference>", methods=["GET", "POST"])
@signed
def kannel_receipt(secret: str, reference: str) -> Response:
    """Store what Kannel reports of a message."""
    _check_kannel(secret)
    values = {**_read_form(), **request.args.to_dict()}
    status = values.get("status", "")
    if not (status.isascii() and status.isdigit() and len(status) <= 4):
        raise BadRequest("The parameter status must be a number: write status=%d in dlr-url.")
    return _store("kannel", read_kannel_receipt(values, reference))


@pages.route("/kannel/<secret>/inbound", methods=["GET", "POST"])
@signed
def kannel_inbound(secret: str) -> Response:
    """Take in a text that Kannel received; the answer's body is what it sends back."""
    _check_kannel(secret)
    _read_form()
    raw = request.query_string or request.get_data(cache=True)
    try:
        inbound = read_kannel_inbound(raw)
    except ValueError as error:
        raise BadRequest("The text is not in the character set that it names.") from error
    if inbound is None:
        raise BadRequest("The parameters from and id are missing: see get-url in the documents.")
    reply = answer_inbound("kannel", inbound)
    response = _plain(reply.text)
    response.headers.update(kannel_reply_headers(reply.text))
    return response


@pages.post("/twilio/receipt/<reference>")
@signed
def twilio_receipt(reference: str) -> Response:
    """Store what Twilio reports of a message."""
    form = _check_twilio()
    if not (form.get("MessageStatus") or form.get("SmsStatus")):
        raise BadRequest("The field MessageStatus is missing.")
    return _store("twilio", read_twilio_receipt(form, reference))


@pages.post("/twilio/inbound")
@signed
def twilio_inbound() -> Response:
    """Take in a text that Twilio received, and answer in its own markup."""
    found = read_twilio_inbound(_check_twilio())
    if found is None:
        raise BadRequest("The fields MessageSid and From are missing.")
    inbound, answered = found
    reply = answer_inbound("twilio", inbound, answered_by_carrier=answered)
    root = ElementTree.Element("Response")
    if reply.text:
        ElementTree.SubElement(root, "Message").text = reply.text
    markup = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return current_app.response_class(markup, mimetype="text/xml")


def _store(provider_name: str, receipt: Receipt | None) -> Response:
    # A state that says nothing yet is taken and needs no answer.
    if receipt is not None and not store_receipt(provider_name, receipt):
        raise NotAllowed("This installation sent no such message.")
    return _plain("")


def _check_kannel(secret: str) -> None:
    if not is_webhook_secret(secret):
        raise NotAllowed("This is not the secret of this installation.")


def _check_twilio() -> Any:
    settings: Settings = current_app.extensions["rollcall"]
    query = request.query_string.decode("latin-1")
    url = f"{settings.public_url}{request.path}{f'?{query}' if query else ''}"
    form = _read_form()
    signature = request.headers.get("X-Twilio-Signature", "")
    if not check_twilio_signature(settings.twilio.auth_token, url, form, signature):
        raise NotAllowed("The signature is not Twilio's for this address and these fields.")
    return form


def _read_form() -> Any:
    """Return the form of the body; raises 413 for one larger than any message, 400 for no form."""
    request.max_content_length = LARGEST_BODY
    if request.mimetype not in FORM_TYPES:
        raise BadRequest("Send the fields as application/x-www-form-urlencoded.")
    request.get_data(cache=True, parse_form_data=False)
    return request.form


def _plain(text: str) -> Response:
    return current_app.response_class(text, mimetype="text/plain")
