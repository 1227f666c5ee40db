"""When a campaign should rather be re-processed, and why (C7)."""

from dataclasses import dataclass
from datetime import datetime

from rollcall import clock
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.form_options import find_chosen_events
from rollcall.models import AudienceMode, Event
from rollcall.wording import say_time


@dataclass(frozen=True)
class Suggestion:
    """An event whose people would still be coming in between now and the moment of sending."""

    event: Event
    moment: datetime
    zone: str

    def sentence(self) -> str:
        """Return why the audience should be computed again, to somebody who plans the campaign."""
        return (
            f"{self.event.name} ends {say_time(self.event.ends_at, self.event.timezone)}, and "
            f"your message goes out {say_time(self.moment, self.zone)}: people who arrive by "
            "then get it only if the audience is re-processed."
        )


def suggest_reprocessing(
    organisation_id: int,
    criteria: Criteria,
    mode: AudienceMode,
    moment: datetime | None,
    zone: str,
) -> Suggestion | None:
    """Return why to re-process, or None where nothing speaks for it or it is chosen already.

    It is suggested when a chosen event is not over yet and ends before `moment`; of several
    such events the one that ends last is named.
    """
    if moment is None or mode.computes_again or not criteria.can_be_computed_again:
        return None
    now = clock.now()
    coming = [
        event
        for event in find_chosen_events(organisation_id, criteria.events)
        if now < event.ends_at <= moment
    ]
    if not coming:
        return None
    return Suggestion(max(coming, key=lambda event: event.ends_at), moment, zone)
