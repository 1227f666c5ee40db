"""Mends time.sleep under libfaketime, which takes the end of the sleep for a moment of its own.

Python sleeps until a moment of the monotonic clock, which is not moved (`tests.moved_clock`);
libfaketime moves that moment all the same, and the kernel refuses what comes of it. A select
waits for a time. Python imports this module by itself where its folder is on PYTHONPATH.
"""

import select
import time


def sleep(seconds: float) -> None:
    """Sleep for so many seconds."""
    select.select((), (), (), seconds)


time.sleep = sleep
