"""Top-ups: a new campaign for those who joined a campaign's audience since."""

import pytest

from rollcall.audience.criteria import (
    CampaignChoice,
    Criteria,
    Reached,
    SegmentChoice,
    campaign_criteria,
)
from rollcall.campaigns.copies import preview_top_up, top_up_campaign
from rollcall.campaigns.drafts import edit_campaign
from rollcall.campaigns.scheduling import cancel_campaign, send_campaign_now
from rollcall.errors import Conflict, NotFound
from rollcall.models import AudienceMode, Campaign, CampaignState, Role
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from tests.campaigns.stage import Stage
from tests.factories import make_actor, make_organisation

AT_THE_SHOW = Criteria(events=("show",), window_hours=0)
ON_VIP = Criteria(segment=SegmentChoice("vip"), window_hours=0)


def sent(stage: Stage, **changes: object) -> int:
    campaign_id = stage.at_once(**{"criteria": AT_THE_SHOW, **changes})
    stage.run_due()
    return campaign_id


def send(stage: Stage, campaign_id: int) -> list[int]:
    send_campaign_now(stage.actor, campaign_id)
    stage.run_due()
    return stage.reached(campaign_id)


def excluded(stage: Stage, campaign_id: int) -> list[int]:
    criteria = campaign_criteria(stage.campaign(campaign_id))
    assert {choice.who for choice in criteria.exclude_campaigns} <= {Reached.PLANNED}
    return [choice.id for choice in criteria.exclude_campaigns]


def test_it_reaches_those_who_joined_since_and_nobody_twice(stage: Stage):
    first = stage.people(3)
    original = sent(stage)
    later = stage.people(2)
    assert preview_top_up(stage.campaign(original)).people == 2
    top_up = top_up_campaign(stage.actor, original)
    draft = stage.campaign(top_up)
    assert (draft.state, draft.name) == (CampaignState.DRAFT, "Top-up of Winner announcement")
    assert (draft.scheduled_at, draft.audience_mode) == (None, AudienceMode.FROZEN)
    assert draft.message == stage.campaign(original).message
    assert send(stage, top_up) == later
    assert stage.reached(original) == first


def test_a_top_up_of_a_top_up_leaves_out_both(stage: Stage):
    stage.people(2)
    original = sent(stage)
    stage.people(1)
    first = top_up_campaign(stage.actor, original)
    send(stage, first)
    newest = stage.people(1)
    second = top_up_campaign(stage.actor, first)
    assert excluded(stage, second) == [original, first]
    assert send(stage, second) == newest


def test_a_second_top_up_of_the_same_campaign_leaves_out_the_first_one(stage: Stage):
    stage.people(2)
    original = sent(stage)
    stage.people(1)
    first = top_up_campaign(stage.actor, original)
    send(stage, first)
    assert preview_top_up(stage.campaign(original)).people == 0
    newest = stage.people(1)
    second = top_up_campaign(stage.actor, original)
    assert excluded(stage, second) == [original, first]
    assert send(stage, second) == newest


def test_asking_twice_gives_the_draft_that_waits(stage: Stage):
    stage.people(2)
    original = sent(stage)
    stage.people(1)
    waiting = top_up_campaign(stage.actor, original)
    assert top_up_campaign(stage.actor, original) == waiting
    cancel_campaign(stage.actor, waiting)
    again = top_up_campaign(stage.actor, original)
    assert again != waiting
    # One that somebody has written anew is their own and is not given away.
    edit_campaign(stage.actor, again, stage.draft(criteria=AT_THE_SHOW, message="Other"))
    assert top_up_campaign(stage.actor, original) not in (waiting, again)


def test_what_was_left_out_stays_left_out(stage: Stage):
    stage.people(1)
    other = sent(stage)
    crew = stage.people(1)
    create_segment(stage.actor, SegmentDraft("Crew", people=tuple(crew)))
    criteria = Criteria(
        events=("show",),
        exclude_segments=(SegmentChoice("crew"),),
        exclude_campaigns=(CampaignChoice(other, Reached.SENT),),
        window_hours=0,
    )
    original = sent(stage, criteria=criteria)
    newest = stage.people(2)
    top_up = top_up_campaign(stage.actor, original)
    its = campaign_criteria(stage.campaign(top_up))
    assert its.exclude_segments == (SegmentChoice("crew"),)
    assert its.exclude_campaigns == (
        CampaignChoice(other, Reached.SENT),
        CampaignChoice(original, Reached.PLANNED),
    )
    assert send(stage, top_up) == newest


def test_on_a_segment_it_takes_a_new_snapshot(stage: Stage):
    create_segment(stage.actor, SegmentDraft("VIP", AT_THE_SHOW))
    stage.people(3)
    original = sent(stage, criteria=ON_VIP)
    later = stage.people(2)
    top_up = top_up_campaign(stage.actor, original)
    assert stage.campaign(top_up).snapshot_mode == "refresh"
    assert send(stage, top_up) == later
    snapshot = stage.document(top_up)["settings"]["segment_snapshot"]
    assert (snapshot["number"], snapshot["count"]) == (2, 5)


def test_who_joined_a_listed_segment_gets_it(stage: Stage):
    people = stage.people(3)
    create_segment(stage.actor, SegmentDraft("VIP", people=(people[0],)))
    original = sent(stage, criteria=ON_VIP)
    edit_segment(stage.actor, "vip", SegmentDraft("VIP", people=tuple(people[:2])))
    assert send(stage, top_up_campaign(stage.actor, original)) == [people[1]]


def test_an_audience_that_cannot_grow_is_refused(stage: Stage):
    people = stage.people(2)
    create_segment(stage.actor, SegmentDraft("VIP", AT_THE_SHOW))
    picked = sent(stage, criteria=Criteria(people=tuple(people), window_hours=0))
    pinned = sent(stage, criteria=ON_VIP.with_segment(version=1))
    for campaign_id, sentence in ((picked, "picked by hand"), (pinned, "pinned version")):
        with pytest.raises(Conflict, match=sentence):
            top_up_campaign(stage.actor, campaign_id)
        assert sentence in (preview_top_up(stage.campaign(campaign_id)).refusal or "")


@pytest.mark.parametrize("state", ["draft", "scheduled", "cancelled", "sending", "failed"])
def test_only_a_completed_campaign_is_topped_up(stage: Stage, state: str):
    stage.people(1)
    original = sent(stage)
    campaign: Campaign = stage.campaign(original)
    campaign.state = CampaignState(state)
    with pytest.raises(Conflict, match=f"completed; this one is {state}"):
        top_up_campaign(stage.actor, original)


def test_another_organisation_knows_nothing_of_it(stage: Stage):
    stage.people(1)
    original = sent(stage)
    with pytest.raises(NotFound):
        top_up_campaign(make_actor(make_organisation("other"), Role.SUPER), original)


def test_many_top_ups_end_in_a_sentence(stage: Stage):
    stage.people(1)
    others = tuple(CampaignChoice(sent(stage), who) for who in (Reached.SENT,))
    many = others + tuple(CampaignChoice(others[0].id, who) for who in Reached)
    original = sent(stage, criteria=Criteria(events=("show",), exclude_campaigns=many))
    crowded = stage.campaign(original)
    choices = [f'{{"id":{number},"who":"sent"}}' for number in range(1, 51)]
    crowded.targeting_criteria = (
        '{"events":["show"],"exclude_campaigns":[' + ",".join(choices) + "]}"
    )
    with pytest.raises(Conflict, match="At most 50 can be left out"):
        top_up_campaign(stage.actor, original)
