"""Whom of an earlier campaign an exclusion means, for every state of a recipient."""

import pytest

from rollcall.audience.criteria import CampaignChoice, Criteria, Reached
from rollcall.audience.query import audience_select
from rollcall.extensions import db, write
from rollcall.models import Campaign, Channel, Reason, Recipient, RecipientState
from tests.factories import NOON, make_organisation, make_people

# Who may have had the message counts as sent: a doubt is no reason to send it again.
SENT = {"wiring", "sent", "delivered", "in_doubt"}


@pytest.fixture
def earlier(app):
    """A campaign with one recipient in each state, and one who left its list before."""
    acme = make_organisation()
    ids = make_people(acme, len(RecipientState))
    with write():
        campaign = Campaign(
            organisation_id=acme.id,
            name="Earlier",
            channel=Channel.SMS,
            message="Hello",
            created_at=NOON,
            updated_at=NOON,
        )
        db.session.add(campaign)
        db.session.flush()
        for person_id, state in zip(ids, RecipientState, strict=True):
            db.session.add(
                Recipient(
                    campaign_id=campaign.id,
                    person_id=person_id,
                    in_estimate=True,
                    in_final=state is not RecipientState.LEFT,
                    state=state,
                )
            )
        return acme.id, campaign.id, dict(zip(ids, RecipientState, strict=True))


@pytest.mark.parametrize(
    ("who", "left_out"),
    [
        (Reached.PLANNED, {state.key for state in RecipientState} - {"left"}),
        (Reached.SENT, SENT),
        (Reached.DELIVERED, {"delivered"}),
    ],
)
def test_each_state_counts_as_it_should(earlier, who, left_out):
    organisation_id, campaign_id, people = earlier
    criteria = Criteria(
        people=tuple(people), exclude_campaigns=(CampaignChoice(campaign_id, who),), window_hours=0
    )
    query = audience_select(organisation_id, criteria, Channel.SMS, NOON)
    rows = db.session.execute(query.statement, query.values)
    found = {people[row.person_id].key for row in rows if row.reason is Reason.EXCLUDED_CAMPAIGN}
    assert found == left_out
