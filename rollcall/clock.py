"""The only clock: every moment inside Rollcall is an aware datetime in UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)
