"""Campaigns that want the same people: the numbers against a naive walk, and against sending."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcall.audience.criteria import Criteria
from rollcall.campaigns.collision_report import find_collisions, list_collided, say_gap
from rollcall.campaigns.collision_search import find_contest
from rollcall.campaigns.collisions import (
    Loss,
    PeopleAlike,
    Planned,
    count_losses,
    find_best_order,
    follow_people,
)
from rollcall.campaigns.drafts import create_campaign
from rollcall.campaigns.scheduling import schedule_campaign, send_campaign_now
from rollcall.errors import InvalidInput, NotFound
from rollcall.extensions import write
from rollcall.models import Channel, RecipientState
from tests.campaigns.stage import FRIDAY, SUNDAY_UTC, Stage
from tests.factories import make_actor, make_organisation, set_facts

START = datetime(2026, 11, 28, 12, tzinfo=UTC)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


# The rules, against one person after the other

campaign = st.fixed_dictionaries(
    {
        "at": st.integers(0, 100),
        "window": st.sampled_from([0, 1, 12, 72, 200]),
        "movable": st.booleans(),
        "last": st.sampled_from([None, 30, 101]),
    }
)
group = st.tuples(st.integers(0, 15), st.sampled_from([None, -100, -13, -1]), st.integers(1, 50))


def plans_of(given_campaigns: list[dict[str, Any]]) -> list[Planned]:
    return [
        Planned(
            id=number,
            name=f"Campaign {number}",
            # What is being sent is sent before all that is planned.
            at=START + hours(one["at"] if one["movable"] else 0),
            window=hours(one["window"]),
            movable=one["movable"],
            not_after=START + hours(one["last"]) if one["last"] else None,
        )
        for number, one in enumerate(given_campaigns)
    ]


def groups_of(given_groups: list[tuple[int, int | None, int]]) -> list[PeopleAlike]:
    return [
        PeopleAlike(lists, None if messaged is None else START + hours(messaged), people)
        for lists, messaged, people in given_groups
    ]


def walk(
    turns: list[tuple[int, datetime]], plans: list[Planned], groups: list[PeopleAlike]
) -> dict[tuple[int, int | None], int]:
    """Who is lost to whom, person by person, written as plainly as it can be."""
    lost: dict[tuple[int, int | None], int] = {}
    for one in groups:
        for _person in range(one.people):
            messages = [(one.messaged_at, None)] if one.messaged_at else []
            for place, at in turns:
                if not one.lists & 2**place:
                    continue
                recent = [
                    (when, by)
                    for when, by in messages
                    if when > at - plans[place].window and plans[place].window
                ]
                if recent:
                    key = (place, messages[-1][1])  # the last one counts
                    lost[key] = lost.get(key, 0) + 1
                else:
                    messages.append((at, place))
    return lost


def in_turn(plans: list[Planned]) -> list[tuple[int, datetime]]:
    places = sorted(range(len(plans)), key=lambda n: (plans[n].at, plans[n].movable, plans[n].id))
    return [(place, plans[place].at) for place in places]


@settings(max_examples=300, deadline=None)
@given(st.lists(campaign, min_size=1, max_size=4), st.lists(group, max_size=8))
def test_who_is_lost_to_whom_as_a_walk_through_the_people_finds(drawn, people):
    plans, groups = plans_of(drawn), groups_of(people)
    found = count_losses(follow_people(plans, groups))
    assert {(one.loser, one.winner): number for one, number in found.items()} == walk(
        in_turn(plans), plans, groups
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(campaign, min_size=1, max_size=4), st.lists(group, max_size=8))
def test_the_best_order_as_trying_every_one_finds(drawn, people):
    plans, groups = plans_of(drawn), groups_of(people)
    today, best = find_best_order(plans, groups)
    turns = in_turn(plans)
    assert today.lost == sum(walk(turns, plans, groups).values())
    fixed = [(place, at) for place, at in turns if not plans[place].movable]
    moving = [place for place, _ in turns if plans[place].movable]
    times = [at for place, at in turns if plans[place].movable]
    possible = [today.lost]
    for order in permutations(moving):
        taken = list(zip(order, times, strict=True))
        if all(plans[n].not_after is None or at < plans[n].not_after for n, at in taken):
            possible.append(sum(walk([*fixed, *taken], plans, groups).values()))
    assert best.lost == min(possible)
    if best.lost == today.lost:
        assert best.places == today.places


def test_a_window_that_is_off_loses_nobody():
    plans = [
        Planned(1, "First", START, hours(72)),
        Planned(2, "Second", START + hours(1), hours(0)),
    ]
    both = [PeopleAlike(0b11, None, 10)]
    assert follow_people(plans, both) == {}
    today, best = find_best_order(plans, both)
    assert (today.lost, best.lost) == (0, 0)


def test_the_other_way_round_may_lose_fewer():
    """A reminder with a short window may follow; the long one after it may not."""
    plans = [
        Planned(1, "Doors open at 7", START, hours(1)),
        Planned(2, "Winner", START + hours(16), hours(72)),
    ]
    groups = [PeopleAlike(0b11, None, 80), PeopleAlike(0b10, None, 332)]
    assert count_losses(follow_people(plans, groups)) == {Loss(1, 0): 80}
    today, best = find_best_order(plans, groups)
    assert (today.places, today.lost) == ((0, 1), 80)
    assert (best.places, best.lost) == ((1, 0), 0)
    late = [plans[0], Planned(2, "Winner", START + hours(16), hours(72), not_after=START)]
    assert find_best_order(late, groups)[1].places == (0, 1)


# From the database, and as sending then does it

SATURDAY = "2026-11-28T18:00"
EVENING = FRIDAY + hours(30)  # Saturday 18:00 in Toronto


def planned(stage: Stage, people: list[int], at: str, hours: int = 72, **changes: Any) -> int:
    """A campaign for picked people, scheduled for local time."""
    criteria = changes.pop("criteria", Criteria(people=tuple(people), window_hours=hours))
    draft = stage.draft(criteria=criteria, local_time=at, **changes)
    campaign_id = create_campaign(stage.actor, draft)
    schedule_campaign(stage.actor, campaign_id)
    return campaign_id


def collisions(stage: Stage, campaign_id: int) -> Any:
    return find_collisions(stage.campaign(campaign_id))


def held_back(stage: Stage, campaign_id: int) -> int:
    by_reason = stage.document(campaign_id)["results"]["held_back_by_reason"]
    return by_reason.get("recently_messaged", 0)


def test_what_was_predicted_is_what_sending_then_does(stage: Stage):
    people = stage.people(40, attending=None)
    doors = planned(stage, people[:20], SATURDAY, name="Doors open at 7")
    winner = planned(stage, people[12:], "2026-11-29T10:00", name="Winner")
    thanks = planned(
        stage, people[5:15], "2026-11-29T11:00", name="Thanks", channel=Channel.EMAIL, subject="S"
    )
    # Who would not get the first one is not lost to it.
    set_facts(people[13], opted_out_sms=True)
    # One had a message that is recent for the first only, one that is recent for both.
    set_facts(people[14], last_message_at=EVENING - hours(60))
    set_facts(people[16], last_message_at=FRIDAY - hours(1))
    found = {number: collisions(stage, number) for number in (doors, winner, thanks)}
    assert [(one.name, one.people) for one in found[winner].loses] == [("Doors open at 7", 5)]
    assert (found[winner].already, found[winner].gets) == (1, 21)
    assert (found[doors].already, found[doors].gets) == (2, 17)
    assert [(one.name, one.people) for one in found[doors].takes] == [("Winner", 5), ("Thanks", 8)]
    stage.run_due(EVENING + timedelta(seconds=1))
    stage.run_due(SUNDAY_UTC + timedelta(seconds=1))
    stage.run_due(SUNDAY_UTC + hours(1) + timedelta(seconds=1))
    for number in (doors, winner, thanks):
        lost = found[number].already + sum(one.people for one in found[number].loses)
        assert held_back(stage, number) == lost
        assert len(stage.reached(number)) == found[number].gets


@pytest.mark.parametrize("window", [10, 24])
def test_the_window_is_that_of_the_later_one(stage: Stage, window: int):
    people = stage.people(5, attending=None)
    planned(stage, people, SATURDAY, hours=1000)
    winner = planned(stage, people, "2026-11-29T10:00", hours=window)
    found = collisions(stage, winner)
    assert sum(one.people for one in found.loses) == (5 if window > 16 else 0)
    assert found.best == 0 if window == 10 else found.best == 5


def test_a_draft_is_judged_by_the_list_that_scheduling_would_freeze(stage: Stage):
    people = stage.people(6)
    planned(stage, people[:4], SATURDAY, name="Doors open at 7")
    set_facts(people[0], blocked=True)
    draft = create_campaign(stage.actor, stage.draft(local_time="2026-11-29T10:00"))
    found = collisions(stage, draft)
    assert (found.people, [one.people for one in found.loses], found.gets) == (5, [3], 2)
    listed = list_collided(stage.campaign(draft), "loses", found.loses[0].id)
    assert [person.person_id for person in listed] == people[1:4]
    before = create_campaign(stage.actor, stage.draft(local_time="2026-11-28T10:00"))
    assert [one.people for one in collisions(stage, before).takes] == [3]


def test_one_that_is_being_sent_counts_with_those_still_to_get_it(stage: Stage):
    people = stage.people(6, attending=None)
    winner = planned(stage, people, "2026-11-29T10:00", name="Winner")
    first = create_campaign(stage.actor, stage.draft(criteria=Criteria(people=tuple(people[:3]))))
    send_campaign_now(stage.actor, first)
    with write():
        stage.campaign(first).state = "sending"  # type: ignore[assignment]
        stage.recipients(first)[0].state = RecipientState.SENT
    set_facts(people[0], last_message_at=FRIDAY)
    found = collisions(stage, winner)
    # Whom it has reached is lost to a message that they had, the others to it.
    assert (found.already, [one.people for one in found.loses]) == (1, [2])
    assert found.best == found.lost == 3


def test_a_dry_run_wants_nobody(stage: Stage):
    people = stage.people(3, attending=None)
    rehearsed = planned(stage, people, SATURDAY, dry_run_address="+14165550199")
    winner = planned(stage, people, "2026-11-29T10:00")
    assert collisions(stage, winner) is None
    assert collisions(stage, rehearsed) is None


def test_far_apart_or_without_windows_there_is_nothing_to_tell(stage: Stage):
    people = stage.people(3, attending=None)
    winner = planned(stage, people, "2026-11-29T10:00")
    planned(stage, people, "2026-12-20T10:00")
    assert collisions(stage, winner) is None
    planned(stage, stage.people(2, attending=None), "2026-11-29T11:00")
    found = collisions(stage, winner)
    assert (found.is_any, found.sentences()) == (False, [])


def test_another_organisation_is_never_counted(stage: Stage, app: Any, clock: Any):
    winner = planned(stage, stage.people(2, attending=None), "2026-11-29T10:00")
    other = Stage.__new__(Stage)
    other.__dict__ |= stage.__dict__
    organisation = make_organisation()
    other.organisation_id, other.actor = organisation.id, make_actor(organisation)
    planned(other, other.people(2, attending=None), "2026-11-29T09:00")
    assert collisions(stage, winner) is None


def test_at_most_six_are_looked_at_and_the_rest_is_said(stage: Stage):
    people = stage.people(2, attending=None)
    numbers = [planned(stage, people, f"2026-11-29T{hour:02}:00") for hour in range(8, 16)]
    found = collisions(stage, numbers[0])
    assert (found.campaigns, found.more) == (6, 2)
    contest = find_contest(stage.campaign(numbers[0]))
    assert contest is not None
    assert [plan.id for plan in contest.plans] == numbers[:6]
    assert "2 more campaigns close to this time are left out." in found.sentences()


def test_the_people_behind_a_number_are_paged_and_searched(stage: Stage):
    people = stage.people(9, attending=None)
    doors = planned(stage, people, SATURDAY)
    winner = planned(stage, people[2:], "2026-11-29T10:00")
    this = stage.campaign(winner)
    assert collisions(stage, winner).loses[0].people == 7
    first = list_collided(this, "loses", doors, limit=4)
    rest = list_collided(this, "loses", doors, after=first[-1].person_id)
    assert [one.person_id for one in first + rest] == people[2:]
    [found] = list_collided(this, "loses", doors, text=first[1].phone or "")
    assert found == first[1]
    assert list_collided(this, "takes", doors) == []
    assert len(list_collided(stage.campaign(doors), "takes", winner)) == 7
    with pytest.raises(InvalidInput, match="loses, takes"):
        list_collided(this, "finds", doors)
    with pytest.raises(NotFound):
        list_collided(this, "loses", winner)


def test_what_staff_are_told(stage: Stage):
    people = stage.people(10)
    planned(stage, people[:4], SATURDAY, hours=1, name="Doors open at 7")
    winner = stage.for_sunday(reprocess=True, name="Winner")
    assert collisions(stage, winner).sentences() == [
        "4 of these 10 will have had “Doors open at 7” 16 h before (window 72 h).",
        "So 6 people of 10 would get this one.",
        "Sent the other way round, no message would be missed instead of 4.",
        "The audience of “Winner” is computed again when it goes out: "
        "here it counts with its list as that stands now.",
    ]


@pytest.mark.parametrize(
    ("gap", "said"),
    [(0, ""), (0.4, "24 min"), (16, "16 h"), (72, "72 h"), (168, "168 h"), (240, "10 days")],
)
def test_how_long_before(gap: float, said: str):
    assert say_gap(hours(gap)) == said
