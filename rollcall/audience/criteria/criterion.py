"""What a criterion is: one row that says everything about it, at every door and in every sentence.

No part has a default: a row that lacks one can't be made, and the program does not start.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from rollcall.audience.criteria.values import Criteria, Names, SegmentChoice
from rollcall.models import Reason, Source
from rollcall.models.types import UTCDateTime

Values = dict[str, Any]
People = sa.Select[int]
# Whoever fits: a condition on a row of PersonFacts, or the ids of the people.
Fits = People | ColumnElement[bool]
Way = Literal["events", "segment", "people"]  # by which a form chooses people
Place = Literal["events", "segment", "people", "narrow", "leave_out", "always"]
EVERY_WAY: frozenset[Way] = frozenset(("events", "segment", "people"))
BY_RULES: frozenset[Way] = frozenset(("events", "segment"))


@dataclass(frozen=True)
class Mentions:
    """What criteria name by slug or number, to be looked up once for all of them."""

    events: tuple[str, ...] = ()
    segments: tuple[SegmentChoice, ...] = ()
    campaigns: tuple[int, ...] = ()

    def __or__(self, other: "Mentions") -> "Mentions":
        return Mentions(
            (*self.events, *other.events),
            (*self.segments, *other.segments),
            (*self.campaigns, *other.campaigns),
        )


@dataclass(frozen=True)
class Lookup:
    """What the slugs and numbers of criteria mean; each raises ValueError for what there is not.

    `event_ids` gives the ids in the order of the slugs; `set_of` the shape of a segment's people
    with its values, whose names begin with the prefix.
    """

    event_ids: Callable[[tuple[str, ...]], list[int]]
    check_campaigns: Callable[[tuple[int, ...]], None]
    set_of: Callable[[SegmentChoice, str], tuple[Hashable, Values]]


@dataclass(frozen=True)
class Asked:
    """One rule in one statement: its shape, and where its values are bound.

    `facts` has the person's row of PersonFacts; `people_of` gives the people of a segment's
    shape. `one_by_one` says that it is asked of a few people and not of everybody.
    """

    shape: Any
    prefix: str
    facts: Any
    people_of: Callable[[Any, str], People]
    one_by_one: bool = False

    def bound(self, name: str, **how: Any) -> Any:
        """Return the parameter of that name."""
        return sa.bindparam(f"{self.prefix}{name}", **how)

    def among(self, people: Any) -> ColumnElement[bool]:
        """Return whether the person is one of these.

        Of a few they are looked up by an index, one after another: PostgreSQL would walk a set
        that is too large for its memory again for each of them.
        """
        if not self.one_by_one:
            return self.facts.person_id.in_(people)
        sets: Any = people.selects if isinstance(people, sa.CompoundSelect) else [people]
        return sa.or_(*(self._holds(one).exists() for one in sets))

    def _holds(self, people: Any) -> Any:
        found = next(iter(people.selected_columns)) == self.facts.person_id
        return people.where(found).correlate(self.facts)

    @property
    def moment(self) -> Any:
        """Return the parameter that holds the moment which is asked of."""
        return self.bound("moment", type_=UTCDateTime)


@dataclass(frozen=True)
class Visit:
    """One attendance that counted: at which event, from which source."""

    slug: str
    source: Source


@dataclass(frozen=True)
class Attends:
    """Which attendances a rule is about: at these events, of the sources or of all, so many."""

    slugs: Callable[[Criteria], tuple[str, ...]]
    by_source: bool
    needed: Callable[[Criteria], int]  # so many different events

    def counts(self, criteria: Criteria, visit: Visit) -> bool:
        """Return whether the attendance is one of those."""
        fits = not (self.by_source and criteria.sources) or visit.source in criteria.sources
        return fits and visit.slug in self.slugs(criteria)


@dataclass(frozen=True)
class Moved:
    """How the lists of a campaign count those whom a change of this brought in, or took out.

    Each is a key with its predicate about one person and about several.
    """

    joined: tuple[str, str, str]
    left: tuple[str, str, str]


@dataclass(frozen=True)
class Recorded:
    """The rule can be asked of an earlier moment: `then` is its condition as of `asked.moment`.

    It is None where that hangs on the shape, and this one keeps no history. Moves by attendance
    are told by how the person came in, or that they cancelled.
    """

    then: Callable[[Asked], Fits | None]
    moves: Attends | Moved


@dataclass(frozen=True)
class Unkept:
    """The rule has no history: only what is so now can be asked.

    Several rules of a `group` change together; `cause` begins the key "…_changed" of those who
    joined or left by it, and `noun` is what has then probably become another one.
    """

    group: str
    cause: str
    noun: str


@dataclass(frozen=True)
class Stored:
    """What is stored of one person that their criteria ask about, at the moment in question.

    `visits` are the attendances that counted then; `facts` are those that rules read, as now.
    """

    criteria: Criteria
    names: Names
    past: bool
    visits: tuple[Visit, ...]
    facts: Mapping[str, Any]

    @property
    def verb(self) -> str:
        """Return "was" of the past, else "is"."""
        return "was" if self.past else "is"


@dataclass(frozen=True)
class Lack:
    """Why a rule is not met, as a clause without a subject, with the evidence where it has one.

    `then` says that the clause is about the moment in question, and wants its date behind it;
    `rest` is what goes on after that.
    """

    text: str
    then: bool = True
    rest: str = ""
    kind: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


Say = Callable[[Criteria, Names], str]


@dataclass(frozen=True)
class Rule:
    """One way in which criteria leave somebody out.

    `bind` gives the rule's part of the statement's text with its values, None where it is off.
    A rule stands in for the weaker ones that it `implies`. With a `step` of the funnel it
    excludes whoever fits, else it narrows the audience to them. `proved_by` says whether what
    is wanted holds for whoever meets the other criteria. A comparison says "version 4 asks for
    …" by `asks`, and by `came` or `went` that the person changed; `shows` says what is stored
    now of the facts that the rule `reads`.
    """

    key: str
    noun: str
    bind: Callable[[Criteria, Lookup], tuple[Hashable, Values] | None]
    now: Callable[[Asked], Fits]
    history: Recorded | Unkept
    implies: tuple[str, ...]
    step: Reason | None
    proved_by: Callable[[Criteria, Criteria], bool]  # wanted, met
    asks: Say
    came: Say
    went: Say
    reads: tuple[Any, ...]
    shows: Callable[[Any], str]
    lacks: Callable[[Stored], Lack]

    @property
    def attends(self) -> Attends | None:
        """Return which attendances it is about, None where it is not about attendance."""
        moves = self.history.moves if isinstance(self.history, Recorded) else None
        return moves if isinstance(moves, Attends) else None


class FormData(Protocol):
    """A form as it was sent."""

    def __contains__(self, key: object, /) -> bool:
        """Return whether the field was sent."""
        ...

    def get(self, key: Any, default: Any, /) -> Any:
        """Return the first value of the field, else the default."""
        ...

    def getlist(self, key: Any, /) -> list[str]:
        """Return all its values."""
        ...


class Shown(Protocol):
    """A form as the page shows it: each field by its name."""

    def __getitem__(self, name: str, /) -> Any:
        """Return what stands in the field."""
        ...


@dataclass(frozen=True)
class Field:
    """The criterion in the form of a campaign or a segment, for the given ways of choosing.

    `template` shows it at its place of the page. `inputs` take each input out of what was sent,
    in the order of the page; `fill` gives what they show of criteria; `read` gives the value in
    JSON that they mean, and raises InvalidInput naming an input.
    """

    ways: frozenset[Way]
    place: Place
    template: str
    inputs: Mapping[str, Callable[[FormData, str], Any]]
    fill: Callable[[Criteria], dict[str, Any]]
    read: Callable[[Shown], Any]


@dataclass(frozen=True)
class Option:
    """The criterion on the command line; `read` gives the value in JSON, or raises ValueError."""

    flag: str
    kind: Literal["text", "number", "file"]
    multiple: bool
    metavar: str | None
    help: str
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class Given:
    """The criterion in calls: a type that pydantic reads and describes, and what it means."""

    kind: Any
    most: int | None
    says: str | None


@dataclass(frozen=True)
class Criterion:
    """One row of the table.

    `read` turns the value in JSON into fields of Criteria, and raises ValueError in words;
    `write` gives the key with its value, or nothing where it is off. `suffices` says that it
    chooses people all by itself. `check` gives what is wrong beside the other criteria. `says`
    is its clause of the sentence, "" where it is off; those with a place in the `opening` stand
    in front, without commas.
    """

    key: str
    holds: tuple[str, ...]  # the fields of Criteria
    suffices: bool
    read: Callable[[Any], dict[str, Any]]
    write: Callable[[Criteria], dict[str, Any]]
    check: Callable[[Criteria], str | None]
    mentions: Callable[[Criteria], Mentions]
    opening: int | None
    says: Say
    rules: tuple[Rule, ...]
    form: Field
    option: Option
    given: Given

    def is_on(self, criteria: Criteria) -> bool:
        """Return whether the criteria say something here."""
        return any(getattr(criteria, name) for name in self.holds)


# What a part says where there is nothing to say; written out in each row, and never assumed.


def nothing_wrong(criteria: Criteria) -> None:
    """Return that the criterion goes together with any other."""


def mentions_nothing(criteria: Criteria) -> Mentions:
    """Return that it names nothing by slug or number."""
    return Mentions()


def shows_nothing(facts: Any) -> str:
    """Return that nothing stored shows more than the cause says."""
    return ""


def take_text(form: FormData, name: str) -> str:
    """Return a text as it was typed; no database keeps a NUL, and nobody types one."""
    return form.get(name, "").replace("\0", "")


def take_list(form: FormData, name: str) -> tuple[str, ...]:
    """Return every value once."""
    return tuple(dict.fromkeys(form.getlist(name)))


def as_given(value: Any) -> Any:
    """Return an option's value as it is; several as a list."""
    return list(value) if isinstance(value, tuple) else value
