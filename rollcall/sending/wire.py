"""The connections of one campaign to its provider, and how many messages may be on the wire.

What is written down and not yet recorded is what a crash puts in doubt, so that it is bounded:
all campaigns of a process together have no more such messages than the settings allow
connections. Each campaign gets its share, and works through it with threads of its own.
"""

import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from queue import SimpleQueue

import structlog

from rollcall import clock
from rollcall.providers.base import Connection, Outcome, OutgoingMessage, ProviderError
from rollcall.providers.declaration import Provider

log = structlog.get_logger()

UNEXPECTED = "unexpected"
LONGEST_TIMEOUT = 10.0  # seconds that an answer is waited for


class Slots:
    """How many messages may be on the wire at once: a number shared by a process' campaigns."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._lock = threading.Lock()
        self._taken = 0
        self._campaigns = 0

    def join(self) -> None:
        """Count one more campaign that wants its share."""
        with self._lock:
            self._campaigns += 1

    def leave(self, held: int) -> None:
        """Count one campaign less and take back what it held."""
        with self._lock:
            self._campaigns -= 1
            self._taken -= held

    @property
    def share(self) -> int:
        """Return how many slots each campaign may hold at present."""
        return max(1, self.number // max(1, self._campaigns))

    @property
    def is_crowded(self) -> bool:
        """Return whether campaigns have to take turns, since there are more of them than slots."""
        return self._campaigns > self.number

    def take(self, wanted: int) -> int:
        """Take up to `wanted` slots more; 0 where none is free."""
        with self._lock:
            granted = max(0, min(wanted, self.number - self._taken))
            self._taken += granted
            return granted

    def give_back(self, number: int) -> None:
        """Give slots back, once what they stood for is recorded."""
        with self._lock:
            self._taken -= number


@lru_cache(maxsize=32)
def slots_of(provider: str, number: int) -> Slots:
    """Return the slots for a provider in this process."""
    return Slots(number)


class Wire:
    """Hands messages to the provider, several at once, and collects what it answers."""

    def __init__(self, provider: Provider, connections: int, timeout: float) -> None:
        self._provider = provider
        self._timeout = timeout
        self._most = -(-connections // provider.together)
        self._work: SimpleQueue[tuple[list[OutgoingMessage], float] | None] = SimpleQueue()
        self._done: SimpleQueue[Outcome] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._own: Connection | None = None

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads once they have an answer for what is on the wire."""
        for _thread in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        if self._own is not None:
            self._own.close()

    def post(self, messages: Sequence[OutgoingMessage], deadline: float) -> None:
        """Put messages on the wire; none of them begins later than `deadline` (epoch seconds)."""
        together = self._provider.together
        if self._most == 1 and together > 1:
            # One connection takes everything at once, so that it needs no thread.
            self._own = self._own or self._provider.connect(self._timeout)
            self._send(self._own, list(messages), deadline)
            return
        for start in range(0, len(messages), together):
            self._work.put((list(messages[start : start + together]), deadline))
            if len(self._threads) < self._most:
                self._threads.append(threading.Thread(target=self._serve, name="wire", daemon=True))
                self._threads[-1].start()

    def collect(self, wanted: int, patience: float) -> list[Outcome]:
        """Wait for one outcome, then up to `patience` seconds for `wanted`; returns what came.

        Call it only with messages on the wire: each of them comes back, whatever happens.
        """
        outcomes = [self._done.get()]
        until = time.monotonic() + patience
        while True:
            while not self._done.empty():
                outcomes.append(self._done.get())
            if len(outcomes) >= wanted or time.monotonic() >= until:
                return outcomes
            time.sleep(0.0005)

    def _serve(self) -> None:
        connection = self._provider.connect(self._timeout)
        try:
            while (work := self._work.get()) is not None:
                self._send(connection, *work)
        finally:
            connection.close()

    def _send(
        self, connection: Connection, messages: list[OutgoingMessage], deadline: float
    ) -> None:
        """Send, and put exactly one outcome for each message on the pile of what is done.

        What the provider says nothing of, for whatever fault of its own, is in doubt.
        """
        waiting = {message.token for message in messages}
        if clock.now().timestamp() > deadline:
            self._give_up(waiting, _LATE)
            return
        try:
            for outcome in connection.send(messages):
                if outcome.token in waiting:
                    waiting.discard(outcome.token)
                    self._done.put(outcome)
        except Exception as error:  # whatever happened, the messages may have gone out
            log.error("provider broke", provider=self._provider.name, error=repr(error))
        self._give_up(waiting, _BROKE)

    def _give_up(self, tokens: set[int], error: ProviderError) -> None:
        for token in tokens:
            self._done.put(Outcome(token, error=error))


_BROKE = ProviderError(UNEXPECTED, "The provider broke off without an answer.", in_doubt=True)
_LATE = ProviderError(
    "late",
    "This process was asleep for so long that another may have taken the campaign over.",
    permanent=False,
    provider_wide=True,
)
