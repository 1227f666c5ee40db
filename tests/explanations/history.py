"""Random histories: each step goes through the real verb, and is noted for the plain replay."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

from rollcall.audience.criteria import Criteria, SegmentChoice, criteria_to_text
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.models import AudienceMode, Channel, Source
from rollcall.people.consent import opt_in_person, opt_out_person
from rollcall.people.details import PersonDraft
from rollcall.people.records import block_person, edit_person, unblock_person
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from tests.explanations.replay import (
    NEVER,
    REGISTRATION,
    SCAN,
    Person,
    Presence,
    Rules,
    Story,
    Versions,
)
from tests.factories import make_actor, make_event, make_organisation, make_people

EVENTS = ("show", "fair", "gala")
CITIES = ("Toronto", "Ottawa")
SOURCES = {REGISTRATION: Source.REGISTRATION, SCAN: Source.QR_SCAN}
START = datetime(2026, 11, 27, 17, tzinfo=UTC)
CAMPAIGNS = 10  # in each world
HOURS = 44
# While the scheduler sleeps nothing goes out; one campaign of a world comes due in that time.
ASLEEP = range(30, 37)


class World:
    """One organisation with its people, whose history is drawn at random, and its campaigns."""

    def __init__(self, seed: int, clock: time_machine.Traveller) -> None:
        self.random = random.Random(seed)
        self.seed, self.clock, self.told = seed, clock, [f"world {seed}"]
        self.organisation = make_organisation(f"world-{seed}")
        self.organisation_id = self.organisation.id
        self.actor = make_actor(self.organisation)
        self.events = {slug: make_event(self.organisation, slug).id for slug in EVENTS}
        self.suppressions: list[tuple[datetime, str, bool]] = []
        self.phones = 0
        self.people: dict[int, Person] = {}
        self._add_people(self.random.randint(6, 9))
        for person in self.people.values():
            if self.random.random() < 0.5:
                self._come(person, "show", self.random.choice([REGISTRATION, SCAN]))
        self.segments = {slug: self._create_segment(slug) for slug in ("rules", "listed")}
        self.stories: list[Story] = []
        frozen = sorted(self.random.sample(range(4, 22), CAMPAIGNS))
        late = self.random.choice(ASLEEP)
        awake = [hour for hour in range(23, HOURS - 3) if hour not in (*ASLEEP, ASLEEP.stop)]
        due = [late, *self.random.sample(awake, CAMPAIGNS - 1)]
        self.random.shuffle(due)
        self.plan = dict(zip(frozen, due, strict=True))

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    # What a campaign asks for.

    def _draw_story(self) -> Story:
        mode = self.random.choice(["frozen", "reprocess", "reprocess", "removals", "additions"])
        window = self.random.choice([0, 2, 6, 24])
        kinds = ["events", "sources", "several", "excluded", "cities", "rules", "listed"]
        kind = self.random.choice(kinds)
        rules = Rules(events=self.random.choice([("show",), ("show", "fair")]))
        excluded: tuple[str, ...] = ()
        segment = self.segments.get(kind)
        if kind == "sources":
            rules = Rules(rules.events, (self.random.choice([REGISTRATION, SCAN]),))
        elif kind == "several":
            sources = self.random.choice([(), (), (REGISTRATION,)])
            least = self.random.choice([2, 2, 3])
            rules = Rules(("show", "fair", "gala"), sources, least=least)
        elif kind == "excluded":
            excluded = ("gala",)
        elif kind == "cities":
            rules = Rules(rules.events, cities=("Toronto",))
        elif segment is not None:
            rules = Rules(events=("show",)) if self.random.random() < 0.3 else Rules()
        name = f"Campaign {len(self.stories) + 1}"
        return Story(self.people, mode, rules, window, segment, excluded, name)

    def _create_segment(self, slug: str) -> Versions:
        first = self._draw_definition(slug)
        create_segment(self.actor, self._segment_draft(slug, first, slug=slug))
        return Versions([(self.now, first)])

    def _draw_definition(self, slug: str) -> Rules:
        if slug == "listed":
            chosen = self.random.sample(sorted(self.people), len(self.people) // 2)
            return Rules(people=tuple(sorted(chosen)))
        sources = self.random.choice([(), (), (REGISTRATION,), (SCAN,)])
        events = self.random.choice([("show",), ("fair",), ("show", "fair")])
        return Rules(events, sources, least=self.random.randint(1, len(events)))

    def _segment_draft(self, name: str, rules: Rules, **more: Any) -> SegmentDraft:
        if rules.people is not None:
            return SegmentDraft(name, people=rules.people, **more)
        return SegmentDraft(name, self._criteria(rules, window_hours=0), **more)

    def _criteria(self, rules: Rules, **more: Any) -> Criteria:
        sources = tuple(SOURCES[source] for source in rules.sources)
        least = rules.least if rules.least > 1 else None
        return Criteria(rules.events, sources, least, cities=rules.cities, **more)

    def schedule(self, hours_ahead: int) -> None:
        """Schedule one campaign, due so many hours from now at half past."""
        story = self._draw_story()
        due = self.now.replace(minute=30) + timedelta(hours=hours_ahead)
        slug = next((name for name, one in self.segments.items() if one is story.segment), None)
        criteria = self._criteria(
            story.rules,
            segment=SegmentChoice(slug) if slug else None,
            exclude_events=story.excluded,
            window_hours=story.window,
        )
        draft = CampaignDraft(
            name=story.name,
            channel=Channel.SMS,
            message="Hello",
            criteria=criteria,
            timezone="UTC",
            local_time=f"{due:%Y-%m-%dT%H:%M}",
            audience_mode=AudienceMode(story.mode),
        )
        story.campaign_id = create_campaign(self.actor, draft)
        schedule_campaign(self.actor, story.campaign_id)
        story.freeze(self.now, due)
        self.stories.append(story)
        self.tell(f"{story.name}: {story.mode}, due {due:%a %H:%M}, {criteria_to_text(criteria)}")

    def due(self) -> list[Story]:
        """The campaigns that the scheduler sends if it looks now."""
        return [one for one in self.stories if one.due <= self.now and one.sent_at == NEVER]

    def tell(self, what: str) -> None:
        self.told.append(f"{self.now:%a %H:%M} {what}")

    # The steps: one at a time, each an hour after the one before.

    def step(self) -> None:
        """Do something to somebody."""
        verb = self.random.choice(VERBS)
        person = self.random.choice(list(self.people.values()))
        getattr(self, f"_do_{verb}")(person)
        self.tell(f"{verb} {person.id}")

    def _do_come(self, person: Person) -> None:
        event = self.random.choice(["show", "show", "show", "fair", "gala"])
        self._come(person, event, self.random.choice([REGISTRATION, SCAN]))

    def _come(self, person: Person, event: str, source: str) -> None:
        record_attendance(self.actor, self.events[event], [person.id], SOURCES[source])
        known = person.presences.get((event, source))
        if known is None:
            person.presences[event, source] = Presence(self.now)
        elif not known.counts(self.now):
            known.restored.append(self.now)

    def _do_cancel(self, person: Person) -> None:
        standing = [key for key, one in person.presences.items() if one.counts(self.now)]
        if not standing:
            return
        event, source = self.random.choice(standing)
        how = self.random.choice(["cancelled", "refunded"])
        cancel_attendance(self.actor, self.events[event], person.id, how, SOURCES[source])
        person.presences[event, source].cancelled.append(self.now)

    def _do_opt_out(self, person: Person, out: bool = True) -> None:
        phone = person.phone(self.now)
        if phone is None:
            return
        for one in self.people.values():
            if one.phone(self.now) == phone and one.opted_out(self.now) is not out:
                one.consents.append((self.now, out))
        verb = opt_out_person if out else opt_in_person
        verb(self.actor, person.id, Channel.SMS, "staff")
        self.suppressions.append((self.now, phone, out))

    def _do_opt_in(self, _: Person) -> None:
        out = [one for one in self.people.values() if one.opted_out(self.now)]
        if out:
            self._do_opt_out(self.random.choice(out), out=False)

    def _do_block(self, person: Person) -> None:
        reason = f"reason {self.random.randint(1, 99)}"
        block_person(self.actor, person.id, reason)
        person.blocks.append((self.now, reason))

    def _do_unblock(self, _: Person) -> None:
        blocked = [one for one in self.people.values() if one.block(self.now)]
        if blocked:
            person = self.random.choice(blocked)
            unblock_person(self.actor, person.id)
            person.blocks.append((self.now, None))

    def _do_phone(self, person: Person) -> None:
        """Another phone, that of somebody else, or none."""
        others = [one.phone(self.now) for one in self.people.values() if one is not person]
        phone = self.random.choice([None, self._new_phone(), *[p for p in others if p]])
        if phone != person.phone(self.now):
            self._edit(person, phone, person.city(self.now))
            person.phones.append((self.now, phone))

    def _do_city(self, person: Person) -> None:
        city = self.random.choice(CITIES)
        self._edit(person, person.phone(self.now), city)
        person.cities.append((self.now, city))

    def _edit(self, person: Person, phone: str | None, city: str) -> None:
        draft = PersonDraft(phone or "", f"p{person.id}@example.org", f"P{person.id}", "X", city)
        edit_person(self.actor, person.id, draft)

    def _do_add(self, _: Person) -> None:
        if len(self.people) < 12:
            self._add_people(1)

    def _do_segment(self, _: Person) -> None:
        slug = self.random.choice(["rules", "listed"])
        versions, rules = self.segments[slug], self._draw_definition(slug)
        before = versions.live(self.now)[1]
        version = edit_segment(self.actor, slug, self._segment_draft(slug, rules))
        if rules != before:
            versions.rules.append((self.now, rules))
        assert version == versions.live(self.now)[0]

    def _add_people(self, number: int) -> None:
        wanted = [
            {"phone": self._new_phone(), "city": self.random.choice(CITIES)} for _ in range(number)
        ]
        for who, values in zip(make_people(self.organisation, wanted), wanted, strict=True):
            phones, cities = [(self.now, values["phone"])], [(self.now, values["city"])]
            self.people[who] = Person(who, phones, cities, suppressions=self.suppressions)

    def _new_phone(self) -> str:
        self.phones += 1
        return f"+1416{2_000_000 + self.phones:07d}"


VERBS = (
    *["come"] * 6,
    *["cancel"] * 4,
    *["opt_out", "opt_in", "block", "unblock"] * 3,
    *["phone"] * 4,
    *("city", "city", "add", "segment", "segment"),
)
