"""Sending with every intent durable, beside the bare provider loop and the bare state loop.

    python -m benchmarks.sending [--people 100 1000 10000 100000] [--databases sqlite postgresql]
                                 [--providers kannel smtp] [--concurrency 16]

Three loops over the same recipients in the same process, one after the other, several rounds:

- product: a due campaign from its claim to "completed", as the scheduler runs it;
- wire: the same messages by the same provider over as many connections, no database;
- state: the product again with a provider that answers at once, so that only the database works.

The gateway is a process of its own on loopback. Rates are recipients a second, the median of the
rounds; `share` is product / wire. Memory is the peak of the process, which does nothing else.
"""

import argparse
import gc
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app import create_app
from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import send_campaign_now
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import Campaign, Channel, Person, Role
from rollcall.providers.base import Outcome, OutgoingMessage
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.registry import provider_for
from rollcall.sending import runner
from rollcall.sending.due import run_due_campaigns
from rollcall.sending.wire import Wire as SendingWire
from tests.chaos.gateways import WIRES, Wire
from tests.chaos.storm import fresh_database
from tests.factories import attend, make_event, make_organisation, make_people

RESULTS = Path(__file__).parent / "results"
ROUNDS = {100: 5, 1_000: 5, 10_000: 3, 100_000: 1}


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--providers", nargs="+", default=["kannel", "smtp"])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[16])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(**json.loads(chosen.one))))  # noqa: T201
        return
    rows = []
    for database in chosen.databases:
        for provider in chosen.providers:
            for concurrency in chosen.concurrency:
                for people in chosen.people:
                    rows.append(_in_own_process(database, provider, concurrency, people))
                    print(_line(rows[-1]), flush=True)  # noqa: T201
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / "sending.json"
    target.write_text(json.dumps({"measured_at": time.time(), "rows": rows}, indent=2))
    print(f"\nWritten to {target}")  # noqa: T201


def _in_own_process(database: str, provider: str, concurrency: int, people: int) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="rollcall-bench-"))
    try:
        with fresh_database(database, folder) as url:
            asked = {
                "folder": str(folder),
                "url": url,
                "gateway": provider,
                "concurrency": concurrency,
                "people": people,
            }
            output = subprocess.run(
                [sys.executable, "-m", "benchmarks.sending", "--one", json.dumps(asked)],
                check=True,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            ).stdout
        return {"database": database, **asked, **json.loads(output.splitlines()[-1])}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder: str, url: str, gateway: str, concurrency: int, people: int) -> dict[str, Any]:
    """Return the rates of the three loops, in recipients a second, and the peak memory in MiB."""
    settings = Settings.from_environment(
        {
            "ROLLCALL_INSTANCE": folder,
            "DATABASE_URL": url,
            "SECRET_KEY": "bench",
            "ROLLCALL_SEND_CONCURRENCY": str(concurrency),
        }
    )
    with WIRES[gateway](settings, Path(folder)) as wire:
        app = create_app(wire.settings)
        with app.app_context():
            organisation = make_organisation(postal_address="1 Main Street")
            attend(make_event(organisation, "show"), make_people(organisation, people))
            actor = Actor(organisation.id, None, Role.SUPER, "cli")
            messages = _messages(organisation.id, wire.channel)
            gc.collect()
            rates: dict[str, list[float]] = {"product": [], "wire": [], "state": []}
            before = _peak_mib()
            for _ in range(ROUNDS.get(people, 1)):
                rates["product"].append(people / _product(actor, wire))
                rates["wire"].append(people / _wire(wire, messages))
                with _answering_at_once(wire):
                    rates["state"].append(people / _product(actor, wire))
    medians = {name: round(statistics.median(values)) for name, values in rates.items()}
    return {
        **medians,
        "share": round(medians["product"] / medians["wire"], 2),
        "peak_mib_before": before,
        "peak_mib": _peak_mib(),
    }


def _product(actor: Actor, wire: Wire) -> float:
    campaign_id = create_campaign(
        actor,
        CampaignDraft(
            name="Bench",
            channel=wire.channel,
            subject="Hello" if wire.channel == Channel.EMAIL else "",
            message="Hello %%FIRST_NAME%%",
            criteria=Criteria(events=("show",), window_hours=0),
        ),
    )
    send_campaign_now(actor, campaign_id)
    begun = time.perf_counter()
    run_due_campaigns(wire.settings)
    seconds = time.perf_counter() - begun
    state = db.session.scalar(sa.select(Campaign.state).where(Campaign.id == campaign_id))
    assert state == "completed", state
    db.session.remove()
    return seconds


def _wire(wire: Wire, messages: list[OutgoingMessage]) -> float:
    """Hand over all messages as the product does, with as many on the wire, and nothing stored."""
    provider = provider_for(wire.settings, wire.channel)
    concurrency = wire.settings.send_concurrency
    begun = time.perf_counter()
    with SendingWire(provider, concurrency, 10.0) as line:
        sent = done = 0
        while done < len(messages):
            room = concurrency - (sent - done)
            line.post(messages[sent : sent + room], time.time() + 60)
            sent += len(messages[sent : sent + room])
            done += len(line.collect(1, 0.0))
    return time.perf_counter() - begun


def _messages(organisation_id: int, channel: Channel) -> list[OutgoingMessage]:
    rows = db.session.execute(
        sa.select(Person.id, Person.phone, Person.email).where(
            Person.organisation_id == organisation_id
        )
    ).all()
    return [
        OutgoingMessage(
            token=row.id,
            organisation_id=organisation_id,
            campaign_id=1,
            person_id=row.id,
            channel=channel,
            address=(row.phone if channel == Channel.SMS else row.email) or "",
            subject="Hello",
            text="Hello First",
            reference=f"1-{row.id}-{row.id:016x}",
            sender_name="Bench",
            postal_address="1 Main Street",
            unsubscribe_url="http://127.0.0.1:5000/u/1",
        )
        for row in rows
    ]


class _AtOnce:
    """A provider that takes everything and does nothing."""

    def __init__(self, provider: Provider) -> None:
        self.name = provider.name
        self.together = provider.together
        self.declaration: Declaration = provider.declaration

    def connect(self, timeout: float) -> "_AtOnce":
        return self

    def send(self, messages: Sequence[OutgoingMessage]) -> list[Outcome]:
        return [Outcome(message.token, "1") for message in messages]

    def close(self) -> None:
        pass


@contextmanager
def _answering_at_once(wire: Wire) -> Iterator[None]:
    original: Callable[..., Provider] = runner.provider_for
    answering: Any = _AtOnce(provider_for(wire.settings, wire.channel))
    runner.provider_for = lambda settings, channel: answering
    try:
        yield
    finally:
        runner.provider_for = original


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['gateway']:>7} {row['database']:>10} {row['people']:>7,} people, "
        f"{row['concurrency']} at once: product {row['product']:,}/s, wire {row['wire']:,}/s, "
        f"state {row['state']:,}/s, share {row['share']:.0%}, "
        f"peak {row['peak_mib']} MiB ({row['peak_mib_before']} before)"
    )


if __name__ == "__main__":
    main()
