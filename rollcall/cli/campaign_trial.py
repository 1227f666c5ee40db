"""`flask campaign test`, `for-real` and `collisions`: trying out, and looking at the others."""

import click
from flask import current_app

from rollcall.campaigns.collision_report import SIDES, find_collisions, list_collided
from rollcall.campaigns.copies import make_real
from rollcall.campaigns.drafts import find_campaign
from rollcall.cli.campaign import campaign_commands, show_campaign
from rollcall.cli.common import Failure, acting, acting_options, emit, json_option
from rollcall.errors import InvalidInput
from rollcall.sending.message_trial import send_campaign_test

NO_RIVAL = "No other campaign comes near enough to want the same people."
NO_COLLISION = "Nobody is lost: no campaign near this one messages the same people."


@campaign_commands.command("test")
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--to", "address", default="", metavar="ADDRESS", help="The phone, for a text.")
@acting_options
@json_option
def test(
    campaign_id: int, address: str, org_slug: str | None, as_email: str | None, as_json: bool
) -> None:
    """Send its message once: an e-mail to whoever acts, a text to --to. Nobody is messaged."""
    actor = acting(org_slug, as_email)
    found = send_campaign_test(actor, current_app.extensions["rollcall"], campaign_id, address)
    data = {"address": found.address, "accepted": found.taken, "answer": found.said}
    if not found.taken and not as_json:
        raise Failure(found.said)
    emit(data, as_json, f"To {found.address}: {found.said}")


@campaign_commands.command("for-real")
@click.argument("campaign_id", metavar="ID", type=int)
@acting_options
@json_option
def for_real(campaign_id: int, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Write a dry run's real campaign: a draft without its address and without a time."""
    actor = acting(org_slug, as_email)
    show_campaign(actor, make_real(actor, campaign_id), as_json)


@campaign_commands.command("collisions")
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--people", "side", type=click.Choice(SIDES), help="List those it loses or takes.")
@click.option("--with", "rival_id", type=int, metavar="ID", help="To or from this campaign.")
@click.option("--limit", default=50, show_default=True, help="How many people at most.")
@acting_options
@json_option
def collisions(
    campaign_id: int,
    side: str | None,
    rival_id: int | None,
    limit: int,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """Show which people other campaigns will have messaged shortly before, and the best order."""
    actor = acting(org_slug, as_email)
    campaign = find_campaign(actor.organisation_id, campaign_id)
    if (side is None) != (rival_id is None):
        raise InvalidInput({"--with": "Give --people and --with together."})
    if side is not None and rival_id is not None:
        people = list_collided(campaign, side, rival_id, limit=limit)
        emit(
            [{"person_id": one.person_id, "name": one.name} for one in people],
            as_json,
            [f"{one.person_id}: {one.name or 'without a name'}" for one in people] or "Nobody.",
        )
        return
    found = find_collisions(campaign)
    said = (found.sentences() or [NO_COLLISION]) if found else [NO_RIVAL]
    emit(found.to_json() if found else None, as_json, said)
