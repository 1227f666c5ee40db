"""Trying a campaign out: a test to oneself, the real one after a dry run, and collisions."""

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from blueprints.addresses import read_id
from blueprints.campaigns.form import read_values
from blueprints.campaigns.form_page import try_form
from blueprints.campaigns.pages import pages
from blueprints.campaigns.show import render_campaign
from blueprints.campaigns.trying_page import collisions_of
from rollcall.campaigns.collision_report import SIDES, list_collided
from rollcall.campaigns.copies import make_real
from rollcall.campaigns.drafts import find_campaign
from rollcall.errors import Conflict, InvalidInput, TooOften
from rollcall.models import AudienceMode
from rollcall.sending.message_trial import send_campaign_test

PAGE = 50


@pages.post("/form/test")
@staff_only
def test_typed() -> ResponseReturnValue:
    """Send the message as it stands in the form to whoever writes it, and return the answer."""
    values = read_values(request.form, current_staff().organisation)
    return render_template("campaigns/_test_result.html", test=try_form(values))


@pages.post("/<int:campaign_id>/test")
@staff_only
def test(campaign_id: int) -> ResponseReturnValue:
    """Send the campaign's message to whoever asks for it, and show what the provider answered."""
    actor = current_actor()
    campaign = find_campaign(actor.organisation_id, campaign_id)
    phone = request.form.get("address", "")
    settings = current_app.extensions["rollcall"]
    try:
        answer = send_campaign_test(actor, settings, campaign_id, phone)
    except InvalidInput as error:
        return render_campaign(campaign, phone, " ".join(error.fields.values())), 422
    except TooOften as error:
        return render_campaign(campaign, phone, str(error)), 429
    flash(f"A test to {answer.address}: {answer.said}", "success" if answer.taken else "error")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id))


@pages.post("/<int:campaign_id>/for-real")
@staff_only
def for_real(campaign_id: int) -> ResponseReturnValue:
    """Store a dry run's real campaign as a draft and open it."""
    actor = current_actor()
    campaign = find_campaign(actor.organisation_id, campaign_id)
    again = AudienceMode(campaign.audience_mode).computes_again
    try:
        copy_id = make_real(actor, campaign_id)
    except InvalidInput as error:
        raise Conflict(f"This campaign can't be copied: {error}") from error
    told = "This is the real campaign, a draft without a time."
    if again:
        told += " Tick re-processing again once you have chosen the time."
    flash(told, "success")
    return redirect(url_for("campaigns.edit", campaign_id=copy_id))


@pages.get("/<int:campaign_id>/collisions")
@staff_only
def collisions(campaign_id: int) -> ResponseReturnValue:
    """Show which other campaigns want the same people; for htmx as a fragment of their page."""
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    page = render_template(
        "campaigns/collisions.html",
        campaign=campaign,
        collisions=collisions_of(campaign),
        fragment="HX-Request" in request.headers,
    )
    response = current_app.make_response(page)
    response.vary.add("HX-Request")
    return response


@pages.get("/<int:campaign_id>/collided")
@staff_only
def collided(campaign_id: int) -> ResponseReturnValue:
    """List the people whom one of two campaigns loses to the other."""
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    rival_id = read_id(request.args.get("with"))
    if rival_id is None:
        return redirect(url_for("campaigns.show", campaign_id=campaign_id))
    rival = find_campaign(current_actor().organisation_id, rival_id)
    side, text = request.args.get("side", SIDES[0]), request.args.get("q", "").strip()
    after = read_id(request.args.get("after")) or 0
    people = list_collided(campaign, side, rival_id, after, PAGE + 1, text)
    here = {"campaign_id": campaign_id, "with": rival_id, "side": side}
    more = len(people) > PAGE
    return render_template(
        "campaigns/collided.html",
        campaign=campaign,
        rival=rival,
        side=side,
        people=people[:PAGE],
        text=text,
        here=here,
        next_url=(
            url_for("campaigns.collided", **here, q=text or None, after=people[PAGE - 1].person_id)
            if more
            else None
        ),
    )
