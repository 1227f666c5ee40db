"""Why did this person get it, or not: the page of one person in one campaign, and the way there."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.campaigns.pages import pages
from rollcall.campaigns.drafts import find_campaign
from rollcall.explanations.causes import say_cause
from rollcall.explanations.explain import explain_campaign, find_asked
from rollcall.people.records import find_person


@pages.get("/<int:campaign_id>/people/<int:person_id>")
@staff_only
def explanation(campaign_id: int, person_id: int) -> ResponseReturnValue:
    """Explain what is, or was, between a person and the campaign."""
    organisation_id = current_actor().organisation_id
    found = explain_campaign(organisation_id, campaign_id, person_id)
    return render_template(
        "campaigns/explanation.html",
        campaign=find_campaign(organisation_id, campaign_id),
        person=find_person(organisation_id, person_id),
        found=found,
        say_cause=say_cause,
    )


@pages.get("/<int:campaign_id>/explain")
@staff_only
def explain(campaign_id: int) -> ResponseReturnValue:
    """Find the person who is asked about: one leads to their page, several are listed."""
    organisation_id = current_actor().organisation_id
    campaign = find_campaign(organisation_id, campaign_id)
    text = request.args.get("who", "").strip()
    people = find_asked(organisation_id, text)
    if len(people) == 1:
        person_id = people[0].id
        url = url_for("campaigns.explanation", campaign_id=campaign.id, person_id=person_id)
        return redirect(url)
    return render_template("campaigns/explain.html", campaign=campaign, text=text, people=people)
