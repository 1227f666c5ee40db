"""One look at what is due: claim it, then run it."""

import threading
from datetime import timedelta

from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.sending.claims import Claim, claim_campaign, find_due_campaigns
from rollcall.sending.installation import may_send
from rollcall.sending.review import expire_reviews
from rollcall.sending.runner import run_campaign


def find_work(settings: Settings) -> list[int]:
    """Return the campaigns that wait to be started or taken over; none where sending is held.

    Those that nobody decided on in time are cancelled first.
    """
    if not may_send(settings):
        return []
    expire_reviews()
    return find_due_campaigns()


def claim_work(campaign_id: int, settings: Settings) -> Claim | None:
    """Claim a due campaign with the lateness limit and the lease that the settings give."""
    return claim_campaign(
        campaign_id,
        timedelta(hours=settings.lateness_hours),
        timedelta(seconds=settings.lease_seconds),
    )


def run_due_campaigns(settings: Settings, stop: threading.Event | None = None) -> list[int]:
    """Run every campaign that is due, one after the other; returns the ids of those run.

    Campaigns that another process owns are left to it. One that breaks off keeps no other from
    being run; its error is raised at the end.
    """
    stop = stop or threading.Event()
    run: list[int] = []
    errors: list[Exception] = []
    for campaign_id in find_work(settings):
        if stop.is_set():
            break
        claim = claim_work(campaign_id, settings)
        if claim is not None:
            try:
                run_campaign(claim, settings, stop)
                run.append(campaign_id)
            except Exception as error:  # logged where it happened; the others must go out
                errors.append(error)
    db.session.commit()
    if errors:
        raise errors[0]
    return run
