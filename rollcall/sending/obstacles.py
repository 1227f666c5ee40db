"""What would keep a campaign from going out at its time, beside its audience."""

from datetime import datetime

from rollcall.campaigns.scheduling import check_footer
from rollcall.config import Settings
from rollcall.errors import InvalidInput
from rollcall.models import Campaign, Channel
from rollcall.monitoring.providers import read_provider
from rollcall.sending.installation import find_hold
from rollcall.wording import say_time

CANT_SEND = ("not_set_up", "failing")


def list_obstacles(campaign: Campaign, settings: Settings, moment: datetime) -> list[str]:
    """Return in sentences what would stop the campaign at `moment`, as things stand now."""
    zone = campaign.scheduled_timezone or campaign.organisation.timezone
    found = []
    if find_hold() is not None:
        found.append(
            "Sending is held, because a backup was restored: nothing goes out until a super "
            "confirms that it may."
        )
    provider = read_provider(settings, Channel(campaign.channel), zone)
    if provider.state in CANT_SEND:
        found.append(f"{provider.declaration.label}: {provider.sentence}")
    try:
        check_footer(campaign, settings.email_provider)
    except InvalidInput as error:
        found += error.fields.values()
    if campaign.not_after is not None and campaign.not_after <= moment:
        found.append(f"Nothing may go out after {say_time(campaign.not_after, zone)}.")
    return found
