"""A final list seen as the last look before the wire will see it: who is held back, who waits.

Sending judges each recipient just before their message (`rollcall.sending.intents`); here all of
them are counted at once, by the same rules, for a moment that may still be to come; and what
beside its audience would keep the campaign from going out at its time.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import DEFAULT_WINDOW_HOURS, campaign_criteria
from rollcall.audience.query import address_column, exclusion_reason
from rollcall.campaigns.scheduling import check_footer
from rollcall.config import Settings
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import Campaign, Channel, Person, PersonFacts, QuietHours, Reason, Recipient
from rollcall.models.types import UTCDateTime
from rollcall.sending.content import QuietRules, read_quiet_rules
from rollcall.sending.installation import find_hold
from rollcall.sending.providers import read_provider
from rollcall.wording import say_time


@dataclass
class LastLook:
    """How many of a list would be held back, by reason, and how many would wait.

    The first of those who wait may get it at `first_at`, the last at `last_at`.
    """

    held_back: Counter[Reason] = field(default_factory=Counter)
    waiting: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def wait(self, people: int, until: datetime) -> None:
        """Count people who wait until their morning."""
        self.waiting += people
        self.first_at = min(self.first_at or until, until)
        self.last_at = max(self.last_at or until, until)


def window_of(campaign: Campaign) -> int:
    """Return the anti-spam window that holds for the campaign, in hours; 0 is off."""
    try:
        return campaign_criteria(campaign).window_hours
    except InvalidInput:
        return DEFAULT_WINDOW_HOURS  # as sending takes it where the criteria are damaged


def count_last_look(campaign: Campaign, moment: datetime) -> LastLook:
    """Return what would become of the stored final list if it went out at `moment`."""
    quiet = read_quiet_rules(campaign)
    look = LastLook()
    for reason, zones, people in _count_groups(campaign, moment, quiet.window is not None):
        if Reason(reason) is not Reason.REACHABLE:
            look.held_back[Reason(reason)] += people
        else:
            _judge_hour(look, quiet, campaign.not_after, zones, moment, people)
    return look


def _count_groups(campaign: Campaign, moment: datetime, with_zones: bool) -> list[Any]:
    channel, window = Channel(campaign.channel), window_of(campaign)
    cutoff = sa.literal(moment - timedelta(hours=window), UTCDateTime) if window else None
    twice = Recipient.person_id.in_(_share_an_address(campaign.id, channel))
    reason = sa.case(
        (sa.and_(_is_shared(channel), twice), int(Reason.DUPLICATE_ADDRESS)),
        else_=exclusion_reason(channel, cutoff),
    ).label("reason")
    zones = (PersonFacts.phone_zones if with_zones else sa.literal("")).label("zones")
    judged = (
        sa.select(reason, zones)
        .select_from(Recipient)
        .join(PersonFacts, PersonFacts.person_id == Recipient.person_id)
        .where(Recipient.campaign_id == campaign.id, Recipient.in_final.is_(True))
        .subquery("judged")
    )
    counted = sa.select(judged.c.reason, judged.c.zones, sa.func.count())
    return list(db.session.execute(counted.group_by(judged.c.reason, judged.c.zones)))


def _is_shared(channel: Channel) -> sa.ColumnElement[bool]:
    shared = PersonFacts.phone_shared if channel == Channel.SMS else PersonFacts.email_shared
    return shared.is_(True)


def _share_an_address(campaign_id: int, channel: Channel) -> sa.Select[tuple[int]]:
    """Select whose address somebody before them on the list has as well."""
    address = address_column(channel)
    place = sa.func.row_number().over(partition_by=address, order_by=Recipient.person_id)
    sharing = (
        sa.select(Recipient.person_id, place.label("place"))
        .join(PersonFacts, PersonFacts.person_id == Recipient.person_id)
        .join(Person, Person.id == Recipient.person_id)
        .where(
            Recipient.campaign_id == campaign_id,
            Recipient.in_final.is_(True),
            _is_shared(channel),
            address.is_not(None),
        )
        .subquery("sharing")
    )
    return sa.select(sharing.c.person_id).where(sharing.c.place > 1)


def _judge_hour(
    look: LastLook,
    quiet: QuietRules,
    not_after: datetime | None,
    zones: str,
    moment: datetime,
    people: int,
) -> None:
    until = quiet.judge(zones, moment)
    if not_after is not None and moment > not_after:
        look.held_back[Reason.EXPIRED] += people
    elif until is None:
        return
    elif quiet.mode == QuietHours.SKIP:
        look.held_back[Reason.QUIET_HOURS] += people
    elif not_after is not None and until > not_after:
        look.held_back[Reason.EXPIRED] += people
    else:
        look.wait(people, until)


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
        check_footer(campaign, settings.reaches_people(Channel.EMAIL))
    except InvalidInput as error:
        found += error.fields.values()
    if campaign.not_after is not None and campaign.not_after <= moment:
        found.append(f"Nothing may go out after {say_time(campaign.not_after, zone)}.")
    return found
