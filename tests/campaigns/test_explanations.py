"""Would this person get it, and if not, why not: before, between and after (A6)."""

import pytest

from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import create_campaign
from rollcall.campaigns.explanations import (
    Explanation,
    explain_campaign,
    list_past,
    list_planned,
)
from rollcall.campaigns.scheduling import cancel_campaign
from rollcall.errors import NotFound
from rollcall.extensions import db, write
from rollcall.models import Campaign, Channel, Source
from rollcall.people.consent import opt_out_person
from rollcall.people.records import block_person
from tests.campaigns.stage import FRIDAY, Stage
from tests.factories import make_organisation, make_people, set_facts


def ask(stage: Stage, campaign_id: int, person_id: int) -> Explanation:
    db.session.expire_all()
    return explain_campaign(stage.organisation_id, campaign_id, person_id)


def test_a_draft_reaches_whom_its_criteria_match(stage: Stage):
    [inside], [outside] = stage.people(1), stage.people(1, attending=None)
    campaign_id = create_campaign(stage.actor, stage.draft())
    assert ask(stage, campaign_id, inside) == Explanation(
        True, "As things stand, they would get it."
    )
    assert ask(stage, campaign_id, outside) == Explanation(
        False, "The campaign's audience does not match them as things stand."
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"phone": None}, "They have no phone number."),
        ({"phone_invalid": True}, "They have an invalid phone number."),
        ({"blocked": True}, "They are blocked."),
        ({"opted_out": "sms"}, "They opted out."),
    ],
)
def test_a_draft_names_the_first_reason_that_applies(stage: Stage, values, sentence):
    [person_id] = make_people(stage.organisation, [values])
    stage.attend([person_id])
    campaign_id = create_campaign(stage.actor, stage.draft())
    assert ask(stage, campaign_id, person_id) == Explanation(False, sentence)


def test_of_two_who_share_a_phone_the_second_is_told_why(stage: Stage):
    first, second = make_people(stage.organisation, [{"phone": "+14165550123"}] * 2)
    stage.attend([first, second])
    campaign_id = create_campaign(stage.actor, stage.draft())
    assert ask(stage, campaign_id, first).gets_it
    assert ask(stage, campaign_id, second).sentence == (
        "They share a phone number with somebody listed."
    )


def test_a_reprocessing_campaign_asks_for_the_moment_of_sending(stage: Stage):
    """A message today is no reason on Sunday where the window is a day."""
    [person_id] = stage.people(1)
    set_facts(person_id, last_message_at=FRIDAY)
    short = Criteria(events=("show",), window_hours=24)
    assert ask(stage, stage.for_sunday(True, criteria=short), person_id).gets_it
    now = create_campaign(stage.actor, stage.draft(criteria=short))
    assert ask(stage, now, person_id).sentence == "They had a message in the last 24 hours."


def test_a_reprocessing_campaign_takes_in_whoever_comes_later(stage: Stage):
    campaign_id = stage.for_sunday(True)
    [late] = stage.people(1, attending=Source.QR_SCAN)
    assert ask(stage, campaign_id, late).gets_it


def test_a_frozen_list_takes_in_nobody_later(stage: Stage):
    [early] = stage.people(1)
    campaign_id = stage.for_sunday(False)
    [late] = stage.people(1, attending=Source.QR_SCAN)
    assert ask(stage, campaign_id, early) == Explanation(
        True, "They are on the frozen list, and nothing holds it back."
    )
    assert ask(stage, campaign_id, late) == Explanation(
        False, "They are not on the frozen list, and nobody is added to it any more."
    )


def test_on_a_frozen_list_an_opt_out_still_counts(stage: Stage):
    [person_id] = stage.people(1)
    campaign_id = stage.for_sunday(False)
    opt_out_person(stage.actor, person_id, Channel.SMS, "staff")
    assert ask(stage, campaign_id, person_id) == Explanation(
        False, "They are on the frozen list, but they opted out."
    )


def test_what_is_foretold_of_a_frozen_list_is_what_happens(stage: Stage):
    kept, blocked, opted_out = stage.people(3)
    campaign_id = stage.for_sunday(False)
    block_person(stage.actor, blocked, "a test")
    opt_out_person(stage.actor, opted_out, Channel.SMS, "staff")
    foretold = {one: ask(stage, campaign_id, one).gets_it for one in (kept, blocked, opted_out)}
    stage.run_on_sunday()
    assert foretold == {kept: True, blocked: False, opted_out: False}
    assert stage.reached(campaign_id) == [kept]
    assert ask(stage, campaign_id, kept) == Explanation(True, "Their message was sent.")
    assert ask(stage, campaign_id, blocked) == Explanation(
        False, "Their message was held back: they are blocked."
    )
    assert ask(stage, campaign_id, opted_out) == Explanation(
        False, "Their message was held back: they opted out."
    )


def test_after_reprocessing_the_reason_for_leaving_is_said(stage: Stage):
    kept, left = stage.people(2)
    campaign_id = stage.for_sunday(True)
    [stranger] = stage.people(1, attending=None)
    block_person(stage.actor, left, "a test")
    stage.run_on_sunday()
    assert ask(stage, campaign_id, kept).gets_it
    assert ask(stage, campaign_id, left) == Explanation(
        False, "They left the list before sending: they are blocked."
    )
    assert ask(stage, campaign_id, stranger) == Explanation(False, "They were not in its audience.")


def test_a_cancelled_campaign_reached_nobody(stage: Stage):
    [person_id] = stage.people(1)
    campaign_id = stage.for_sunday(False)
    cancel_campaign(stage.actor, campaign_id)
    assert ask(stage, campaign_id, person_id) == Explanation(
        False, "They were on the list, but the campaign was cancelled first."
    )


def test_damaged_criteria_are_said_and_break_nothing(stage: Stage):
    [person_id] = stage.people(1)
    campaign_id = stage.for_sunday(True)
    with write():
        db.session.get_one(Campaign, campaign_id).targeting_criteria = "{"
    assert ask(stage, campaign_id, person_id).sentence == (
        "Nobody can say: the campaign's criteria are damaged."
    )
    stage.run_on_sunday()
    assert ask(stage, campaign_id, person_id) == Explanation(
        False, "They were on the list, but the campaign failed first."
    )


def test_a_campaign_of_another_organisation_is_not_found(stage: Stage):
    campaign_id = create_campaign(stage.actor, stage.draft())
    with pytest.raises(NotFound):
        explain_campaign(make_organisation().id, campaign_id, 1)


def test_planned_and_past_campaigns_are_told_apart(stage: Stage):
    [person_id] = stage.people(1)
    stranger = stage.people(1, attending=None)[0]
    sent = stage.at_once(name="Sent")
    stage.run_due()
    draft = create_campaign(stage.actor, stage.draft(name="Draft"))
    scheduled = stage.for_sunday(False)
    assert [c.id for c in list_planned(stage.organisation_id)] == [scheduled, draft]
    for asked, on_a_list in ((person_id, True), (stranger, False)):
        [past] = list_past(stage.organisation_id, asked)
        assert (past.campaign.id, past.on_a_list) == (sent, on_a_list)
