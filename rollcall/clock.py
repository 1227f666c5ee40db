"""The only clock: every moment inside Rollcall is an aware datetime in UTC."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def sleep(seconds: float) -> None:
    """Let so much time pass. A plain sleep, which ends also where the machine's clock was moved."""
    time.sleep(seconds)
