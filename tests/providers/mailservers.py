"""Mail servers to try Rollcall against: one that does as it is told, and Postfix's smtp-sink.

By itself the first accepts all that comes and logs a line for each mail, its recipient and its
Message-ID:

    python -m tests.providers.mailservers --log accepted.log [--port 2525]
"""

import argparse
import contextlib
import os
import re
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.waiting import HANGS, wait_for

DROP = "drop"
HANG = "hang"
OFFERS = ("PIPELINING", "8BITMIME", "SMTPUTF8")
MESSAGE_ID = re.compile(rb"^Message-ID: <([^>]*)>", re.MULTILINE | re.IGNORECASE)

Actions = dict[str, str | list[str]]


class ScriptedMailServer(socketserver.ThreadingTCPServer):
    """A mail server that accepts every mail, except where its actions say otherwise.

    A stage ("greeting", "ehlo", "mail", "rcpt", "data", "content", "dot", "rset") has one action
    for always or a list of actions that are used up in order: a reply, DROP to reset the line
    without one, HANG to say nothing until the server stops, the empty string for what is usual.
    "content" comes after the first lines of the mail; "dot" once all of it was read, and a mail is
    accepted, whatever the answer, only where this is a 250, DROP or HANG.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        actions: Actions | None = None,
        *,
        port: int = 0,
        offers: tuple[str, ...] = OFFERS,
        log: Path | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.actions = actions or {}
        self.offers = offers
        self.accepted: list[tuple[str, bytes]] = []
        self.commands: list[bytes] = []
        self.lines = 0
        self._ended = 0
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if log else None

    @property
    def port(self) -> int:
        return self.server_address[1]

    def action(self, stage: str) -> str:
        """The next action for a stage."""
        with self._lock:
            planned = self.actions.get(stage, "")
            if isinstance(planned, str):
                return planned
            return planned.pop(0) if planned else ""

    def keep(self, address: str, mail: bytes) -> None:
        """Take a mail in: what stands here was accepted."""
        with self._lock:
            if self._log is None:
                self.accepted.append((address, mail))
                return
            found = MESSAGE_ID.search(mail)
            os.write(self._log, f"{address} {found[1].decode() if found else '-'}\n".encode())

    def wait_until_idle(self) -> None:
        """Return once every line that was opened has ended, all that came over it taken in."""
        wait_for(lambda: self._ended >= self.lines, lambda: "a line is still open")

    def count_ended(self) -> None:
        """Note that one line has ended."""
        with self._lock:
            self._ended += 1

    def __enter__(self) -> "ScriptedMailServer":
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
        if self._log is not None:
            os.close(self._log)

    def handle_error(self, *_: object) -> None:
        """Say nothing of lines that the other side broke; the tests do."""


class _Over(Exception):
    pass


class _Conversation(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: ScriptedMailServer

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.server.count_ended()

    def handle(self) -> None:
        self.server.lines += 1
        with contextlib.suppress(_Over, ConnectionError, ValueError):
            self._say("greeting", "220 test")
            while line := self.rfile.readline():
                self._answer(line.rstrip(b"\r\n"))

    def _answer(self, line: bytes) -> None:
        self.server.commands.append(line)
        command = line.split(b" ")[0].upper()
        if command in (b"EHLO", b"HELO"):
            offers = "".join(f"\r\n250-{offer}" for offer in self.server.offers)
            self._say("ehlo", f"250-test{offers}\r\n250 HELP")
        elif command == b"MAIL":
            self.recipient = ""
            self._say("mail", "250 2.1.0 sender ok")
        elif command == b"RCPT":
            if self._say("rcpt", "250 2.1.5 recipient ok"):
                self.recipient = re.sub(rb"^[^<]*<|>.*$", b"", line).decode()
        elif command == b"DATA":
            self._take_mail()
        elif command == b"QUIT":
            self._say("quit", "221 bye")
            raise _Over
        else:
            self._say(command.decode("ascii", "replace").lower(), "250 ok")

    def _take_mail(self) -> None:
        usual = "354 go on" if self.recipient else "554 5.5.1 no valid recipients"
        if not self._say("data", usual, good="3"):
            return
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise _Over
            lines.append(line.removeprefix(b"."))
            if len(lines) == 3 and (action := self.server.action("content")):
                self._do(action)
        action = self.server.action("dot")
        if action in ("", DROP, HANG) or action.startswith("250"):
            self.server.keep(self.recipient, b"".join(lines))
        self._do(action or "250 2.0.0 Ok: queued as 4TX7")

    def _say(self, stage: str, usual: str, good: str = "2") -> bool:
        action = self.server.action(stage) or usual
        self._do(action)
        return action.startswith(good)

    def _do(self, action: str) -> None:
        if action == HANG:
            self.server.stopping.wait()
            raise _Over
        if action == DROP:
            # With no time to linger the other side gets a reset, not a polite end.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            raise _Over
        self.wfile.write(f"{action}\r\n".encode())
        if action.startswith("421"):
            raise _Over


def find_sink() -> str | None:
    """Postfix's smtp-sink where it is installed."""
    return shutil.which(
        "smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/postfix"
    )


@contextlib.contextmanager
def running_sink(*options: str, keep: Path | None = None) -> Iterator[int]:
    """Run smtp-sink on a free port and give the port; in the folder `keep` it writes the mails."""
    sink = find_sink()
    assert sink is not None
    port = free_port()
    flags = ["-u", "nobody"] if os.geteuid() == 0 else []
    if keep is not None:
        keep.chmod(0o777)
        flags += ["-R", str(keep), "-d", "mail-"]
    address = f"inet:127.0.0.1:{port}"
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen([sink, *flags, *options, address, "100"], stderr=said) as process,
    ):
        try:
            wait_for_port(port, process)
            yield port
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Return once something listens on the port; fails when the process has ended."""

    def listens() -> bool:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=HANGS):
                return True
        except OSError:
            return False

    wait_for(listens, lambda: f"nothing listens on {port}")


def main() -> None:
    """Accept mails until killed; the first line that it prints is where it listens."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    chosen = parser.parse_args()
    with ScriptedMailServer(port=chosen.port, log=chosen.log) as server:
        sys.stdout.write(f"smtp://127.0.0.1:{server.port}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
