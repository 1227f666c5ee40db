"""App processes that start in an instant, so that they can be killed as fast.

    python -m tests.chaos.senders

reads settings and a log's name, makes the app without opening anything, and forks a process for
each line that it is given: the scheduler of the product, its threads and its connections are the
fork's own, and `kill -9` ends them as it ends any other process.
"""

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from app import create_app
from rollcall import scheduler
from rollcall.config import Settings

ROOT = Path(__file__).parents[2]


class Senders:
    """So many app processes at once; whichever is killed is replaced."""

    def __init__(self, settings: Settings, number: int, crashes_at: int = 0) -> None:
        self._settings = settings
        self._number = number
        self._crashes_at = crashes_at
        self.log = settings.instance_path / "senders.log"
        self.pids: list[int] = []
        self.started_at = 0.0

    def __enter__(self) -> "Senders":
        command = [sys.executable, "-m", "tests.chaos.senders"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._forking = subprocess.Popen(command, cwd=ROOT, **pipes)
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        pickle.dump((self._settings, str(self.log), self._crashes_at), self._forking.stdin)
        self._forking.stdin.flush()
        self.fill()
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.pids:
            self._kill(pid)
        self._forking.kill()
        self._forking.communicate()

    def fill(self) -> None:
        """Start processes until there are as many as there should be."""
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        self.pids = [pid for pid in self.pids if is_alive(pid, self._forking.pid)]
        while len(self.pids) < self._number:
            self._forking.stdin.write(b"fork\n")
            self._forking.stdin.flush()
            self.pids.append(int(self._forking.stdout.readline()))
            self.started_at = time.monotonic()

    def kill_one(self, chance: random.Random) -> None:
        """Kill one with -9, whatever it is doing, and start another in its place."""
        pid = chance.choice(self.pids)
        self.pids.remove(pid)
        self._kill(pid)
        self.fill()

    def kill_all(self) -> None:
        """Kill all of them at once, and start no other."""
        while self.pids:
            self._kill(self.pids.pop())

    def _kill(self, pid: int) -> None:
        if is_alive(pid, self._forking.pid):
            os.kill(pid, signal.SIGKILL)


def is_alive(pid: int, parent: int | None = None) -> bool:
    """Whether a process runs; one that has ended and is not taken note of yet does not.

    With a parent: and is a child of it. Numbers are given anew to the processes of others, which
    are not ours to kill.
    """
    try:
        state, its_parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z" and parent in (None, int(its_parent))


def main() -> None:
    """Fork an app process for each line on the standard input, and print its number."""
    settings, log, crashes_at = pickle.load(sys.stdin.buffer)
    app = create_app(settings)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended needs nobody to take note
    for _line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            _write_to(log)
            if crashes_at:
                _crash_at(crashes_at)
            scheduler.start(app)
            while True:
                signal.pause()
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _write_to(log: str) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(target, 1)
    os.dup2(target, 2)


def _crash_at(person_id: int) -> None:
    """Let the process die, as by a fault deep in a library, when it comes to this person."""
    from rollcall.sending import intents

    prepare = intents.prepare_message

    def prepare_or_die(content, row):
        if row.person_id == person_id:
            os.kill(os.getpid(), signal.SIGKILL)
        return prepare(content, row)

    intents.prepare_message = prepare_or_die


if __name__ == "__main__":
    main()
