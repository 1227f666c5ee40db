"""Runs the tests on another day, so that none of them can depend on today.

    python -m tests.moved_clock [--days NAME ...] [-- what pytest is to be told]

Debian's libfaketime moves the clock of pytest and of every process that it starts, the database
server and the gateways among them; it ticks on from there, and what only measures time goes on as
before. Each day comes with a time zone of the process, since that must not matter either.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = Path(__file__).parent / "moved"
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

# The moment at which the tests begin, in UTC, and the zone of the process.
DAYS = {
    # An hour before the clocks of Toronto and New York go forward.
    "spring-forward": (datetime(2027, 3, 14, 6, tzinfo=UTC), "America/Toronto"),
    # In the hour that Toronto has twice.
    "fall-back": (datetime(2027, 11, 7, 5, 30, tzinfo=UTC), "America/St_Johns"),
    # A day that most years lack; in Auckland it is March already.
    "leap-day": (datetime(2028, 2, 29, 12, tzinfo=UTC), "Pacific/Auckland"),
    # The year ends while the tests run.
    "new-year": (datetime(2026, 12, 31, 23, 50, tzinfo=UTC), "UTC"),
    # Everything that the tests call a date has long passed; a Saturday night in Kathmandu.
    "in-five-years": (datetime(2031, 11, 29, 18, tzinfo=UTC), "Asia/Kathmandu"),
}


def moved_by(more: timedelta) -> dict[str, str]:
    """The environment of a process whose clock is so much later than this process' own."""
    offset = _offset_of(os.environ) + more.total_seconds()
    return {"LD_PRELOAD": str(LIBRARY), "FAKETIME": f"{offset:+.0f}"}


def _offset_of(environment: Mapping[str, str]) -> float:
    return float(environment.get("FAKETIME") or 0)


def environment_on(day: str) -> dict[str, str]:
    """The environment of tests that begin on this day."""
    begin, zone = DAYS[day]
    offset = begin.timestamp() - time.time()
    return {
        **os.environ,
        "ROLLCALL_TEST_DAY": day,
        "TZ": zone,
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME": f"{offset:+.0f}",
        # What is waited for, and how long something took, has nothing to do with the date.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": os.pathsep.join([str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", nargs="+", choices=list(DAYS), default=list(DAYS))
    parser.add_argument("pytest", nargs="*", help="what pytest is told")
    chosen = parser.parse_args()
    if LIBRARY is None:
        parser.error("libfaketime is not installed: apt-get install libfaketime")
    failed = []
    for day in chosen.days:
        begin, zone = DAYS[day]
        sys.stdout.write(f"=== {day}: {begin:%a %d %b %Y %H:%M} UTC, TZ={zone}\n")
        sys.stdout.flush()
        command = [sys.executable, "-m", "pytest", "-q", *chosen.pytest]
        if subprocess.run(command, cwd=ROOT, env=environment_on(day)).returncode:
            failed.append(day)
    sys.stdout.write(f"Failed: {', '.join(failed)}\n" if failed else "Every day is like today.\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
