"""How many hours before its time a campaign is rehearsed, as the organisation has it set (C16)."""

from typing import Any, Protocol

from rollcall.errors import InvalidInput

DEFAULT_HOURS = (24, 1)
MOST_REHEARSALS = 5
LONGEST_HOURS = 336  # two weeks
OFF = "off"


class HasRehearsalHours(Protocol):
    """An organisation, or a row that has its column; None is the default, [] never."""

    rehearsal_hours: Any


def rehearsal_hours(organisation: HasRehearsalHours) -> tuple[int, ...]:
    """Return how many hours before its time a campaign is rehearsed, the earliest first."""
    stored = organisation.rehearsal_hours
    return DEFAULT_HOURS if stored is None else tuple(stored)


def format_rehearsals(organisation: HasRehearsalHours) -> str:
    """Return the hours as they are typed: "24,1", or "off"."""
    return ",".join(str(hours) for hours in rehearsal_hours(organisation)) or OFF


def read_rehearsals(text: str) -> dict[str, Any]:
    """Return the column to set for hours as typed; raises InvalidInput naming `rehearsals`."""
    if text.strip().lower() == OFF:
        return {"rehearsal_hours": []}
    words = [word.strip() for word in text.split(",")]
    usable = all(word.isascii() and word.isdecimal() and len(word) < 5 for word in words)
    hours = sorted({int(word) for word in words}, reverse=True) if usable else []
    if not 1 <= len(hours) <= MOST_REHEARSALS or not 1 <= hours[-1] <= hours[0] <= LONGEST_HOURS:
        raise InvalidInput(
            {
                "rehearsals": f"Write up to {MOST_REHEARSALS} whole hours from 1 to "
                f"{LONGEST_HOURS}, as 24,1, or {OFF}."
            }
        )
    return {"rehearsal_hours": hours}
