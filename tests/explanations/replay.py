"""A plain replay of what happened to some people, to hold every explanation against.

It knows nothing of the explaining code, nor of any database: a list of what happened goes in, and
the replay says who is on which list, why, and what became of each message.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

REGISTRATION, SCAN = "registration", "qr_scan"
NEVER = datetime.max.replace(tzinfo=UTC)
REACHABLE, NO_MATCH = "reachable", "no_match"


@dataclass
class Presence:
    """One person at one event from one source, with its whole history."""

    came: datetime
    standing: bool = True
    cancelled: list[datetime] = field(default_factory=list)
    restored: list[datetime] = field(default_factory=list)

    def counts(self, at: datetime) -> bool:
        if self.came > at:
            return False
        changes = [(when, False) for when in self.cancelled]
        changes += [(when, True) for when in self.restored]
        past = [stands for when, stands in sorted(changes) if when <= at]
        return past[-1] if past else True


@dataclass
class Person:
    """One person, and everything that changed about them, with its moment."""

    id: int
    phones: list[tuple[datetime, str | None]]
    cities: list[tuple[datetime, str]]
    blocks: list[tuple[datetime, str | None]] = field(default_factory=list)
    # What was opted out and in of this person, and of every phone that anybody has or had.
    consents: list[tuple[datetime, bool]] = field(default_factory=list)
    suppressions: list[tuple[datetime, str, bool]] = field(default_factory=list)
    messages: list[tuple[datetime, str]] = field(default_factory=list)
    presences: dict[tuple[str, str], Presence] = field(default_factory=dict)

    @property
    def since(self) -> datetime:
        return self.phones[0][0]

    def phone(self, at: datetime) -> str | None:
        return [phone for when, phone in self.phones if when <= at][-1]

    def city(self, at: datetime) -> str:
        return [city for when, city in self.cities if when <= at][-1]

    def block(self, at: datetime) -> tuple[datetime, str] | None:
        """Since when blocked, and the reason that was given last; None for somebody who is not."""
        since, said = None, ""
        for when, reason in self.blocks:
            if when > at:
                break
            if reason is None:
                since = None
            else:
                since, said = since or when, reason
        return (since, said) if since else None

    def opted_out(self, at: datetime) -> bool:
        phone = self.phone(at)
        past = [out for when, one, out in self.suppressions if when <= at and one == phone]
        return bool(past and past[-1])

    def at_event(self, at: datetime, events: tuple[str, ...], sources: tuple[str, ...]) -> bool:
        return bool(self.events_at(at, events, sources))

    def events_at(
        self, at: datetime, events: tuple[str, ...], sources: tuple[str, ...]
    ) -> set[str]:
        """At which of these events the person counts."""
        return {
            event
            for (event, source), presence in self.presences.items()
            if event in events and (not sources or source in sources) and presence.counts(at)
        }


@dataclass(frozen=True)
class Rules:
    """Whom a campaign, or a version of a segment, asks for."""

    events: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    people: tuple[int, ...] | None = None
    least: int = 1  # at so many of the events

    def attended(self, person: Person, at: datetime) -> bool:
        return len(person.events_at(at, self.events, self.sources)) >= self.least

    def hold(self, person: Person, at: datetime) -> bool:
        if self.people is not None and person.id not in self.people:
            return False
        if self.events and not self.attended(person, at):
            return False
        return not self.cities or person.city(at) in self.cities


@dataclass
class Versions:
    """A segment's definitions with the moments from which each was live, and its snapshots."""

    rules: list[tuple[datetime, Rules]]
    snapshots: dict[int, datetime] = field(default_factory=dict)  # by version

    def live(self, at: datetime) -> tuple[int, Rules]:
        past = [rules for when, rules in self.rules if when <= at]
        return len(past), past[-1]


@dataclass
class Story:
    """A campaign among its people: what it asks for, and when its lists were made."""

    people: dict[int, Person]
    mode: str
    rules: Rules
    window: int
    segment: Versions | None = None
    excluded: tuple[str, ...] = ()
    name: str = ""
    campaign_id: int = 0
    frozen_at: datetime = NEVER
    due: datetime = NEVER
    sent_at: datetime = NEVER

    def freeze(self, now: datetime, due: datetime) -> None:
        """The list is frozen: a segment's version has one snapshot, which is used again."""
        self.frozen_at, self.due = now, due
        if self.segment is not None:
            self.version, self.old = self.segment.live(now)
            self.snapshot_at = self.segment.snapshots.setdefault(self.version, now)
        self.first = self.funnel(now, due)

    def send(self, now: datetime) -> None:
        """The final list is made, and everybody whom nothing hinders gets the message."""
        self.sent_at = now
        self.second = self.funnel(now, now)
        self.estimate = {who for who, reason in self.first.items() if reason == REACHABLE}
        found = {who for who, reason in self.second.items() if reason == REACHABLE}
        self.final = {
            "frozen": self.estimate,
            "reprocess": found,
            "removals": self.estimate & found,
            "additions": self.estimate | found,
        }[self.mode]
        self.fates = self._find_fates()
        for who, fate in self.fates.items():
            if fate == "sent":
                self.people[who].messages.append((now, self.name))

    def matches(self, person: Person, at: datetime) -> bool:
        if not self.rules.hold(person, at):
            return False
        if self.segment is None:
            return True
        if at == self.frozen_at:
            return self.was_member(person)
        return self.segment.live(at)[1].hold(person, at)

    def was_member(self, person: Person) -> bool:
        """Whether the snapshot that the list was frozen from held the person."""
        return person.since <= self.snapshot_at and self.old.hold(person, self.snapshot_at)

    def reason(self, person: Person, at: datetime, due: datetime) -> str:
        """The first reason that leaves out somebody who is matched; of duplicates see `funnel`."""
        if self.excluded and person.at_event(at, self.excluded, ()):
            return "excluded_event"
        return self.hindrance(person, at, due)

    def hindrance(self, person: Person, at: datetime, due: datetime) -> str:
        if person.phone(at) is None:
            return "no_address"
        if person.block(at):
            return "blocked"
        if person.opted_out(at):
            return "opted_out"
        if self.window and self.last_message(person, at, due):
            return "recently_messaged"
        return REACHABLE

    def last_message(
        self, person: Person, at: datetime, due: datetime
    ) -> tuple[datetime, str] | None:
        """The newest message by then that lies within the window before the sending."""
        limit = due - timedelta(hours=self.window)
        recent = [message for message in person.messages if limit < message[0] <= at]
        return max(recent, default=None)

    def funnel(self, at: datetime, due: datetime) -> dict[int, str]:
        """Every person with the reason, REACHABLE, or NO_MATCH."""
        found: dict[int, str] = {}
        taken: set[str | None] = set()
        for person in sorted(self.people.values(), key=lambda one: one.id):
            if person.since > at or not self.matches(person, at):
                found[person.id] = NO_MATCH
                continue
            reason = self.reason(person, at, due)
            if reason == REACHABLE:
                if person.phone(at) in taken:
                    reason = "duplicate_address"
                taken.add(person.phone(at))
            found[person.id] = reason
        return found

    def _find_fates(self) -> dict[int, str]:
        """What becomes of each of the final list: "sent", or why the message is held back."""
        found: dict[int, str] = {}
        taken: set[str] = set()
        for who in sorted(self.final):
            person = self.people[who]
            phone = person.phone(self.sent_at)
            if phone is not None and phone in taken:
                found[who] = "duplicate_address"
                continue
            if phone is not None:
                taken.add(phone)
            reason = self.hindrance(person, self.sent_at, self.sent_at)
            found[who] = "sent" if reason == REACHABLE else reason
        return found

    # Why somebody moved: every answer that is true. More than one is rare.

    def why_joined(self, who: int) -> set[str]:
        person, reason = self.people[who], self.first.get(who, NO_MATCH)
        if reason not in (REACHABLE, NO_MATCH):
            return {CLEARED[reason]}
        known = person.since <= self.frozen_at
        true: set[str] = set()
        if self.rules.events and not (known and self._was_at(person, self.frozen_at)):
            true |= self._arrivals(person, self.rules, self.frozen_at)
        if self.rules.cities and not (known and person.city(self.frozen_at) in self.rules.cities):
            true.add("city_changed")
        if self.segment is not None and not self.was_member(person):
            version, _ = self.segment.live(self.sent_at)
            if version != self.version and not self.old.hold(person, self.sent_at):
                true.add("segment_changed")
            else:
                true |= self._arrivals(person, self.old, self.snapshot_at)
        return true

    def why_left(self, who: int) -> set[str]:
        person = self.people[who]
        if self.second[who] != NO_MATCH:
            return {self.second[who]}
        true: set[str] = set()
        if self.rules.events and not self._was_at(person, self.sent_at):
            true.add("cancelled")
        if self.rules.cities and person.city(self.sent_at) not in self.rules.cities:
            true.add("city_changed")
        if self.segment is not None:
            _, new = self.segment.live(self.sent_at)
            if not new.hold(person, self.sent_at):
                changed = not new.hold(person, self.snapshot_at)
                true.add("segment_changed" if changed else "cancelled")
        return true

    def _was_at(self, person: Person, at: datetime) -> bool:
        return self.rules.attended(person, at)

    def _arrivals(self, person: Person, rules: Rules, since: datetime) -> set[str]:
        """How they came in between the lists: by something new, or by coming back."""
        found = set()
        new: list[tuple[datetime, str]] = []
        for (event, source), presence in person.presences.items():
            fits = event in rules.events and (not rules.sources or source in rules.sources)
            if not fits or not presence.counts(self.sent_at):
                continue
            had = person.events_at(since, rules.events, rules.sources)
            if rules.least > 1 and event in had:
                continue  # another attendance of the same event makes no difference
            if presence.came > since:
                new.append((presence.came, source))
            elif not presence.counts(since):
                found.add("restored")
        # Of several that are needed together each is a cause.
        for _, source in new if rules.least > 1 else sorted(new)[:1]:
            found.add({SCAN: "attended", REGISTRATION: "registered"}[source])
        return found


CLEARED = {
    "no_address": "address_added",
    "blocked": "unblocked",
    "opted_out": "opted_in",
    "recently_messaged": "window_passed",
    "duplicate_address": "no_longer_duplicate",
    "excluded_event": "no_longer_excluded",
}
