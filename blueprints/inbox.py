"""The inbox: what people wrote to our numbers; what may be a stop waits for a decision."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from rollcall.people.inbox import decide_inbound, list_inbox

pages = Blueprint("inbox", __name__, url_prefix="/inbox")

DONE = {
    ("stop", True): "Opted out: their phone gets no more texts.",
    ("stop", False): "They were opted out already by this message.",
    ("ignore", True): "Noted: this is not a stop, and they stay in.",
    ("ignore", False): "That was noted already.",
}


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """Show what waits for a decision, and all other messages, the newest first."""
    organisation_id = current_actor().organisation_id
    text = request.args.get("q", "").strip()[:200]
    cursor, waiting_cursor = request.args.get("cursor"), request.args.get("waiting")
    waiting = list_inbox(organisation_id, undecided=True, text=text, cursor=waiting_cursor)
    others = list_inbox(organisation_id, undecided=False, text=text, cursor=cursor)
    return render_template(
        "inbox/index.html",
        waiting=waiting.rows,
        others=others.rows,
        text=text,
        first_url=url_for("inbox.index", q=text or None) if cursor or waiting_cursor else None,
        more_waiting_url=_page_url(text, "waiting", waiting.next_cursor),
        next_url=_page_url(text, "cursor", others.next_cursor),
    )


@pages.post("/<int:message_id>/decide")
@staff_only
def decide(message_id: int) -> ResponseReturnValue:
    """Opt the sender of a message out, or note that it is not a stop."""
    decision = request.form.get("decision", "")
    fresh = decide_inbound(current_actor(), message_id, decision)
    flash(DONE[decision, fresh], "success")
    return redirect(url_for("inbox.index"))


def _page_url(text: str, name: str, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    place: dict[str, Any] = {"q": text or None, name: cursor}
    return url_for("inbox.index", **place)
