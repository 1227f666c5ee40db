"""The in-process scheduler: one APScheduler job that only looks for due work.

Campaigns are never stored as APScheduler jobs: a job store that processes share runs jobs
twice. What is due stands in our own tables, and a conditional UPDATE decides who runs it.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from rollcall.actors import scheduler_actor
from rollcall.audience.rfm import compute_rfm, find_organisations_to_score
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.monitoring.chores import run_chores
from rollcall.providers.registry import providers_in_use
from rollcall.sending.claims import Claim
from rollcall.sending.due import claim_work, find_work
from rollcall.sending.inbound import session_sink
from rollcall.sending.runner import run_campaign

log = structlog.get_logger()
# That a look takes longer than the interval is no news: the next one finds the same work.
logging.getLogger("apscheduler").setLevel(logging.ERROR)

# Also a long send at a low rate must not keep the next campaign from starting in time.
CAMPAIGNS_AT_ONCE = 16
CHORES_SECONDS = 5


class CampaignScheduler:
    """Looks for due campaigns at an interval and runs several at once, until it is stopped."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._settings: Settings = app.extensions["rollcall"]
        self._stop = threading.Event()
        self._runs = ThreadPoolExecutor(CAMPAIGNS_AT_ONCE, thread_name_prefix="send")
        self._free = threading.BoundedSemaphore(CAMPAIGNS_AT_ONCE)
        self._listening: list[Callable[[], None]] = []
        self._scheduler = BackgroundScheduler(timezone="UTC")

    def start(self) -> None:
        """Begin to look for due work in the background."""
        self._scheduler.add_job(
            self._look,
            "interval",
            seconds=self._settings.scheduler_seconds,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
        self._scheduler.add_job(
            self._see_to_chores,
            "interval",
            seconds=CHORES_SECONDS,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
        self._scheduler.add_job(
            self._score_people, "interval", minutes=10, coalesce=True, max_instances=1
        )
        self._scheduler.start()
        self._listen()
        threading.Thread(target=self._keep_awake, name="wake", daemon=True).start()
        log.info("scheduler started", seconds=self._settings.scheduler_seconds)

    def stop(self) -> None:
        """Stop after the batches that are on the wire; what is left goes on at the next start."""
        self._stop.set()
        self._scheduler.shutdown(wait=True)
        self._runs.shutdown(wait=True)
        for end in self._listening:
            end()

    def _listen(self) -> None:
        """Open the sessions over which receipts and replies come, where the provider has such."""
        for provider in providers_in_use(self._settings):
            if provider.declaration.listening:
                sink = session_sink(self._app, provider.name)
                self._listening.append(provider.listen(sink))

    def _keep_awake(self) -> None:
        """Wake APScheduler twice an interval: its timed wait does not notice a moved clock.

        Under libfaketime that wait never ends at all; a plain sleep does.
        """
        while not self._stop.is_set():
            time.sleep(self._settings.scheduler_seconds / 2)
            self._scheduler.wakeup()

    def _look(self) -> None:
        with self._app.app_context():
            try:
                self._claim_and_run()
            except Exception:  # the next look must come, whatever went wrong with this one
                log.exception("looking for due campaigns failed")
            finally:
                db.session.remove()

    def _see_to_chores(self) -> None:
        with self._app.app_context():
            try:
                if not self._stop.is_set():
                    run_chores(self._settings)
            finally:
                db.session.remove()

    def _score_people(self) -> None:
        """Compute RFM scores anew once a night, at three o'clock of each organisation (A5)."""
        with self._app.app_context():
            try:
                for organisation_id in find_organisations_to_score():
                    compute_rfm(scheduler_actor(organisation_id))
            except Exception:  # the next night must come all the same
                log.exception("scoring people failed")
            finally:
                db.session.remove()

    def _claim_and_run(self) -> None:
        for campaign_id in find_work(self._settings):
            # A claim is taken only with a thread free to use it, else its lease would run out.
            if self._stop.is_set() or not self._free.acquire(blocking=False):
                return
            claim = None
            try:
                claim = claim_work(campaign_id, self._settings)
                if claim is not None:
                    self._runs.submit(self._run, claim)
            finally:
                if claim is None:
                    self._free.release()

    def _run(self, claim: Claim) -> None:
        with self._app.app_context():
            try:
                run_campaign(claim, self._settings, self._stop)
            except Exception:
                log.exception("running a campaign failed", campaign_id=claim.campaign_id)
            finally:
                db.session.remove()
                self._free.release()


def start(app: Flask) -> CampaignScheduler:
    """Start the scheduler of this process and return it."""
    scheduler = CampaignScheduler(app)
    scheduler.start()
    return scheduler
