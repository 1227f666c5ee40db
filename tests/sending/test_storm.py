"""Four app processes, one killed with -9 every 200 ms, against real gateways (the short form).

`make chaos` runs the long one.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from rollcall.config import Settings
from tests.chaos.gateways import WIRES
from tests.chaos.storm import run_storm, storm_settings
from tests.providers.gateways import kannel_programs
from tests.providers.needed import need_programs

PEOPLE = 100
KILLS = 8


@pytest.mark.parametrize("gateway", WIRES)
def test_killed_every_200_ms_nobody_is_messaged_twice_and_nobody_forgotten(
    settings: Settings, tmp_path: Path, gateway: str
):
    if gateway == "kannel (Debian's)":
        need_programs(kannel_programs(), "kannel kannel-extras")
    fast = storm_settings(tmp_path, settings.database_url, rate=60.0, lease=3.0)
    with WIRES[gateway](replace(fast), tmp_path) as wire:
        outcome = run_storm(wire, PEOPLE, KILLS)
    assert outcome.problems(timed=False) == []
    assert outcome.kills
