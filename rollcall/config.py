"""Typed settings from the environment (or a `.env` file); a wrong value stops the start."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rollcall.providers.registry import is_real, names_for, read_provider_settings
from rollcall.providers.settings import ProviderSettings, WrongSetting
from rollcall.providers.simulator import outbox_of

_CHECKOUT = Path(__file__).resolve().parents[1]
# How long a browser stays logged in that is not looked at.
SESSION_LASTS = timedelta(days=14)


class ConfigError(Exception):
    """A setting is missing or unusable; the message names it and says how to mend it."""


@dataclass(frozen=True)
class Settings:
    """Everything that the environment decides, read once at the start."""

    instance_path: Path
    database_url: str
    secret_key: str | None
    demo: bool
    scheduler: bool
    scheduler_seconds: float
    sms_provider: str
    email_provider: str
    providers: ProviderSettings
    send_rate: float | None
    send_batch: int
    send_concurrency: int
    lease_seconds: float
    lateness_hours: float
    public_url: str

    @property
    def outbox_path(self) -> Path:
        """Where the simulator keeps what it was given."""
        return outbox_of(self.instance_path)

    def reaches_people(self, channel: str) -> bool:
        """Return whether what is sent over the channel reaches people, and is not only kept."""
        return is_real(self, channel)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; raises ConfigError naming the first one that can't be used."""
        values = os.environ if environ is None else environ
        instance = Path(values.get("ROLLCALL_INSTANCE") or _CHECKOUT / "instance").resolve()
        return cls(
            instance_path=instance,
            database_url=_database_url(values.get("DATABASE_URL"), instance),
            secret_key=values.get("SECRET_KEY") or None,
            demo=_switch(values, "ROLLCALL_DEMO", "off"),
            scheduler=_switch(values, "ROLLCALL_SCHEDULER", "off"),
            scheduler_seconds=_positive(values, "ROLLCALL_SCHEDULER_SECONDS", 1.0),
            sms_provider=_choice(values, "ROLLCALL_SMS_PROVIDER", names_for("sms")),
            email_provider=_choice(values, "ROLLCALL_EMAIL_PROVIDER", names_for("email")),
            providers=_provider_settings(values),
            send_rate=_positive(values, "ROLLCALL_SEND_RATE", 0) or None,
            send_batch=int(_positive(values, "ROLLCALL_SEND_BATCH", 100)),
            send_concurrency=int(_positive(values, "ROLLCALL_SEND_CONCURRENCY", 16)),
            lease_seconds=_positive(values, "ROLLCALL_LEASE_SECONDS", 60.0),
            lateness_hours=_positive(values, "ROLLCALL_LATENESS_HOURS", 24.0),
            public_url=(values.get("PUBLIC_URL") or "http://127.0.0.1:5000").rstrip("/"),
        )


def flask_config(settings: Settings) -> dict[str, Any]:
    """Return what Flask and its extensions need to be told."""
    return {
        # A single command signs nothing that outlives it, so any key will do there.
        "SECRET_KEY": settings.secret_key or ("demo" if settings.demo else secrets.token_hex()),
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        # Enough for every web thread and every campaign that is sent at the same time.
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_size": 16,
            "max_overflow": 32,
            "pool_pre_ping": True,
            "hide_parameters": True,
        },
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.public_url.startswith("https://"),
        "PERMANENT_SESSION_LIFETIME": SESSION_LASTS,
        "MAX_CONTENT_LENGTH": 64 * 1024 * 1024,
        "MAX_FORM_MEMORY_SIZE": 8 * 1024 * 1024,
        "RATELIMIT_STORAGE_URI": "memory://",
        "WTF_CSRF_TIME_LIMIT": None,
        "LOGIN_LIMIT": "10 per minute",
        "RESET_LIMIT": "5 per hour",
        "OPENAPI_VERSION": "3.1.0",
    }


def _provider_settings(values: Mapping[str, str]) -> ProviderSettings:
    # What is missing for the chosen provider is told by the provider itself.
    try:
        return read_provider_settings(values)
    except WrongSetting as error:
        raise ConfigError(str(error)) from error


def _database_url(url: str | None, instance: Path) -> str:
    if not url:
        return f"sqlite:///{instance / 'rollcall.sqlite'}"
    if url.startswith("postgres://"):
        url = "postgresql://" + url.removeprefix("postgres://")
    if url.startswith("postgresql://"):
        return "postgresql+psycopg://" + url.removeprefix("postgresql://")
    if url.startswith(("sqlite:///", "postgresql+psycopg://")):
        return url
    raise ConfigError(
        "DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://, "
        f"but begins with {url.split(':')[0]!r}"
    )


def _switch(values: Mapping[str, str], name: str, default: str) -> bool:
    text = (values.get(name) or default).strip().lower()
    if text in ("on", "1", "true", "yes"):
        return True
    if text in ("off", "0", "false", "no"):
        return False
    raise ConfigError(f"{name} must be on or off, not {text!r}")


def _choice(values: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = (values.get(name) or choices[0]).strip().lower()
    if text not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {text!r}")
    return text


def _positive(values: Mapping[str, str], name: str, default: float) -> float:
    text = (values.get(name) or "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1_000_000:
        raise ConfigError(f"{name} must be a number above 0, not {text!r}")
    return number
