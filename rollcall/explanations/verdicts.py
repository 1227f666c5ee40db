"""How people stand in a campaign, and what an explanation says of it.

A verdict, one sentence, and what is stored that shows it: their rows of its lists, and what was
tried to reach them.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import Attempt, LeftOut, Person, Reason, Recipient, RecipientState
from rollcall.models.types import IdList, IsOneOf
from rollcall.wording import moment_json


class Verdict(enum.StrEnum):
    """What is, or was, between a person and a campaign."""

    WOULD_GET = "would_get"
    GOT = "got"
    WAITING = "waiting"  # on the list, and the message has not gone out yet
    UNDECIDED = "undecided"  # whether they get it hangs on a review
    LEFT_OUT = "left_out"  # the criteria match them, and something else stands in the way
    NOT_MATCHED = "not_matched"
    NOT_ON_LIST = "not_on_list"  # matched, but came too late for a list that nobody is added to
    LEFT = "left"  # on the estimate, not on the final list
    HELD_BACK = "held_back"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    NOT_SENT = "not_sent"  # the campaign was cancelled or failed first
    UNKNOWN = "unknown"  # nothing that is kept says why

    @property
    def gets_it(self) -> bool:
        """Return whether the person got the message, or would as things stand."""
        return self in (Verdict.WOULD_GET, Verdict.GOT)


@dataclass(frozen=True)
class Evidence:
    """Something stored that shows why; `text` is a clause about the person without a subject."""

    kind: str  # message, consent, block, attendance, shared_address, campaign, segment, fact
    text: str
    at: datetime | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the evidence as the API gives it."""
        return {"kind": self.kind, "text": self.text, "at": moment_json(self.at), **self.details}


@dataclass(frozen=True)
class Explanation:
    """What is, or was, between a person and a campaign, in one sentence with its evidence.

    `cause` is the key of why somebody joined or left a list, was left out, or was held back;
    `change` is kept, joined or left where both lists are known.
    """

    verdict: Verdict
    sentence: str
    evidence: tuple[Evidence, ...] = ()
    cause: str | None = None
    change: str | None = None

    @property
    def gets_it(self) -> bool:
        """Return whether the person got the message, or would as things stand."""
        return self.verdict.gets_it

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as the API gives it."""
        return {
            "gets_it": self.gets_it,
            "verdict": self.verdict.value,
            "sentence": self.sentence,
            "cause": self.cause,
            "change": self.change,
            "evidence": [one.to_json() for one in self.evidence],
        }


@dataclass
class Standing:
    """One person in one campaign, as it is stored."""

    recipient: Recipient | None = None
    at_creation: Reason | None = None
    at_send: Reason | None = None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def on_estimate(self) -> bool:
        """Return whether the person is on the list that was frozen."""
        return self.recipient is not None and self.recipient.in_estimate

    @property
    def change(self) -> str | None:
        """Return kept, joined or left; None for somebody on neither list."""
        if self.recipient is None:
            return None
        if not self.recipient.in_final:
            return "left"
        return "kept" if self.recipient.in_estimate else "joined"

    @property
    def last_attempt(self) -> Attempt | None:
        """Return the newest attempt to reach the person."""
        return self.attempts[-1] if self.attempts else None

    @property
    def decided(self) -> Attempt | None:
        """Return the last attempt in doubt on which staff decided."""
        return next((one for one in reversed(self.attempts) if one.resolution), None)

    @property
    def message_sent(self) -> Attempt | None:
        """Return the newest attempt that went out, or may have."""
        states = (RecipientState.SENT, RecipientState.DELIVERED, RecipientState.IN_DOUBT)
        return next((one for one in reversed(self.attempts) if one.outcome in states), None)


def read_standings(campaign_id: int, people: Sequence[int]) -> dict[int, Standing]:
    """Return how each of these people stands in the campaign, by one query."""
    found = {person_id: Standing() for person_id in people}
    tables: Any = Person
    for table in (Recipient, LeftOut, Attempt):
        here = sa.and_(table.person_id == Person.id, table.campaign_id == campaign_id)
        tables = sa.outerjoin(tables, table, here)
    rows = db.session.execute(
        sa.select(Person.id, Recipient, LeftOut.at_creation, LeftOut.at_send, Attempt)
        .select_from(tables)
        .where(IsOneOf(Person.id, sa.literal(list(people), IdList)))
        .order_by(Attempt.id)
    )
    for person_id, recipient, at_creation, at_send, attempt in rows:
        standing = found[person_id]
        standing.recipient = recipient
        standing.at_creation, standing.at_send = at_creation, at_send
        if attempt is not None:
            standing.attempts.append(attempt)
    return found
