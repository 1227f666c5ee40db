"""Waiting until something has happened, however slow the machine is.

Tests wait for conditions and never for a time. The one limit is a guard against what hangs: it
is so far away that no load of the machine reaches it, and nothing is said of speed.
"""

import time
from collections.abc import Callable
from typing import Any

HANGS = 600.0  # seconds after which something that was waited for is taken to hang
BETWEEN_LOOKS = 0.02
# What a provider is given to answer where it is told never to: long enough for a loaded machine to
# come as far as that, and each test waits for its whole length.
NEVER_ANSWERED = 1.5


def wait_for(condition: Callable[[], Any], said: Callable[[], Any] = lambda: "") -> Any:
    """Return the first true answer of the condition; AssertionError where it hangs.

    `said` is asked for what else to tell of it then.
    """
    deadline = time.monotonic() + HANGS
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"it hangs: {answer!r} {said()}"
        time.sleep(BETWEEN_LOOKS)
