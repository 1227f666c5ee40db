"""Which provider carries which channel in this installation."""

from functools import lru_cache

from rollcall.config import Settings
from rollcall.providers.base import Provider
from rollcall.providers.simulator import Simulator


@lru_cache(maxsize=8)
def provider_for(settings: Settings, channel: str) -> Provider:
    """Return the provider that the settings name for the channel, one a process."""
    return Simulator(settings.outbox_path, settings.simulator_refuses)
