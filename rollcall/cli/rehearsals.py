"""`flask campaign rehearse`: the whole way without sending, and what earlier rehearsals found."""

import click
from flask import current_app

from rollcall.campaigns.drafts import find_campaign
from rollcall.cli.campaign import campaign_commands
from rollcall.cli.common import acting, acting_options, emit, json_option
from rollcall.models import Rehearsal
from rollcall.sending.rehearsal_words import say_before
from rollcall.sending.rehearsals import list_rehearsals, rehearsal_document, rehearse_campaign
from rollcall.wording import say_time


@campaign_commands.command("rehearse")
@click.argument("campaign_id", metavar="ID", type=int)
@acting_options
@json_option
def rehearse(campaign_id: int, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Go the whole way without sending: who would get it, and what would stop it."""
    actor = acting(org_slug, as_email)
    found = rehearse_campaign(actor, campaign_id, current_app.extensions["rollcall"])
    emit(rehearsal_document(found), as_json, found.sentence)


@campaign_commands.command("rehearsals")
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--limit", default=50, show_default=True, help="How many rehearsals at most.")
@click.option("--cursor", help="The next_cursor of the page before, as JSON gave it.")
@acting_options
@json_option
def rehearsals(
    campaign_id: int,
    limit: int,
    cursor: str | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """List what the rehearsals of a campaign found, the newest first."""
    actor = acting(org_slug, as_email)
    campaign = find_campaign(actor.organisation_id, campaign_id)
    zone = campaign.scheduled_timezone or campaign.organisation.timezone
    page = list_rehearsals(campaign.id, cursor, limit)
    lines = [_line(rehearsal, zone) for rehearsal in page.rows] or ["It has not been rehearsed."]
    if page.next_cursor:
        lines.append(f"There are more: --cursor {page.next_cursor}")
    data = {"data": [rehearsal_document(row) for row in page.rows], "next_cursor": page.next_cursor}
    emit(data, as_json, lines)


def _line(rehearsal: Rehearsal, zone: str) -> str:
    when = say_time(rehearsal.at, zone)
    return f"{when}, {say_before(rehearsal.hours_before).lower()}: {rehearsal.sentence}"
