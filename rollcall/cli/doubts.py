"""`flask campaign doubts`: whose messages are in doubt, and the decision on them."""

from typing import Any

import click
from flask import current_app

from rollcall.cli.campaign import campaign_commands
from rollcall.cli.common import acting, acting_options, emit, json_option
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.sending.doubts import DECISIONS, DoubtPage, ask_provider, list_doubts, resolve_doubts
from rollcall.wording import say_people, say_time


@campaign_commands.command("doubts")
@click.argument("campaign_id", metavar="ID", type=int)
@click.option(
    "--decide",
    "decision",
    type=click.Choice(DECISIONS),
    help="Count them as sent, or send them again: then somebody may get it twice.",
)
@click.option("--person", "person_id", type=int, help="Decide on this person only.")
@click.option("--ask", is_flag=True, help="Ask the provider first what became of them.")
@acting_options
@json_option
def doubts(
    campaign_id: int, org_slug: str | None, as_email: str | None, as_json: bool, **choice: Any
) -> None:
    """List the people in doubt: nobody knows whether their message went out; or decide on them."""
    settings = current_app.extensions["rollcall"]
    actor = acting(org_slug, as_email)
    if choice["person_id"] is not None and choice["decision"] is None:
        raise InvalidInput({"--person": "Say with --decide what is decided of this person."})
    done: dict[str, int] = {}
    if choice["ask"]:
        done["known"], done["asked"] = ask_provider(actor, campaign_id, settings)
    if choice["decision"] is not None:
        done["decided"] = resolve_doubts(
            actor, campaign_id, choice["decision"], choice["person_id"]
        )
    db.session.expire_all()
    page = list_doubts(settings, actor.organisation_id, campaign_id, limit=1_000_000)
    document = {**done, "in_doubt": page.open, "data": [row.to_json() for row in page.rows]}
    emit(document, as_json, _lines(done, page))


def _lines(done: dict[str, int], page: DoubtPage) -> list[str]:
    lines = []
    if "asked" in done:
        lines.append(
            f"Asked for {say_people(done['asked'])}; of {done['known']} it knows what became."
        )
    if "decided" in done:
        lines.append(f"Decided on {say_people(done['decided'])}.")
    lines += [
        f"{row.person_id:>8}  {row.address:<16}  {say_time(row.tried_at)}  {row.name}  ({row.why})"
        for row in page.rows
    ]
    return lines or ["Nobody is in doubt."]
