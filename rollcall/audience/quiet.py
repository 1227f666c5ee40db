"""Quiet hours of an organisation's text messages: the rules, and how many people are in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollcall.audience.criteria import Criteria
from rollcall.audience.funnel import Group
from rollcall.audience.resolved import Resolved, resolve
from rollcall.messages.quiet import SendingHours, SendingWindow
from rollcall.models import Channel, Organisation, Reason


@dataclass(frozen=True)
class QuietCount:
    """How many of the reachable would be in their quiet hours at the moment of sending.

    The first of them may get it at `next_at`, the last at `last_at`; None where nobody waits.
    """

    people: int
    hours: SendingHours
    next_at: datetime | None
    last_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """Return the count as the API gives it."""
        return {
            "people": self.people,
            "next_at": self.next_at.isoformat() if self.next_at else None,
            "last_at": self.last_at.isoformat() if self.last_at else None,
        }


def read_sending_window(
    organisation: Organisation,
    channel: Channel,
    criteria: Criteria | None,
    known: Resolved | None = None,
) -> SendingWindow | None:
    """Return when messages of such a campaign may arrive, None where at any hour.

    That is so of e-mails, and where the organisation has its quiet hours off. A phone whose
    zone is not known is judged by the zones of the chosen events; where there is none, or the
    criteria are None because they can't be read, by the organisation's. `known` is what the
    criteria name, where that has been looked up already.
    """
    opens, closes = organisation.quiet_until, organisation.quiet_from
    if channel == Channel.EMAIL or opens is None or closes is None:
        return None
    slugs = criteria.events if criteria else ()
    known = known or resolve(organisation.id, Criteria(events=slugs))
    zones = dict.fromkeys(event.timezone for event in known.find_events(slugs))
    fallback = list(zones) or [organisation.timezone]
    return SendingWindow(SendingHours(opens, closes), fallback)


def count_quiet(groups: Iterable[Group], window: SendingWindow, moment: datetime) -> QuietCount:
    """Return how many reachable people of these groups may not be texted at the moment."""
    people, waits = 0, set[datetime]()
    for group in groups:
        if group.reason is not Reason.REACHABLE:
            continue
        allowed_at = window.next_allowed(group.zones, moment)
        if allowed_at is not None:
            people += group.people
            waits.add(allowed_at)
    return QuietCount(people, window.hours, min(waits, default=None), max(waits, default=None))
