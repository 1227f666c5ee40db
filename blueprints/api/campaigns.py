"""Campaigns: written, scheduled, sent, stopped, decided on, and the people in them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Response, current_app, request, url_for

from blueprints.access import api_scope, current_actor, require_scope
from blueprints.api import campaign_bodies as bodies
from blueprints.api import documents
from blueprints.api.answering import (
    answer,
    answer_page,
    cut_page,
    moment_text,
    read_id_cursor,
)
from blueprints.api.ground import api_blueprint
from blueprints.downloads import download
from rollcall import clock
from rollcall.actors import Actor
from rollcall.audience.comparison import compare_with_now
from rollcall.audience.criteria import campaign_criteria
from rollcall.audience.preview import MessageText, preview_audience
from rollcall.campaigns.collision_report import find_collisions
from rollcall.campaigns.copies import duplicate_campaign, top_up_campaign
from rollcall.campaigns.document import campaign_document
from rollcall.campaigns.drafts import create_campaign, edit_campaign, find_campaign
from rollcall.campaigns.listing import list_campaigns
from rollcall.campaigns.scheduling import (
    cancel_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
    send_campaign_now,
)
from rollcall.errors import DomainError, InvalidInput
from rollcall.explanations.recipients import (
    export_recipients,
    list_recipients,
    read_recipient_filter,
)
from rollcall.models import Campaign, CampaignState, Channel
from rollcall.sending.review import review_campaign

api = api_blueprint("campaigns", "Campaigns")


@api.get("/campaigns")
@api_scope("read")
@api.input(bodies.CampaignQuery, location="query")
@api.output(documents.CampaignPage)
def index(query_data: bodies.CampaignQuery) -> Response:
    """List campaigns, the newest first"""
    found = list_campaigns(
        current_actor().organisation_id,
        before=read_id_cursor(query_data.cursor),
        states=(CampaignState(query_data.status),) if query_data.status else (),
        limit=query_data.limit + 1,
    )
    page, cursor = cut_page(found, query_data.limit, lambda campaign: campaign.id)
    return answer_page((_summary(campaign) for campaign in page), cursor)


@api.post("/campaigns")
@api_scope("write")
@api.input(bodies.NewCampaign)
@api.output(documents.CampaignDocument, status_code=201)
def create(json_data: bodies.NewCampaign) -> Response:
    """Create a campaign

    It is a draft. With `schedule` its audience is frozen and it is scheduled in the same call.
    """
    actor = current_actor()
    if json_data.schedule:
        require_scope("send")
    with bodies.named_as_given(json_data):
        draft = bodies.draft_of(json_data)
        if json_data.schedule and draft.local_time is None and not _reprocesses(json_data):
            raise InvalidInput({"scheduled_at": "Choose when it is to go out."})
        campaign_id = create_campaign(actor, draft)
        if json_data.schedule:
            _schedule_or_discard(actor, campaign_id)
    return _answer_campaign(campaign_id, status=201)


@api.get("/campaigns/<int:campaign_id>")
@api_scope("read")
@api.output(documents.CampaignDocument)
def show(campaign_id: int) -> Response:
    """Show a campaign"""
    return _answer_campaign(campaign_id)


@api.put("/campaigns/<int:campaign_id>")
@api_scope("write")
@api.input(bodies.CampaignEdit)
@api.output(documents.CampaignDocument)
def edit(campaign_id: int, json_data: bodies.CampaignEdit) -> Response:
    """Replace what a campaign says

    A scheduled campaign goes back to draft; its list is frozen anew when it is scheduled again.
    """
    with bodies.named_as_given(json_data):
        edit_campaign(current_actor(), campaign_id, bodies.draft_of(json_data), json_data.version)
    return _answer_campaign(campaign_id)


@api.post("/campaigns/<int:campaign_id>/schedule")
@api_scope("send")
@api.input(bodies.Act)
@api.output(documents.CampaignDocument)
def schedule(campaign_id: int, json_data: bodies.Act) -> Response:
    """Freeze the audience and schedule the campaign"""
    return _act(partial(schedule_campaign, real_email=_sends_real_email()), campaign_id, json_data)


@api.post("/campaigns/<int:campaign_id>/send")
@api_scope("send")
@api.input(bodies.Act)
@api.output(documents.CampaignDocument)
def send(campaign_id: int, json_data: bodies.Act) -> Response:
    """Send the campaign now

    A draft's audience is frozen at once; a scheduled campaign keeps its list and only its time
    comes forward.
    """
    return _act(partial(send_campaign_now, real_email=_sends_real_email()), campaign_id, json_data)


@api.post("/campaigns/<int:campaign_id>/cancel")
@api_scope("send")
@api.input(bodies.Act)
@api.output(documents.CampaignDocument)
def cancel(campaign_id: int, json_data: bodies.Act) -> Response:
    """Stop a campaign for good"""
    return _act(cancel_campaign, campaign_id, json_data)


@api.post("/campaigns/<int:campaign_id>/pause")
@api_scope("send")
@api.input(bodies.Act)
@api.output(documents.CampaignDocument)
def pause(campaign_id: int, json_data: bodies.Act) -> Response:
    """Pause a campaign that is being sent"""
    return _act(pause_campaign, campaign_id, json_data)


@api.post("/campaigns/<int:campaign_id>/resume")
@api_scope("send")
@api.input(bodies.Act)
@api.output(documents.CampaignDocument)
def resume(campaign_id: int, json_data: bodies.Act) -> Response:
    """Let a paused campaign go on"""
    return _act(resume_campaign, campaign_id, json_data)


@api.post("/campaigns/<int:campaign_id>/review")
@api_scope("send")
@api.input(bodies.Decision)
@api.output(documents.CampaignDocument)
def review(campaign_id: int, json_data: bodies.Decision) -> Response:
    """Decide on a campaign that waits for it

    Send to the final list, send to the estimate, or cancel. One that a change of its event
    holds keeps its time, or moves with the event.
    """
    review_campaign(
        current_actor(), campaign_id, json_data.decision, json_data.version, json_data.reason
    )
    return _answer_campaign(campaign_id)


@api.post("/campaigns/<int:campaign_id>/preview")
@api_scope("read")
@api.output(documents.CampaignPreviewDocument)
def preview(campaign_id: int) -> Response:
    """Count a campaign's audience

    The exact audience as of its time, how many of it other scheduled campaigns will have messaged
    shortly before, and, once it is scheduled, who would join and who would leave if it were sent
    now. Nothing is stored.
    """
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    later = campaign.scheduled_at if (campaign.scheduled_at or clock.now()) > clock.now() else None
    found = preview_audience(
        campaign.organisation_id,
        campaign_criteria(campaign),
        Channel(campaign.channel),
        later,
        MessageText(campaign.subject, campaign.message, campaign.link),
    )
    compared = compare_with_now(campaign).to_json() if campaign.frozen_at else None
    collisions = find_collisions(campaign)
    return answer(
        {
            **found.to_json(),
            "if_sent_now": compared,
            "collisions": collisions.to_json() if collisions else None,
        }
    )


@api.post("/campaigns/<int:campaign_id>/duplicate")
@api_scope("write")
@api.output(documents.CampaignDocument, status_code=201)
def duplicate(campaign_id: int) -> Response:
    """Copy a campaign as a new draft without its time"""
    return _answer_campaign(duplicate_campaign(current_actor(), campaign_id), status=201)


@api.post("/campaigns/<int:campaign_id>/top-up")
@api_scope("write")
@api.output(documents.CampaignDocument, status_code=201)
def top_up(campaign_id: int) -> Response:
    """Write a top-up of a completed campaign

    A draft with the same criteria that leaves out everybody who was planned for the campaign or
    for an earlier top-up of it: those who joined since. Schedule it or send it like any other.
    """
    return _answer_campaign(top_up_campaign(current_actor(), campaign_id), status=201)


@api.get("/campaigns/<int:campaign_id>/recipients")
@api_scope("read")
@api.input(bodies.RecipientQuery, location="query")
@api.output(documents.RecipientPage)
@api.doc(responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}})
def recipients(campaign_id: int, query_data: bodies.RecipientQuery) -> Response:
    """List the people of a campaign

    In the order of their ids. With `Accept: text/csv` all of them come in one file, safe to
    open in a spreadsheet; cursor and limit then play no part.
    """
    find_campaign(current_actor().organisation_id, campaign_id)
    words = query_data.model_dump(exclude_none=True, exclude={"cursor", "limit"})
    wanted = read_recipient_filter(words)
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        return download(export_recipients(campaign_id, wanted))
    after = read_id_cursor(query_data.cursor) or 0
    found = list_recipients(campaign_id, wanted, after, query_data.limit + 1)
    page, cursor = cut_page(found, query_data.limit, lambda row: row.person_id)
    return answer_page((row.to_json() for row in page), cursor)


def _act(
    verb: Callable[[Actor, int, int | None], Any], campaign_id: int, body: bodies.Act
) -> Response:
    verb(current_actor(), campaign_id, body.version)
    return _answer_campaign(campaign_id)


def _sends_real_email() -> bool:
    return current_app.extensions["rollcall"].reaches_people(Channel.EMAIL)


def _answer_campaign(campaign_id: int, status: int = 200) -> Response:
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    made = status == 201
    location = url_for("api_campaigns.show", campaign_id=campaign_id) if made else None
    return answer(campaign_document(campaign), status, location)


def _reprocesses(body: bodies.CampaignContent) -> bool:
    return body.reprocess_audience_at_send


def _schedule_or_discard(actor: Actor, campaign_id: int) -> None:
    try:
        schedule_campaign(actor, campaign_id, real_email=_sends_real_email())
    except DomainError:
        # The caller is told that the call failed, so no draft of it may stay to be sent later.
        cancel_campaign(actor, campaign_id)
        raise


def _summary(campaign: Campaign) -> dict[str, Any]:
    final = campaign.actual_recipients
    return {
        "id": campaign.id,
        "name": campaign.name,
        "status": campaign.state,
        "channel": campaign.channel,
        "total_recipients": campaign.estimated_recipients if final is None else final,
        "scheduled_at": moment_text(campaign.scheduled_at),
        "scheduled_timezone": campaign.scheduled_timezone,
        "scheduled_local_time": campaign.scheduled_local_time,
        "reprocess_audience_at_send": campaign.final_mode.computes_again,
        "dry_run": campaign.is_dry_run,
        "created_at": moment_text(campaign.created_at),
        "completed_at": moment_text(campaign.completed_at),
    }
