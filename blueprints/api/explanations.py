"""Why somebody gets or got a campaign or not, and why so many joined and left its list."""

from typing import Any, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from blueprints.access import api_scope, current_actor
from blueprints.api.answering import answer
from blueprints.api.ground import api_blueprint
from rollcall.campaigns.drafts import find_campaign
from rollcall.explanations.causes import count_causes
from rollcall.explanations.explain import explain_campaign

api = api_blueprint("explanations", "Campaigns")


class EvidenceDocument(BaseModel):
    """Something stored that shows why; further fields say which message, event or person."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(
        description="message, consent, block, attendance, shared_address, campaign, segment, "
        "score or fact."
    )
    text: str
    at: str | None


class ExplanationDocument(BaseModel):
    """What is, or was, between a person and a campaign."""

    campaign_id: int
    person_id: int
    gets_it: bool = Field(description="They got the message, or would as things stand.")
    verdict: Literal[
        "would_get",
        "got",
        "waiting",
        "undecided",
        "left_out",
        "not_matched",
        "not_on_list",
        "left",
        "held_back",
        "failed",
        "in_doubt",
        "not_sent",
        "unknown",
    ]
    sentence: str = Field(description="Why, in one sentence for people.")
    cause: str | None = Field(description="The same as a key, such as recently_messaged.")
    change: Literal["kept", "joined", "left"] | None
    evidence: list[EvidenceDocument] = Field(
        description="As of the moment at which it was decided; empty where it is gone."
    )


class CausesDocument(BaseModel):
    """How many stayed, joined and left; the causes add up to those who joined and left."""

    campaign_id: int
    kept: int
    joined: int
    joined_by_cause: dict[str, int] = Field(
        description="Such as attended, registered, opted_in, unblocked, segment_changed."
    )
    left: int
    left_by_cause: dict[str, int] = Field(
        description="Such as opted_out, blocked, recently_messaged, cancelled, segment_changed."
    )


@api.get("/campaigns/<int:campaign_id>/explanations/<int:person_id>")
@api_scope("read")
@api.output(ExplanationDocument)
def explanation(campaign_id: int, person_id: int) -> Response:
    """Explain a person and a campaign

    One true sentence with its evidence: why they get or got it, or why not. Of a campaign that
    has gone out it says what was so then, and not how things stand today.
    """
    found = explain_campaign(current_actor().organisation_id, campaign_id, person_id)
    ids: dict[str, Any] = {"campaign_id": campaign_id, "person_id": person_id}
    return answer(ids | found.to_json())


@api.get("/campaigns/<int:campaign_id>/causes")
@api_scope("read")
@api.output(CausesDocument)
def causes(campaign_id: int) -> Response:
    """Count why people joined and left a campaign's list

    The recipients behind each number come with `change` and `cause`.
    """
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    return answer({"campaign_id": campaign_id, **count_causes(campaign).to_json()})
