"""A kept line to an HTTP provider, which tells what surely was not taken from what may have been.

Nothing here is ever tried twice. Before the first byte of a request has left, a failure proves
that nothing was accepted; from that byte on, whatever fails leaves the message in doubt.
"""

import io
import select
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import Any, Protocol, cast
from urllib.parse import quote, urlsplit

from rollcall import clock
from rollcall.providers.base import Outcome, OutgoingMessage, ProviderError

# Servers close idle lines at moments of their own choosing. A new line costs a millisecond; a
# line that closes while we write costs a message in doubt.
_IDLE_SECONDS = 4.0
_LARGEST_ANSWER = 1_000_000
_SAFE_IN_TARGET = "/?%:@!$&'()*+,;=-._~[]"
_LONGEST_REST = 24 * 3600.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class HttpResponse:
    """A complete answer of the server."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever its bytes are."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Address:
    """Where a URL leads: the server to connect to, and what to ask it for.

    `target` is the path with its query; `authority` is what the Host header says.
    """

    scheme: str
    host: str
    port: int
    target: str
    authority: str


def read_address(url: str) -> Address | None:
    """Return where the URL leads, None where it is no address of a web server."""
    try:
        parts = urlsplit(url)
        port = parts.port
        # A name that DNS can't carry fails here rather than at each message.
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    usual = 443 if parts.scheme == "https" else 80
    name = f"[{host}]" if ":" in host else host
    authority = name if port in (None, usual) else f"{name}:{port}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(
        parts.scheme, host, port or usual, quote(target, safe=_SAFE_IN_TARGET), authority
    )


def is_loopback(url_or_host: str) -> bool:
    """Return whether a URL or a host's name leads to this machine and nowhere else."""
    address = read_address(url_or_host)
    return (address.host if address else url_or_host) in _LOOPBACK


class HttpLine:
    """One connection to one server, kept open between requests, used by one thread at a time.

    `timeout` covers a request from the first attempt to connect to the last byte of the answer.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._used_at = 0.0

    def close(self) -> None:
        """End the connection, if one is open."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def reach(self) -> None:
        """Open the connection, if none is open; raises ProviderError where nobody takes it."""
        self._open(time.monotonic() + self._timeout)

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpResponse:
        """Send one request, once, and return the whole answer.

        Raises ProviderError: temporary where nothing has left this machine, else in doubt.
        """
        deadline = time.monotonic() + self._timeout
        request = self._write_head(method, target, headers, body) + body
        line = self._open(deadline)
        try:
            line.settimeout(_time_left(deadline))
            line.sendall(request)
            return self._read_answer(line, method, deadline)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise doubt("no-answer", _describe_loss(error)) from error
        except BaseException:
            # What of the answer is still under way must not be read as that to the next request.
            self.close()
            raise

    def _write_head(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._address.authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        # A line break inside a value would smuggle in a header; none has business there.
        head = "\r\n".join(line.replace("\r", "").replace("\n", "") for line in lines)
        return head.encode("latin-1", "replace") + b"\r\n\r\n"

    def _open(self, deadline: float) -> socket.socket:
        if self._socket is not None:
            fresh = time.monotonic() - self._used_at < _IDLE_SECONDS
            if fresh and _is_quiet(self._socket):
                return self._socket
            self.close()
        try:
            self._socket = self._connect(deadline)
        except (OSError, ValueError) as error:
            raise unreached(self._address, error) from error
        # Looking up a name can't be cut short: it may have used up the time, and then nothing
        # may be written any more.
        if time.monotonic() >= deadline:
            self.close()
            raise unreached(self._address, TimeoutError())
        return self._socket

    def _connect(self, deadline: float) -> socket.socket:
        address = self._address
        line = socket.create_connection((address.host, address.port), _time_left(deadline))
        try:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.scheme == "https":
                line.settimeout(_time_left(deadline))
                line = _tls().wrap_socket(line, server_hostname=address.host)
        except BaseException:
            line.close()
            raise
        return line

    def _read_answer(self, line: socket.socket, method: str, deadline: float) -> HttpResponse:
        # HTTPResponse asks its socket for nothing but a file to read from.
        incoming = _Incoming(line, deadline)
        response = HTTPResponse(cast(socket.socket, incoming), method=method)
        response.begin()
        if incoming.ended:
            raise HTTPException("the answer ended within its headers")
        body = response.read(_LARGEST_ANSWER)
        complete = response.isclosed() or not response.read(1)
        if not complete:
            raise HTTPException("the answer is too long")
        if response.length:
            raise HTTPException("the answer ended too early")
        if response.will_close:
            self.close()
        self._used_at = time.monotonic()
        return HttpResponse(response.status, response.headers, body)


class _Incoming(io.RawIOBase):
    """What comes in over a socket, until one deadline for all of it rather than for each piece."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self._line = line
        self._deadline = deadline
        self.ended = False

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.settimeout(_time_left(self._deadline))
        count = self._line.recv_into(buffer)
        self.ended = count == 0
        return count


class HttpGateway(Protocol):
    """A gateway where it is, and how one message is handed to it."""

    address: Address | None

    def missing(self) -> list[str]:
        """Say which settings are missing or unusable, one sentence each."""
        ...

    def hand_over(self, line: HttpLine, message: OutgoingMessage) -> Outcome:
        """Ask once for one message and read the answer; raises ProviderError where none came."""
        ...


class GatewayLine:
    """One line to a gateway, opened when first used."""

    def __init__(self, gateway: HttpGateway, timeout: float) -> None:
        self._gateway = gateway
        self._timeout = timeout
        self._line: HttpLine | None = None

    def close(self) -> None:
        """End the line."""
        if self._line is not None:
            self._line.close()

    def send(self, messages: Sequence[OutgoingMessage]) -> list[Outcome]:
        """Hand over each message, once, and say what the gateway answered."""
        missing = self._gateway.missing()
        address = self._gateway.address
        if missing or address is None:
            error = ProviderError("settings", " ".join(missing), provider_wide=True)
            return [Outcome(message.token, error=error) for message in messages]
        return [self._send_one(message, address) for message in messages]

    def _send_one(self, message: OutgoingMessage, address: Address) -> Outcome:
        self._line = self._line or HttpLine(address, self._timeout)
        try:
            return self._gateway.hand_over(self._line, message)
        except ProviderError as error:
            return Outcome(message.token, error=error)


def unreached(address: Address, error: OSError | ValueError) -> ProviderError:
    """Return the error for a server that could not be reached: proof that nothing was accepted."""
    where = f"{address.host}, port {address.port},"
    if isinstance(error, socket.gaierror):
        code, text = "no-such-host", f"The name {address.host} is not known."
    elif isinstance(error, ssl.SSLCertVerificationError):
        code = "certificate"
        text = f"{where} shows a certificate that can't be trusted: {error.verify_message}."
    elif isinstance(error, ssl.SSLError):
        code, text = "tls", f"{where} does not speak TLS as it should: {error.reason}."
    elif isinstance(error, ConnectionRefusedError):
        code, text = "refused-connection", f"{where} takes no connections."
    elif isinstance(error, TimeoutError):
        code, text = "connect-timeout", f"{where} could not be reached in time."
    else:
        reason = getattr(error, "strerror", None) or type(error).__name__
        code, text = "unreachable", f"{where} can't be reached: {reason}."
    return ProviderError(code, text, permanent=False, provider_wide=True)


def doubt(code: str, text: str) -> ProviderError:
    """Return the error for a message of which nobody can say whether it was accepted."""
    return ProviderError(code, text, in_doubt=True)


def read_retry_after(headers: HTTPMessage) -> float | None:
    """Return the seconds that the server asks to be left alone, None where it names none.

    It may give seconds or a date (RFC 9110, section 10.2.3); a day is believed at most.
    """
    value = (headers.get("Retry-After") or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_REST)
    try:
        seconds = (parsedate_to_datetime(value) - clock.now()).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), _LONGEST_REST)


def _describe_loss(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "The gateway gave no answer in time."
    if isinstance(error, OSError):
        return "The line to the gateway broke before its answer came."
    return "The gateway's answer was cut off or can't be read."


def _is_quiet(line: socket.socket) -> bool:
    """Say whether an idle line is still open: one that has something to read was closed."""
    poll = select.poll()
    poll.register(line, select.POLLIN)
    if not poll.poll(0):
        return True
    if not isinstance(line, ssl.SSLSocket):
        return False
    # TLS 1.3 sends tickets for later sessions on its own: they are no data and no end.
    try:
        line.settimeout(0)
        line.recv(1)
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False
    return False


def _time_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Reading the certificates of the system takes longer than a whole request.
    return ssl.create_default_context()
