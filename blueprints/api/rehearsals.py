"""Rehearsals: the whole way of a campaign without sending, by hand, and what they found."""

from typing import Literal

from flask import Response, current_app
from pydantic import BaseModel, Field

from blueprints.access import api_scope, current_actor
from blueprints.api.answering import answer, answer_page
from blueprints.api.ground import api_blueprint
from blueprints.api.reading import PageQuery
from rollcall.campaigns.drafts import find_campaign
from rollcall.sending.rehearsals import list_rehearsals, rehearsal_document, rehearse_campaign

api = api_blueprint("rehearsals", "Campaigns")


class RehearsalDocument(BaseModel):
    """What would have happened if the campaign had gone out, its time and its window kept."""

    id: int
    campaign_id: int
    at: str
    hours_before: int | None = Field(description="Null for one by hand.")
    scheduled_at: str = Field(description="The campaign's time, as it was then.")
    duration_ms: int
    outcome: Literal["within_limits", "review", "estimate", "stopped", "failure"] = Field(
        description="Goes out; stops for review; goes out to the frozen list instead; would not "
        "go out for what `obstacles` says; fails."
    )
    sentence: str
    estimated_recipients: int
    people: int | None = Field(description="Null where the list could not be made.")
    change_absolute: int | None
    change_percent: int | None
    joined: int
    left: int
    left_by_reason: dict[str, int]
    held_back_by_reason: dict[str, int] = Field(
        description="Who is on the list, and would not be messaged all the same."
    )
    waiting: int = Field(description="How many would wait until their quiet hours are over.")
    waiting_until: str | None
    blockers: list[str]
    warnings: list[str]
    obstacles: list[str]
    cost: str
    currency: str


class RehearsalPage(BaseModel):
    """A page of rehearsals."""

    data: list[RehearsalDocument]
    next_cursor: str | None


@api.post("/campaigns/<int:campaign_id>/rehearse")
@api_scope("write")
@api.output(RehearsalDocument)
def rehearse(campaign_id: int) -> Response:
    """Rehearse a scheduled campaign

    Goes the whole way to the final list without sending: who would get it, what the limits say,
    what else would stop it. Nothing is kept but the rehearsal.
    """
    settings = current_app.extensions["rollcall"]
    return answer(rehearsal_document(rehearse_campaign(current_actor(), campaign_id, settings)))


@api.get("/campaigns/<int:campaign_id>/rehearsals")
@api_scope("read")
@api.input(PageQuery, location="query")
@api.output(RehearsalPage)
def index(campaign_id: int, query_data: PageQuery) -> Response:
    """List a campaign's rehearsals, the newest first"""
    find_campaign(current_actor().organisation_id, campaign_id)
    page = list_rehearsals(campaign_id, query_data.cursor, query_data.limit)
    return answer_page((rehearsal_document(row) for row in page.rows), page.next_cursor)
