"""What the form shows beside a draft, also while the draft is unfinished or wrong."""

from datetime import timedelta
from decimal import Decimal

import pytest
from apiflask import APIFlask

from rollcall import clock
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.draft_preview import preview_draft
from rollcall.campaigns.drafts import CampaignDraft
from rollcall.models import Channel, Organisation
from tests.factories import attend, make_event, make_organisation, make_people
from tests.summertime import fall_back


@pytest.fixture
def organisation(app: APIFlask) -> Organisation:
    organisation = make_organisation()
    attend(make_event(organisation, "night"), make_people(organisation, 3))
    return organisation


def draft(**values: object) -> CampaignDraft:
    values = {
        "name": "Thanks",
        "channel": Channel.SMS,
        "message": "Hello %%FIRST_NAME%%",
        "criteria": Criteria(events=("night",)),
        "timezone": "America/Toronto",
        **values,
    }
    return CampaignDraft(**values)  # type: ignore[arg-type]


def test_a_finished_draft_has_an_audience_a_price_and_no_problem(organisation: Organisation):
    preview = preview_draft(organisation, draft())
    assert preview.audience is not None
    assert preview.audience.funnel.reachable == 3
    assert preview.audience.cost == Decimal("0.03")
    assert preview.price_each == Decimal("0.01")
    assert preview.problems == {}
    assert preview.moment is None


def test_a_wrong_placeholder_does_not_hide_the_number(organisation: Organisation):
    preview = preview_draft(organisation, draft(message="Hello %%FRIST_NAME%%"))
    assert preview.audience is not None
    assert preview.audience.funnel.reachable == 3
    assert "Did you mean %%FIRST_NAME%%?" in preview.problems["message"]


def test_an_unknown_event_has_no_number(organisation: Organisation):
    preview = preview_draft(organisation, draft(criteria=Criteria(events=("nowhere",))))
    assert preview.audience is None
    assert "nowhere" in preview.problems["events"]


def test_it_is_computed_for_the_chosen_time(organisation: Organisation):
    local = (clock.now() + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M")
    preview = preview_draft(organisation, draft(local_time=local, timezone="UTC"))
    assert preview.audience is not None
    assert preview.audience.moment == preview.moment
    assert f"{preview.moment:%Y-%m-%dT%H:%M}" == local


def test_a_time_that_comes_twice_offers_both_moments(organisation: Organisation):
    preview = preview_draft(organisation, draft(local_time=f"{fall_back()}T01:30"))
    assert preview.repeated is not None
    assert [f"{moment:%z}" for moment in preview.repeated] == ["-0400", "-0500"]
    assert "comes twice" in preview.problems["scheduled_local_time"]


def test_longer_messages_cost_more_for_each(organisation: Organisation):
    preview = preview_draft(organisation, draft(message="x" * 161))
    assert preview.parts.parts == 2
    assert preview.price_each == Decimal("0.02")
