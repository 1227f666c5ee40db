"""Doubles of Kannel and Twilio over raw HTTP, as a process of their own with a command line.

    python -m tests.providers.doubles twilio --log requests.log [--port N] [--callbacks sent,…]

prints its port and serves until it is ended. Each request is one line of JSON in the log before
anything is answered: the address, our reference, the text and what is done about it. Written
on asyncio's protocols, so that it is never the slowest in a run.

What it does is named by a behaviour (below): of the whole double, set on the command line or by
POST /behave/NAME while it runs; or of one message, by the last three digits of an address that
begins with +1900.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import socket
import struct
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

KANNEL_USER, KANNEL_PASSWORD = "app", "s e&cret"
TWILIO_SID, TWILIO_TOKEN = "AC" + "0" * 30 + "42", "token-of-the-double"

# By the last three digits of an address that begins with +1900.
MAGIC = {
    "400": "400",
    "403": "403",
    "404": "404",
    "408": "408",
    "429": "429",
    "500": "500",
    "502": "502",
    "503": "503",
    "504": "504",
    "600": "hang",
    "601": "reset",
    "602": "half",
    "603": "half-headers",
    "604": "empty",
    "605": "garbage",
    "606": "drip",
    "607": "close-after",
    "608": "endless",
    "609": "busy",
    "610": "echo",  # repeats the request, as some error pages do
    "611": "chunked",
    "612": "no-length",
    "613": "half-chunked",
    "614": "not-routable",
}
ACCEPT = "accept"
RETRY_AFTER = 7

# Twilio's own magic numbers, which its test credentials answer in this way.
TWILIO_TO = {
    "+15005550001": (21211, "The 'To' number is not a valid phone number."),
    "+15005550002": (21612, "The 'To' phone number is not currently reachable."),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region."),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (21614, "'To' number is not a valid mobile number"),
    "+15005550099": (29999, "Something that nobody has seen before"),
}
TWILIO_FROM = {
    "+15005550001": (400, 21212, "The 'From' number is not a valid phone number."),
    "+15005550007": (400, 21606, "The 'From' number is not owned by the account."),
    "+15005550008": (429, 21611, "SMS queue is full."),
}
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 400: "Bad Request", 403: "Forbidden"}


def sign(token: str, url: str, form: dict[str, str]) -> str:
    """Twilio's signature of a form that it posts to the URL."""
    text = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


class Double:
    """What the double knows: its log, what it has taken, and how it behaves."""

    def __init__(self, kind: str, log: str, behaviour: str, idle: float | None) -> None:
        self.kind = kind
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.behaviour = behaviour
        self.idle = idle
        self.taken: dict[str, list[dict[str, object]]] = {}
        self.count = 0
        self.callbacks: list[str] = []
        self.callbacks_first = False
        self.pending: set[asyncio.Task[None]] = set()

    def write(self, **line: object) -> None:
        os.write(self.log, (json.dumps(line, ensure_ascii=False) + "\n").encode())

    def keep(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Do something beside; a task that nobody keeps may be thrown away unfinished."""
        task = asyncio.get_running_loop().create_task(work)
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)
        return task

    def behaviour_for(self, address: str) -> str:
        if address.startswith("+1900"):
            return MAGIC.get(address[-3:], ACCEPT)
        return self.behaviour

    def kannel(self, values: dict[str, str]) -> tuple[int, str, str]:
        """Answer one sendsms: the status, the text, and what the log says of it."""
        address = values.get("to", "")
        log_in = values.get("username"), values.get("password")
        if log_in != (KANNEL_USER, KANNEL_PASSWORD):
            return 403, "Authorization failed for sendsms", ACCEPT
        if not address:
            return 400, "Missing receiver number, rejected", ACCEPT
        return 202, "0: Accepted for delivery", self.behaviour_for(address)

    def twilio(self, method: str, path: str, values: dict[str, str]) -> tuple[int, str, str]:
        """Answer one request to the account: the status, the text, and what the log says of it."""
        root = f"/2010-04-01/Accounts/{TWILIO_SID}"
        if path == f"{root}.json" and method == "GET":
            account = {"sid": TWILIO_SID, "status": "active", "type": "Full"}
            return 200, json.dumps(account), ACCEPT
        if path != f"{root}/Messages.json":
            return *_twilio_error(404, 20404, "The requested resource was not found"), ACCEPT
        if method == "GET":
            found = self.taken.get(values.get("To", ""), [])
            return 200, json.dumps({"messages": found[: int(values["PageSize"])]}), ACCEPT
        refusal = _refusal(values)
        if refusal is not None:
            return *_twilio_error(*refusal), ACCEPT
        return 201, json.dumps(self.take(values)), self.behaviour_for(values["To"])

    def take(self, values: dict[str, str]) -> dict[str, object]:
        self.count += 1
        record: dict[str, object] = {
            "sid": f"SM{self.count:032x}",
            "status": "queued",
            "to": values["To"],
            "from": values.get("From"),
            "body": values["Body"],
            "direction": "outbound-api",
            "date_created": format_datetime(datetime.now(UTC)),
            "date_sent": None,
            "error_code": None,
            "error_message": None,
        }
        self.taken.setdefault(values["To"], []).insert(0, record)
        return record

    async def call_back(self, url: str, record: dict[str, object]) -> None:
        """Report the message's states to the address that came with it, signed."""
        for status in self.callbacks:
            form = {
                "AccountSid": TWILIO_SID,
                "MessageSid": str(record["sid"]),
                "MessageStatus": status,
                "To": str(record["to"]),
            }
            if status in ("failed", "undelivered"):
                form["ErrorCode"] = "30003"
            answer = await post_form(url, form, TWILIO_TOKEN)
            self.write(callback=url, status=status, answer=answer)


def _refusal(values: dict[str, str]) -> tuple[int, int, str] | None:
    sender = values.get("From", "")
    if not values.get("To"):
        return 400, 21604, "A 'To' phone number is required."
    if not sender and not values.get("MessagingServiceSid"):
        return 400, 21603, "A 'From' or 'MessagingServiceSid' parameter is required."
    if not values.get("Body"):
        return 400, 21602, "Message body is required."
    if sender in TWILIO_FROM:
        return TWILIO_FROM[sender]
    if values["To"] in TWILIO_TO:
        return 400, *TWILIO_TO[values["To"]]
    return None


def _twilio_error(status: int, code: int, message: str) -> tuple[int, str]:
    info = f"https://www.twilio.com/docs/errors/{code}"
    error = {"code": code, "message": message, "more_info": info, "status": status}
    return status, json.dumps(error)


async def post_form(url: str, form: dict[str, str], token: str) -> int:
    """Post a signed form; returns the answer's status, 0 where there was none."""
    parts = urlsplit(url)
    body = urlencode(form).encode()
    head = (
        f"POST {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1\r\n"
        f"Host: {parts.netloc}\r\nConnection: close\r\n"
        f"X-Twilio-Signature: {sign(token, url, form)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        writer.write(head.encode() + body)
        line = await asyncio.wait_for(reader.readline(), 20)
        await reader.read()
        writer.close()
        return int(line.split()[1])
    except (OSError, TimeoutError, IndexError, ValueError):
        return 0


class Line(asyncio.Protocol):
    """One connection to the double."""

    def __init__(self, double: Double) -> None:
        self.double = double
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head[1:])
            }
            size = int(headers.get("content-length", "0"))
            if len(self.buffer) < end + 4 + size:
                return
            body = self.buffer[end + 4 : end + 4 + size]
            self.buffer = self.buffer[end + 4 + size :]
            method, target, _ = head[0].split(" ", 2)
            self.serve(method, target, headers, body)

    def serve(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        double = self.double
        path, _, query = target.partition("?")
        if path.startswith("/behave/"):
            double.behaviour = path.removeprefix("/behave/")
            self.answer(200, "")
            return
        values = dict(parse_qsl(query + "&" + body.decode("latin-1"), keep_blank_values=True))
        receipts = values.get("dlr-url") or values.get("StatusCallback") or ""
        if double.kind == "kannel":
            if path != "/cgi-bin/sendsms":
                status, text, behaviour = 404, "Unknown request.", ACCEPT
            else:
                status, text, behaviour = double.kannel(values)
        elif headers.get("authorization") != _log_in():
            status, text = _twilio_error(401, 20003, "Authenticate")
            behaviour = ACCEPT
        else:
            status, text, behaviour = double.twilio(method, path, values)
        double.write(
            method=method,
            address=values.get("to") or values.get("To") or "",
            reference=urlsplit(receipts).path.rpartition("/")[2],
            text=values.get("text") or values.get("Body") or "",
            values={k: v for k, v in values.items() if k not in ("password", "text", "Body")},
            answer=status if behaviour == ACCEPT else behaviour,
        )
        record = double.taken[values["To"]][0] if status == 201 and double.callbacks else None
        if record is not None and receipts and behaviour in (ACCEPT, "hang", "empty"):
            calling = double.keep(double.call_back(receipts, record))
            if double.callbacks_first:
                calling.add_done_callback(lambda _: self.behave(behaviour, status, text, target))
                return
        self.behave(behaviour, status, text, target)

    def behave(self, behaviour: str, status: int, text: str, target: str) -> None:
        if behaviour == ACCEPT:
            self.answer(status, text)
        elif behaviour.isdigit():
            self.answer(int(behaviour), f"answer {behaviour}")
        elif behaviour == "busy":
            self.answer(503, "Temporal failure, try again later.")
        elif behaviour == "not-routable":
            self.answer(403, "Not routable. Do not try again.")
        elif behaviour == "echo":
            self.answer(400, f"Not understood: {target}")
        elif behaviour == "reset":
            self.reset()
        elif behaviour == "empty":
            self.transport.close()
        elif behaviour == "close-after":
            self.answer(status, text)
            self.transport.close()
        elif behaviour != "hang":
            self.misbehave(behaviour, status, text)

    def misbehave(self, behaviour: str, status: int, text: str) -> None:
        whole = _write_answer(status, text)
        headers, _, body = whole.partition(b"\r\n\r\n")
        if behaviour == "half":
            self.transport.write(whole[:-5])
        elif behaviour == "half-headers":
            self.transport.write(headers[: len(headers) // 2])
        elif behaviour == "garbage":
            self.transport.write(b"\x00\xff SSH-2.0 nobody speaks this\r\n\r\n")
        elif behaviour == "drip":
            self.double.keep(self.drip(whole))
            return
        elif behaviour == "endless":
            self.transport.write(b"HTTP/1.1 202 Accepted\r\n\r\n" + b"0: Accepted " * 500_000)
        elif behaviour in ("chunked", "half-chunked"):
            chunked = b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status
            end = b"0\r\n\r\n" if behaviour == "chunked" else b""
            self.transport.write(chunked + b"%x\r\n%s\r\n" % (len(body), body) + end)
            if behaviour == "chunked":
                return
        elif behaviour == "no-length":
            self.transport.write(b"HTTP/1.1 %d X\r\n\r\n" % status + body)
        self.transport.close()

    async def drip(self, whole: bytes) -> None:
        for octet in whole:
            if self.transport.is_closing():
                return
            self.transport.write(bytes([octet]))
            await asyncio.sleep(0.1)

    def reset(self) -> None:
        line = self.transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def answer(self, status: int, text: str) -> None:
        self.transport.write(_write_answer(status, text))
        if self.double.idle is not None:
            asyncio.get_running_loop().call_later(self.double.idle, self.transport.close)


def _write_answer(status: int, text: str) -> bytes:
    body = text.encode()
    retry = f"Retry-After: {RETRY_AFTER}\r\n" if status == 429 else ""
    head = (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Answer')}\r\n"
        f"Content-Type: text/plain\r\n{retry}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _log_in() -> str:
    return "Basic " + base64.b64encode(f"{TWILIO_SID}:{TWILIO_TOKEN}".encode()).decode()


async def serve(options: argparse.Namespace) -> None:
    double = Double(options.kind, options.log, options.behaviour, options.idle)
    double.callbacks = [status for status in options.callbacks.split(",") if status]
    double.callbacks_first = options.callbacks_first
    server = await asyncio.get_running_loop().create_server(
        lambda: Line(double), "127.0.0.1", options.port, backlog=500
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("kannel", "twilio"))
    parser.add_argument("--log", required=True, help="file that gets one line a request")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, printed")
    parser.add_argument("--behaviour", default=ACCEPT)
    parser.add_argument("--idle", type=float, help="close each line this long after an answer")
    parser.add_argument("--callbacks", default="", help="Twilio: states to report, in this order")
    parser.add_argument("--callbacks-first", action="store_true", help="before the answer")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
