"""Every explanation stays true with criteria that the product has never heard of.

Two rows of this test's own are added to the table: one by what is kept of the past, one by what is
not. The explaining code knows neither; in random histories it must name what was recorded, and
say "probably", or that nobody knows, of what was not.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, table
from rollcall.audience.criteria.cities import CITIES
from rollcall.audience.criteria.criterion import Asked, Lack, Moved, Recorded, Stored, Unkept
from rollcall.campaigns.drafts import find_campaign
from rollcall.explanations.balance import find_imbalances
from rollcall.explanations.causes import UNKNOWN, every_cause, find_causes, is_guessed, say_cause
from rollcall.explanations.verdicts import Explanation
from rollcall.models import Attempt, Person, RecipientState
from rollcall.people.details import PersonDraft
from rollcall.people.records import edit_person
from tests.campaigns.stage import Stage
from tests.explanations import replay
from tests.explanations.history import ASLEEP, HOURS, SCAN, START, World
from tests.explanations.replay import NO_MATCH, REACHABLE, Rules, Story
from tests.explanations.test_histories import BASE, _ask, told

BATCHES, WORLDS = 2, 8
LETTERS = ("A", "B")


@dataclass(frozen=True)
class OwnCriteria(Criteria):
    """With a surname, of which no history is kept, and whether they ever had a message."""

    surnames: tuple[str, ...] = ()
    messaged: bool = False


def _named(asked: Asked) -> Any:
    named = Person.last_name.in_(asked.bound("surnames", expanding=True))
    return asked.among(sa.select(Person.id).where(named))


def _messaged(asked: Asked) -> Any:
    return sa.select(Attempt.person_id).where(Attempt.outcome == RecipientState.SENT)


def _messaged_then(asked: Asked) -> Any:
    return _messaged(asked).where(Attempt.finished_at <= asked.moment)


def _lacks_message(stored: Stored) -> Lack:
    return Lack(f"{'had' if stored.past else 'has'} had no message")


# All parts but these are another row's: what it looks like in a form is not what is tried here.
SURNAMES = replace(
    CITIES,
    key="surnames",
    holds=("surnames",),
    read=lambda value: {"surnames": tuple(value)},
    write=lambda criteria: {"surnames": list(criteria.surnames)} if criteria.surnames else {},
    says=lambda criteria, names: f"called {criteria.surnames}" if criteria.surnames else "",
    rules=(
        replace(
            CITIES.rules[0],
            key="surnames",
            noun="a surname",
            bind=lambda criteria, lookup: (
                (True, {"surnames": list(criteria.surnames)}) if criteria.surnames else None
            ),
            now=_named,
            history=Unkept("surnames", "surname", "surname"),
            proved_by=lambda wanted, met: (
                bool(met.surnames) and set(met.surnames) <= set(wanted.surnames)
            ),
            reads=(Person.last_name,),
            lacks=lambda stored: Lack(f"is called {stored.facts['last_name']}", then=False),
        ),
    ),
    form=replace(CITIES.form, inputs={}),
    option=replace(CITIES.option, flag="--surname"),
)
MESSAGED = replace(
    SURNAMES,
    key="messaged",
    holds=("messaged",),
    read=lambda value: {"messaged": bool(value)},
    write=lambda criteria: {"messaged": True} if criteria.messaged else {},
    says=lambda criteria, names: "who had a message" if criteria.messaged else "",
    rules=(
        replace(
            CITIES.rules[0],
            key="messaged",
            noun="an earlier message",
            bind=lambda criteria, lookup: (True, {}) if criteria.messaged else None,
            now=_messaged,
            history=Recorded(
                _messaged_then,
                Moved(
                    ("messaged_since", "had a message since", "had a message since"),
                    ("unmessaged", "had no message any more", "had no message any more"),
                ),
            ),
            proved_by=lambda wanted, met: met.messaged,
            reads=(),
            lacks=_lacks_message,
        ),
    ),
    option=replace(CITIES.option, flag="--messaged"),
)


@pytest.fixture
def own_criteria(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "Criteria", OwnCriteria)
    for name in ("surnames", "messaged"):  # of criteria that ask for nothing
        monkeypatch.setattr(Criteria, name, getattr(OwnCriteria(), name), raising=False)
    rows = (*table.TABLE[:-1], SURNAMES, MESSAGED, table.TABLE[-1])
    monkeypatch.setattr(table, "TABLE", table.check_table(rows))


# The plain replay, with both in it.


@dataclass(frozen=True)
class OwnRules(Rules):
    surnames: tuple[str, ...] = ()
    messaged: bool = False

    def hold(self, person: replay.Person, at: datetime) -> bool:
        assert isinstance(person, OwnPerson)
        if self.surnames and person.surname(at) not in self.surnames:
            return False
        if self.messaged and not person.had_message(at):
            return False
        return super().hold(person, at)


class OwnPerson(replay.Person):
    surnames: list[tuple[datetime, str]]

    def surname(self, at: datetime) -> str:
        return [name for when, name in self.surnames if when <= at][-1]

    def had_message(self, at: datetime) -> bool:
        return any(when <= at for when, _ in self.messages)


class OwnStory(Story):
    """Every way in which somebody moved, those that can be read and those that can't."""

    def why_joined(self, who: int) -> set[str]:
        person = self.people[who]
        true = super().why_joined(who)
        if self.first.get(who, NO_MATCH) in (REACHABLE, NO_MATCH):
            true |= self._own(person, self.rules, self.frozen_at, "messaged_since")
            if self.segment is not None and not self.was_member(person):
                true |= self._own(person, self.old, self.snapshot_at, "entered_segment")
        return true

    def why_left(self, who: int) -> set[str]:
        person = self.people[who]
        true = super().why_left(who)
        if self.second[who] == NO_MATCH:
            rules = [self.rules, *([self.segment.live(self.sent_at)[1]] if self.segment else [])]
            for asked in rules:
                if asked.surnames and person.surname(self.sent_at) not in asked.surnames:
                    true.add("surname_changed")
                if asked.events and not asked.attended(person, self.sent_at):
                    true.add("cancelled")
        return true

    def _own(self, person: Any, rules: Any, since: datetime, messaged: str) -> set[str]:
        found = set()
        known = person.since <= since
        if rules.surnames and not (known and person.surname(since) in rules.surnames):
            found.add("surname_changed")
        if rules.messaged and not person.had_message(since):
            found.add(messaged)
        return found


class OwnWorld(World):
    def _draw_story(self) -> Story:
        plain = super()._draw_story()
        rules = plain.rules
        if self.random.random() < 0.5 and plain.segment is None:
            rules = Rules(events=("show",), sources=self.random.choice([(), (SCAN,)]))
        return OwnStory(
            self.people,
            plain.mode,
            self._own_rules(rules),
            0,
            plain.segment,
            plain.excluded,
            plain.name,
        )

    def _draw_definition(self, slug: str) -> Rules:
        rules = super()._draw_definition(slug)
        listed = rules.people is not None
        return OwnRules(**vars(rules)) if listed else self._own_rules(rules)

    def _own_rules(self, rules: Rules) -> Rules:
        surnames = self.random.choice([(), (), ("A",), ("B",)])
        return OwnRules(**vars(rules), surnames=surnames, messaged=self.random.random() < 0.4)

    def _criteria(self, rules: Rules, **more: Any) -> Criteria:
        own = vars(rules)
        plain = super()._criteria(rules, **more)
        return OwnCriteria(
            **vars(plain),
            surnames=own.get("surnames", ()),
            messaged=own.get("messaged", False),
        )

    def step(self) -> None:
        if self.random.random() < 0.75:
            super().step()
            return
        person: Any = self.random.choice(list(self.people.values()))
        surname = self.random.choice(LETTERS)
        person.surnames.append((self.now, surname))
        self._edit(person, person.phone(self.now), person.city(self.now))
        self.tell(f"rename {person.id} to {surname}")

    def _add_people(self, number: int) -> None:
        before = set(self.people)
        super()._add_people(number)
        for who in set(self.people) - before:
            person = OwnPerson(**vars(self.people[who]))
            person.surnames = [(self.now, self.random.choice(LETTERS))]
            self.people[who] = person
            self._edit(person, person.phone(self.now), person.city(self.now))

    def _edit(self, person: Any, phone: str | None, city: str) -> None:
        name = person.surname(self.now)
        mail = f"p{person.id}@example.org"
        edit_person(
            self.actor, person.id, PersonDraft(phone or "", mail, f"P{person.id}", name, city)
        )


# What a guess may stand for: of these nothing is kept.
FORGOTTEN = {"surname_changed", "city_changed", "restored", "cancelled"}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_explanations_stay_true(stage: Stage, own_criteria: None, batch: int, database_kind: str):
    number = WORLDS if database_kind == "sqlite" else 1
    stage.clock.move_to(START)
    worlds = [OwnWorld(BASE + 5_000 + batch * WORLDS + one, stage.clock) for one in range(number)]
    for hour in range(HOURS):
        stage.clock.move_to(START + timedelta(hours=hour))
        _run_hour(worlds, hour, stage)
    seen: set[str] = set()
    for world in worlds:
        for story in world.stories:
            with told(world, story):
                seen |= check_story(world, story)
    if database_kind == "sqlite":
        assert "messaged_since" in seen


def _run_hour(worlds: list[OwnWorld], hour: int, stage: Stage) -> None:
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
        story.send(world.now)
    stage.run_due()


def check_story(world: OwnWorld, story: Story) -> set[str]:
    """Check everybody of a campaign, and return the causes that were told."""
    campaign = stage_campaign(world, story)
    assert (campaign.estimated_recipients, campaign.actual_recipients) == (
        len(story.estimate),
        len(story.final),
    )
    assert find_imbalances(campaign) == []
    moved = sorted(story.estimate ^ story.final)
    causes = find_causes(campaign, moved)
    assert set(causes) == set(moved)
    for who, said in _ask(world, story).items():
        label = f"{who}: {said.sentence}\n{said}"
        assert said.gets_it == (story.fates.get(who) == "sent"), label
        if who in causes:
            true = story.why_joined(who) if who in story.final else story.why_left(who)
            check_cause(causes[who], said, true, f"{label} true: {true}")
        elif who not in story.final:
            check_outside(story, who, said, label)
    return set(causes.values())


def stage_campaign(world: OwnWorld, story: Story) -> Any:
    campaign = find_campaign(world.organisation_id, story.campaign_id)
    assert campaign.state == "completed", campaign.state_note
    return campaign


def check_cause(cause: str, said: Explanation, true: set[str], label: str) -> None:
    """What is said outright is true; a guess says "probably", and stands for what is not kept."""
    assert true, label
    if cause == UNKNOWN:
        assert "nothing that is kept says why" in said.sentence, label
        assert true & FORGOTTEN, label
    elif is_guessed(cause):
        assert "probably" in said.sentence, label
        assert "probably" in say_cause(cause, 2), label
        assert true & (FORGOTTEN | {"segment_changed"}), label
    else:
        assert cause in true, label
        assert "probably" not in said.sentence, label


def check_outside(story: Story, who: int, said: Explanation, label: str) -> None:
    """Whoever is on neither list is told of a criterion that was really not met."""
    at_send = story.mode in ("reprocess", "additions")
    at = story.sent_at if at_send else story.frozen_at
    person: Any = story.people[who]
    if said.cause == "messaged":
        assert not person.had_message(at), label
        assert "had had no message when the list was" in said.sentence, label
    elif said.cause == "surnames":
        raise AssertionError(f"nobody knows the surname of that moment: {label}")
    elif said.cause in ("events", "sources", "min_events", "too_late"):
        assert not story.rules.attended(person, at), label
    elif said.cause == "unkept":
        rules: Any = story.rules
        assert rules.surnames or rules.cities or story.segment, label
        assert "keeps no history" in said.sentence, label


def test_every_cause_of_a_new_row_has_its_words(own_criteria: None):
    causes = every_cause()
    assert {"messaged_since", "surname_changed", "scores_or_city_or_surname_changed"} <= set(causes)
    for cause in causes:
        assert "_" not in say_cause(cause, 1), cause
    assert say_cause("scores_or_city_or_surname_changed", 2) == (
        "probably by another score, city or surname"
    )


@pytest.mark.parametrize(
    "whole",
    [SURNAMES, SURNAMES.rules[0], MESSAGED.rules[0].history, SURNAMES.form, SURNAMES.option],
    ids=lambda whole: type(whole).__name__,
)
def test_what_lacks_a_part_can_not_be_made(whole: Any):
    parts = vars(whole)
    assert type(whole)(**parts) == whole
    for missing in parts:
        with pytest.raises(TypeError, match=missing):
            type(whole)(**{name: part for name, part in parts.items() if name != missing})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (replace(SURNAMES, key="cities"), "same key"),
        (replace(SURNAMES, holds=("cities",)), "same field"),
        (replace(SURNAMES, holds=("nowhere",)), "Each field of Criteria"),
        (replace(SURNAMES, option=CITIES.option), "same option"),
        (replace(SURNAMES, form=CITIES.form), "same input"),
        (replace(SURNAMES, rules=CITIES.rules), "same rule"),
        (replace(SURNAMES, rules=(replace(SURNAMES.rules[0], implies=("art",)),)), "is a rule"),
    ],
)
def test_a_table_that_is_no_whole_stops_the_program(
    monkeypatch: pytest.MonkeyPatch, row: Any, said: str
):
    monkeypatch.setattr(table, "Criteria", OwnCriteria)
    with pytest.raises(ValueError, match=said):
        table.check_table((*table.TABLE, MESSAGED, row))
