"""The one way to explain: people and a campaign in, a sentence with its evidence out.

The person's page, the campaign's, the API, the command line and the downloads all ask here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rollcall.campaigns.drafts import find_campaign
from rollcall.campaigns.listing import list_campaigns
from rollcall.errors import NotFound
from rollcall.explanations.context import PLANNED, context_of
from rollcall.explanations.fates import explain_fates
from rollcall.explanations.planned import explain_planned
from rollcall.explanations.verdicts import Explanation, Verdict, read_standings
from rollcall.extensions import db
from rollcall.models import Campaign, CampaignState, LeftOut, Person, Recipient
from rollcall.people.records import find_person
from rollcall.people.search import search_people

MOST_CAMPAIGNS = 50
MOST_ASKED = 20


@dataclass(frozen=True)
class PastCampaign:
    """A campaign that has gone out, or is going out, and what became of the person in it."""

    campaign: Campaign
    explanation: Explanation
    on_a_list: bool


def explain_campaign(organisation_id: int, campaign_id: int, person_id: int) -> Explanation:
    """Return whether the person would get, or got, the campaign's message, and why.

    Raises NotFound for a campaign or a person of another organisation.
    """
    campaign = find_campaign(organisation_id, campaign_id)
    person = find_person(organisation_id, person_id)
    return explain_people(campaign, [person.id])[person.id]


def explain_people(campaign: Campaign, people: Sequence[int]) -> dict[int, Explanation]:
    """Return an explanation for each of these people, who must be of the campaign's organisation.

    Takes fewer than ten queries, for one person or for a thousand.
    """
    context, standings = context_of(campaign), read_standings(campaign.id, people)
    if context.is_planned:
        return explain_planned(context, standings)
    return explain_fates(context, standings)


def find_asked(organisation_id: int, text: str) -> list[Person]:
    """Return whoever may be meant by a phone, an e-mail, a code or the beginning of a name.

    Several where that leaves a choice, MOST_ASKED at most; nobody without a text.
    """
    if not text:
        return []
    found = search_people(organisation_id, text, limit=MOST_ASKED).rows
    if found:
        return found
    try:
        return [find_person(organisation_id, text)]
    except NotFound:
        return []


def list_planned(organisation_id: int) -> list[Campaign]:
    """Return the newest drafts and scheduled campaigns."""
    return list_campaigns(organisation_id, states=PLANNED, limit=MOST_CAMPAIGNS)


def list_past(organisation_id: int, person_id: int) -> list[PastCampaign]:
    """Return the newest campaigns past planning, each with what became of the person.

    Why somebody was not matched at all is left to the page of that campaign and person.
    """
    states = tuple(state for state in CampaignState if state not in PLANNED)
    campaigns = list_campaigns(organisation_id, states=states, limit=MOST_CAMPAIGNS)
    known = _find_known([campaign.id for campaign in campaigns], person_id)
    found = []
    for campaign in campaigns:
        explanation = NOT_THERE
        if campaign.id in known:
            explanation = explain_people(campaign, [person_id])[person_id]
        found.append(PastCampaign(campaign, explanation, known.get(campaign.id, False)))
    return found


NOT_THERE = Explanation(Verdict.NOT_ON_LIST, "Not on its list.")


def _find_known(campaigns: Sequence[int], person_id: int) -> dict[int, bool]:
    """Return the campaigns that matched the person, and whether one of their lists has them."""
    known: dict[int, bool] = {}
    for table, on_a_list in ((LeftOut, False), (Recipient, True)):
        rows = db.session.scalars(
            sa.select(table.campaign_id).where(
                table.person_id == person_id, table.campaign_id.in_(campaigns)
            )
        )
        known |= dict.fromkeys(rows, on_a_list)
    return known
