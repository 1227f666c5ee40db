"""The people behind "if it were sent now", beside the counts of the comparison."""

from datetime import timedelta

import pytest
from apiflask import APIFlask

from rollcall import clock
from rollcall.audience.comparison import compare_with_now, list_movers
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign, find_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.errors import InvalidInput
from rollcall.events.attendance import cancel_attendance
from rollcall.models import Campaign, Channel, Reason, Source
from tests.factories import (
    attend,
    make_actor,
    make_event,
    make_organisation,
    make_people,
    set_facts,
)


@pytest.fixture
def campaign(app: APIFlask) -> Campaign:
    """Scheduled for four; since then one was blocked, one cancelled, two scanned a code."""
    organisation = make_organisation()
    actor = make_actor(organisation)
    event = make_event(organisation, "night")
    people = make_people(organisation, 6)
    attend(event, people[:4])
    draft = CampaignDraft(
        name="Thanks",
        channel=Channel.SMS,
        message="Thanks",
        criteria=Criteria(events=("night",)),
        local_time=(clock.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M"),
        timezone="UTC",
    )
    campaign_id = create_campaign(actor, draft)
    schedule_campaign(actor, campaign_id)
    set_facts(people[:1], blocked=True)
    cancel_attendance(actor, event.id, people[1])
    attend(event, people[4:], Source.QR_SCAN)
    return find_campaign(organisation.id, campaign_id)


def test_the_lists_hold_whom_the_comparison_counts(campaign: Campaign):
    comparison = compare_with_now(campaign)
    joining, leaving = list_movers(campaign, "joined"), list_movers(campaign, "left")
    assert (len(joining), len(leaving)) == (comparison.joined, comparison.left) == (2, 2)
    assert [mover.reason for mover in joining] == [None, None]
    assert {mover.reason for mover in leaving} == {Reason.BLOCKED, Reason.CRITERIA_NO_LONGER_MET}


def test_those_who_would_leave_can_be_narrowed_to_a_reason(campaign: Campaign):
    (mover,) = list_movers(campaign, "left", reason=Reason.BLOCKED)
    assert mover.reason is Reason.BLOCKED


def test_the_lists_go_on_page_by_page(campaign: Campaign):
    (first,) = list_movers(campaign, "joined", limit=1)
    (second,) = list_movers(campaign, "joined", after=first.person_id, limit=1)
    assert second.person_id > first.person_id
    assert list_movers(campaign, "joined", after=second.person_id) == []


def test_another_movement_is_refused(campaign: Campaign):
    with pytest.raises(InvalidInput, match="joined, left"):
        list_movers(campaign, "stayed")
