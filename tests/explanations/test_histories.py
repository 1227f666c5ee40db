"""1,000 random histories: every explanation is held against a plain replay, every sum balances.

People join, cancel, come back, opt out and in, are blocked, edited, share phones, are messaged by
other campaigns, and segments are edited: before the list is frozen, until it is sent, and after,
which must change no explanation. All of it goes through the real verbs and the real send.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall.campaigns.drafts import find_campaign
from rollcall.explanations.balance import find_imbalances
from rollcall.explanations.causes import count_causes, find_causes, is_guessed
from rollcall.explanations.explain import explain_campaign, explain_people
from rollcall.explanations.verdicts import Explanation
from rollcall.extensions import db
from rollcall.models import Campaign
from rollcall.wording import say_time
from tests.campaigns.stage import Stage
from tests.explanations.history import ASLEEP, CAMPAIGNS, HOURS, START, World
from tests.explanations.replay import NO_MATCH, REACHABLE, Person, Story

# With ten campaigns in each world: 400 histories, and a thousand with `make chaos`.
BATCHES, WORLDS = 10, int(os.environ.get("ROLLCALL_TEST_WORLDS", "4"))
# In CI the histories are the same each time; elsewhere they are new, and a failure names its seed.
BASE = 20_261_121 if os.environ.get("CI") == "true" else random.randrange(10**9)
ZONE = "UTC"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_explanation_is_what_happened(
    stage: Stage, batch: int, database_kind: str, record_property: Any
):
    number = WORLDS if database_kind == "sqlite" else 1
    if database_kind == "sqlite":
        _write_carelessly()
    stage.clock.move_to(START)
    worlds = [World(BASE + batch * WORLDS + one, stage.clock) for one in range(number)]
    foretold: dict[int, dict[int, Explanation]] = {}
    for hour in range(HOURS):
        stage.clock.move_to(START + timedelta(hours=hour))
        run_hour(worlds, hour, stage, foretold)
    for world in worlds:
        for story in world.stories:
            with told(world, story):
                check_story(world, story, foretold[story.campaign_id])
    record_property("histories", number * CAMPAIGNS)


@contextmanager
def told(world: World, story: Story) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        lines = [str(error), f"{story.name}, {story.campaign_id}", *world.told]
        raise AssertionError("\n".join(lines)) from error


def run_hour(
    worlds: list[World], hour: int, stage: Stage, foretold: dict[int, dict[int, Explanation]]
) -> None:
    """Something happens to somebody, campaigns are scheduled, and those that are due go out."""
    for world in worlds:
        if hour:
            world.step()
    stage.clock.shift(timedelta(minutes=10))
    for world in worlds:
        if hour in world.plan:
            world.schedule(world.plan[hour] - hour)
    stage.clock.shift(timedelta(minutes=20))
    due = [(world, story) for world in worlds for story in world.due()]
    if hour in ASLEEP or not due:
        return
    for world, story in due:
        foretold[story.campaign_id] = _ask(world, story)
        story.send(world.now)
        world.tell(f"{story.name} sent")
    stage.run_due()


def _write_carelessly() -> None:
    """Nothing here is about power cuts, and waiting for the disk is half of the time."""

    def connected(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    db.session.remove()
    db.engine.dispose()
    sa.event.listen(db.engine, "connect", connected)


def _ask(world: World, story: Story) -> dict[int, Explanation]:
    db.session.expire_all()
    campaign = find_campaign(world.organisation_id, story.campaign_id)
    return explain_people(campaign, sorted(world.people))


def check_story(world: World, story: Story, foretold: dict[int, Explanation]) -> None:
    campaign = find_campaign(world.organisation_id, story.campaign_id)
    assert campaign.state == "completed", campaign.state_note
    counted = (campaign.estimated_recipients, campaign.actual_recipients)
    assert counted == (len(story.estimate), len(story.final))
    assert find_imbalances(campaign) == []
    found = _ask(world, story)
    for who, said in found.items():
        label = f"{who}: {said.sentence}\n{said}"
        check_person(story, who, said, label)
        if who in foretold and not _could_not_be_foretold(story, who):
            assert foretold[who].gets_it == said.gets_it, f"{foretold[who].sentence}\n{label}"
    check_counts(story, campaign, found)
    one = world.random.choice(list(found))
    assert explain_campaign(world.organisation_id, campaign.id, one) == found[one]


def check_person(story: Story, who: int, said: Explanation, label: str) -> None:
    assert said.gets_it == (story.fates.get(who) == "sent"), label
    if who in story.final:
        assert said.change == ("kept" if who in story.estimate else "joined"), label
        check_listed(story, who, said, label)
        if said.change == "joined":
            check_joined(story, who, said, label)
    elif who in story.estimate:
        assert said.change == "left", label
        check_left(story, who, said, label)
    else:
        assert said.change is None, label
        check_outside(story, who, said, label)


def _could_not_be_foretold(story: Story, who: int) -> bool:
    """Somebody who joins may take the message of an address that others of the list share."""
    return story.mode == "additions" and story.fates.get(who) == "duplicate_address"


def check_counts(story: Story, campaign: Campaign, found: dict[int, Explanation]) -> None:
    """Every figure of the list is what the explanations of its people add up to."""
    counts = count_causes(campaign)
    moved = story.final ^ story.estimate
    causes = find_causes(campaign, sorted(moved)) if moved else {}
    assert counts.kept == len(story.estimate & story.final)
    joined, left = story.final - story.estimate, story.estimate - story.final
    assert counts.joined == Counter(causes[who] for who in joined)
    assert counts.left == Counter(causes[who] for who in left)
    assert set(causes) == joined | left
    for who, cause in causes.items():
        if story.fates.get(who, "sent") == "sent":
            assert found[who].cause == cause


def check_listed(story: Story, who: int, said: Explanation, label: str) -> None:
    fate = story.fates[who]
    if fate == "sent":
        assert said.verdict == "got", label
        assert say_time(story.sent_at, ZONE) in said.sentence, label
        return
    assert (said.verdict, said.cause) == ("held_back", fate), label
    check_evidence(story, who, said, fate, story.sent_at, story.sent_at, label, held=True)


def check_joined(story: Story, who: int, said: Explanation, label: str) -> None:
    true, fate = story.why_joined(who), story.fates[who]
    assert true, label
    if fate == "sent":
        assert said.cause in true or _is_probable(said, true), f"{label} true: {true}"
        assert is_guessed(said.cause) == ("probably" in said.sentence), label
    if said.cause in ("attended", "registered") and fate == "sent":
        came = [one for one in said.evidence if one.kind == "attendance"]
        assert came, label
        presence = story.people[who].presences[came[0].details["event"], came[0].details["source"]]
        assert presence.came == came[0].at, label
        assert say_time(presence.came, ZONE) in said.sentence, label


def _is_probable(said: Explanation, true: set[str]) -> bool:
    """Where a city is asked for, coming back after a cancellation can't be told from moving."""
    return is_guessed(said.cause) and "probably" in said.sentence and "restored" in true


def check_left(story: Story, who: int, said: Explanation, label: str) -> None:
    assert said.verdict == "left", label
    true, second = story.why_left(who), story.second
    probable = is_guessed(said.cause) and "probably" in said.sentence and "cancelled" in true
    assert said.cause in true or probable, f"{label} true: {true}"
    assert is_guessed(said.cause) == ("probably" in said.sentence), label
    if second[who] != NO_MATCH:
        check_evidence(story, who, said, second[who], story.sent_at, story.sent_at, label)


def check_outside(story: Story, who: int, said: Explanation, label: str) -> None:
    at_send = story.mode in ("reprocess", "additions")
    reasons = story.second if at_send else story.first
    at = story.sent_at if at_send else story.frozen_at
    due = story.sent_at if at_send else story.due
    reason = reasons.get(who, NO_MATCH)
    assert reason != REACHABLE, label
    if reason != NO_MATCH:
        assert (said.verdict, said.cause) == ("left_out", reason), label
        check_evidence(story, who, said, reason, at, due, label)
        return
    assert said.verdict in ("not_matched", "not_on_list"), label
    person = story.people[who]
    if said.cause == "too_late":
        shown = said.evidence[0]
        presence = person.presences[shown.details["event"], shown.details["source"]]
        assert presence.came == shown.at > at, label
        assert not story.rules.attended(person, at), label
    elif said.cause in ("cancelled", "cancelled_then"):
        assert (said.cause == "cancelled_then") == ("probably" in said.sentence), label
        assert any(one.came <= at and not one.counts(at) for one in person.presences.values()), (
            label
        )
    elif said.cause in ("events", "sources"):
        assert not person.at_event(at, story.rules.events, story.rules.sources), label
    elif said.cause == "min_events":
        came_to = len(person.events_at(at, story.rules.events, story.rules.sources))
        counted = said.evidence[0].details["events"]
        # Of a cancellation that was taken back nothing is kept.
        forgotten = any(one.restored for one in person.presences.values())
        assert counted == came_to or (forgotten and counted > came_to), label
        assert counted < story.rules.least == said.evidence[0].details["needed"], label
        assert f"had come to {counted} of the 3 chosen events when" in said.sentence, label
        assert said.sentence.endswith(f"; {story.rules.least} are needed."), label
    elif said.cause == "segment":
        assert story.segment is not None, label
        assert not story.was_member(person), label
    else:
        assert said.cause == "unkept", label
        assert story.rules.cities or story.segment, label


def check_evidence(
    story: Story,
    who: int,
    said: Explanation,
    reason: str,
    at: Any,
    due: Any,
    label: str,
    held: bool = False,
) -> None:
    """The evidence is what happened; there is none only where an address was changed since."""
    person = story.people[who]
    shown = next((one for one in said.evidence if one.kind == _KINDS.get(reason)), None)
    if reason == "recently_messaged":
        when, name = story.last_message(person, at, due) or (None, "")
        assert shown is not None, label
        assert (shown.at, shown.details["campaign"]) == (when, name), label
        assert f"“{name}” on {say_time(when, ZONE)}" in said.sentence, label
        assert shown.details["hours_before"] == round((due - when) / timedelta(hours=1), 2), label
    elif reason == "blocked":
        block = person.block(at)
        assert shown is not None, label
        assert block is not None, label
        assert (shown.at, shown.details["reason"]) == block, label
        assert f"{say_time(block[0], ZONE)}: “{block[1]}”" in said.sentence, label
    elif reason == "opted_out":
        check_consent(person, shown, at, label)
    elif reason == "duplicate_address":
        check_duplicate(story, person, shown, at, label, held)
    elif reason == "excluded_event":
        assert shown is not None, label
        assert shown.details["event"] == "gala", label
    else:
        assert shown is None, label


_KINDS = {
    "recently_messaged": "message",
    "blocked": "block",
    "opted_out": "consent",
    "duplicate_address": "shared_address",
    "excluded_event": "attendance",
}


def check_consent(person: Person, shown: Any, at: Any, label: str) -> None:
    past = [one for one in person.consents if one[0] <= at]
    when = past[-1][0] if past and past[-1][1] else None
    edited = when is None or any(when < moment <= at for moment, _ in person.phones[1:])
    if edited:
        assert shown is None, label
    else:
        assert shown is not None, label
        assert shown.at == when, label


def check_duplicate(
    story: Story, person: Person, shown: Any, at: Any, label: str, held: bool
) -> None:
    sharing = [
        one
        for one in story.people.values()
        if one is not person and one.since <= at and one.phone(at) == person.phone(at)
    ]
    if shown is None:
        changed = [one for one in (*sharing, person) if one.phones[-1][0] > at]
        unsent = held and not any(story.fates.get(one.id) == "sent" for one in sharing)
        apart = story.mode == "additions"
        assert changed or unsent or apart, label
        return
    first = story.people[shown.details["person_id"]]
    assert first in sharing, label
    assert shown.details["address"] == person.phone(at), label
    if held:
        assert story.fates[first.id] == "sent", label
    else:
        assert first.id < person.id, label
