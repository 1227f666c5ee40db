"""Settings from the environment: read once, and a wrong one stops the start with its name."""

import pytest

from app import create_app
from rollcall.config import ConfigError, Settings


def test_the_defaults_are_those_of_the_contract():
    settings = Settings.from_environment({})
    assert settings.database_url.startswith("sqlite:///")
    assert settings.database_url.endswith("/instance/rollcall.sqlite")
    assert (settings.scheduler, settings.scheduler_seconds) == (False, 1)
    assert (settings.sms_provider, settings.email_provider) == ("simulator", "simulator")
    assert (settings.send_batch, settings.send_rate, settings.lateness_hours) == (100, None, 24)
    assert settings.public_url == "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    "url", ["postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"]
)
def test_each_way_to_write_postgresql_means_psycopg(url: str):
    assert Settings.from_environment({"DATABASE_URL": url}).database_url == (
        "postgresql+psycopg://u@h/d"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u@h/d"),
        ("ROLLCALL_SCHEDULER", "perhaps"),
        ("ROLLCALL_SCHEDULER_SECONDS", "soon"),
        ("ROLLCALL_SCHEDULER_SECONDS", "0"),
        ("ROLLCALL_SEND_BATCH", "-5"),
        ("ROLLCALL_SEND_RATE", "nan"),
        ("ROLLCALL_LATENESS_HOURS", "inf"),
        ("ROLLCALL_SMS_PROVIDER", "pigeon"),
        ("ROLLCALL_EMAIL_PROVIDER", "twilio"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str):
    with pytest.raises(ConfigError, match=name):
        Settings.from_environment({name: value})


def test_serving_without_a_secret_key_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        create_app(Settings.from_environment({"ROLLCALL_INSTANCE": str(tmp_path)}))


def test_the_demo_needs_none(tmp_path):
    environment = {"ROLLCALL_INSTANCE": str(tmp_path), "ROLLCALL_DEMO": "on"}
    assert create_app(Settings.from_environment(environment)).config["SECRET_KEY"]
