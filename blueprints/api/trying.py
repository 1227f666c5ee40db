"""Trying a campaign out: a test to oneself, the real one after a dry run, and collisions."""

from flask import Response, current_app, url_for

from blueprints.access import api_scope, current_actor
from blueprints.api import campaign_bodies as bodies
from blueprints.api import documents, dry_run_documents
from blueprints.api.answering import answer
from blueprints.api.ground import api_blueprint
from rollcall.campaigns.collision_report import find_collisions
from rollcall.campaigns.copies import make_real
from rollcall.campaigns.document import campaign_document
from rollcall.campaigns.drafts import find_campaign
from rollcall.sending.message_trial import send_campaign_test

api = api_blueprint("trying", "Campaigns")


@api.post("/campaigns/<int:campaign_id>/test")
@api_scope("send")
@api.input(bodies.MessageTest)
@api.output(dry_run_documents.MessageTestDocument)
def test(campaign_id: int, json_data: bodies.MessageTest) -> Response:
    """Send a test of the message

    Filled in for somebody of today's audience: an e-mail to the staff member whose token it is, a
    text message to the phone given. At most ten in a minute; nobody counts as messaged.
    """
    settings = current_app.extensions["rollcall"]
    found = send_campaign_test(current_actor(), settings, campaign_id, json_data.address)
    return answer({"address": found.address, "accepted": found.taken, "answer": found.said})


@api.post("/campaigns/<int:campaign_id>/for-real")
@api_scope("write")
@api.output(documents.CampaignDocument, status_code=201)
def for_real(campaign_id: int) -> Response:
    """Make a dry run's real campaign

    A draft without the dry run's address and without its time.
    """
    actor = current_actor()
    copy_id = make_real(actor, campaign_id)
    document = campaign_document(find_campaign(actor.organisation_id, copy_id))
    return answer(document, 201, url_for("api_campaigns.show", campaign_id=copy_id))


@api.get("/campaigns/<int:campaign_id>/collisions")
@api_scope("read")
@api.output(dry_run_documents.CollisionsAnswer)
def collisions(campaign_id: int) -> Response:
    """Say which other campaigns want the same people

    Of a draft or scheduled campaign: whom others will have messaged within its anti-spam window,
    whom they lose to it, and which order loses the fewest messages. `null` where no other
    scheduled campaign comes near enough.
    """
    found = find_collisions(find_campaign(current_actor().organisation_id, campaign_id))
    return answer({"collisions": found.to_json() if found else None})
