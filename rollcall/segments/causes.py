"""Why somebody is on one side of a comparison and not on the other, in keys and in words."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from rollcall.audience.criteria import Criteria, Names, either
from rollcall.audience.criteria.criterion import Rule, Unkept
from rollcall.audience.criteria.table import every_rule
from rollcall.audience.failing import LISTED
from rollcall.segments.sides import Side


class Changed(enum.StrEnum):
    """What differs between the two sides."""

    DEFINITION = "definition"
    PERSON = "person"


# What stands in a rule's place where none can be named.
ADDED = "added"  # the person was not known yet
RESTORED = "restored"  # had cancelled, and attends again, of which nothing is kept
UNKNOWN = "unknown"
_BY_PERSON = 1_000


@dataclass(frozen=True)
class Cause:
    """What changed, and the rule by which that left the person out of one side.

    `criterion` is a rule's key, one of those above, or what `name_unkept` made of several rules.
    """

    changed: Changed
    criterion: str

    @property
    def code(self) -> int:
        """Return the number by which statements call it."""
        number = _every_criterion().index(self.criterion) + 1
        return number + (_BY_PERSON if self.changed is Changed.PERSON else 0)

    @property
    def key(self) -> str:
        """Return the word used in JSON and addresses."""
        return UNKNOWN if self.criterion == UNKNOWN else f"{self.changed}.{self.criterion}"


NOTHING_TELLS = Cause(Changed.DEFINITION, UNKNOWN)


def every_move_cause() -> list[Cause]:
    """Return all the causes that there can be."""
    return [Cause(changed, criterion) for changed in Changed for criterion in _every_criterion()]


def causes_by_code() -> dict[int, Cause]:
    """Return the causes by the numbers by which statements call them."""
    return {cause.code: cause for cause in every_move_cause()}


def _every_criterion() -> list[str]:
    groups = list(dict.fromkeys(kept.group for kept in map(_unkept, every_rule()) if kept))
    several = [
        "_or_".join(some)
        for size in range(1, len(groups) + 1)
        for some in combinations(groups, size)
    ]
    keys = [*(rule.key for rule in every_rule()), ADDED, RESTORED, UNKNOWN, *several]
    return list(dict.fromkeys(keys))


def _unkept(rule: Rule) -> Unkept | None:
    return rule.history if isinstance(rule.history, Unkept) else None


def name_unkept(keys: Sequence[str]) -> str:
    """Return what one of these rules, which can't be asked of that moment, is called as a cause."""
    if len(keys) == 1:
        return keys[0]
    silent = [_unkept(rule) for rule in every_rule() if rule.key in keys]
    if None in silent:
        return UNKNOWN
    return "_or_".join(dict.fromkeys(kept.group for kept in silent if kept))


def rules_behind(criterion: str) -> list[Rule]:
    """Return the rule of a cause, or all those one of which it is."""
    named = [rule for rule in every_rule() if rule.key == criterion]
    groups = criterion.split("_or_")
    kept = [(rule, _unkept(rule)) for rule in every_rule()]
    return named or [rule for rule, unkept in kept if unkept and unkept.group in groups]


def is_certain(cause: Cause, inside: Side, outside: Side) -> bool:
    """Return whether the cause was read and not found by elimination.

    Of what keeps no history only what is so now can be read.
    """
    if cause.criterion in (ADDED, LISTED):
        return True
    behind = rules_behind(cause.criterion)
    if len(behind) != 1:
        return False
    if _unkept(behind[0]) is None:
        return True
    return outside.is_now or (cause.changed is Changed.DEFINITION and inside.is_now)


def say_move_cause(cause: Cause, inside: Side, outside: Side, names: Names) -> str:
    """Return why people of `inside` are not in `outside`, as a phrase to stand after a number.

    It begins with "probably" where that was found by elimination. `names` are those of what the
    definition of `outside` names.
    """
    if cause.criterion == UNKNOWN:
        return "nothing that is kept says why"
    if cause.criterion == LISTED:
        return _say_listed(inside, outside)
    said = cause.key
    if outside.criteria is not None and cause.changed is Changed.DEFINITION:
        verb = "asked" if outside.version < inside.version else "asks"
        said = f"version {outside.version} {verb} for {_say_asked(cause, outside.criteria, names)}"
    elif outside.criteria is not None:
        gone = outside.moment >= inside.moment
        said = _say_change(cause, outside.criteria, names, gone)
    return said if is_certain(cause, inside, outside) else f"probably: {said}"


def _say_listed(inside: Side, outside: Side) -> str:
    newer = max(inside.version, outside.version)
    deed = "taken off" if outside.version > inside.version else "added to"
    what = "the list" if outside.criteria is None else "the people picked by hand"
    return f"{deed} {what} by version {newer}"


def _say_asked(cause: Cause, criteria: Criteria, names: Names) -> str:
    behind = rules_behind(cause.criterion)
    if len(behind) == 1:
        return behind[0].asks(criteria, names)
    return f"other {either(cause.criterion.split('_or_'))}"


def _say_change(cause: Cause, criteria: Criteria, names: Names, gone: bool) -> str:
    if cause.criterion == ADDED:
        return "not known yet then"
    if cause.criterion == RESTORED:
        return "had cancelled then, and came back since"
    behind = rules_behind(cause.criterion)
    if len(behind) == 1:
        return (behind[0].went if gone else behind[0].came)(criteria, names)
    nouns = [kept.noun for kept in map(_unkept, behind) if kept]
    return f"another {either(list(dict.fromkeys(nouns)))}"
