"""Settings under which a provider carries a channel, as the environment would give them."""

from dataclasses import replace
from typing import Any

from rollcall.config import Settings
from rollcall.providers.registry import DECLARATIONS

CHOICES = {"sms": "sms_provider", "email": "email_provider"}


def carried_by(settings: Settings, *gateways: Any, **changes: Any) -> Settings:
    """The settings with these of providers, each of which carries its channel from now on."""
    for gateway in gateways:
        [declared] = [one for one in DECLARATIONS.values() if one.settings is type(gateway)]
        [channel] = declared.channels
        changes[CHOICES[channel]] = declared.name
    return replace(settings, providers=settings.providers.changed(*gateways), **changes)
