"""Which provider carries which channel in this installation."""

from collections.abc import Callable
from functools import lru_cache

from rollcall.config import Settings
from rollcall.providers.base import Provider
from rollcall.providers.kannel import Kannel
from rollcall.providers.simulator import Simulator
from rollcall.providers.smpp import SmppProvider
from rollcall.providers.smtp import SmtpProvider
from rollcall.providers.twilio import Twilio

# Making one never fails: what is missing in its settings is what each send and `check` says.
FACTORIES: dict[str, Callable[[Settings], Provider]] = {
    "simulator": lambda settings: Simulator(settings.outbox_path, settings.simulator_refuses),
    "kannel": lambda settings: Kannel(settings.kannel),
    "twilio": lambda settings: Twilio(settings.twilio),
    "smtp": lambda settings: SmtpProvider(settings.smtp),
    "smpp": lambda settings: SmppProvider(settings.smpp),
}


def provider_for(settings: Settings, channel: str) -> Provider:
    """Return the provider that the settings name for the channel, one a process."""
    name = settings.sms_provider if channel == "sms" else settings.email_provider
    return find_provider(settings, name)


@lru_cache(maxsize=32)
def find_provider(settings: Settings, name: str) -> Provider:
    """Return the provider of that name, whether or not a channel uses it; KeyError for no such."""
    return FACTORIES[name](settings)


def channels_of(settings: Settings, name: str) -> list[str]:
    """Return the channels that this installation sends through the provider."""
    chosen = {"sms": settings.sms_provider, "email": settings.email_provider}
    return [channel for channel, provider in chosen.items() if provider == name]
