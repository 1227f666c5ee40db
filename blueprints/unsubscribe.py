"""The page behind the link in every message: no more of these, and a way back in.

Looking changes nothing, because mail programs open links by themselves. A POST needs no log-in,
no cookie and no token of ours (RFC 8058): the link itself is the proof.
"""

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from blueprints.access import signed
from rollcall.errors import InvalidInput, NotFound
from rollcall.models import Channel
from rollcall.sending.unsubscribing import find_unsubscribe_page, subscribe_again, unsubscribe

pages = Blueprint("unsubscribe", __name__)

LARGEST_BODY = 64 * 1024


@pages.get("/u/<reference>")
@signed
def show(reference: str) -> ResponseReturnValue:
    """Show whose messages these are, and what this address gets at present."""
    return _page(reference)


@pages.post("/u/<reference>")
@signed
def change(reference: str) -> ResponseReturnValue:
    """Stop the messages at once, by a mail program's one click or by the page's own buttons."""
    request.max_content_length = LARGEST_BODY
    form = request.form
    try:
        find_unsubscribe_page(reference)
        if form.get("List-Unsubscribe") == "One-Click":
            unsubscribe(reference)
            return current_app.response_class("Unsubscribed.\n", mimetype="text/plain")
        channel = _read_channel(form.get("channel", ""))
        if form.get("action") == "stop":
            unsubscribe(reference, channel)
        elif form.get("action") == "start":
            subscribe_again(reference, channel)
        else:
            raise BadRequest("Say what to do: stop or start.")
    except NotFound:
        return _unknown()
    except InvalidInput as error:
        raise BadRequest(str(error)) from error
    return _page(reference, done=form["action"], changed=channel)


def _page(
    reference: str, done: str | None = None, changed: Channel | None = None
) -> ResponseReturnValue:
    try:
        page = find_unsubscribe_page(reference)
    except NotFound:
        return _unknown()
    return render_template(
        "unsubscribe/show.html", page=page, reference=reference, done=done, changed=changed
    )


def _unknown() -> ResponseReturnValue:
    return render_template("unsubscribe/unknown.html"), 404


def _read_channel(text: str) -> Channel:
    try:
        return Channel(text)
    except ValueError:
        raise BadRequest("Say which messages: sms or email.") from None
