"""Real processes, real time: due campaigns start by themselves, once, whoever looks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall import clock as real_clock
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import schedule_campaign, send_campaign_now
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import Campaign, Channel
from rollcall.providers.simulator import read_outbox
from tests.factories import attend, make_actor, make_event, make_organisation, make_people
from tests.moved_clock import LIBRARY, moved_by
from tests.waiting import HANGS, wait_for

ROOT = Path(__file__).parents[2]
needs_faketime = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")


def environment_of(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "ROLLCALL_INSTANCE": str(settings.instance_path),
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": "a key for tests only",
        "ROLLCALL_SCHEDULER_SECONDS": "0.2",
        "ROLLCALL_SEND_BATCH": "5",
    }


@contextmanager
def schedulers(
    settings: Settings, number: int, **more: str
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that only run the scheduler; those still there are ended."""
    environment = environment_of(settings) | {"PYTHONFAULTHANDLER": "1"} | more
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "flask", "scheduler", "run"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log_of(settings, place).open("wb"),
        )
        for place in range(number)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert b"Looking" in process.stdout.readline()
        yield processes
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for place, process in enumerate(processes):
            expect_end(process, log_of(settings, place))


def log_of(settings: Settings, place: int) -> Path:
    return settings.instance_path / f"scheduler-{place}.log"


def expect_end(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the process has ended by itself; where it hangs, say where its threads are."""
    try:
        process.wait(HANGS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        process.wait(HANGS)
        pytest.fail(f"still there after {HANGS} s:\n{log.read_text()[-8000:]}")
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture
def campaigns(app: APIFlask) -> list[int]:
    """Six campaigns that are due now, to 30 people each."""
    organisation = make_organisation()
    actor = make_actor(organisation)
    ids = []
    for number in range(6):
        event = make_event(organisation, f"show-{number}")
        attend(event, make_people(organisation, 30))
        draft = CampaignDraft(
            name=f"Campaign {number}",
            channel=Channel.SMS,
            message="Hello %%FIRST_NAME%%",
            criteria=Criteria(events=(event.slug,)),
        )
        ids.append(create_campaign(actor, draft))
        send_campaign_now(actor, ids[-1])
    return ids


def all_completed(campaigns: list[int]) -> bool:
    db.session.rollback()  # each look sees what other processes have done meanwhile
    states = db.session.scalars(sa.select(Campaign.state).where(Campaign.id.in_(campaigns))).all()
    db.session.rollback()
    return set(states) == {"completed"}


def is_begun() -> bool:
    db.session.rollback()
    claimed = db.session.scalar(sa.select(sa.func.count(Campaign.id)).where(Campaign.fence > 0))
    db.session.rollback()
    return bool(claimed)


def test_three_processes_run_each_campaign_once(app: APIFlask, settings: Settings, campaigns):
    organisation_id = db.session.scalar(sa.select(Campaign.organisation_id))
    db.session.rollback()
    with schedulers(settings, 3):
        wait_for(lambda: all_completed(campaigns))
    sent = read_outbox(settings.outbox_path, organisation_id, limit=1000)
    assert len(sent) == len({message.address for message in sent}) == 180
    fences = db.session.scalars(sa.select(Campaign.fence).where(Campaign.id.in_(campaigns)))
    assert set(fences) == {1}


def test_a_campaign_starts_by_itself_when_its_time_comes(app: APIFlask, settings: Settings):
    organisation = make_organisation()
    event = make_event(organisation, "show")
    attend(event, make_people(organisation, 3))
    actor = make_actor(organisation)
    campaign_id = create_campaign(
        actor,
        CampaignDraft(
            name="Soon",
            channel=Channel.SMS,
            message="Hello",
            criteria=Criteria(events=("show",)),
            local_time=(real_clock.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S"),
            timezone="UTC",
        ),
    )
    schedule_campaign(actor, campaign_id)
    with schedulers(settings, 1):
        # A moment that is still to come while the process looks already, however slow it is.
        with write():
            campaign = db.session.get_one(Campaign, campaign_id)
            campaign.scheduled_at = real_clock.now() + timedelta(seconds=1)
        wait_for(lambda: all_completed([campaign_id]))
    campaign = db.session.get_one(Campaign, campaign_id)
    assert campaign.scheduled_at is not None
    assert campaign.sent_started_at is not None
    assert campaign.sent_started_at >= campaign.scheduled_at


def test_stopped_by_the_system_it_gives_its_campaigns_back(
    app: APIFlask, settings: Settings, campaigns
):
    """SIGTERM ends after the batches on the wire; the next process need not wait for a lease."""
    with schedulers(settings, 1) as (process,):
        wait_for(is_begun)
        process.send_signal(signal.SIGTERM)
        expect_end(process, log_of(settings, 0))
    with schedulers(settings, 1):
        wait_for(lambda: all_completed(campaigns))
    organisation_id = db.session.scalar(sa.select(Campaign.organisation_id))
    assert organisation_id is not None
    sent = read_outbox(settings.outbox_path, organisation_id, limit=1000)
    assert len(sent) == len({message.address for message in sent}) == 180


def in_two_days(count: int) -> int:
    """A campaign to so many people, scheduled for almost two days from now."""
    organisation = make_organisation()
    event = make_event(organisation, "show")
    attend(event, make_people(organisation, count))
    time_of_sending = real_clock.now() + timedelta(days=2, seconds=-30)
    draft = CampaignDraft(
        name="On Sunday",
        channel=Channel.SMS,
        message="Hello",
        criteria=Criteria(events=("show",)),
        local_time=time_of_sending.strftime("%Y-%m-%dT%H:%M:%S"),
        timezone="UTC",
    )
    actor = make_actor(organisation)
    campaign_id = create_campaign(actor, draft)
    schedule_campaign(actor, campaign_id)
    return campaign_id


@needs_faketime
def test_a_scheduler_looks_also_on_a_clock_that_was_moved(app: APIFlask, settings: Settings):
    campaign_id = in_two_days(3)
    with schedulers(settings, 1, **moved_by(timedelta(days=2))):
        wait_for(lambda: all_completed([campaign_id]))
    organisation_id = db.session.scalar(sa.select(Campaign.organisation_id))
    assert organisation_id is not None
    assert len(read_outbox(settings.outbox_path, organisation_id, limit=10)) == 3


@needs_faketime
def test_a_command_ends_also_on_a_clock_that_was_moved(app: APIFlask, settings: Settings):
    campaign_id = in_two_days(3)
    db.session.rollback()
    subprocess.run(
        [sys.executable, "-m", "flask", "campaign", "send-due"],
        cwd=ROOT,
        env=environment_of(settings) | moved_by(timedelta(days=2)),
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=HANGS,
    )
    assert all_completed([campaign_id])
