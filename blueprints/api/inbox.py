"""The inbox: what people wrote to our numbers, and what was made of it."""

from typing import Any, Literal

from flask import Response
from pydantic import Field

from blueprints.access import api_scope, current_actor
from blueprints.api import documents
from blueprints.api.answering import answer, answer_page, moment_text
from blueprints.api.ground import api_blueprint
from blueprints.api.reading import Body, PageQuery
from rollcall.people.inbox import GIVEN, InboxLine, decide_inbound, find_inbound, list_inbox

api = api_blueprint("inbox", "Inbox")


class InboxQuery(PageQuery):
    """Which messages: those that hold `q`, and only those that wait for a decision, or not."""

    q: str = Field("", max_length=200)
    undecided: bool | None = None


class Decision(Body):
    """Whether the message means stop: `stop` opts its sender out, `ignore` leaves them in."""

    decision: Literal["stop", "ignore"]


@api.get("/inbox")
@api_scope("read")
@api.input(InboxQuery, location="query")
@api.output(documents.InboundPage)
def index(query_data: InboxQuery) -> Response:
    """List what people wrote, the newest first"""
    found = list_inbox(
        current_actor().organisation_id,
        undecided=query_data.undecided,
        text=query_data.q,
        cursor=query_data.cursor,
        limit=query_data.limit,
    )
    return answer_page(map(_document, found.rows), found.next_cursor)


@api.post("/inbox/<int:message_id>/decide")
@api_scope("write")
@api.input(Decision)
@api.output(documents.InboundDocument)
def decide(message_id: int, json_data: Decision) -> Response:
    """Decide whether a message means stop

    The same decision again changes nothing; another one after it is a conflict.
    """
    actor = current_actor()
    decide_inbound(actor, message_id, json_data.decision)
    return answer(_document(find_inbound(actor.organisation_id, message_id)))


def _document(line: InboxLine) -> dict[str, Any]:
    message = line.message
    return {
        "id": message.id,
        "channel": str(message.channel),
        "from_address": message.address,
        "text": message.text,
        "meaning": str(message.meaning),
        "decision": GIVEN.get(message.decision or ""),
        "decided_at": moment_text(message.decided_at),
        "person_id": message.person_id,
        "last_campaign_id": line.campaign_id,
        "received_at": moment_text(message.received_at),
    }
