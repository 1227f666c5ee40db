"""What staff do to a campaign that exists: stop it, let it go on, decide on it, copy it."""

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from blueprints.campaigns.pages import pages
from blueprints.campaigns.show import render_refused_review
from rollcall.campaigns.copies import duplicate_campaign, top_up_campaign
from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.scheduling import (
    cancel_campaign,
    pause_campaign,
    resume_campaign,
)
from rollcall.errors import Conflict, InvalidInput
from rollcall.sending.review import ReviewChanged, review_campaign

DECIDED = {
    "keep": "It keeps its time and goes out then, to the list that was signed off.",
    "move": "It moves with the event and goes out then, to the list that was signed off.",
    "final": "It goes out now, to the final list.",
    "estimate": "It goes out now, to the list that was frozen.",
    "cancel": "Cancelled. Nobody gets this message.",
}


@pages.post("/<int:campaign_id>/cancel")
@staff_only
def cancel(campaign_id: int) -> ResponseReturnValue:
    """Stop the campaign for good."""
    cancel_campaign(current_actor(), campaign_id)
    flash("Cancelled. What had not gone out stays here.", "success")
    return _show(campaign_id)


@pages.post("/<int:campaign_id>/pause")
@staff_only
def pause(campaign_id: int) -> ResponseReturnValue:
    """Stop sending within one batch."""
    pause_campaign(current_actor(), campaign_id)
    flash("Paused. At most the batch that is on its way still goes out.", "success")
    return _show(campaign_id)


@pages.post("/<int:campaign_id>/resume")
@staff_only
def resume(campaign_id: int) -> ResponseReturnValue:
    """Let a paused campaign go on."""
    resume_campaign(current_actor(), campaign_id)
    flash("It goes on where it stopped.", "success")
    return _show(campaign_id)


@pages.post("/<int:campaign_id>/review")
@staff_only
def review(campaign_id: int) -> ResponseReturnValue:
    """Decide on a campaign that was stopped for it."""
    decision = request.form.get("decision", "")
    version = read_id(request.form.get("version"))
    reason = request.form.get("reason", "").replace("\0", "").strip()
    try:
        review_campaign(current_actor(), campaign_id, decision, version, reason)
    except ReviewChanged as error:
        flash(str(error), "warning")
    except InvalidInput as error:
        campaign = find_campaign(current_actor().organisation_id, campaign_id)
        return render_refused_review(campaign, reason, " ".join(error.fields.values())), 422
    else:
        flash(DECIDED[decision], "success")
    return _show(campaign_id)


@pages.post("/<int:campaign_id>/duplicate")
@staff_only
def duplicate(campaign_id: int) -> ResponseReturnValue:
    """Store a copy as a draft and open it."""
    find_campaign(current_actor().organisation_id, campaign_id)
    try:
        copy_id = duplicate_campaign(current_actor(), campaign_id)
    except InvalidInput as error:
        # The copy is checked as any new campaign is: its event may be gone, its criteria damaged.
        raise Conflict(f"This campaign can't be copied: {error}") from error
    flash("This is the copy, a draft without a time.", "success")
    return redirect(url_for("campaigns.edit", campaign_id=copy_id))


@pages.post("/<int:campaign_id>/top-up")
@staff_only
def top_up(campaign_id: int) -> ResponseReturnValue:
    """Store a draft for those who joined since, and open the last look at it."""
    find_campaign(current_actor().organisation_id, campaign_id)
    try:
        copy_id = top_up_campaign(current_actor(), campaign_id)
    except InvalidInput as error:
        raise Conflict(f"This campaign can't be topped up: {error}") from error
    return redirect(url_for("campaigns.confirm", campaign_id=copy_id))


def _show(campaign_id: int) -> ResponseReturnValue:
    return redirect(url_for("campaigns.show", campaign_id=campaign_id))
