"""`flask campaign rehearse`: the whole way without sending, and what earlier rehearsals found."""

import click
from flask import current_app

from rollcall.campaigns.drafts import find_campaign
from rollcall.cli.campaign import campaign_commands
from rollcall.cli.common import acting, acting_options, emit, emit_page, json_option, page_options
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
@page_options("rehearsals")
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
    documents = map(rehearsal_document, page.rows)
    lines = [_line(rehearsal, zone) for rehearsal in page.rows]
    emit_page(documents, page.next_cursor, as_json, lines, "It has not been rehearsed.")


def _line(rehearsal: Rehearsal, zone: str) -> str:
    when = say_time(rehearsal.at, zone)
    return f"{when}, {say_before(rehearsal.hours_before).lower()}: {rehearsal.sentence}"
