"""What is watched while campaigns are made ready, and who is told of it (E3).

An alert is raised once, stands in the app, and every admin is told; what concerns one campaign
its author is told. All of it joins the caller's transaction, the one that stores the fact.
"""

from datetime import timedelta

import sqlalchemy as sa

from rollcall import clock
from rollcall.campaigns.judging import judge_for_role
from rollcall.campaigns.results import AudienceChange
from rollcall.extensions import db
from rollcall.models import Alert, Campaign, Organisation, Role
from rollcall.monitoring.alerts import raise_alert, settle_alerts
from rollcall.organisations.notices import tell_admins, tell_author
from rollcall.sending.difference import count_final
from rollcall.wording import say_change, say_duration, say_people, say_signed, say_time

ALERTING_CHANGE = 500  # percent
NOTABLE_CHANGE = 200  # percent
SLOW = timedelta(seconds=30)
FAILURE_LIMIT = 5  # percent of all re-processing
FAILURE_WINDOW = timedelta(hours=24)
FAILURES = "reprocess_failures"


def alert_admins(
    kind: str,
    key: str,
    title: str,
    text: str,
    *,
    organisation_id: int | None = None,
    campaign_id: int | None = None,
    path: str = "/alerts",
    told_as: str = "",
) -> None:
    """Raise an alert and, where none of this key was open, tell every admin whom it concerns.

    Without an organisation these are the admins of all. Who was told `told_as` already, as the
    author of a campaign, is not told again.
    """
    alert_id = raise_alert(
        kind, key, text, organisation_id=organisation_id, campaign_id=campaign_id
    )
    if alert_id is None:
        return
    everybody = sa.select(Organisation.id).order_by(Organisation.id)
    several = [organisation_id] if organisation_id is not None else db.session.scalars(everybody)
    for one in list(several):
        tell_admins(one, "alert", told_as or f"alert.{alert_id}", title, text, path)


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
    text = f"{campaign.state_note} {say_choices(campaign)}"
    key = f"review.{campaign.version}"
    path = f"/campaigns/{campaign.id}"
    tell_author(campaign, "review", key, title, text)
    tell_admins(campaign.organisation_id, "review", f"{campaign.id}.{key}", title, text, path)


def say_choices(campaign: Campaign) -> str:
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
