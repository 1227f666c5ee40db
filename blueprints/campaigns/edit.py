"""Writing a campaign: the form, stored only when staff say so."""

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from blueprints.campaigns.form import (
    blank_values,
    draft_of,
    read_values,
    values_of,
    without_time_problem,
)
from blueprints.campaigns.form_page import render_form, try_form
from blueprints.campaigns.form_picking import add_missing
from blueprints.campaigns.pages import pages
from rollcall.campaigns.drafts import create_campaign, edit_campaign, find_campaign, may_edit
from rollcall.errors import Conflict, InvalidInput
from rollcall.models import Campaign

STORING = ("continue", "draft")


@pages.get("/new")
@staff_only
def new() -> ResponseReturnValue:
    """Show an empty form, with the event or segment chosen that the address names."""
    chosen = (request.args.get(name, "") for name in ("event", "segment"))
    return render_form(blank_values(current_staff().organisation, *chosen))


@pages.post("/new")
@staff_only
def create() -> ResponseReturnValue:
    """Store a new draft, or show the form again with its preview."""
    return _submit(None)


@pages.get("/<int:campaign_id>/edit")
@staff_only
def edit(campaign_id: int) -> ResponseReturnValue:
    """Show the form of a campaign that has not begun to go out."""
    campaign = find_campaign(current_actor().organisation_id, campaign_id)
    if not may_edit(campaign):
        flash("This campaign can't be edited any more; duplicate it to write another.", "warning")
        return redirect(url_for("campaigns.show", campaign_id=campaign_id))
    return render_form(values_of(campaign), campaign)


@pages.post("/<int:campaign_id>/edit")
@staff_only
def save(campaign_id: int) -> ResponseReturnValue:
    """Store what was changed, or show the form again with its preview."""
    return _submit(find_campaign(current_actor().organisation_id, campaign_id))


def _submit(campaign: Campaign | None) -> ResponseReturnValue:
    file = request.files.get("people_file")
    values = read_values(request.form, current_staff().organisation, file)
    action = request.form.get("action", "continue")
    if action == "add":
        values = add_missing(values, current_actor())
    if action == "test":
        return render_form(values, campaign, test=try_form(values, campaign))
    if action not in STORING:
        return render_form(values, campaign, tried=True)
    draft = draft_of(values)
    if action == "draft":
        draft = without_time_problem(draft)
    try:
        if campaign is None:
            campaign_id = create_campaign(current_actor(), draft)
        else:
            campaign_id = campaign.id
            edit_campaign(current_actor(), campaign_id, draft, values.version)
    except InvalidInput as error:
        return render_form(values, campaign, errors=error.fields), 422
    except Conflict as conflict:
        return render_form(values, campaign, problem=str(conflict)), 409
    if action == "draft":
        flash("Saved as a draft. Nothing goes out until you schedule it.", "success")
        return redirect(url_for("campaigns.show", campaign_id=campaign_id))
    return redirect(url_for("campaigns.confirm", campaign_id=campaign_id))
