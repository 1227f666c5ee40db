"""What an explanation says: a verdict, one sentence, and what is stored that shows it."""

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollcall.campaigns.document import moment_json


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
