"""What a line tells for sure: tried with Kannel's double, which counts what really arrives."""

import datetime as dt
import select
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path

import pytest
import time_machine

from rollcall.providers import http_line
from rollcall.providers.base import ProviderError
from rollcall.providers.http_line import HttpLine, read_address, read_retry_after
from rollcall.providers.kannel.provider import Kannel, KannelSettings
from tests.providers.doubles import KANNEL_PASSWORD, KANNEL_USER, MAGIC
from tests.providers.gateways import Double, free_ports
from tests.providers.messages import error_of, kind_of, make_message, send
from tests.waiting import HANGS, NEVER_ANSWERED, wait_for


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    with Double(tmp_path_factory.mktemp("double"), "kannel") as double:
        yield double


def address_for(behaviour: str) -> str:
    """An address of its own for each call, at which the double behaves in this way."""
    digits = next(digits for digits, name in MAGIC.items() if name == behaviour)
    return f"+1900{time.monotonic_ns() % 10**7:07d}{digits}"


DOUBT_AFTER = ("hang", "reset", "half", "half-headers", "empty", "garbage", "drip", "endless")


@pytest.mark.parametrize("behaviour", [*DOUBT_AFTER, "half-chunked"])
def test_what_fails_after_the_request_left_is_in_doubt_and_never_tried_again(
    double: Double, behaviour: str
):
    address = address_for(behaviour)
    [outcome] = send(Kannel(double.kannel), make_message(address), timeout=NEVER_ANSWERED)
    assert kind_of(error_of(outcome)) == "doubt"
    assert error_of(outcome).code == "no-answer"
    # The timeout is for the whole answer: if octets that drip in started it anew, the answer
    # would come to its end and be read.
    wait_for(lambda: double.requests(address))
    assert len(double.requests(address)) == 1


@pytest.mark.parametrize("behaviour", ["chunked", "no-length", "close-after"])
def test_answers_of_any_legal_form_are_read(double: Double, behaviour: str):
    address = address_for(behaviour)
    [outcome] = send(Kannel(double.kannel), make_message(address))
    assert outcome.error is None
    assert len(double.requests(address)) == 1


def test_a_line_serves_many_messages_and_recovers_after_a_failure(double: Double):
    addresses = ["+420601000101", address_for("half"), "+420601000102", address_for("hang")]
    line = Kannel(double.kannel).connect(0.7)
    outcomes = line.send([make_message(address) for address in [*addresses, "+420601000103"]])
    line.close()
    assert [outcome.error is None for outcome in outcomes] == [True, False, True, False, True]
    assert [len(double.requests(address)) for address in addresses] == [1, 1, 1, 1]


def test_a_line_that_the_server_closed_while_idle_costs_no_message(tmp_path: Path):
    with Double(tmp_path, "kannel", "--idle", "0.05") as double:
        line = Kannel(double.kannel).connect(5)
        for number in range(5):
            address = f"+42060100020{number}"
            [outcome] = line.send([make_message(address)])
            assert outcome.error is None
            kept = line._line._socket  # type: ignore[union-attr]
            assert kept is not None
            # The server's end has come in before the next message is written.
            wait_for(lambda kept=kept: not http_line._is_quiet(kept))
            assert len(double.requests(address)) == 1
        line.close()


def test_a_line_is_not_trusted_after_some_idle_seconds(
    double: Double, monkeypatch: pytest.MonkeyPatch
):
    line = Kannel(double.kannel).connect(5)
    line.send([make_message("+420601000301")])
    first = line._line._socket  # type: ignore[union-attr]
    line.send([make_message("+420601000302")])
    assert line._line._socket is first  # type: ignore[union-attr]
    monkeypatch.setattr(http_line, "_IDLE_SECONDS", 0.0)
    line.send([make_message("+420601000303")])
    assert line._line._socket is not first  # type: ignore[union-attr]
    line.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:{port}/cgi-bin/sendsms", "refused-connection"),
        ("http://gateway.invalid/cgi-bin/sendsms", "no-such-host"),
        # It takes the connection, and never answers what it can't understand.
        ("https://127.0.0.1:{double}/cgi-bin/sendsms", "connect-timeout"),
    ],
)
def test_what_fails_before_the_request_proves_that_nothing_was_taken(
    double: Double, url: str, code: str
):
    before = len(double.lines())
    url = url.format(port=free_ports(1)[0], double=double.port)
    settings = KannelSettings(url, KANNEL_USER, KANNEL_PASSWORD, "12345")
    [outcome] = send(Kannel(settings), make_message(), timeout=NEVER_ANSWERED)
    assert (error_of(outcome).code, kind_of(error_of(outcome))) == (code, "later all")
    assert len(double.lines()) == before


def test_a_server_that_answers_no_connection_is_left_after_the_timeout():
    """A full queue of connections: the kernel neither takes nor refuses the next one."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        line = HttpLine(_address(f"http://127.0.0.1:{full.getsockname()[1]}/"), 0.5)
        with pytest.raises(ProviderError) as caught:
            line.ask("GET", "/", {})
    assert (caught.value.code, kind_of(caught.value)) == ("connect-timeout", "later all")


def test_a_slow_name_lookup_uses_up_the_time_and_then_nothing_is_written(
    double: Double, monkeypatch: pytest.MonkeyPatch
):
    before = len(double.lines())
    really = socket.create_connection

    def look_up_slowly(*args: object, **options: object) -> socket.socket:
        found = really(*args, **options)  # type: ignore[arg-type]
        monkeypatch.setattr(time, "monotonic", lambda: real() + 60)
        return found

    real = time.monotonic
    monkeypatch.setattr(socket, "create_connection", look_up_slowly)
    with pytest.raises(ProviderError) as caught:
        HttpLine(_address(double.kannel.url), 5).ask("GET", "/cgi-bin/sendsms", {})
    monkeypatch.undo()
    assert kind_of(caught.value) == "later all"
    assert len(double.lines()) == before


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for "localhost" that signs itself."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    command += ["-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def secure_server(certificate: Path) -> Iterator[tuple[int, list[bytes]]]:
    """A TLS server that answers everything with 202; the port, and what it has read."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    read: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as line:
                    while data := line.recv(65536):
                        read.append(data)
                        line.sendall(b"HTTP/1.1 202 OK\r\nContent-Length: 2\r\n\r\nok")
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1], read
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(HANGS)


def test_tls_lines_are_kept_where_the_certificate_can_be_trusted(
    secure_server: tuple[int, list[bytes]], certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    port, read = secure_server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    http_line._tls.cache_clear()
    try:
        line = HttpLine(_address(f"https://localhost:{port}/"), 5)
        answers = [line.ask("POST", "/", {}, b"one"), line.ask("POST", "/", {}, b"two")]
        kept = line._socket
        answers.append(line.ask("POST", "/", {}, b"three"))
        assert [answer.text for answer in answers] == ["ok", "ok", "ok"]
        assert line._socket is kept
        line.close()
    finally:
        http_line._tls.cache_clear()
    assert len(read) == 3


def test_tickets_that_tls_sends_by_itself_are_not_taken_for_an_end(
    secure_server: tuple[int, list[bytes]], certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    port, _read = secure_server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    http_line._tls.cache_clear()
    try:
        line = HttpLine(_address(f"https://localhost:{port}/"), 5)
        kept = line._connect(time.monotonic() + 5)
    finally:
        http_line._tls.cache_clear()
    with kept:
        wait_for(lambda: select.select([kept], [], [], 0)[0])
        assert http_line._is_quiet(kept)


def test_a_certificate_that_nobody_vouches_for_stops_everything_before_the_request(
    secure_server: tuple[int, list[bytes]],
):
    port, read = secure_server
    with pytest.raises(ProviderError) as caught:
        HttpLine(_address(f"https://localhost:{port}/"), 5).ask("GET", "/", {})
    assert (caught.value.code, kind_of(caught.value)) == ("certificate", "later all")
    assert not read


def test_no_value_can_smuggle_in_a_second_request(double: Double):
    before = len(double.lines())
    line = HttpLine(_address(double.kannel.url), 5)
    smuggled = "a\r\n\r\nGET /cgi-bin/sendsms?to=1 HTTP/1.1"
    answers = [line.ask("GET", "/cgi-bin/sendsms", {"X-One": smuggled}) for _ in range(2)]
    line.close()
    assert [answer.status for answer in answers] == [403, 403]
    assert len(double.lines()) == before + 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:13013/cgi-bin/sendsms", ("127.0.0.1", 13013, "/cgi-bin/sendsms")),
        ("https://api.twilio.com", ("api.twilio.com", 443, "/")),
        ("http://[::1]:8080/a?smsc=X", ("::1", 8080, "/a?smsc=X")),
        ("http://Bücher.example/ä", ("xn--bcher-kva.example", 80, "/%C3%A4")),
        ("ftp://example.org/", None),
        ("example.org", None),
        ("http://:80/", None),
        ("http://host:port/", None),
        ("http://" + "a" * 70 + "/", None),
        ("", None),
    ],
)
def test_addresses_are_read_or_found_to_be_none(url: str, expected: tuple[str, int, str] | None):
    address = read_address(url)
    assert (address and (address.host, address.port, address.target)) == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("9999999", 86400.0),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        (None, None),
    ],
)
def test_how_long_to_leave_a_server_alone(value: str | None, seconds: float | None):
    headers: Message = HTTPMessage()
    if value is not None:
        headers["retry-after"] = value
    moment = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    with time_machine.travel(moment, tick=False):
        assert read_retry_after(headers) == seconds  # type: ignore[arg-type]


def _address(url: str) -> http_line.Address:
    address = read_address(url)
    assert address is not None
    return address
