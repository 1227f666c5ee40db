"""Text messages over SMPP 3.4, to an SMSC or a service that speaks like one.

One session for the whole process, since accounts allow only a few: all that send share it, and
receipts and incoming messages come over it too. What comes while nobody listens is answered with
a temporary error, so that the service keeps it for a process that does.
"""

import random
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import structlog

from rollcall.providers.base import (
    Finding,
    Inbound,
    Outcome,
    OutgoingMessage,
    ProviderError,
    Receipt,
    Sink,
)
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.settings import read_number, setting
from rollcall.providers.smpp.answers import (
    SETTINGS,
    no_answer,
    not_sent,
    partly_accepted,
    read_state,
    refused_bind,
    refused_submit,
)
from rollcall.providers.smpp.pdu import Address, Delivery, write_bind, write_submit
from rollcall.providers.smpp.sent_ids import SentIds
from rollcall.providers.smpp.session import BindRefused, Session, SubmitResponse, SubmitState
from rollcall.providers.smpp.text import (
    PartJoiner,
    Parts,
    cut_text,
    normalise_id,
    read_receipt,
)

log = structlog.get_logger()

UNUSABLE = "settings"
CHECK_SECONDS = 5.0

_INTERNATIONAL, _NETWORK, _LETTERS = 1, 3, 5
_LONGEST_PAUSE = 60.0
_AGAIN_SECONDS = 0.2
_RECEIPT_WAITS = 5.0


@dataclass(slots=True)
class _Pending:
    """A message whose parts are on their way, and when we stop waiting for the answers."""

    message: OutgoingMessage
    session: Session
    bodies: list[bytes]
    answers: list[SubmitResponse]
    until: float


@dataclass(frozen=True)
class SmppSettings:
    """An SMSC that we bind to as transceiver, SMPP 3.4."""

    host: str = setting("SMPP_HOST", "where the service listens")
    port: int = setting(
        "SMPP_PORT", "its port, where that is not 2775", default="2775", read=read_number
    )
    system_id: str = setting("SMPP_SYSTEM_ID", "the log-in that the service gave you")
    password: str = setting("SMPP_PASSWORD", "its password")
    sender: str = setting(
        "SMPP_FROM",
        "a telephone number (`+447700900999`), a short code (up to 6 digits), or up to 11 letters",
    )


class SmppProvider(Provider):
    """Sends over one session that it opens when it is needed and opens again when it is lost."""

    together = 16

    def __init__(self, settings: SmppSettings, quiet_seconds: float = 30.0) -> None:
        self._settings = settings
        self._quiet_seconds = quiet_seconds
        self._opening = threading.Lock()
        self._storing = threading.Lock()
        self._session: Session | None = None
        self._users = 0
        self._sink: Sink | None = None
        self._joiner = PartJoiner()
        self._sent = SentIds()

    @property
    def host(self) -> str | None:
        """The machine on which the SMSC listens."""
        return self._settings.host or None

    def connect(self, timeout: float) -> "SmppConnection":
        """Return a share in the process's session."""
        return SmppConnection(self, timeout)

    def check(self) -> list[Finding]:
        """Look whether the settings are complete, and log in and out where we are not already."""
        try:
            self._check_settings()
            self.source()
            if self._session is not None and not self._session.ended.is_set():
                return [Finding(True, "This process is logged in to the service.")]
            session = self._open(CHECK_SECONDS)
        except ProviderError as error:
            return [Finding(False, error.text)]
        session.unbind()
        where = f"{self._settings.host}:{self._settings.port}"
        return [Finding(True, f"{where} answers and accepts {self._settings.system_id}.")]

    def listen(self, sink: Sink) -> Callable[[], None]:
        """Keep the session open, and hand receipts and incoming messages to `sink`."""
        self._sink = sink
        stop = threading.Event()
        keeper = threading.Thread(
            target=self._keep_open, args=(stop,), name="smpp-keep", daemon=True
        )
        keeper.start()

        def end() -> None:
            stop.set()
            self._sink = None
            keeper.join(timeout=CHECK_SECONDS)
            self._leave_if_unused()

        return end

    def session(self, timeout: float) -> Session:
        """Return the session that is open, or a new one; raises ProviderError."""
        with self._opening:
            if self._session is None or self._session.ended.is_set():
                self._session = self._open(timeout)
            return self._session

    def join(self) -> None:
        """Count one more that uses the session."""
        with self._opening:
            self._users += 1

    def leave(self) -> None:
        """Count one less, and end the session with the last one where nobody listens."""
        with self._opening:
            self._users -= 1
        self._leave_if_unused()

    def remember(self, reference: str, message_id: str) -> None:
        """Keep the id that the service gave a message, until many thousands came after it."""
        self._sent.add(reference, message_id)

    def source(self) -> Address:
        """Return SMPP_FROM as an address: letters, a short code, or a whole number."""
        sender = self._settings.sender
        if re.fullmatch(r"\+?\d{7,20}", sender):
            return Address(_INTERNATIONAL, 1, sender.removeprefix("+"))
        if re.fullmatch(r"\d{1,6}", sender):
            return Address(_NETWORK, 0, sender)
        if sender and sender.isascii() and sender.isprintable() and len(sender) <= 11:
            return Address(_LETTERS, 0, sender)
        text = "SMPP_FROM must be a telephone number, a short code, or at most 11 plain letters."
        raise ProviderError(UNUSABLE, text, provider_wide=True)

    def _leave_if_unused(self) -> None:
        with self._opening:
            if self._users > 0 or self._sink is not None or self._session is None:
                return
            session, self._session = self._session, None
        session.unbind()

    def missing(self) -> list[str]:
        """Return which settings are missing or unusable, one sentence each."""
        found = []
        try:
            self._check_settings()
            self.source()
        except ProviderError as error:
            found.append(error.text)
        return found

    def _check_settings(self) -> None:
        named = {
            "SMPP_HOST": self._settings.host,
            "SMPP_SYSTEM_ID": self._settings.system_id,
            "SMPP_FROM": self._settings.sender,
        }
        missing = [name for name, value in named.items() if not value]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            text = f"{' and '.join(missing)} {verb} not set. Write what the service gave you."
            raise ProviderError(UNUSABLE, text, provider_wide=True)

    def _open(self, timeout: float) -> Session:
        self._check_settings()
        where = (self._settings.host, self._settings.port)
        session = None
        try:
            body = write_bind(self._settings.system_id, self._settings.password)
            line = socket.create_connection(where, timeout)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(line, self._take_in, self._quiet_seconds)
            session.bind(body, timeout)
            return session
        except (OSError, ValueError, BindRefused) as error:
            if session is not None:
                session.end()
            if isinstance(error, BindRefused):
                raise refused_bind(error.status) from error
            if isinstance(error, UnicodeError):
                text = "SMPP_HOST, SMPP_SYSTEM_ID and SMPP_PASSWORD must be plain ASCII."
                raise ProviderError(UNUSABLE, text, provider_wide=True) from error
            text = f"{where[0]}:{where[1]} can't be reached: {error}. Look at {SETTINGS}."
            raise not_sent(text) from error

    def _keep_open(self, stop: threading.Event) -> None:
        pause = 1.0
        while not stop.is_set():
            try:
                session = self.session(CHECK_SECONDS)
                pause = 1.0
                while not stop.is_set() and not session.ended.wait(0.2):
                    self._pass_on_stale()
            except ProviderError as error:
                log.warning("smpp session", error=error.text)
                # With jitter, so that many processes do not come back at the same moment.
                stop.wait(pause * random.uniform(0.75, 1.25))
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _take_in(self, delivery: Delivery) -> bool:
        """Hand on what came; False where it could not be stored, and the service is to keep it."""
        sink = self._sink
        if sink is None:
            return False
        try:
            receipt = read_receipt(delivery)
            if receipt is not None:
                known = self._find_sent(receipt.message_id)
                status, code, text = read_state(receipt.state, receipt.error)
                plain = known[0] if known else normalise_id(receipt.message_id)
                sink(Receipt(status, known[1] if known else None, plain, code, text))
                return True
            if delivery.esm_class & 0x3C:
                # A receipt that names no message, or a telephone's own confirmation.
                return True
            with self._storing:
                whole = self._joiner.add(delivery)
                if whole is not None:
                    sink(_inbound(delivery.source, delivery.destination, whole))
                    self._joiner.done(delivery)
        except Exception as error:  # whatever the sink met with, the service keeps the message
            log.error("smpp delivery", error=repr(error))
            return False
        return True

    def _find_sent(self, message_id: str) -> tuple[str, str] | None:
        """Find the message of a receipt, which may come before the answer to the message itself."""
        known = self._sent.find(message_id)
        session = self._session
        if known is None and session is not None:
            until = time.monotonic() + _RECEIPT_WAITS
            for answer in session.open_questions():
                answer.wait(until)
            known = self._sent.find(message_id)
        return known

    def _pass_on_stale(self) -> None:
        sink = self._sink
        with self._storing:
            for source, destination, text in self._joiner.take_stale() if sink else ():
                sender, receiver = (Address(_INTERNATIONAL, 1, v) for v in (source, destination))
                try:
                    assert sink is not None
                    sink(_inbound(sender, receiver, text))
                except Exception as error:  # the session must live on
                    log.error("smpp delivery", error=repr(error))


class SmppConnection:
    """A share in the session: each batch is sent side by side with those of other threads."""

    def __init__(self, provider: SmppProvider, timeout: float) -> None:
        self._provider = provider
        self._timeout = timeout
        self._joined = False

    def close(self) -> None:
        """Give back the share; the last one ends the session."""
        if self._joined:
            self._joined = False
            self._provider.leave()

    def send(self, messages: Sequence[OutgoingMessage]) -> Iterator[Outcome]:
        """Put the messages on the wire without waiting in between, and give each its outcome.

        Once the service as a whole fails, the rest of the messages is not sent.
        """
        if not self._joined:
            self._joined = True
            self._provider.join()
        pending: deque[_Pending] = deque()
        rest: ProviderError | None = None
        for message in messages:
            while pending and all(answer.is_there for answer in pending[0].answers):
                outcome = self._finish(pending.popleft())
                rest = rest or _reason_to_stop(outcome)
                yield outcome
            if rest is None:
                try:
                    pending.append(self._submit(message))
                    if pending[-1].answers[-1].fate is SubmitState.UNSENT:
                        rest = _error(pending[-1].answers[-1])
                    continue
                except ProviderError as error:
                    rest = error if error.provider_wide else None
                    yield Outcome(message.token, error=error)
            else:
                yield Outcome(message.token, error=rest)
        for waiting in pending:
            yield self._finish(waiting)

    def _submit(self, message: OutgoingMessage) -> _Pending:
        bodies = self._bodies(message)
        session = self._provider.session(self._timeout)
        until = time.monotonic() + self._timeout
        answers: list[SubmitResponse] = []
        for number, body in enumerate(bodies, 1):
            # Only the last part carries the receipt, so only its id is known again.
            keep = partial(self._provider.remember, message.reference)
            answers.append(
                session.submit(body, until, keep if number == len(bodies) else _keep_nothing)
            )
            if answers[-1].fate is SubmitState.UNSENT:
                break
        return _Pending(message, session, bodies, answers, time.monotonic() + self._timeout)

    def _bodies(self, message: OutgoingMessage) -> list[bytes]:
        source = self._provider.source()
        number = message.address.removeprefix("+")
        if not (number.isascii() and number.isdigit() and len(number) <= 20):
            text = "The address is not a telephone number. Correct it in the profile."
            raise ProviderError("address", text)
        try:
            parts: Parts = cut_text(message.text, (message.token >> 16) & 0xFF)
        except ValueError as error:
            raise ProviderError("too_long", "The message takes more than 255 parts.") from error
        last = len(parts.contents)
        return [
            write_submit(
                source,
                Address(_INTERNATIONAL, 1, number),
                content,
                data_coding=parts.data_coding,
                joined=last > 1,
                receipt=count == last,
                reference=message.token & 0xFFFF,
            )
            for count, content in enumerate(parts.contents, 1)
        ]

    def _finish(self, pending: _Pending) -> Outcome:
        """Wait for the answers and say what they come to."""
        self._await(pending)
        while self._is_cut_short(pending):
            # A message that lies half at the service is worth some patience. Sending again
            # what was refused is not sending twice.
            time.sleep(_AGAIN_SECONDS)
            self._send_missing(pending)
        return _judge(pending)

    def _await(self, pending: _Pending) -> None:
        for answer in pending.answers:
            if not answer.wait(pending.until):
                pending.session.give_up(answer)

    def _is_cut_short(self, pending: _Pending) -> bool:
        if time.monotonic() + _AGAIN_SECONDS >= pending.until:
            return False
        errors = [_error(answer) for answer in pending.answers]
        refused = [error for error in errors if error is not None]
        missing = bool(refused) or len(pending.answers) < len(pending.bodies)
        accepted = any(error is None for error in errors)
        return accepted and missing and not any(e.permanent or e.in_doubt for e in refused)

    def _send_missing(self, pending: _Pending) -> None:
        try:
            session = self._provider.session(max(0.1, pending.until - time.monotonic()))
        except ProviderError:
            return
        pending.session = session
        last = len(pending.bodies) - 1
        for place, body in enumerate(pending.bodies):
            if place < len(pending.answers) and _error(pending.answers[place]) is None:
                continue
            keep = partial(self._provider.remember, pending.message.reference)
            answer = session.submit(body, pending.until, keep if place == last else _keep_nothing)
            pending.answers[place : place + 1] = [answer]
        self._await(pending)


def _keep_nothing(_message_id: str) -> None:
    pass


def _error(answer: SubmitResponse) -> ProviderError | None:
    if answer.fate is SubmitState.UNSENT:
        return not_sent("The session was lost, or full, before the message could be sent.")
    if answer.fate is not SubmitState.ANSWERED:
        return no_answer()
    return refused_submit(answer.status) if answer.status else None


def _judge(pending: _Pending) -> Outcome:
    """Say what the answers for all parts of a message come to."""
    errors = [error for answer in pending.answers if (error := _error(answer))]
    token = pending.message.token
    if not errors and len(pending.answers) == len(pending.bodies):
        message_id = normalise_id(pending.answers[-1].message_id)
        return Outcome(token, provider_message_id=message_id or None)
    doubtful = [error for error in errors if error.in_doubt]
    if doubtful:
        return Outcome(token, error=doubtful[0])
    # Of several refusals one that is for good decides: trying again would meet with it again.
    error = next((error for error in errors if error.permanent), errors[0])
    if len(errors) < len(pending.answers):
        error = partly_accepted(error)
    return Outcome(token, error=error)


def _reason_to_stop(outcome: Outcome) -> ProviderError | None:
    error = outcome.error
    if error is None or not (error.provider_wide or error.in_doubt):
        return None
    if error.provider_wide:
        return error
    return not_sent("The service left an earlier message without an answer.")


def _inbound(source: Address, destination: Address, text: str) -> Inbound:
    # SMPP gives incoming messages no id, and the same words can come twice and be meant twice.
    return Inbound(f"smpp-{uuid4().hex}", _number(source), _number(destination), text)


def _number(address: Address) -> str:
    value = address.value.strip()
    whole = address.ton == _INTERNATIONAL or len(value) > 8
    return f"+{value.lstrip('+')}" if whole and value.lstrip("+").isdigit() else value


DECLARATION = SmppProvider.declaration = Declaration(
    name="smpp",
    label="SMPP",
    channels=("sms",),
    settings=SmppSettings,
    make=lambda settings, _folder: SmppProvider(settings),
    proves_refusal=(
        "The service's name is not found, or it refuses the connection or the log-in.",
        "A submit_sm_resp or generic_nack with a status other than 0.",
        "The request could not be written to the line as a whole.",
    ),
    leaves_doubt=(
        "The session is lost, or nothing is answered, once the request was written.",
        "Some parts of a long message were taken and others refused.",
    ),
    receipts="session",
    listening=True,
    ids_in_receipts=True,
)
