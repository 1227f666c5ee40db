"""An SMSC to try Rollcall against: it does as it is told, and speaks through smpplib's own PDUs.

By itself it accepts all that comes, logs a line of JSON for each submit_sm (address, text,
reference, id) and sends a receipt for it where one was asked for:

    python -m tests.providers.smsc --log submits.log [--port 2775]
"""

import argparse
import contextlib
import json
import os
import socket
import socketserver
import struct
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smpplib import consts, smpp
from smpplib.gsm import GSM_CHARACTER_TABLE

from tests.waiting import wait_for

DROP = "drop"
HANG = "hang"
NACK = "nack"
# A reset, so that the other side's next write can fail too.
_NO_LINGER = struct.pack("ii", 1, 0)

Action = int | str
Actions = dict[str, Action | list[Action]]


# One message to us: the line that it went over, and its number there.
Delivery = tuple[int, int]


class _Numbers:
    """What smpplib asks for sequence numbers."""

    def __init__(self) -> None:
        self.sequence = 0

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence


@dataclass
class Submitted:
    """One submit_sm as it was accepted."""

    message_id: str
    address: str
    source: tuple[int, int, str]
    text: str
    header: bytes
    coding: int
    wants_receipt: bool
    reference: int


class ScriptedSmsc(socketserver.ThreadingTCPServer):
    """An SMSC that accepts everything, except where its actions say otherwise.

    The stages "bind" and "submit" have one action for always or a list that is used up in order:
    a command status (0 is yes), DROP to reset the line without an answer, HANG to give none,
    NACK for a generic_nack. What is dropped or left hanging counts as accepted all the same.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        actions: Actions | None = None,
        *,
        port: int = 0,
        ids: str = "{:d}",
        receipts: str = "none",
        log: Path | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Line)
        self.actions = actions or {}
        self.ids = ids
        # "none", "before" the answer or "after" it, or before it over the line of "another" process
        self.receipts = receipts
        self.submitted: list[Submitted] = []
        self.binds: list[dict[str, Any]] = []
        self.delivered: list[int] = []  # the statuses that our deliveries were answered with
        self.answered: dict[Delivery, int] = {}  # the same, of each delivery
        self.requests = 0
        self.enquiries = 0
        self.unbinds = 0
        self.lines: list[_Line] = []
        self.lock = threading.Lock()
        self._count = 1000
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if log else None

    @property
    def port(self) -> int:
        return self.server_address[1]

    def action(self, stage: str) -> Action:
        """The next action for a stage."""
        with self.lock:
            planned = self.actions.get(stage, 0)
            if isinstance(planned, list):
                return planned.pop(0) if planned else 0
            return planned

    def keep(self, pdu: Any) -> Submitted:
        """Take a submit_sm in: what stands here was accepted."""
        header, text = _read_content(pdu)
        with self.lock:
            self._count += 1
            taken = Submitted(
                message_id=self.ids.format(self._count),
                address=pdu.destination_addr.decode(),
                source=(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr.decode()),
                text=text,
                header=header,
                coding=pdu.data_coding,
                wants_receipt=pdu.registered_delivery == 1,
                reference=pdu.user_message_reference,
            )
            if self._log is None:
                self.submitted.append(taken)
            else:
                row = {name: getattr(taken, name) for name in ("address", "text", "reference")}
                row |= {"id": taken.message_id, "part": list(taken.header[3:])}
                os.write(self._log, (json.dumps(row) + "\n").encode())
        return taken

    def deliver(self, content: bytes, **fields: Any) -> int:
        """Send a deliver_sm over the newest bound line; gives the status of its answer."""
        delivery = self.post(content, **fields)
        wait_for(lambda: delivery in self.answered)
        return self.answered[delivery]

    def post(self, content: bytes, **fields: Any) -> "Delivery":
        """Send a deliver_sm over the newest bound line, and wait for nothing."""
        wait_for(lambda: any(line.is_open for line in self.lines))
        [*_, line] = [line for line in self.lines if line.is_open]
        return line.deliver(content, **fields)

    def drop_lines(self) -> None:
        """Reset every line that is open."""
        for line in self.lines:
            line.drop()

    def __enter__(self) -> "ScriptedSmsc":
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.drop_lines()
        self.server_close()
        if self._log is not None:
            os.close(self._log)

    def handle_error(self, *_: object) -> None:
        """Say nothing of lines that the other side broke; the tests do."""


class _Line(socketserver.BaseRequestHandler):
    server: ScriptedSmsc

    def handle(self) -> None:
        self.numbers = _Numbers()
        self.is_open = False
        self.writing = threading.Lock()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.lines.append(self)
        with contextlib.suppress(OSError):
            while raw := self._receive():
                pdu = smpp.parse_pdu(raw, client=self.numbers, allow_unknown_opt_params=True)
                getattr(self, f"on_{pdu.command}", self._ignore)(pdu)
        self.is_open = False

    def _receive(self) -> bytes:
        head = self.request.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return b""
        rest = struct.unpack(">L", head)[0] - 4
        return head + self.request.recv(rest, socket.MSG_WAITALL)

    def _ignore(self, pdu: Any) -> None:
        pass

    def on_bind_transceiver(self, pdu: Any) -> None:
        self.server.binds.append(
            {"user": pdu.system_id.decode(), "password": pdu.password.decode()}
        )
        action = self.server.action("bind")
        if action == DROP:
            self.drop()
        elif isinstance(action, int):
            self.is_open = action == 0
            self._answer(pdu, "bind_transceiver_resp", action)

    def on_submit_sm(self, pdu: Any) -> None:
        self.server.requests += 1
        action = self.server.action("submit")
        if action == NACK:
            self._answer(pdu, "generic_nack", consts.SMPP_ESME_RINVCMDID)
            return
        if isinstance(action, int) and action != 0:
            self._answer(pdu, "submit_sm_resp", action)
            return
        taken = self.server.keep(pdu)
        wanted = self.server.receipts if taken.wants_receipt else "none"
        if action == DROP:
            self.drop()
        if wanted == "before":
            self.deliver(receipt_text(taken.message_id), esm_class=4)
            time.sleep(0.05)  # so that it is really on its way first
        if wanted == "another":
            self._report_elsewhere(taken)
        if action == 0:
            self._answer(pdu, "submit_sm_resp", 0, message_id=taken.message_id)
        if wanted == "after":
            self.deliver(receipt_text(taken.message_id), esm_class=4)

    def _report_elsewhere(self, taken: Submitted) -> None:
        [line, *_] = [line for line in self.server.lines if line.is_open and line is not self]
        delivery = line.deliver(receipt_text(taken.message_id), esm_class=4)
        wait_for(lambda: delivery in self.server.answered)

    def on_deliver_sm_resp(self, pdu: Any) -> None:
        self.server.delivered.append(pdu.status)
        self.server.answered[id(self), pdu.sequence] = pdu.status

    def on_enquire_link(self, pdu: Any) -> None:
        self.server.enquiries += 1
        if self.server.action("enquire") != HANG:
            self._answer(pdu, "enquire_link_resp", 0)

    def on_unbind(self, pdu: Any) -> None:
        self.server.unbinds += 1
        self.is_open = False
        self._answer(pdu, "unbind_resp", 0)

    def deliver(self, content: bytes, **fields: Any) -> "Delivery":
        usual = {
            "source_addr_ton": 1,
            "source_addr_npi": 1,
            "source_addr": "447700900123",
            "dest_addr_ton": 1,
            "dest_addr_npi": 1,
            "destination_addr": "447700900999",
        }
        pdu = smpp.make_pdu(
            "deliver_sm", client=self.numbers, short_message=content, **(usual | fields)
        )
        self._write(pdu)
        return id(self), pdu.sequence

    def drop(self) -> None:
        self.is_open = False
        with contextlib.suppress(OSError):
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.request.shutdown(socket.SHUT_RDWR)
            self.request.close()

    def _answer(self, pdu: Any, command: str, status: int, **fields: Any) -> None:
        answer = smpp.make_pdu(command, client=self.numbers, **fields)
        answer.sequence, answer.status = pdu.sequence, status
        self._write(answer)

    def _write(self, pdu: Any) -> None:
        with self.writing:
            self.request.sendall(pdu.generate())


def receipt_text(message_id: str, state: str = "DELIVRD", error: str = "000") -> bytes:
    """A receipt's text as appendix B of SMPP 3.4 has it."""
    return (
        f"id:{message_id} sub:001 dlvrd:001 submit date:2603011830 done date:2603011831 "
        f"stat:{state} err:{error} text:id:7 stat:NO"
    ).encode()


def _read_content(pdu: Any) -> tuple[bytes, str]:
    content = pdu.short_message or b""
    header = b""
    if pdu.esm_class & consts.SMPP_GSMFEAT_UDHI:
        header, content = content[: content[0] + 1], content[content[0] + 1 :]
    if pdu.data_coding == consts.SMPP_ENCODING_ISO10646:
        return header, content.decode("utf-16-be")
    text, escaped = "", 0
    for octet in content:
        if octet == 0x1B:
            escaped = 0x80
            continue
        text += GSM_CHARACTER_TABLE[octet + escaped]
        escaped = 0
    return header, text


def main() -> None:
    """Accept messages until killed; the first line that it prints is where it listens."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    chosen = parser.parse_args()
    with ScriptedSmsc(port=chosen.port, log=chosen.log, receipts="after") as server:
        sys.stdout.write(f"127.0.0.1:{server.port}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
