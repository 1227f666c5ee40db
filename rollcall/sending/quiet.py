"""Whether somebody is in their quiet hours at the moment when their message would go (C14)."""

from dataclasses import dataclass
from datetime import datetime

from rollcall.audience.quiet import read_sending_window
from rollcall.campaigns.drafts import campaign_criteria
from rollcall.errors import InvalidInput
from rollcall.messages.quiet import SendingWindow
from rollcall.models import Campaign, Channel, QuietHours


@dataclass(frozen=True, slots=True)
class QuietRules:
    """What a campaign does about quiet hours; `window` is None where it need not ask."""

    mode: QuietHours
    window: SendingWindow | None

    def judge(self, phone_zones: str, now: datetime) -> datetime | None:
        """Return None where a message may go out now, else the next time at which it may.

        `phone_zones` as the person's facts have it. Answers are remembered, so that asking for
        each message costs next to nothing.
        """
        return self.window.next_allowed(phone_zones, now) if self.window else None


def read_quiet_rules(campaign: Campaign) -> QuietRules:
    """Return the rules for a campaign as its organisation has them set now.

    Nobody waits for an e-mail, in an organisation whose quiet hours are off, or where an admin
    chose to send all the same.
    """
    mode = QuietHours(campaign.quiet_hours)
    if mode == QuietHours.OVERRIDE:
        return QuietRules(mode, None)
    try:
        criteria = campaign_criteria(campaign)
    except InvalidInput:
        # Damaged criteria name no event; what else they mean is decided where the list is made.
        criteria = None
    window = read_sending_window(campaign.organisation, Channel(campaign.channel), criteria)
    return QuietRules(mode, window)
