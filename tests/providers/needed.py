"""Leaves out what needs a program that is not installed, and prints the reason."""

import os

import pytest


def need_programs(missing: list[str], packages: str) -> None:
    """Skip the test where programs are missing; fail it where they have to be there."""
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)} (apt-get install {packages})"
    if os.environ.get("ROLLCALL_TEST_GATEWAYS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
