"""Reminders of campaigns that wait for a decision, until somebody takes one."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from rollcall import clock
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import Campaign, CampaignState, Notice, StaffMember
from rollcall.monitoring.watch import find_passed_alerts, say_choices, settle_passed
from rollcall.organisations.notices import list_admins, tell_staff
from rollcall.wording import say_relative

FIRST = timedelta(hours=1)
BEFORE_THE_END = timedelta(hours=2)
AGAIN = timedelta(hours=24)


def remind_of_reviews(settings: Settings) -> int:
    """Remind the author and the admins of what still waits for a decision; return how many were.

    First after an hour; then two hours before the time after which nothing may go out, or every
    24 hours where there is none. Each of these once, whatever was missed while nobody looked.
    """
    waiting = db.session.scalars(
        sa.select(Campaign.id)
        .where(
            Campaign.state == CampaignState.NEEDS_REVIEW,
            Campaign.review_since <= clock.now() - FIRST,
        )
        .order_by(Campaign.id)
    ).all()
    return sum(_remind(campaign_id) for campaign_id in waiting)


def settle_alerts_that_passed(settings: Settings) -> int:
    """Close the alerts of which nothing is left to see to; return how many those are."""
    keys = find_passed_alerts()
    if keys:
        with write():
            settle_passed(keys)
    return len(keys)


def last_reminder(since: datetime, not_after: datetime | None, now: datetime) -> datetime | None:
    """Return when the last reminder was due, of a campaign that waits since then; None before."""
    first = since + FIRST
    if now < first:
        return None
    if not_after is not None:
        second = not_after - BEFORE_THE_END
        return second if first < second <= now else first
    days = (now - since) // AGAIN
    return since + days * AGAIN if days else first


def _remind(campaign_id: int) -> int:
    if not _is_new(campaign_id):
        return 0
    with write():
        campaign = db.session.get_one(Campaign, campaign_id, populate_existing=True)
        key = _key(campaign)
        if key is None or campaign.review_since is None:
            return 0  # somebody has decided at this moment
        since = say_relative(campaign.review_since, clock.now())
        return tell_staff(
            _concerned(campaign),
            "reminder",
            key,
            f"“{campaign.name}” still needs a decision",
            f"It was stopped {since}, and nobody has decided. {campaign.state_note} "
            f"{say_choices(campaign)}",
            f"/campaigns/{campaign_id}",
        )


def _is_new(campaign_id: int) -> bool:
    """Return whether somebody is to be told now, without a write where they have been."""
    campaign = db.session.get_one(Campaign, campaign_id, populate_existing=True)
    key, staff = _key(campaign), [member.id for member in _concerned(campaign)]
    if key is None or not staff:
        return False
    told = sa.select(Notice.id).where(Notice.staff_id.in_(staff), Notice.key == key).limit(1)
    return db.session.scalar(told) is None


def _key(campaign: Campaign) -> str | None:
    if campaign.state != CampaignState.NEEDS_REVIEW or campaign.review_since is None:
        return None
    due = last_reminder(campaign.review_since, campaign.not_after, clock.now())
    return None if due is None else f"{campaign.id}.reminder.{due:%Y%m%dT%H%M%S}"


def _concerned(campaign: Campaign) -> list[StaffMember]:
    author = campaign.scheduled_by or campaign.created_by
    admins = list_admins(campaign.organisation_id)
    return admins + [one for one in [author] if one and one.active and one not in admins]
