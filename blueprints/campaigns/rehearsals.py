"""A campaign's rehearsals: gone by hand, and shown as a small chart with their sentences."""

from typing import Any

from flask import current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.campaigns.pages import pages
from rollcall.accounts.settings import rehearsal_hours
from rollcall.charts import Moment, draw_audience
from rollcall.models import Campaign, CampaignState, Organisation, Rehearsal
from rollcall.sending.rehearsal_words import say_before
from rollcall.sending.rehearsals import list_rehearsals, rehearse_campaign
from rollcall.wording import say_count

SHOWN = 10
LABELLED = 3
TONES = {
    "within_limits": "good",
    "estimate": "info",
    "review": "warn",
    "stopped": "bad",
    "failure": "bad",
}
OUTCOMES = {
    "within_limits": "goes out",
    "estimate": "frozen list",
    "review": "stops for review",
    "stopped": "does not go out",
    "failure": "fails",
}


@pages.post("/<int:campaign_id>/rehearse")
@staff_only
def rehearse(campaign_id: int) -> ResponseReturnValue:
    """Go the whole way without sending, and show what was found."""
    found = rehearse_campaign(current_actor(), campaign_id, current_app.extensions["rollcall"])
    good = TONES[found.outcome] in ("good", "info")
    flash(f"Rehearsed, and nothing was sent. {found.sentence}", "success" if good else "warning")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id, _anchor="rehearsals"))


def rehearsal_context(campaign: Campaign) -> dict[str, Any]:
    """Return the rehearsals that the campaign's page shows, and their picture."""
    cursor = request.args.get("rehearsals")
    page = list_rehearsals(campaign.id, cursor, SHOWN)
    older = url_for(
        "campaigns.show",
        campaign_id=campaign.id,
        rehearsals=page.next_cursor,
        _anchor="rehearsals",
    )
    scheduled = campaign.state == CampaignState.SCHEDULED
    return {
        "may_rehearse": scheduled and campaign.dry_run_address is None,
        "rehearsals": page.rows,
        "rehearsals_older": older if page.next_cursor else None,
        "rehearsals_first": bool(cursor),
        "rehearsal_charts": _draw(campaign, page.rows[::-1]),
        "rehearsal_tones": TONES,
        "rehearsal_outcomes": OUTCOMES,
        "rehearsal_hours": _say_hours(campaign.organisation),
        "say_before": say_before,
    }


def _say_hours(organisation: Organisation) -> str:
    hours = [say_count(number, "hour") for number in rehearsal_hours(organisation)]
    return " and ".join(filter(None, [", ".join(hours[:-1]), *hours[-1:]]))


def _draw(campaign: Campaign, rehearsals: list[Rehearsal]) -> Any:
    """Return the picture for a wide and a narrow screen: planned, rehearsed, final."""
    counted = [row for row in rehearsals if row.people is not None]
    if not counted or campaign.frozen_at is None:
        return None
    planned = Moment(campaign.frozen_at, "Planned", campaign.estimated_recipients or 0)
    moments = [planned] + [
        Moment(row.at, say_before(row.hours_before), row.people or 0) for row in counted
    ]
    # A label for each would hide the line: those by hand have none, but for the newest.
    told = [row.hours_before is not None or row is counted[-1] for row in counted]
    labelled = [moment for moment, is_told in zip(moments[1:], told, strict=True) if is_told]
    labelled = [planned, *labelled[-LABELLED:]]
    if campaign.final_at is not None and campaign.actual_recipients is not None:
        final = Moment(campaign.final_at, "Final", campaign.actual_recipients)
        moments.append(final)
        labelled.append(final)
    points = [(moment.at, moment.level) for moment in moments]
    zone = campaign.scheduled_timezone or campaign.organisation.timezone
    return (
        draw_audience(points, labelled, zone=zone, width=900, height=220),
        draw_audience(points, labelled, zone=zone, width=340, height=260),
    )
