"""Which criterion somebody does not meet, now or at the moment when a list was made, in words.

What keeps no history is said of an earlier moment only where everything else that is asked for
was met then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, either
from rollcall.audience.criteria.criterion import Attends, Rule, Stored
from rollcall.audience.criteria.table import every_rule, rule_of, without_exclusions
from rollcall.audience.failing import Check, criteria_checks, facts_columns, first_failing
from rollcall.audience.membership import read_shape
from rollcall.errors import InvalidInput
from rollcall.explanations.attendance import (
    Presence,
    attendances_at,
    counted_events,
    say_attendance,
    say_cancellation,
    visits_at,
)
from rollcall.explanations.causes import CANCELLED_THEN, UNKNOWN
from rollcall.explanations.context import Context
from rollcall.explanations.verdicts import Evidence
from rollcall.extensions import db
from rollcall.models import Person, PersonFacts, SegmentMember
from rollcall.models.types import IdList, IsOneOf

NOTHING_KEPT = "nothing that is kept says why"
IN_SEGMENT = "segment"


@dataclass(frozen=True)
class Unmet:
    """The first criterion that somebody does not meet, as a clause without a subject."""

    cause: str
    text: str
    evidence: Evidence | None = None


def find_unmet(
    context: Context, people: Sequence[int], moment: datetime | None, list_made: str = ""
) -> dict[int, Unmet]:
    """Return by person the first criterion that is not met, now or as it was at a moment.

    `list_made` says what was done with the list then, "frozen" or "computed again".
    """
    if context.criteria is None or not people:
        return {}
    try:
        failing = _find_failing(context, people, moment)
    except InvalidInput as error:
        said = Unmet(UNKNOWN, f"the criteria name what there is no more: {error}")
        return dict.fromkeys(people, said)
    told = _Told(context, people, moment, list_made)
    return {who: told.say(who, *failing.get(who, (None, {}))) for who in people}


def _find_failing(
    context: Context, people: Sequence[int], moment: datetime | None
) -> dict[int, tuple[Rule | None, Mapping[str, Any]]]:
    """Return by person the first rule that is not met, None where none can be named, and facts."""
    criteria = context.criteria or Criteria()
    asked = (context.own_criteria or Criteria()) if moment else without_exclusions(criteria)
    shape, values = read_shape(context.organisation_id, asked, "u_", context.known)
    checks, at = criteria_checks(shape, "u_", PersonFacts, moment)
    values |= at | {"organisation_id": context.organisation_id}
    order = [rule.key for rule in every_rule()]
    checks += _check_snapshot(context, moment)
    checks.sort(key=lambda check: order.index(check.rule))
    first = first_failing(checks, sa.literal(-1), order.index)
    rows = db.session.execute(
        sa.select(Person.id, first.label("failing"), *facts_columns())
        .join(PersonFacts, PersonFacts.person_id == Person.id)
        .where(IsOneOf(Person.id, sa.literal(list(people), IdList))),
        values,
    )
    return {
        row.id: (rule_of(order[row.failing]) if row.failing >= 0 else None, row._asdict())
        for row in rows
    }


def _check_snapshot(context: Context, moment: datetime | None) -> list[Check]:
    """Return the check of the segment where it can be asked: when the list was frozen."""
    asked = moment is not None and moment == context.campaign.frozen_at
    side = context.frozen_side if asked else None
    if side is None:
        return []
    member = sa.exists().where(
        SegmentMember.snapshot_id == sa.literal(side.snapshot_id),
        SegmentMember.person_id == PersonFacts.person_id,
    )
    return [Check(IN_SEGMENT, member)]


class _Told:
    """Says of some people what they do not meet; their attendances are read once for all."""

    def __init__(
        self, context: Context, people: Sequence[int], moment: datetime | None, made: str
    ) -> None:
        self._context, self._moment, self._made = context, moment, made
        self._criteria = self._named(context.criteria or Criteria())
        self._attendances = attendances_at(context, people, self._criteria.events)

    def _named(self, criteria: Criteria) -> Criteria:
        """Return the criteria with the version of the segment that the list was frozen from."""
        choice = criteria.segment
        if self._moment is None or choice is None or choice.version is not None:
            return criteria
        side = self._context.frozen_side
        return criteria.with_segment(version=side.version) if side else criteria

    def say(self, person_id: int, rule: Rule | None, facts: Mapping[str, Any]) -> Unmet:
        if rule is None:
            return self._say_unkept()
        records = self._attendances.get(person_id, [])
        said = self._say_absent(rule.attends, records) if rule.attends else None
        if said is not None:
            return said
        visits = visits_at(records, self._moment)
        past = self._moment is not None
        lack = rule.lacks(Stored(self._criteria, self._context.names, past, visits, facts))
        shown = lack.text + lack.rest
        evidence = Evidence(lack.kind, shown, None, dict(lack.details)) if lack.kind else None
        text = lack.text + (self._when if lack.then else "") + lack.rest
        return Unmet(rule.key, text, evidence)

    @property
    def _when(self) -> str:
        if self._moment is None:
            return ""
        return f" when the list was {self._made} on {self._context.say(self._moment)}"

    def _say_absent(self, attends: Attends, records: Sequence[Presence]) -> Unmet | None:
        """Say what the person did instead where that is all that was missing.

        They came too late, or cancelled; None where neither would have been enough.
        """
        criteria, made = self._criteria, self._made
        counted = counted_events(criteria, attends, records, self._moment)
        missing = attends.needed(criteria) - len(counted)
        others = [
            one
            for one in records
            if attends.counts(criteria, one.visit) and one.slug not in counted
        ]
        late = _first_of_each(others, self._is_late)
        if 0 < missing <= len(late):
            shown = late[missing - 1]
            text = say_attendance(self._context, shown)
            said = f"{text}, after the list was {made} on {self._context.say(self._moment)}"
            return Unmet("too_late", said, shown.arrival(text))
        gone = [one for one in others if self._is_gone(one)]
        if 0 < missing <= len({one.slug for one in gone}):
            shown = max(gone, key=lambda one: one.cancelled_at or one.recorded_at)
            text = say_cancellation(self._context, shown)
            return Unmet("cancelled", text, shown.cancellation(text))
        return None

    def _is_late(self, one: Presence) -> bool:
        # One that was first heard of as cancelled was never an arrival.
        late = self._moment is not None and one.recorded_at > self._moment
        return late and one.cancelled_at != one.recorded_at

    def _is_gone(self, one: Presence) -> bool:
        limit = self._moment
        return one.cancelled_at is not None and (limit is None or one.cancelled_at <= limit)

    @property
    def _keeps_who_was_left_out(self) -> bool:
        if self._moment == self._context.campaign.frozen_at:
            return self._context.keeps_left_out
        return self._context.keeps_left_out_at_send

    def _say_unkept(self) -> Unmet:
        """Say what may have left the person out: all that can be read was met then."""
        if self._moment is None or not self._keeps_who_was_left_out:
            return Unmet(UNKNOWN, NOTHING_KEPT)
        asked = self._unread_nouns()
        if asked:
            what = either(asked)
            return Unmet(
                "unkept", f"did not match{self._when}; {what} was asked for, which keeps no history"
            )
        if self._criteria.events:
            text = f"had probably cancelled{self._when}, and came back since"
            return Unmet(CANCELLED_THEN, text)
        return Unmet(UNKNOWN, NOTHING_KEPT)

    def _unread_nouns(self) -> list[str]:
        """Return what is asked for and could not be asked of that moment."""
        own = self._context.own_criteria or Criteria()
        shape, _ = read_shape(self._context.organisation_id, own, known=self._context.known)
        checks, _ = criteria_checks(shape, "", PersonFacts, self._moment)
        nouns = [rule_of(check.rule).noun for check in checks if check.passes is None]
        return [*nouns, *([rule_of(IN_SEGMENT).noun] if self._criteria.segment else [])]


def _first_of_each(records: Sequence[Presence], fits: Callable[[Presence], bool]) -> list[Presence]:
    """Return the first attendance that fits of each event, the earliest first."""
    found: dict[str, Presence] = {}
    for one in records:
        if fits(one):
            found.setdefault(one.slug, one)
    return list(found.values())
