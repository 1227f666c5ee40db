"""What happens to our own processes, line by line as "Failures" has it."""

import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall import clock as real_clock
from rollcall.actors import scheduler_actor
from rollcall.campaigns.scheduling import cancel_campaign, pause_campaign, resume_campaign
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import Alert, Attempt, Campaign, Channel, Reason, Recipient, RecipientState
from tests.campaigns.stage import SUNDAY_UTC, Stage
from tests.chaos.gateways import Wire, kannel_double
from tests.chaos.senders import Senders
from tests.chaos.storm import make_campaign, storm_settings
from tests.sending.live import attempts_of, state_of
from tests.waiting import wait_for

# An answer is waited for a third of it, and a gateway on a loaded machine needs its time: one that
# is thought to be silent has its campaigns paused.
LEASE = 9.0


@pytest.fixture
def wire(app: APIFlask, settings: Settings, tmp_path: Path):
    """A gateway process that logs every request, and settings under which leases end soon."""
    fast = storm_settings(tmp_path, settings.database_url, rate=1_000.0, lease=LEASE)
    with kannel_double(fast, tmp_path) as wire:
        yield wire


def with_rate(wire: Wire, rate: float) -> Settings:
    return replace(wire.settings, send_rate=rate)


def is_completed(campaign_id: int) -> Callable[[], bool]:
    return lambda: state_of(campaign_id) == "completed"


def people_of(campaign_id: int) -> list[int]:
    found = sa.select(Recipient.person_id).where(Recipient.campaign_id == campaign_id)
    return list(db.session.scalars(found.order_by(Recipient.person_id)))


def count_states(campaign_id: int) -> dict[str, int]:
    db.session.rollback()
    rows = db.session.execute(
        sa.select(Recipient.state, sa.func.count())
        .where(Recipient.campaign_id == campaign_id)
        .group_by(Recipient.state)
    )
    return {state.key: people for state, people in rows}


def test_fifty_due_campaigns_and_eight_processes_are_fifty_runs(wire: Wire):
    campaigns = [make_campaign(4, Channel.SMS, f"show-{number}") for number in range(50)]
    with Senders(replace(wire.settings, lease_seconds=60.0), 8) as senders:
        wait_for(lambda: all(state_of(one) == "completed" for one in campaigns))
    addresses = wire.addresses()
    assert len(addresses) == len(set(addresses)) == 200
    runs = db.session.scalars(sa.select(Campaign.fence).where(Campaign.id.in_(campaigns))).all()
    # On a machine that is so slow that a database or a gateway is waited for in vain a run is
    # given up, which it tells, and then the campaign has another one.
    failed = sa.select(sa.func.count()).where(Attempt.error_code != "")
    given_up = senders.log.read_text("utf-8").count("campaign interrupted")
    given_up += db.session.scalar(failed) or 0
    assert 50 <= sum(runs) <= 50 + given_up


def test_a_recipient_that_crashes_the_worker_three_times_is_set_aside(wire: Wire):
    campaign_id = make_campaign(12, Channel.SMS)
    poison = people_of(campaign_id)[5]
    deaths = 0
    with Senders(wire.settings, 1, crashes_at=poison) as senders:
        while state_of(campaign_id) != "completed":
            assert deaths <= 3, "it dies again and again"
            wait_for(lambda: not senders_live(senders) or state_of(campaign_id) == "completed")
            if not senders_live(senders):
                deaths += 1
                end_lease(campaign_id)
                senders.fill()
    assert deaths == 3
    recipient = db.session.get_one(Recipient, (campaign_id, poison))
    assert (recipient.state, recipient.held_reason) == (RecipientState.HELD_BACK, Reason.SET_ASIDE)
    assert count_states(campaign_id) == {"sent": 11, "held_back": 1}
    assert len(wire.addresses()) == len(set(wire.addresses())) == 11


def end_lease(campaign_id: int) -> None:
    """Let the lease of a dead process be over, as it would be after some seconds more."""
    with write():
        db.session.execute(
            sa.update(Campaign)
            .where(Campaign.id == campaign_id, Campaign.lease_until.is_not(None))
            .values(lease_until=real_clock.now())
        )


def senders_live(senders: Senders) -> bool:
    from tests.chaos.senders import is_alive

    return any(is_alive(pid) for pid in senders.pids)


def test_asleep_beyond_its_lease_a_process_sends_nothing_that_another_took_over(wire: Wire):
    """Stopped by the system and woken up again, as a laptop's lid or a frozen machine does it."""
    campaign_id = make_campaign(120, Channel.SMS)
    with Senders(with_rate(wire, 30.0), 2) as senders:
        pid, fence = stop_its_owner(campaign_id, senders)
        wait_for(lambda: claim_of(campaign_id)[1] > fence)
        sent = len(wire.addresses())
        wait_for(lambda: state_of(campaign_id) == "completed" or len(wire.addresses()) > sent)
        os.kill(pid, signal.SIGCONT)
        wait_for(is_completed(campaign_id))
        # What it still had to say is said before it is ended.
        wait_for(lambda: "wiring" not in count_states(campaign_id))
    addresses = wire.addresses()
    assert len(addresses) == len(set(addresses))
    states = count_states(campaign_id)
    assert sum(states.values()) == 120
    # One that was slow for longer than the lease is taken over too, and puts in doubt as many.
    takeovers = claim_of(campaign_id)[1] - 1
    assert states.get("in_doubt", 0) <= wire.settings.send_concurrency * takeovers


def claim_of(campaign_id: int) -> tuple[int | None, int]:
    """The number of the process that owns the campaign, if one does, and the fence."""
    db.session.rollback()
    query = sa.select(Campaign.owner, Campaign.fence).where(Campaign.id == campaign_id)
    owner, fence = db.session.execute(query).one()
    db.session.rollback()
    return (None if owner is None else int(owner.split(":")[-2])), fence


def stop_its_owner(campaign_id: int, senders: Senders) -> tuple[int, int]:
    """Stop the process that sends the campaign, in the middle of it and with no lock held.

    Returns its number, and the fence of what it took over.
    """
    while True:
        wait_for(lambda: "sent" in count_states(campaign_id) and claim_of(campaign_id)[0])
        pid, fence = claim_of(campaign_id)
        if pid is None:
            continue
        assert pid in senders.pids
        os.kill(pid, signal.SIGSTOP)
        # What waits for a lock would wait for its waking up; and another may own it by now.
        if nothing_is_locked() and claim_of(campaign_id) == (pid, fence):
            return pid, fence
        os.kill(pid, signal.SIGCONT)
        assert state_of(campaign_id) != "completed", "it was over before anybody was stopped"


def nothing_is_locked() -> bool:
    if db.engine.dialect.name == "sqlite":
        attempt, wait = "BEGIN IMMEDIATE", "PRAGMA busy_timeout = 300"
    else:
        attempt, wait = (
            "SELECT 1 FROM campaign, provider_state FOR UPDATE",
            "SET lock_timeout = 300",
        )
    engine = sa.create_engine(db.engine.url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(wait)
            connection.exec_driver_sql(attempt)
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("ROLLBACK")
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True


def test_cancel_during_a_send_lets_no_more_go_than_are_on_the_wire(wire: Wire):
    campaign_id = make_campaign(300, Channel.SMS)
    actor = actor_of(campaign_id)
    with Senders(with_rate(wire, 30.0), 2):
        wait_for(lambda: len(wire.addresses()) > 20)
        cancel_campaign(actor, campaign_id)
        at_cancel = len(wire.addresses())
        wait_for(lambda: not {"queued", "claimed", "wiring"} & set(count_states(campaign_id)))
    assert len(wire.addresses()) - at_cancel <= wire.settings.send_concurrency
    states = count_states(campaign_id)
    assert states["cancelled"] + len(wire.addresses()) == 300
    assert states["sent"] == len(wire.addresses()) == len(set(wire.addresses()))


def test_paused_restarted_and_resumed_five_times_nobody_is_repeated_or_skipped(wire: Wire):
    campaign_id = make_campaign(240, Channel.SMS)
    actor = actor_of(campaign_id)
    chance = random.Random(5)
    with Senders(with_rate(wire, 40.0), 2) as senders:
        for round_ in range(1, 6):
            wait_for(lambda round_=round_: len(wire.addresses()) >= 20 * round_)
            pause_campaign(actor, campaign_id)
            wait_for(lambda: "wiring" not in count_states(campaign_id))
            senders.kill_one(chance)
            senders.kill_one(chance)
            end_lease(campaign_id)
            resume_campaign(actor, campaign_id)
        wait_for(is_completed(campaign_id))
    addresses = wire.addresses()
    assert len(addresses) == len(set(addresses)) == 240
    assert count_states(campaign_id) == {"sent": 240}


def actor_of(campaign_id: int):
    organisation_id = db.session.get_one(Campaign, campaign_id).organisation_id
    db.session.rollback()
    return scheduler_actor(organisation_id)


def test_due_while_the_app_was_down_it_runs_when_it_is_back_within_the_limit(stage: Stage):
    people = stage.people(3)
    campaign_id = stage.for_sunday(reprocess=False)
    stage.run_due(SUNDAY_UTC + timedelta(hours=23))
    assert stage.reached(campaign_id) == people


def test_due_while_the_app_was_down_past_the_limit_it_asks_with_one_alert(stage: Stage):
    stage.people(3)
    campaign_id = stage.for_sunday(reprocess=False)
    for minutes in range(3):
        stage.run_due(SUNDAY_UTC + timedelta(hours=24, minutes=1 + minutes))
    assert stage.document(campaign_id)["status"] == "needs_review"
    assert stage.outbox() == []
    alerts = db.session.scalars(sa.select(Alert)).all()
    assert [(alert.kind, alert.campaign_id) for alert in alerts] == [("missed", campaign_id)]
    assert "24 hours" in alerts[0].text


def test_a_waiting_recipient_is_tried_again_and_given_up_after_the_fifth_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    """A mailbox that is full for an hour and more: refused for now, each time."""
    from rollcall.providers.base import Outcome, ProviderError
    from rollcall.providers.simulator import Simulator
    from rollcall.sending import runner

    full = ProviderError("4.2.2", "The mailbox is full.", permanent=False)

    class Refusing(Simulator):
        def send(self, messages):
            return [
                Outcome(message.token, error=full)
                if message.person_id == people[0]
                else super(Refusing, self).send([message])[0]
                for message in messages
            ]

    people = stage.people(3)
    provider = Refusing(stage.settings.outbox_path)
    monkeypatch.setattr(runner, "provider_for", lambda settings, channel: provider)
    campaign_id = stage.at_once()
    stage.run_due()
    waits = []
    while state_of(campaign_id) == "sending":
        recipient = stage.recipients(campaign_id)[0]
        assert recipient.not_before is not None
        assert recipient.held_reason is Reason.PROVIDER_BUSY
        waits.append((recipient.not_before - real_clock.now()).total_seconds())
        assert stage.run_due() == []
        stage.run_due(recipient.not_before)
    assert [attempt.error_code for attempt in attempts_of(campaign_id, people[0])] == ["4.2.2"] * 5
    assert len(waits) == 4
    assert all(later > 2 * earlier for earlier, later in pairwise(waits))
    results = stage.document(campaign_id)["results"]
    assert (results["sent"], results["failed"]) == (2, 1)
    assert stage.campaign(campaign_id).state == "completed"
