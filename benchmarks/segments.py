"""Snapshots of segments and their comparison beside the bare SQL, on both databases.

    python -m benchmarks.segments [--people 10000 100000] [--databases sqlite postgresql]

Each database and size runs in a process of its own, so that its peak memory is its own. The
floor of a snapshot is an INSERT ... SELECT of ids that are ready; that of a comparison counts
both differences of two sets that are ready, by EXCEPT, without any cause.
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

from app import create_app
from benchmarks import dataset
from rollcall import clock
from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria, ScoreRange
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import Attendance, PersonFacts, Role, SegmentMember, SegmentSnapshot
from rollcall.segments.changed_people import export_moved, list_moved
from rollcall.segments.comparison import SegmentComparison, compare_segment
from rollcall.segments.difference import Movement
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.chaos.storm import fresh_database

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5
EVERYBODY = Criteria(recency=ScoreRange(1, 5))
AT_TEN = Criteria(events=tuple(f"event-{number}" for number in range(10)))
NARROWER = Criteria(events=AT_TEN.events[:8], frequency=ScoreRange(2, 5))


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
    target = RESULTS / "segments.json"
    target.write_text(json.dumps({"measured_at": clock.now().isoformat(), "rows": rows}, indent=2))
    print(table(rows))  # noqa: T201
    print(f"\nWritten to {target}")  # noqa: T201


def run_alone(database: str, people: int) -> dict[str, Any]:
    """Measure in a process of its own on a fresh database."""
    with (
        tempfile.TemporaryDirectory(prefix="rollcall-bench-") as folder,
        fresh_database(database, Path(folder)) as url,
    ):
        output = subprocess.run(
            [sys.executable, "-m", "benchmarks.segments", "--one", url, str(people)],
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
        actor = Actor(dataset.load(people), None, Role.SUPER, "cli")
        loaded = _peak_mib()
        create_segment(actor, SegmentDraft("Everybody", EVERYBODY))
        create_segment(actor, SegmentDraft("At ten", AT_TEN))
        found: dict[str, Any] = {
            "snapshots": [_snapshot(actor, slug) for slug in ("everybody", "at-ten")]
        }
        _change_people(people)
        edit_segment(actor, "everybody", SegmentDraft("Everybody", NARROWER))
        ensure_segment_snapshot(actor, "everybody")
        ensure_segment_snapshot(actor, "at-ten", force=True)
        found["comparisons"] = [
            _compare(actor, "people changed", "at-ten", *_snapshots_of("at-ten")),
            _compare(actor, "definition changed", "everybody", *_snapshots_of("everybody")),
            _compare(actor, "with now", "at-ten", _snapshots_of("at-ten")[0], None),
        ]
        found["went"] = _people(actor, "everybody", *_snapshots_of("everybody"))
        found |= {"peak_mib_after_loading": loaded, "peak_mib": _peak_mib()}
    shutil.rmtree(folder, ignore_errors=True)
    return found


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _median(action: Callable[[], Any], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        times.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(times), 1)


def _snapshot(actor: Actor, slug: str) -> dict[str, Any]:
    taken = ensure_segment_snapshot(actor, slug)
    people, source = taken.people, taken.id
    return {
        "segment": slug,
        "people": people,
        "median": _median(lambda: ensure_segment_snapshot(actor, slug, force=True)),
        "bare": _median(lambda: _bare_snapshot(source)),
    }


def _bare_snapshot(source: int) -> None:
    """The floor: members that are ready go into the same table, then they are thrown away."""
    with write():
        original = db.session.get_one(SegmentSnapshot, source)
        values = {
            column.key: getattr(original, column.key)
            for column in sa.inspect(SegmentSnapshot).columns
        }
        number = db.session.scalar(sa.select(sa.func.max(SegmentSnapshot.number))) or 0
        copy = SegmentSnapshot(**{**values, "id": None, "number": number + 1})
        db.session.add(copy)
        db.session.flush()
        db.session.execute(
            sa.insert(SegmentMember).from_select(
                ["snapshot_id", "person_id"],
                sa.select(sa.literal(copy.id), SegmentMember.person_id).where(
                    SegmentMember.snapshot_id == source
                ),
            )
        )


def _change_people(people: int) -> None:
    """A tenth of the attendances are cancelled, a tenth of all people come to the first event."""
    now = clock.now() + timedelta(seconds=1)
    with write():
        db.session.execute(
            sa.update(Attendance)
            .where(Attendance.id % 10 == 3)
            .values(cancelled=True, status="cancelled", cancelled_at=now)
        )
        there = sa.select(Attendance.person_id).where(Attendance.event_id == 1)
        columns = ["event_id", "person_id", "source", "cancelled", "status"]
        db.session.execute(
            sa.insert(Attendance).from_select(
                [*columns, "occurred_at", "recorded_at"],
                sa.select(
                    sa.literal(1),
                    PersonFacts.person_id,
                    sa.literal(1),
                    sa.false(),
                    sa.literal("attending"),
                    sa.literal(now),
                    sa.literal(now),
                ).where(PersonFacts.person_id % 10 == 7, PersonFacts.person_id.not_in(there)),
            )
        )
    time.sleep(1.1)  # so that the next snapshot is taken after what was just recorded


def _snapshots_of(slug: str) -> tuple[int, int]:
    """The segment's first snapshot and its last."""
    ids = db.session.scalars(
        sa.select(SegmentSnapshot.id)
        .where(SegmentSnapshot.segment.has(slug=slug))
        .order_by(SegmentSnapshot.id)
    ).all()
    return ids[0], ids[-1]


def _compare(actor: Actor, what: str, slug: str, first: int, last: int | None) -> dict[str, Any]:
    other = last or _snapshots_of(slug)[1]
    later = "now" if last is None else str(last)

    def compare() -> SegmentComparison:
        return compare_segment(actor.organisation_id, slug, str(first), later)

    found = compare()
    return {
        "what": what,
        "came": found.came,
        "went": found.went,
        "stayed": found.stayed,
        "causes": [count.cause.key for count in (*found.came_by_cause, *found.went_by_cause)],
        "median": _median(compare),
        "bare": _median(lambda: (_bare_except(first, other), _bare_except(other, first))),
    }


def _bare_except(one: int, other: int) -> int:
    sets = [
        sa.select(SegmentMember.person_id).where(SegmentMember.snapshot_id == snapshot_id)
        for snapshot_id in (one, other)
    ]
    rest = sa.except_(*sets).subquery()
    found = db.session.scalar(sa.select(sa.func.count()).select_from(rest)) or 0
    db.session.rollback()
    return found


def _people(actor: Actor, slug: str, first: int, last: int) -> dict[str, Any]:
    """The first page of those who went, and all of them as CSV."""
    found = compare_segment(actor.organisation_id, slug, str(first), str(last))
    sides = (found.earlier, found.later)
    return {
        "went": found.went,
        "page": _median(lambda: list_moved(*sides, Movement.WENT)),
        "csv": _median(lambda: sum(map(len, export_moved(*sides, Movement.WENT))), 1),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table for people; times in milliseconds."""
    what = "what".ljust(38)
    lines = [f"people     database   {what}     median   bare SQL   ratio"]
    for row in rows:
        head = f"{row['people']:>9,} {row['database']:<10}  "
        timed = [(f"snapshot of {one['people']:,} people", one) for one in row["snapshots"]] + [
            (f"{one['what']}: +{one['came']:,} -{one['went']:,} ={one['stayed']:,}", one)
            for one in row["comparisons"]
        ]
        lines += [
            f"{head}{what:<38}{one['median']:>10,.1f} {one['bare']:>10,.1f}  "
            f"{one['median'] / one['bare']:>6.1f}"
            for what, one in timed
        ]
        went = row["went"]
        lines += [
            f"{head}{'first page of ' + format(went['went'], ',') + ' who went':<38}"
            f"{went['page']:>10,.1f}",
            f"{head}{'all of them as CSV':<38}{went['csv']:>10,.1f}",
            f"{head}peak memory {row['peak_mib']} MiB "
            f"({row['peak_mib_after_loading']} after loading)",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
