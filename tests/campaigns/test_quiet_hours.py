"""Quiet hours and "not after": chosen, counted beforehand, told while people wait (C14, C17)."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from rollcall.accounts.settings import set_organisation
from rollcall.audience.criteria import Criteria
from rollcall.audience.preview import preview_audience
from rollcall.campaigns.copies import duplicate_campaign
from rollcall.campaigns.document import campaign_document
from rollcall.campaigns.drafts import (
    create_campaign,
    edit_campaign,
    find_campaign,
)
from rollcall.campaigns.results import Wait, sending_progress
from rollcall.campaigns.scheduling import schedule_campaign, send_campaign_now
from rollcall.errors import InvalidInput
from rollcall.explanations.explain import explain_campaign
from rollcall.extensions import db, write
from rollcall.models import (
    AuditEntry,
    Campaign,
    CampaignState,
    Channel,
    Event,
    QuietHours,
    Reason,
    Recipient,
    RecipientState,
    Role,
)
from rollcall.sending.content import read_quiet_rules
from rollcall.sending.due import run_due_campaigns
from tests.campaigns.stage import FRIDAY, SUNDAY, Stage
from tests.factories import make_actor, make_event, make_people

TORONTO, VANCOUVER, MIAMI = "+14165550{:03d}", "+16045550{:03d}", "+13055550{:03d}"
SATELLITE = "+870773111{:03d}"
# Sunday, 29 November 2026, as clocks in Toronto show it.
SEVEN_AT_NIGHT = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)
EIGHT_AT_NIGHT = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
NINE_IN_THE_MORNING = datetime(2026, 11, 29, 14, 0, tzinfo=UTC)


def set_hours(stage: Stage, opens: time | None = time(8), closes: time | None = time(21)) -> None:
    with write():
        stage.organisation.quiet_until, stage.organisation.quiet_from = opens, closes


def add_people(stage: Stage, pattern: str, number: int, **values: object) -> list[int]:
    people = [{"phone": pattern.format(100 + each), **values} for each in range(number)]
    ids = make_people(stage.organisation, people)
    stage.attend(ids)
    return ids


def preview(stage: Stage, at: datetime | None, channel: Channel = Channel.SMS):
    return preview_audience(
        stage.organisation_id, Criteria(events=("show",), window_hours=0), channel, at
    )


def test_the_preview_counts_who_is_in_their_quiet_hours_at_that_time(stage: Stage):
    set_hours(stage)
    add_people(stage, TORONTO, 3)
    add_people(stage, VANCOUVER, 2)
    add_people(stage, MIAMI, 4)
    early = preview(stage, NINE_IN_THE_MORNING).quiet
    assert early is not None
    # Six in the morning in Vancouver.
    assert (early.people, early.next_at) == (2, NINE_IN_THE_MORNING + timedelta(hours=2))
    late = preview(stage, EIGHT_AT_NIGHT)
    assert late.quiet is not None
    # Florida ends at 20:00, where the others still have an hour.
    assert late.quiet.people == 4
    assert late.quiet.next_at == datetime(2026, 11, 30, 13, 0, tzinfo=UTC)
    assert late.to_json()["quiet_hours"]["people"] == 4
    assert late.funnel.reachable == 9


def test_the_preview_counts_only_those_who_would_get_it(stage: Stage):
    set_hours(stage)
    add_people(stage, VANCOUVER, 2)
    add_people(stage, "+16045551{:03d}", 3, blocked=True)
    counted = preview(stage, NINE_IN_THE_MORNING)
    assert counted.quiet is not None
    assert (counted.quiet.people, counted.funnel.reachable) == (2, 2)


def test_a_number_that_says_nothing_is_judged_at_the_event(stage: Stage):
    set_hours(stage)
    with write():
        db.session.get_one(Event, stage.event_id).timezone = "America/Vancouver"
    add_people(stage, SATELLITE, 1)
    add_people(stage, "+870773112{:03d}", 1, timezone="America/Toronto")
    counted = preview(stage, NINE_IN_THE_MORNING).quiet
    assert counted is not None
    assert counted.people == 1


def test_without_quiet_hours_and_for_e_mail_nobody_is_counted(stage: Stage):
    add_people(stage, VANCOUVER, 2)
    assert preview(stage, NINE_IN_THE_MORNING).quiet is None
    set_hours(stage)
    assert preview(stage, NINE_IN_THE_MORNING, Channel.EMAIL).quiet is None
    assert preview(stage, NINE_IN_THE_MORNING, Channel.EMAIL).to_json()["quiet_hours"] is None


def make(stage: Stage, **changes: object) -> Campaign:
    return find_campaign(
        stage.organisation_id, create_campaign(stage.actor, stage.draft(**changes))
    )


def test_sending_asks_by_the_recipients_clock_unless_told_otherwise(stage: Stage):
    set_hours(stage)
    zones = "America/Vancouver"
    morning = NINE_IN_THE_MORNING + timedelta(hours=2)
    waiting = read_quiet_rules(make(stage))
    assert waiting.mode == QuietHours.WAIT
    assert waiting.judge(zones, NINE_IN_THE_MORNING) == morning
    assert waiting.judge(zones, morning) is None
    skipping = read_quiet_rules(make(stage, quiet_hours=QuietHours.SKIP))
    assert (skipping.mode, skipping.judge(zones, NINE_IN_THE_MORNING)) == ("skip", morning)
    free = read_quiet_rules(make(stage, quiet_hours=QuietHours.OVERRIDE))
    assert free.judge(zones, NINE_IN_THE_MORNING) is None
    email = read_quiet_rules(make(stage, channel=Channel.EMAIL, subject="Hello"))
    assert email.judge(zones, NINE_IN_THE_MORNING) is None
    set_hours(stage, None, None)
    assert read_quiet_rules(make(stage)).judge(zones, NINE_IN_THE_MORNING) is None


def test_sending_judges_unknown_numbers_by_all_the_chosen_events(stage: Stage):
    set_hours(stage)
    make_event(stage.organisation, "west", timezone="America/Vancouver")
    both = make(stage, criteria=Criteria(events=("show", "west")))
    assert read_quiet_rules(both).judge("", NINE_IN_THE_MORNING) is not None
    assert read_quiet_rules(make(stage)).judge("", NINE_IN_THE_MORNING) is None


def test_damaged_criteria_leave_the_organisations_zone(stage: Stage):
    set_hours(stage)
    campaign = make(stage)
    with write():
        campaign.targeting_criteria = "{"
    assert read_quiet_rules(campaign).judge("", NINE_IN_THE_MORNING) is None
    assert read_quiet_rules(campaign).judge("", EIGHT_AT_NIGHT + timedelta(hours=1)) is not None


@pytest.mark.parametrize("role", Role)
def test_only_an_admin_may_send_in_quiet_hours_all_the_same(stage: Stage, role: Role):
    actor = make_actor(stage.organisation, role)
    free = stage.draft(quiet_hours=QuietHours.OVERRIDE)
    campaign_id = create_campaign(actor, stage.draft())
    if role == Role.STAFF:
        with pytest.raises(InvalidInput, match="takes the role admin"):
            create_campaign(actor, free)
        with pytest.raises(InvalidInput, match="takes the role admin"):
            edit_campaign(actor, campaign_id, free)
        assert find_campaign(stage.organisation_id, campaign_id).quiet_hours == "wait"
        return
    edit_campaign(actor, campaign_id, free)
    assert find_campaign(stage.organisation_id, campaign_id).quiet_hours == "override"
    entry = db.session.scalars(
        sa.select(AuditEntry)
        .where(AuditEntry.action == "campaign.edit")
        .order_by(AuditEntry.id.desc())
    ).first()
    assert entry is not None
    assert (entry.before["quiet_hours"], entry.after["quiet_hours"]) == ("wait", "override")


def test_a_copy_keeps_the_choice_only_for_whoever_may_make_it(stage: Stage):
    campaign_id = create_campaign(stage.actor, stage.draft(quiet_hours=QuietHours.OVERRIDE))
    for role, kept in ((Role.STAFF, "wait"), (Role.ADMIN, "override")):
        copy = duplicate_campaign(make_actor(stage.organisation, role), campaign_id)
        assert find_campaign(stage.organisation_id, copy).quiet_hours == kept


def test_for_e_mail_the_choice_means_nothing(stage: Stage):
    actor = make_actor(stage.organisation, Role.STAFF)
    draft = stage.draft(channel=Channel.EMAIL, subject="Hello", quiet_hours=QuietHours.OVERRIDE)
    made = find_campaign(stage.organisation_id, create_campaign(actor, draft))
    assert made.quiet_hours == "wait"


@pytest.mark.parametrize(
    ("not_after", "problem"),
    [
        ("2026-11-29T18:00", None),
        ("2026-11-29T10:00", "must lie after the time of sending"),
        ("2026-11-28T10:00", "must lie after the time of sending"),
        ("2026-11-20T10:00", "has passed"),
        ("soon", "is not a date and time"),
    ],
)
def test_the_last_time_lies_after_the_time_of_sending(stage: Stage, not_after, problem):
    draft = stage.draft(local_time=SUNDAY, not_after=not_after)
    if problem is None:
        made = find_campaign(stage.organisation_id, create_campaign(stage.actor, draft))
        assert made.not_after == datetime(2026, 11, 29, 23, 0, tzinfo=UTC)
        assert campaign_document(made)["not_after"] == "2026-11-29T23:00:00Z"
        return
    with pytest.raises(InvalidInput) as raised:
        create_campaign(stage.actor, draft)
    assert problem in raised.value.fields["not_after"]


def test_a_last_time_in_the_gap_or_the_overlap_is_asked_for_again(stage: Stage):
    with pytest.raises(InvalidInput, match="does not exist"):
        create_campaign(stage.actor, stage.draft(not_after="2027-03-14T02:30"))
    twice = stage.draft(not_after="2027-11-07T01:30")
    with pytest.raises(InvalidInput, match="comes twice"):
        create_campaign(stage.actor, twice)
    made = create_campaign(stage.actor, replace(twice, not_after_repeated="later"))
    found = find_campaign(stage.organisation_id, made).not_after
    assert found == datetime(2027, 11, 7, 6, 30, tzinfo=UTC)


def test_what_may_not_go_out_any_more_is_not_sent_now(stage: Stage):
    stage.people(1)
    campaign_id = create_campaign(stage.actor, stage.draft(not_after="2026-11-27T13:00"))
    stage.clock.move_to(FRIDAY + timedelta(hours=2))
    with pytest.raises(InvalidInput, match="not_after"):
        send_campaign_now(stage.actor, campaign_id)
    assert find_campaign(stage.organisation_id, campaign_id).state == CampaignState.DRAFT


def test_an_e_mail_without_a_postal_address_goes_to_the_simulator_only(stage: Stage):
    stage.people(1)
    draft = stage.draft(channel=Channel.EMAIL, subject="Hello", local_time=SUNDAY)
    campaign_id = create_campaign(stage.actor, draft)
    for verb in (schedule_campaign, send_campaign_now):
        with pytest.raises(InvalidInput, match=r"postal_address: .*flask org set SLUG --address"):
            verb(stage.actor, campaign_id, real_email=True)
    assert find_campaign(stage.organisation_id, campaign_id).state == CampaignState.DRAFT
    schedule_campaign(stage.actor, campaign_id)
    with write():
        stage.organisation.postal_address = "1 Main Street, Toronto"
    other = create_campaign(stage.actor, draft)
    assert schedule_campaign(stage.actor, other, real_email=True) == 1


def test_a_text_message_needs_no_postal_address(stage: Stage):
    stage.people(1)
    campaign_id = create_campaign(stage.actor, stage.draft(local_time=SUNDAY))
    assert schedule_campaign(stage.actor, campaign_id, real_email=True) == 1


def put(campaign_id: int, person_id: int, **values: object) -> None:
    with write():
        db.session.execute(
            sa.update(Recipient)
            .where(Recipient.campaign_id == campaign_id, Recipient.person_id == person_id)
            .values(**values)
        )


@pytest.fixture
def underway(stage: Stage) -> tuple[Campaign, list[int]]:
    """A campaign that has sent to two; two wait for their morning, one for the provider."""
    set_hours(stage)
    people = stage.people(5)
    campaign_id = create_campaign(stage.actor, stage.draft())
    send_campaign_now(stage.actor, campaign_id)
    soon, later = FRIDAY + timedelta(hours=1), FRIDAY + timedelta(hours=20)
    for person_id in people[:2]:
        put(campaign_id, person_id, state=RecipientState.SENT)
    for person_id, at in ((people[2], later), (people[3], later + timedelta(hours=3))):
        put(campaign_id, person_id, held_reason=Reason.QUIET_HOURS, not_before=at)
    put(campaign_id, people[4], held_reason=Reason.PROVIDER_BUSY, not_before=soon)
    with write():
        campaign = db.session.get_one(Campaign, campaign_id)
        campaign.state, campaign.sent_started_at = CampaignState.SENDING, FRIDAY
    return campaign, people


def test_progress_tells_who_waits_for_what_and_until_when(stage: Stage, underway):
    campaign, _ = underway
    progress = sending_progress(campaign)
    assert (progress.done, progress.total, progress.waiting) == (2, 5, 3)
    assert progress.only_waits
    assert progress.rate is None
    assert set(progress.waits) == {
        Wait(Reason.QUIET_HOURS, 2, FRIDAY + timedelta(hours=20)),
        Wait(Reason.PROVIDER_BUSY, 1, FRIDAY + timedelta(hours=1)),
    }


def test_results_count_who_waits_apart_from_who_was_held_back(stage: Stage, underway):
    campaign, people = underway
    put(campaign.id, people[3], state=RecipientState.HELD_BACK, held_reason=Reason.EXPIRED)
    results = campaign_document(campaign)["results"]
    assert results["waiting"] == {"quiet_hours": 1, "provider_busy": 1}
    assert results["next_at"] == "2026-11-27T18:00:00Z"
    assert results["held_back_by_reason"] == {"expired": 1}
    assert (results["sent"], results["pending"], results["held_back"]) == (2, 2, 1)


def test_a_person_is_told_what_their_message_waits_for(stage: Stage, underway):
    campaign, people = underway

    def said(person_id: int) -> str:
        db.session.expire_all()
        return explain_campaign(stage.organisation_id, campaign.id, person_id).sentence

    assert said(people[2]) == (
        "Waiting until Sat 28 Nov 2026, 08:00 America/Toronto: it is too early or too late in the "
        "day where they are; on the list since it was frozen on Fri 27 Nov 2026, 12:00 "
        "America/Toronto."
    )
    assert "the provider could not take it" in said(people[4])
    for reason, words in (
        (Reason.QUIET_HOURS, "was in quiet hours"),
        (Reason.EXPIRED, "still waited when the last time for sending came"),
        (Reason.SET_ASIDE, "was set aside after the program failed"),
    ):
        put(campaign.id, people[2], state=RecipientState.HELD_BACK, held_reason=reason)
        assert words in said(people[2])


def outcomes(campaign_id: int, people: list[int]) -> list[tuple[RecipientState, Reason | None]]:
    db.session.expire_all()
    rows = [db.session.get_one(Recipient, (campaign_id, person_id)) for person_id in people]
    return [(row.state, row.held_reason) for row in rows]


@pytest.fixture
def evening(stage: Stage) -> tuple[Stage, list[int]]:
    """Half past eight in Toronto: Miami must be left in peace, Toronto and Vancouver not yet."""
    set_hours(stage)
    people = [add_people(stage, place, 1)[0] for place in (TORONTO, VANCOUVER, MIAMI)]
    stage.clock.move_to(EIGHT_AT_NIGHT + timedelta(minutes=30))
    return stage, people


def test_whoever_is_in_their_quiet_hours_gets_it_in_the_morning(evening):
    stage, people = evening
    campaign_id = create_campaign(stage.actor, stage.draft())
    send_campaign_now(stage.actor, campaign_id)
    run_due_campaigns(stage.settings)
    sent = (RecipientState.SENT, None)
    assert outcomes(campaign_id, people) == [
        sent,
        sent,
        (RecipientState.QUEUED, Reason.QUIET_HOURS),
    ]
    assert find_campaign(stage.organisation_id, campaign_id).state == CampaignState.SENDING
    stage.clock.move_to(datetime(2026, 11, 30, 12, 59, tzinfo=UTC))
    run_due_campaigns(stage.settings)
    assert outcomes(campaign_id, people)[2][0] == RecipientState.QUEUED
    stage.clock.move_to(datetime(2026, 11, 30, 13, 0, tzinfo=UTC))
    run_due_campaigns(stage.settings)
    assert [state for state, _ in outcomes(campaign_id, people)] == [RecipientState.SENT] * 3
    db.session.expire_all()
    assert find_campaign(stage.organisation_id, campaign_id).state == CampaignState.COMPLETED


def test_who_waits_goes_at_once_when_quiet_hours_are_switched_off(evening):
    stage, people = evening
    campaign_id = create_campaign(stage.actor, stage.draft())
    send_campaign_now(stage.actor, campaign_id)
    run_due_campaigns(stage.settings)
    assert outcomes(campaign_id, people)[2] == (RecipientState.QUEUED, Reason.QUIET_HOURS)
    set_organisation(stage.actor, quiet_hours="off")
    run_due_campaigns(stage.settings)
    assert [state for state, _ in outcomes(campaign_id, people)] == [RecipientState.SENT] * 3


def test_or_is_left_out_where_the_campaign_says_so(evening):
    stage, people = evening
    campaign_id = create_campaign(stage.actor, stage.draft(quiet_hours=QuietHours.SKIP))
    send_campaign_now(stage.actor, campaign_id)
    run_due_campaigns(stage.settings)
    assert outcomes(campaign_id, people)[2] == (RecipientState.HELD_BACK, Reason.QUIET_HOURS)
    assert find_campaign(stage.organisation_id, campaign_id).state == CampaignState.COMPLETED


def test_or_gets_it_all_the_same_where_an_admin_says_so(evening):
    stage, people = evening
    campaign_id = create_campaign(stage.actor, stage.draft(quiet_hours=QuietHours.OVERRIDE))
    send_campaign_now(stage.actor, campaign_id)
    run_due_campaigns(stage.settings)
    assert outcomes(campaign_id, people)[2][0] == RecipientState.SENT


def test_whoever_still_waits_at_the_last_time_expires(evening):
    stage, people = evening
    campaign_id = create_campaign(stage.actor, stage.draft(not_after="2026-11-30T07:00"))
    send_campaign_now(stage.actor, campaign_id)
    run_due_campaigns(stage.settings)
    stage.clock.move_to(datetime(2026, 11, 30, 13, 0, tzinfo=UTC))
    run_due_campaigns(stage.settings)
    assert outcomes(campaign_id, people)[2] == (RecipientState.HELD_BACK, Reason.EXPIRED)
    assert find_campaign(stage.organisation_id, campaign_id).state == CampaignState.COMPLETED
