"""Previews of audiences."""

from typing import Literal

from flask import Response
from pydantic import Field

from blueprints.access import api_scope, current_actor
from blueprints.api.answering import answer
from blueprints.api.criteria import TargetingCriteria, criteria_of, names_in_criteria
from blueprints.api.documents import PreviewDocument
from blueprints.api.ground import api_blueprint
from blueprints.api.reading import Body, Moment
from rollcall import clock
from rollcall.audience.preview import preview_audience
from rollcall.errors import InvalidInput
from rollcall.models import Channel

api = api_blueprint("audience", "Audience")


class PreviewQuestion(Body):
    """Whose audience, over which channel, and as of when."""

    criteria: TargetingCriteria
    channel: Literal["sms", "email"]
    at: Moment | None = Field(None, description="When it would be sent; now when left out.")


@api.post("/audience/preview")
@api_scope("read")
@api.input(PreviewQuestion)
@api.output(PreviewDocument)
def preview(json_data: PreviewQuestion) -> Response:
    """Count the audience of criteria

    The exact funnel as of sending at that moment, with sources and cost. Nothing is stored.
    """
    if json_data.at is not None and json_data.at <= clock.now():
        raise InvalidInput({"at": "This moment has passed; leave it out to ask for now."})
    criteria = criteria_of(json_data.criteria, "criteria")
    with names_in_criteria("criteria"):
        found = preview_audience(
            current_actor().organisation_id, criteria, Channel(json_data.channel), json_data.at
        )
    return answer(found.to_json())
