"""One bound SMPP session, shared by every thread that sends: a window of open questions.

A thread of its own reads what comes, so that an answer, a keep-alive or the end of the session
is noticed while nobody sends. Another takes in receipts and incoming messages: storing them may
take its time, and no answer to a message that we sent is to be late for it.
"""

import contextlib
import itertools
import queue
import select
import socket
import threading
import time
from collections.abc import Callable
from enum import Enum

from rollcall.providers.smpp.pdu import (
    BIND_TRANSCEIVER,
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    RESPONSE,
    SUBMIT_SM,
    UNBIND,
    Delivery,
    Pdu,
    PduBuffer,
    read_delivery,
    read_message_id,
    write_pdu,
)
from rollcall.providers.smpp.statuses import Status

WINDOW = 16
_ALIVE_SECONDS = 10.0
_LAST_SEQUENCE = 0x7FFFFFFF

# Whether a delivery was stored: only then is it confirmed, and the service forgets it.
TakeIn = Callable[[Delivery], bool]


class SubmitState(Enum):
    """What became of one submit_sm: not sent at all, answered, or sent and never answered."""

    UNSENT = "unsent"
    WAITING = "waiting"
    ANSWERED = "answered"
    LOST = "lost"


class SubmitResponse:
    """The answer to one submit_sm, there or awaited."""

    def __init__(self, on_accepted: Callable[[str], None]) -> None:
        self.fate = SubmitState.WAITING
        self.status = 0
        self.message_id = ""
        self._on_accepted = on_accepted
        self._there = threading.Event()

    def settle(self, fate: SubmitState, status: int = 0, message_id: str = "") -> None:
        """Note what became of it, and wake whoever waits."""
        self.fate, self.status, self.message_id = fate, status, message_id
        if fate is SubmitState.ANSWERED and status == Status.ROK:
            self._on_accepted(message_id)
        self._there.set()

    def wait(self, until: float) -> bool:
        """Return whether the answer came before the moment, of the monotonic clock."""
        return self._there.wait(max(0.0, until - time.monotonic()))

    @property
    def is_there(self) -> bool:
        """Whether nothing has to be awaited any more."""
        return self._there.is_set()


class BindRefused(Exception):
    """The service does not let us in; `status` is its answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind answered with {status:#x}")
        self.status = status


class Session:
    """A bound session. It ends once, by itself or by `unbind`, and is not opened again."""

    def __init__(self, line: socket.socket, take_in: TakeIn, quiet_seconds: float) -> None:
        self._line = line
        self._take_in = take_in
        self._quiet_seconds = quiet_seconds
        self._buffer = PduBuffer()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: dict[int, SubmitResponse] = {}
        self._sequence = itertools.count()
        self._window = threading.BoundedSemaphore(WINDOW)
        self._deliveries: queue.SimpleQueue[Pdu | None] = queue.SimpleQueue()
        self.ended = threading.Event()

    def bind(self, body: bytes, timeout: float) -> None:
        """Log in, and from then on read what comes. BindRefused, or OSError for the line."""
        self._write(Pdu(BIND_TRANSCEIVER, 0, self._next_sequence(), body))
        until = time.monotonic() + timeout
        while True:
            pdu = self._receive(max(0.0, until - time.monotonic()))
            if pdu is None:
                raise TimeoutError("no answer to the log-in")
            if pdu.command in (BIND_TRANSCEIVER | RESPONSE, GENERIC_NACK):
                break
        if pdu.status:
            raise BindRefused(pdu.status)
        threading.Thread(target=self._read, name="smpp-read", daemon=True).start()
        threading.Thread(target=self._store, name="smpp-store", daemon=True).start()

    def submit(
        self, body: bytes, until: float, on_accepted: Callable[[str], None]
    ) -> SubmitResponse:
        """Send one submit_sm as soon as the window has room; the answer is there or awaited."""
        answer = SubmitResponse(on_accepted)
        if not self._window.acquire(timeout=max(0.0, until - time.monotonic())):
            answer.settle(SubmitState.UNSENT)
            return answer
        with self._lock:
            if self.ended.is_set():
                self._window.release()
                answer.settle(SubmitState.UNSENT)
                return answer
            sequence = self._next_sequence()
            self._waiting[sequence] = answer
        try:
            self._write(Pdu(SUBMIT_SM, 0, sequence, body))
        except OSError:
            # It did not leave whole, and what is not whole is no request.
            self._take_waiting(sequence)
            self.end()
            answer.settle(SubmitState.UNSENT)
        return answer

    def give_up(self, answer: SubmitResponse) -> None:
        """Stop waiting for an answer, which makes room in the window."""
        with self._lock:
            sequences = [key for key, value in self._waiting.items() if value is answer]
        for sequence in sequences:
            self._take_waiting(sequence)
            answer.settle(SubmitState.LOST)

    def open_questions(self) -> list[SubmitResponse]:
        """The answers that are awaited at this moment."""
        with self._lock:
            return list(self._waiting.values())

    def unbind(self) -> None:
        """Take leave and end the session; waits a second for the service's own leave-taking."""
        with contextlib.suppress(OSError):
            self._write(Pdu(UNBIND, 0, self._next_sequence(), b""))
            self.ended.wait(1)
        self.end()

    def end(self) -> None:
        """End the session at once: what is still unanswered stays so."""
        with self._lock:
            if self.ended.is_set():
                return
            self.ended.set()
            lost, self._waiting = list(self._waiting.values()), {}
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        self._deliveries.put(None)
        for answer in lost:
            answer.settle(SubmitState.LOST)
            self._window.release()

    def _next_sequence(self) -> int:
        return next(self._sequence) % _LAST_SEQUENCE + 1

    def _write(self, pdu: Pdu) -> None:
        with self._writing:
            self._line.sendall(write_pdu(pdu))

    def _take_waiting(self, sequence: int) -> SubmitResponse | None:
        with self._lock:
            answer = self._waiting.pop(sequence, None)
        if answer is not None:
            self._window.release()
        return answer

    def _receive(self, seconds: float) -> Pdu | None:
        """Return the next one, None when that long nothing came; OSError at the line's end."""
        until = time.monotonic() + seconds
        while (pdu := self._buffer.take()) is None:
            if not select.select([self._line], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            octets = self._line.recv(65536)
            if not octets:
                raise ConnectionError("the service ended the line")
            self._buffer.add(octets)
        return pdu

    def _read(self) -> None:
        asked = False
        try:
            while not self.ended.is_set():
                pdu = self._receive(_ALIVE_SECONDS if asked else self._quiet_seconds)
                if pdu is not None:
                    asked = False
                    self._take(pdu)
                elif asked:
                    break
                else:
                    self._write(Pdu(ENQUIRE_LINK, 0, self._next_sequence(), b""))
                    asked = True
        except (OSError, ValueError):
            pass
        self.end()

    def _take(self, pdu: Pdu) -> None:
        if pdu.command in (SUBMIT_SM | RESPONSE, GENERIC_NACK):
            answer = self._take_waiting(pdu.sequence)
            if answer is not None:
                # A nack is a refusal even where it carries no status.
                status = pdu.status or (Status.RUNKNOWNERR if pdu.command == GENERIC_NACK else 0)
                answer.settle(SubmitState.ANSWERED, status, read_message_id(pdu.body))
        elif pdu.command == DELIVER_SM:
            self._deliveries.put(pdu)
        elif pdu.command == ENQUIRE_LINK:
            self._write(Pdu(ENQUIRE_LINK | RESPONSE, 0, pdu.sequence, b""))
        elif pdu.command == UNBIND:
            self._write(Pdu(UNBIND | RESPONSE, 0, pdu.sequence, b""))
            raise ConnectionError("the service took leave")
        elif pdu.command == UNBIND | RESPONSE:
            raise ConnectionError("both took leave")
        elif not pdu.command & RESPONSE:
            unknown = Status.RINVCMDID
            self._write(Pdu(GENERIC_NACK, unknown, pdu.sequence, b""))

    def _store(self) -> None:
        while (pdu := self._deliveries.get()) is not None:
            try:
                stored = self._take_in(read_delivery(pdu.body))
                status = Status.ROK if stored else Status.RX_T_APPN
            except ValueError:
                status = Status.RX_P_APPN
            with contextlib.suppress(OSError):
                self._write(Pdu(DELIVER_SM | RESPONSE, status, pdu.sequence, b"\0"))
