"""The people whose messages are in doubt, and the decision on them."""

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from blueprints.campaigns.pages import pages
from rollcall.campaigns.drafts import find_campaign
from rollcall.errors import InvalidInput
from rollcall.models import Role
from rollcall.sending.doubts import (
    SENDABLE,
    ask_provider,
    list_doubts,
    may_ask_provider,
    resolve_doubts,
)
from rollcall.wording import say_number, say_people


@pages.get("/<int:campaign_id>/doubts")
@staff_only
def doubts(campaign_id: int) -> ResponseReturnValue:
    """List the people in doubt, and what can be done."""
    settings = current_app.extensions["rollcall"]
    actor = current_actor()
    campaign = find_campaign(actor.organisation_id, campaign_id)
    after = read_id(request.args.get("after")) or 0
    page = list_doubts(settings, actor.organisation_id, campaign_id, after)
    here = url_for("campaigns.doubts", campaign_id=campaign_id)
    return render_template(
        "campaigns/doubts.html",
        campaign=campaign,
        page=page,
        may_ask=may_ask_provider(settings, campaign_id),
        may_send_again=actor.role.at_least(Role.ADMIN) and campaign.state in SENDABLE,
        ended=campaign.state not in SENDABLE,
        first_url=here if after else None,
        next_url=f"{here}?after={page.next_after}" if page.next_after else None,
    )


@pages.post("/<int:campaign_id>/doubts")
@staff_only
def decide_doubts(campaign_id: int) -> ResponseReturnValue:
    """Count messages in doubt as sent, or send them again."""
    decision = request.form.get("decision", "")
    person_id = _read_person()
    people = resolve_doubts(current_actor(), campaign_id, decision, person_id)
    told = "Counted as sent: {}." if decision == "sent" else "Sent again to {}, as soon as it can."
    flash(told.format(say_people(people)), "success")
    return _back(campaign_id)


@pages.post("/<int:campaign_id>/doubts/ask")
@staff_only
def ask(campaign_id: int) -> ResponseReturnValue:
    """Ask the provider what became of the messages in doubt."""
    known, asked = ask_provider(current_actor(), campaign_id, current_app.extensions["rollcall"])
    flash(
        f"Asked for {say_people(asked)}: of {say_number(known)} it knows what became."
        + ("" if known == asked else " The others stay in doubt, since that proves nothing."),
        "success" if known else "info",
    )
    return _back(campaign_id)


def _read_person() -> int | None:
    """Return whom the decision is about, None for everybody; never everybody by mistake."""
    text = request.form.get("person_id")
    if text is None:
        return None
    person_id = read_id(text)
    if person_id is None:
        raise InvalidInput({"person_id": "Give the number of a person."})
    return person_id


def _back(campaign_id: int) -> ResponseReturnValue:
    return redirect(url_for("campaigns.doubts", campaign_id=campaign_id))
