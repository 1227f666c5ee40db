"""`flask campaign explain`, `causes`, `check`: why somebody, why so many, and does it add up."""

import click

from rollcall.campaigns.drafts import find_campaign
from rollcall.cli.campaign import campaign_commands
from rollcall.cli.common import Failure, acting, acting_options, emit, json_option
from rollcall.explanations.balance import check_campaigns
from rollcall.explanations.causes import count_causes, say_cause
from rollcall.explanations.context import context_of
from rollcall.explanations.explain import explain_campaign
from rollcall.people.records import find_person
from rollcall.wording import say_count, say_number


@campaign_commands.command("explain")
@click.argument("campaign_id", metavar="ID", type=int)
@click.argument("person", metavar="PERSON")
@acting_options
@json_option
def explain(
    campaign_id: int, person: str, org_slug: str | None, as_email: str | None, as_json: bool
) -> None:
    """Say why PERSON gets or got the campaign ID, or why not, in one sentence.

    PERSON is an id, a phone, an e-mail address or the public code (hash).
    """
    actor = acting(org_slug, as_email)
    found = find_person(actor.organisation_id, person)
    name, person_id = found.full_name or "Without a name", found.id
    explanation = explain_campaign(actor.organisation_id, campaign_id, person_id)
    emit(
        {"campaign_id": campaign_id, "person_id": person_id, **explanation.to_json()},
        as_json,
        [f"{name} (person {person_id})", explanation.sentence],
    )


@campaign_commands.command("causes")
@click.argument("campaign_id", metavar="ID", type=int)
@acting_options
@json_option
def causes(campaign_id: int, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Show how many stayed, joined and left, and why."""
    actor = acting(org_slug, as_email)
    campaign = find_campaign(actor.organisation_id, campaign_id)
    counts = count_causes(campaign)
    hours = context_of(campaign).hours
    lines = [f"  kept    {say_number(counts.kept)}"]
    for name, by_cause in (("joined", counts.joined), ("left", counts.left)):
        lines.append(f"  {name:<6}  {say_number(sum(by_cause.values()))}")
        lines += [
            f"    {say_number(n)} {say_cause(cause, n, campaign.channel, hours)}  ({cause})"
            for cause, n in by_cause.items()
        ]
    emit(counts.to_json(), as_json, lines)


@campaign_commands.command("check")
@click.argument("campaign_id", metavar="[ID]", type=int, required=False)
@acting_options
@json_option
def check(
    campaign_id: int | None, org_slug: str | None, as_email: str | None, as_json: bool
) -> None:
    """Check that the sums of one campaign, or of all of them, balance; fails where one does not."""
    actor = acting(org_slug, as_email)
    if campaign_id is not None:
        find_campaign(actor.organisation_id, campaign_id)
    checked, found = check_campaigns(actor.organisation_id, campaign_id)
    emit(
        {"campaigns": checked, "imbalances": [one.to_json() for one in found]},
        as_json,
        [f"Campaign {one.campaign_id}: {one.sentence}" for one in found]
        or [f"{say_count(checked, 'campaign')} checked: every sum balances."],
    )
    if found:
        wrong = say_count(len(found), "sum does", "sums do")
        raise Failure(f"{wrong} not balance; {say_count(checked, 'campaign')} checked.")
