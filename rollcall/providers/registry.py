"""Which providers there are, and which carries which channel in this installation.

A new provider is one line here.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from rollcall.providers import simulator
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.http import provider as http
from rollcall.providers.kannel import provider as kannel
from rollcall.providers.settings import ProviderSettings, read_settings
from rollcall.providers.smpp import provider as smpp
from rollcall.providers.smtp import provider as smtp
from rollcall.providers.twilio import provider as twilio

# The first for a channel is the one that carries it unless the settings say otherwise.
_DECLARED = (
    simulator.DECLARATION,
    twilio.DECLARATION,
    kannel.DECLARATION,
    smpp.DECLARATION,
    http.DECLARATION,
    smtp.DECLARATION,
)
DECLARATIONS: Mapping[str, Declaration] = {one.name: one for one in _DECLARED}


class Chosen(Protocol):
    """What of the settings says who carries what."""

    @property
    def sms_provider(self) -> str:
        """Who carries text messages."""
        ...

    @property
    def email_provider(self) -> str:
        """Who carries e-mails."""
        ...

    @property
    def providers(self) -> ProviderSettings:
        """The settings of all of them."""
        ...

    @property
    def instance_path(self) -> Path:
        """The folder of this installation."""
        ...


def names_for(channel: str) -> tuple[str, ...]:
    """Return the providers that can carry the channel, first the one that does unless told."""
    return tuple(one.name for one in _DECLARED if channel in one.channels)


def read_provider_settings(environ: Mapping[str, str]) -> ProviderSettings:
    """Return the settings of all providers; raises WrongSetting for one that can't be used."""
    return ProviderSettings(tuple(read_settings(one.settings, environ) for one in _DECLARED))


def provider_for(chosen: Chosen, channel: str) -> Provider:
    """Return the provider that the settings name for the channel, one a process."""
    return find_provider(chosen, _choices(chosen)[channel])


def find_provider(chosen: Chosen, name: str) -> Provider:
    """Return the provider of that name, whether or not a channel uses it; KeyError for no such."""
    values = chosen.providers.of(DECLARATIONS[name].settings)
    return _make(name, values, chosen.instance_path)


def is_real(chosen: Chosen, channel: str) -> bool:
    """Return whether what the channel's provider carries reaches people."""
    return DECLARATIONS[_choices(chosen)[channel]].real


def channels_of(chosen: Chosen, name: str) -> list[str]:
    """Return the channels that this installation sends through the provider."""
    return [channel for channel, provider in _choices(chosen).items() if provider == name]


def providers_in_use(chosen: Chosen) -> list[Provider]:
    """Return each provider that carries a channel here, once."""
    return [find_provider(chosen, name) for name in dict.fromkeys(_choices(chosen).values())]


def _choices(chosen: Chosen) -> dict[str, str]:
    return {"sms": chosen.sms_provider, "email": chosen.email_provider}


@lru_cache(maxsize=32)
def _make(name: str, values: Any, folder: Path) -> Provider:
    return DECLARATIONS[name].make(values, folder)
