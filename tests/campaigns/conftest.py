"""Campaigns to schedule and send, on a real database, with time that stands still."""

from collections.abc import Iterator

import pytest
import time_machine
from apiflask import APIFlask

from rollcall import clock as real_clock
from tests.campaigns.stage import FRIDAY, Stage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    """A clock that stands at Friday noon until the test moves it, or the program sleeps."""
    with time_machine.travel(FRIDAY, tick=False) as traveller:
        monkeypatch.setattr(real_clock, "sleep", traveller.shift)
        yield traveller


@pytest.fixture
def stage(app: APIFlask, clock: time_machine.Traveller) -> Stage:
    """An organisation with the event "show", on Friday noon."""
    return Stage(app, clock)
