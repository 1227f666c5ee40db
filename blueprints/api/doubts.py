"""Messages in doubt: whose they are, and the decision on them."""

from flask import Response, current_app

from blueprints.access import api_scope, current_actor
from blueprints.api import campaign_bodies as bodies
from blueprints.api import documents
from blueprints.api.answering import answer, answer_page, read_id_cursor
from blueprints.api.ground import api_blueprint
from blueprints.api.reading import PageQuery
from rollcall.paging import write_cursor
from rollcall.sending.doubts import ask_provider, count_doubts, list_doubts, resolve_doubts

api = api_blueprint("doubts", "Campaigns")


@api.get("/campaigns/<int:campaign_id>/doubts")
@api_scope("read")
@api.input(PageQuery, location="query")
@api.output(documents.DoubtPage)
def index(campaign_id: int, query_data: PageQuery) -> Response:
    """List the people in doubt

    Whether their message went out can't be known, and it is never sent again by itself.
    """
    page = list_doubts(
        current_app.extensions["rollcall"],
        current_actor().organisation_id,
        campaign_id,
        read_id_cursor(query_data.cursor) or 0,
        query_data.limit,
    )
    cursor = write_cursor(page.next_after) if page.next_after else None
    return answer_page((row.to_json() for row in page.rows), cursor)


@api.post("/campaigns/<int:campaign_id>/doubts")
@api_scope("send")
@api.input(bodies.DoubtDecision)
@api.output(documents.DecidedDocument)
def decide(campaign_id: int, json_data: bodies.DoubtDecision) -> Response:
    """Decide on messages in doubt

    On one person's, or on all. Sent again, somebody may get the message twice; that takes a
    token of an admin or super.
    """
    decided = resolve_doubts(current_actor(), campaign_id, json_data.decision, json_data.person_id)
    return answer({"decided": decided, "in_doubt": count_doubts(campaign_id)})


@api.post("/campaigns/<int:campaign_id>/doubts/ask")
@api_scope("send")
@api.output(documents.AskedDocument)
def ask(campaign_id: int) -> Response:
    """Ask the provider what became of the messages in doubt

    At most 200 in one call. What it knows nothing of stays in doubt.
    """
    known, asked = ask_provider(current_actor(), campaign_id, current_app.extensions["rollcall"])
    return answer({"asked": asked, "known": known, "in_doubt": count_doubts(campaign_id)})
