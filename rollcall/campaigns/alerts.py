"""What is watched while campaigns are made ready or wait for a decision, and who is told (E3).

An alert is raised once, stands in the app, and every admin is told; what concerns one campaign
its author is told. All of it joins the caller's transaction, the one that stores the fact.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.alerts import alert_admins, raise_alert, settle_alerts
from rollcall.accounts.notices import list_admins, tell_admins, tell_author, tell_staff
from rollcall.audience.difference import AudienceChange, count_final
from rollcall.campaigns.guards import judge_for_role
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import Alert, Campaign, CampaignState, Notice, Role, StaffMember
from rollcall.wording import (
    say_change,
    say_duration,
    say_people,
    say_relative,
    say_signed,
    say_time,
)

ALERTING_CHANGE = 500  # percent
NOTABLE_CHANGE = 200  # percent
SLOW = timedelta(seconds=30)
FAILURE_LIMIT = 5  # percent of all re-processing
FAILURE_WINDOW = timedelta(hours=24)
FAILURES = "reprocess_failures"


def watch_list(campaign_id: int, *, stopped: bool, estimate: bool) -> None:
    """Look at a list that was just computed again: how long that took, and how far it changed.

    `stopped`: it waits for a decision, of which everybody concerned is told; `estimate`: it is
    not sent to, because the audience grew too little.
    """
    campaign = db.session.get_one(Campaign, campaign_id)
    _watch_duration(campaign)
    if stopped:
        tell_stopped(campaign)
    if estimate or campaign.is_dry_run:
        return
    change = _change_of(campaign)
    if change.percent is None or change.percent <= NOTABLE_CHANGE:
        return
    title = f"“{campaign.name}”: the audience changed by {say_signed(change.percent)} %"
    text = f"{_say_lists(change)} {'It waits for a decision.' if stopped else 'It goes out.'}"
    key = f"change.{campaign.version}"
    if not stopped:
        tell_author(campaign, "change", key, title, text)
    if change.percent <= ALERTING_CHANGE:
        return
    about = f"campaign.change.{campaign_id}"
    here = {"organisation_id": campaign.organisation_id, "campaign_id": campaign_id}
    if stopped:
        raise_alert("change", about, f"{title}. {text}", **here)
    else:
        path = f"/campaigns/{campaign_id}"
        told_as = f"{campaign_id}.{key}"
        alert_admins("change", about, title, f"{title}. {text}", path=path, told_as=told_as, **here)


def _watch_duration(campaign: Campaign) -> None:
    took = campaign.reprocess_duration_ms or 0
    if took <= SLOW / timedelta(milliseconds=1):
        return
    alert_admins(
        "slow",
        f"campaign.slow.{campaign.id}",
        f"“{campaign.name}”: re-processing took {say_duration(took)}",
        f"“{campaign.name}”: re-processing the audience took {say_duration(took)}, which is more "
        f"than {SLOW.seconds} seconds. Messages go out that much later.",
        organisation_id=campaign.organisation_id,
        campaign_id=campaign.id,
        path=f"/campaigns/{campaign.id}",
    )


def tell_stopped(campaign: Campaign) -> None:
    """Tell the author and the admins that a campaign waits for a decision, and whose."""
    title = f"“{campaign.name}” needs a decision"
    text = f"{campaign.state_note} {say_review_choices(campaign)}"
    key = f"review.{campaign.version}"
    path = f"/campaigns/{campaign.id}"
    tell_author(campaign, "review", key, title, text)
    tell_admins(campaign.organisation_id, "review", f"{campaign.id}.{key}", title, text, path)


def say_review_choices(campaign: Campaign) -> str:
    """Return what can be decided of a campaign that waits for it, by whom, and until when."""
    zone = campaign.scheduled_timezone or campaign.organisation.timezone
    until = (
        f" If nobody decides before {say_time(campaign.not_after, zone)}, it is cancelled."
        if campaign.not_after is not None
        else ""
    )
    if campaign.held_for is not None:
        return f"Nothing goes out until somebody decides what becomes of it: everybody may.{until}"
    return (
        f"Nothing goes out until somebody decides. Send it to the final list: "
        f"{_say_deciders(campaign)} may. Send it to the estimate list, or cancel it: everybody "
        f"may.{until}"
    )


def _say_deciders(campaign: Campaign) -> str:
    if campaign.final_at is None:
        return "everybody"
    final = count_final(campaign.id)
    roles = [
        role
        for role in Role
        if role == Role.SUPER or not judge_for_role(role, campaign, final).stops
    ]
    if len(roles) == len(Role):
        return "everybody"
    return f"only somebody with the role {' or '.join(roles)}"


def watch_missed(campaign_id: int, organisation_id: int) -> None:
    """Raise the alert of a campaign that missed its time, and tell its author too."""
    campaign = db.session.get_one(Campaign, campaign_id)
    title = f"“{campaign.name}” missed its time"
    text = f"“{campaign.name}”: {campaign.state_note}"
    key = f"missed.{campaign.version}"
    tell_author(campaign, "review", key, title, campaign.state_note)
    alert_admins(
        "missed",
        f"campaign.missed.{campaign_id}",
        title,
        text,
        organisation_id=organisation_id,
        campaign_id=campaign_id,
        path=f"/campaigns/{campaign_id}",
        told_as=f"{campaign_id}.{key}",
    )


def watch_failure(campaign_id: int, error: str, *, estimate: bool) -> None:
    """Tell the author that re-processing failed, and the admins where that happens too often.

    `estimate`: the campaign goes out to its estimate list all the same, as it asks for.
    """
    campaign = db.session.get_one(Campaign, campaign_id)
    went = "it went to the estimate list" if estimate else "nothing was sent"
    reason = error.strip().splitlines()[0][:300] if error.strip() else "no reason given"
    tell_author(
        campaign,
        "failed",
        f"failed.{campaign.version}",
        f"“{campaign.name}”: re-processing failed, {went}",
        f"The audience could not be computed again at the time of sending, so {went}. "
        f"What went wrong: {reason}",
    )
    db.session.flush()
    failed, of = count_failures(campaign.organisation_id)
    if not _too_many(failed, of):
        return
    alert_admins(
        FAILURES,
        f"{FAILURES}.{campaign.organisation_id}",
        "Re-processing fails too often",
        f"Re-processing failed for {failed:,} of {of:,} campaigns in the last "
        f"{FAILURE_WINDOW // timedelta(hours=1)} hours, which is more than {FAILURE_LIMIT} %. "
        f"The last one: “{campaign.name}”. {reason}",
        organisation_id=campaign.organisation_id,
    )


def count_failures(organisation_id: int) -> tuple[int, int]:
    """Return how many campaigns' re-processing failed in the last 24 hours, and of how many."""
    since = clock.now() - FAILURE_WINDOW
    failed = Campaign.reprocess_error.is_not(None)
    moment = sa.case(
        (failed, sa.func.coalesce(Campaign.final_at, Campaign.completed_at)),
        else_=Campaign.reprocessed_at,
    )
    row = db.session.execute(
        sa.select(sa.func.count().filter(failed), sa.func.count()).where(
            Campaign.organisation_id == organisation_id, moment >= since
        )
    ).one()
    return row[0], row[1]


def _too_many(failed: int, of: int) -> bool:
    return failed * 100 > FAILURE_LIMIT * of


def find_passed_alerts() -> list[str]:
    """Return the keys of the open alerts of which nothing is left to see to.

    A campaign that missed its time has been decided on; re-processing works again.
    """
    over = sa.select(Alert.key).join(Campaign, Campaign.id == Alert.campaign_id)
    decided = Campaign.state.not_in(["needs_review", "paused"])
    passed = list(
        db.session.scalars(over.where(Alert.closed_at.is_(None), Alert.kind == "missed", decided))
    )
    failing = db.session.execute(
        sa.select(Alert.key, Alert.organisation_id).where(
            Alert.closed_at.is_(None), Alert.kind == FAILURES, Alert.organisation_id.is_not(None)
        )
    )
    return passed + [
        row.key for row in failing.all() if not _too_many(*count_failures(row.organisation_id))
    ]


def settle_passed(keys: list[str]) -> None:
    """Close the alerts of these keys in the caller's transaction, if there are any."""
    if keys:
        settle_alerts(*keys)


def _change_of(campaign: Campaign) -> AudienceChange:
    return AudienceChange(campaign.estimated_recipients or 0, campaign.actual_recipients or 0)


def _say_lists(change: AudienceChange) -> str:
    return (
        f"The estimate had {say_people(change.estimate)}, the final list has "
        f"{say_people(change.final)} ({say_change(change.absolute, change.percent)})."
    )


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
            f"{say_review_choices(campaign)}",
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
