"""Starts gateways as processes of their own: Debian's Kannel, and the doubles of `doubles.py`.

Knows no pytest, so that tests and longer runs start them alike. Everything listens on 127.0.0.1,
on ports that the system gave, and ends with its `with` block.
"""

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote_to_bytes, urlencode

from rollcall.providers.http.provider import HttpSettings
from rollcall.providers.kannel.provider import KannelSettings
from rollcall.providers.settings import read_settings
from rollcall.providers.twilio.provider import TwilioSettings
from tests.providers import http_doubles
from tests.providers.doubles import KANNEL_PASSWORD, KANNEL_USER, TWILIO_SID, TWILIO_TOKEN
from tests.waiting import HANGS, wait_for

ROOT = Path(__file__).parents[2]
FAKESMSC = Path("/usr/lib/kannel/test/fakesmsc")
SENDER = "12345"

DOCUMENT = ROOT / "docs" / "providers.md"
GATEWAYS = ROOT / "docs" / "gateways"
LOG_INS = {
    "VONAGE_API_KEY": http_doubles.VONAGE_KEY,
    "VONAGE_API_SECRET": http_doubles.VONAGE_SECRET,
    "SMSGATE_USERNAME": http_doubles.PHONE_USER,
    "SMSGATE_PASSWORD": http_doubles.PHONE_PASSWORD,
    "SMSGATE_SIGNING_KEY": http_doubles.PHONE_KEY,
}


def kannel_programs() -> list[str]:
    """The programs of Kannel that are missing on this machine."""
    needed = [shutil.which(name) or name for name in ("bearerbox", "smsbox")]
    return [name for name in needed if not Path(name).is_absolute()] + (
        [] if FAKESMSC.exists() else [str(FAKESMSC)]
    )


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on just now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Gateway:
    """Something that runs as processes and ends with its `with` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        raise NotImplementedError

    def run(self, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, cwd=ROOT, **options)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """End the processes, the last started first."""
        while self.processes:
            end_process(self.processes.pop())


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and end it where it does not."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class RealKannel(Gateway):
    """Debian's bearerbox and smsbox, set up as our documents say.

    `inbound` is where messages from phones are brought.
    """

    def __init__(self, folder: Path, inbound: str = "http://127.0.0.1:9/inbound") -> None:
        super().__init__(folder)
        self._inbound = inbound

    def start(self) -> None:
        names = ("admin-port", "smsbox-port", "port", "sendsms-port")
        self.ports = dict(zip(names, free_ports(4), strict=True))
        configuration = self.folder / "kannel.conf"
        configuration.write_text(self._configure())
        for program, port in (("bearerbox", "port"), ("smsbox", "sendsms-port")):
            path = shutil.which(program)
            assert path, f"{program} is not installed"
            with (self.folder / f"{program}.log").open("wb") as log:
                self.run(path, "-v", "0", str(configuration), stdout=log, stderr=log)
            wait_for(lambda port=port: is_open(self.ports[port]))

    def _configure(self) -> str:
        """The configuration that our documents give to people, with ports and a log-in of ours."""
        text = DOCUMENT.read_text("utf-8")
        values = self.ports | {
            "bearerbox-port": self.ports["smsbox-port"],
            "username": KANNEL_USER,
            "password": f'"{KANNEL_PASSWORD}"',
            "store-location": f'"{self.folder / "store"}"',
            "http-queue-delay": 1,
        }
        found = re.search(r"```\n(group = core\n.*?)```", text, re.DOTALL)
        assert found, f"no kannel.conf stands in {DOCUMENT}"
        configuration = found[1]
        for name, value in values.items():
            line = f"{name} = {value}"
            configuration, count = re.subn(
                rf"^{name} = .*$", lambda _, line=line: line, configuration, flags=re.MULTILINE
            )
            assert count == 1, f"{name} stands {count} times in kannel.conf"
        return re.sub(r'"http://[^?"]*\?', f'"{self._inbound}?', configuration)

    @property
    def settings(self) -> KannelSettings:
        url = f"http://127.0.0.1:{self.ports['sendsms-port']}/cgi-bin/sendsms"
        return KannelSettings(url, KANNEL_USER, KANNEL_PASSWORD, SENDER)

    def open_network(self) -> "Network":
        """The phone network behind it; until it is opened messages wait."""
        return Network(self.folder, self.ports["port"])


class Network(Gateway):
    """Debian's fakesmsc: keeps what reaches the phones, and writes for them."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder)
        self._log = folder / "fakesmsc.log"
        self._port = port

    def start(self) -> None:
        with self._log.open("wb") as log:
            self._process = self.run(
                str(FAKESMSC),
                *("-H", "127.0.0.1", "-r", str(self._port)),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: b"Connecting to" in self._log.read_bytes())

    def write(self, sender: str, kind: str, text: str) -> None:
        """Send a message to our number; `kind` is text, data or ucs2, as fakesmsc names them."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{sender} {SENDER} {kind} {text}\n".encode())
        self._process.stdin.flush()

    def messages(self) -> list[tuple[str, str]]:
        """The address and the text of each message; a long one is put together from its parts."""
        log = self._log.read_text("utf-8", "replace")
        parts: dict[tuple[str, int], dict[int, bytes]] = {}
        found: list[tuple[str, str]] = []
        for line in re.findall(r"Got message \d+: <(\S+ \S+ \S+ .*)>", log):
            _sender, address, kind, text = line.split(" ", 3)
            if kind == "text":
                found.append((address, text))
                continue
            if kind == "ucs-2":
                found.append((address, _octets(text).decode("utf-16-be")))
                continue
            header, _, data = text.partition(" data ")
            # The last three octets: which message, of how many parts, which part.
            number, count, part = _octets(header)[-3:]
            known = parts.setdefault((address, number), {})
            known[part] = _octets(data)
            if len(known) == count:
                found.append((address, _read(b"".join(known[one] for one in sorted(known)))))
        return found


def _octets(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " "))


def _read(data: bytes) -> str:
    # fakesmsc does not say in which alphabet the parts of a long message are: a space tells.
    return data.decode("utf-16-be") if b"\0" in data else data.decode()


def whole_lines(log: Path) -> list[str]:
    """The lines of a log that another process is writing, without one that it has only begun."""
    return log.read_text("utf-8", "ignore").rpartition("\n")[0].splitlines()


def is_open(port: int) -> bool:
    """Whether something listens on the port."""
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


class Double(Gateway):
    """A double of Kannel or Twilio; see `doubles.py` for what it can be told."""

    def __init__(self, folder: Path, kind: str, *options: str) -> None:
        super().__init__(folder)
        self._kind = kind
        self._options = options
        self._log = folder / f"{kind}.requests"

    module = "tests.providers.doubles"

    def start(self) -> None:
        command = (sys.executable, "-m", self.module, self._kind)
        options = ("--log", str(self._log), *self._options)
        process = self.run(*command, *options, stdout=subprocess.PIPE)
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def behave(self, behaviour: str) -> None:
        """Answer all further messages in this way; "accept" is the usual one."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as line:
            line.sendall(f"POST /behave/{behaviour} HTTP/1.1\r\n\r\n".encode())
            line.recv(1000)

    @property
    def kannel(self) -> KannelSettings:
        url = f"http://127.0.0.1:{self.port}/cgi-bin/sendsms"
        return KannelSettings(url, KANNEL_USER, KANNEL_PASSWORD, SENDER)

    @property
    def twilio(self) -> TwilioSettings:
        url = f"http://127.0.0.1:{self.port}"
        return TwilioSettings(url, TWILIO_SID, TWILIO_TOKEN, "+15005550006")

    def lines(self) -> list[dict[str, Any]]:
        """All that it has logged."""
        if not self._log.exists():
            return []
        return [json.loads(line) for line in whole_lines(self._log)]

    def requests(self, address: str | None = None) -> list[dict[str, Any]]:
        """The requests that it got, of one address or all."""
        found = [line for line in self.lines() if "callback" not in line]
        return [line for line in found if address is None or line["address"] == address]


class DescribedDouble(Double):
    """A double of a gateway that a file of our documents describes: "vonage" or "sms-gate"."""

    module = "tests.providers.http_doubles"

    @property
    def settings(self) -> HttpSettings:
        """Settings of the documented file, with nothing changed but the gateway's address."""
        text = (GATEWAYS / f"{self._kind}.toml").read_text("utf-8")
        here = re.sub(
            r"https?://(rest\.nexmo\.com|192\.168\.1\.10:8080)",
            f"http://127.0.0.1:{self.port}",
            text,
        )
        assert here != text
        path = self.folder / "gateway.toml"
        path.write_text(here, "utf-8")
        return read_settings(HttpSettings, {"HTTP_PROVIDER_FILE": str(path), **LOG_INS})

    def write(self, address: str, text: str, message_id: str) -> None:
        """Let somebody write to our number, and return when that was brought to Rollcall."""
        body = urlencode({"from": address, "text": text, "id": message_id}).encode()
        with socket.create_connection(("127.0.0.1", self.port), 30) as line:
            line.sendall(b"POST /write HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            line.recv(1000)

    def brought(self) -> list[tuple[str, int]]:
        """What it brought to Rollcall so far: where to, and the answers."""
        return [(line["callback"], line["answer"]) for line in self.lines() if "callback" in line]


class Listener:
    """Keeps what is asked of it and answers 200, as an application's webhooks would."""

    def __init__(self, reply: str = "") -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.reply = reply
        self.reply_headers: dict[str, str] = {}
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                listener.requests.append((self.command, self.path, dict(self.headers), body))
                text = listener.reply.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(text)))
                for name, value in listener.reply_headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(HANGS)
