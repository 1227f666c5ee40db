"""Doubles of gateways that a file describes: Vonage's SMS API and an Android phone (sms-gate.app).

    python -m tests.providers.http_doubles vonage --log requests.log [--port N] [--webhooks URL]

as `doubles.py` beside it, whose behaviours hold here too. With `--webhooks`, each message that is
taken is reported to URL/receipts, in the states of `--callbacks`; POST /write with the fields from
and text brings a message from a phone to URL/inbound, as the gateway itself would.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.providers.doubles import ACCEPT, Double, Line

VONAGE_KEY, VONAGE_SECRET = "abcd1234", "secret & of {Vonage}"
PHONE_USER, PHONE_PASSWORD, PHONE_KEY = "sms", "pass of the phone", "signing-key"
LONGEST = 160  # characters in one of Vonage's messages, near enough
QUEUE_FULL = "+15005550503"
NOT_VALID = "+15005550400"

# The last two digits of such an address are the status of every part, or of all but the first.
EVERY_PART, ALL_BUT_FIRST = "+150055501", "+150055502"

Taken = tuple[int, dict[str, Any]]


class HttpDouble(Double):
    """A gateway that answers in JSON, and reports to addresses that were entered with it."""

    webhooks = ""

    def vonage(self, path: str, values: Mapping[str, str]) -> Taken:
        """Answer one message as Vonage does: always 200, with a status for each part."""
        if path != "/sms/json":
            return 404, {"error": "not found"}
        if (values.get("api_key"), values.get("api_secret")) != (VONAGE_KEY, VONAGE_SECRET):
            return 200, _vonage([{"status": "4", "error-text": "Bad Credentials"}])
        missing = [name for name in ("from", "to", "text") if not values.get(name)]
        if missing:
            return 200, _vonage([{"status": "2", "error-text": f"Missing {missing[0]} param"}])
        plain = values["text"].isascii()
        if not plain and values.get("type") != "unicode":
            return 200, _vonage([{"status": "3", "error-text": "Illegal type for this text"}])
        return 200, _vonage(
            [self._part(values, n) for n in range(1 + len(values["text"]) // LONGEST)]
        )

    def _part(self, values: Mapping[str, str], number: int) -> dict[str, str]:
        address, status = "+" + values["to"], "0"
        if address.startswith(EVERY_PART) or (address.startswith(ALL_BUT_FIRST) and number):
            status = str(int(address[-2:]))
        if status != "0":
            return {"status": status, "error-text": f"Error {status} of {VONAGE_SECRET}"}
        self.count += 1
        return {"to": values["to"], "message-id": f"0A00{self.count:08X}", "status": "0"}

    def phone(self, method: str, path: str, body: Mapping[str, Any]) -> Taken:
        """Answer as the app on the phone does."""
        if (method, path) == ("GET", "/webhooks"):
            return 200, {}
        if (method, path) != ("POST", "/message"):
            return 404, {"message": "not found"}
        [address] = body["phoneNumbers"]
        if address == QUEUE_FULL:
            text = "queue limits exceeded: too many pending messages"
            return 503, {"error": "QueueLimitExceeded", "message": text}
        if address == NOT_VALID:
            return 400, {"message": "invalid phone number"}
        recipients = [{"phoneNumber": address, "state": "Pending"}]
        return 202, {"id": body["id"], "state": "Pending", "recipients": recipients}

    async def report(self, reference: str, message_id: str, address: str) -> None:
        """Bring the states of a message that was taken to the address for receipts."""
        for state in self.callbacks:
            if self.kind == "vonage":
                report = {
                    "msisdn": address[1:],
                    "messageId": message_id,
                    "status": state,
                    "err-code": "14" if state == "rejected" else "0",
                    "client-ref": reference,
                }
            else:
                report = self._event(f"sms:{state}", messageId=reference, phoneNumber=address)
            answer = await self._bring(f"{self.webhooks}/receipts", report)
            self.write(callback=f"{self.webhooks}/receipts", status=state, answer=answer)

    async def write_for(self, address: str, text: str, message_id: str) -> int:
        """Bring what somebody wrote; returns the status of the answer."""
        if self.kind == "vonage":
            message = {
                "msisdn": address[1:],
                "to": "12345",
                "messageId": message_id,
                "text": text,
                "type": "text",
            }
        else:
            content = {"sender": address, "recipient": None, "message": text, "messageId": "same"}
            message = self._event("sms:received", **content) | {"id": message_id}
        answer = await self._bring(f"{self.webhooks}/inbound", message)
        self.write(callback=f"{self.webhooks}/inbound", text=text, answer=answer)
        return answer

    def _event(self, event: str, **payload: Any) -> dict[str, Any]:
        self.count += 1
        return {"id": f"event{self.count}", "event": event, "payload": payload}

    async def _bring(self, url: str, content: Mapping[str, Any]) -> int:
        if self.kind == "vonage":
            # Vonage asks either way, as its settings say; the query is its usual one.
            return await ask("GET", f"{url}?{urlencode(content)}", b"", {})
        body = json.dumps(content, ensure_ascii=False).encode()
        stamp = "1700000000"
        headers = {
            "Content-Type": "application/json",
            "X-Timestamp": stamp,
            "X-Signature": sign_event(body, stamp),
        }
        return await ask("POST", url, body, headers)


def sign_event(body: bytes, stamp: str) -> str:
    """The app's signature of what it brings."""
    return hmac.new(PHONE_KEY.encode(), body + stamp.encode(), hashlib.sha256).hexdigest()


def _vonage(parts: list[dict[str, str]]) -> dict[str, Any]:
    return {"message-count": str(len(parts)), "messages": parts}


async def ask(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Ask once; returns the answer's status, 0 where there was none."""
    parts = urlsplit(url)
    lines = [
        f"{method} {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        line = await asyncio.wait_for(reader.readline(), 20)
        await reader.read()
        writer.close()
        return int(line.split()[1])
    except (OSError, TimeoutError, IndexError, ValueError):
        return 0


class HttpDoubleLine(Line):
    """One connection to such a gateway."""

    double: HttpDouble

    def serve(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        double = self.double
        path, _, query = target.partition("?")
        if path.startswith("/behave/"):
            double.behaviour = path.removeprefix("/behave/")
            self.answer(200, "")
            return
        if path == "/write":
            given = dict(parse_qsl(body.decode()))
            writing = double.keep(double.write_for(given["from"], given["text"], given["id"]))
            writing.add_done_callback(lambda done: self.answer(200, "written"))
            return
        if double.kind == "vonage":
            # Fields twice would be a body that somebody broke out of.
            pairs = parse_qsl(f"{query}&{body.decode()}", keep_blank_values=True)
            assert len(pairs) == len(dict(pairs)), pairs
            values = dict(pairs)
            status, said = double.vonage(path, values)
            taken = [values.get("to", ""), values.get("text", ""), values.get("client-ref", "")]
            taken[0] = f"+{taken[0]}" if taken[0] else ""
            given = {k: v for k, v in values.items() if k not in ("api_secret", "text")}
        else:
            content = json.loads(body) if body else {}
            status, said = 401, {"message": "Unauthorized"}
            if headers.get("authorization") == _log_in():
                status, said = double.phone(method, path, content)
            taken = [
                content.get("phoneNumbers", [""])[0],
                content.get("textMessage", {}).get("text", ""),
                content.get("id", ""),
            ]
            given = {k: v for k, v in content.items() if k != "textMessage"}
        self.settle(method, taken, given, status, said)

    def settle(
        self,
        method: str,
        taken: list[str],
        values: Mapping[str, Any],
        status: int,
        said: dict[str, Any],
    ) -> None:
        """Write down what came, answer it, and report on what was taken."""
        double, (address, text, reference) = self.double, taken
        behaviour = double.behaviour_for(address)
        double.write(
            method=method,
            address=address,
            reference=reference,
            text=text,
            values=values,
            answer=status if behaviour == ACCEPT else behaviour,
        )
        parts = said.get("messages", [said])
        accepted = status == 202 or parts[0].get("status") == "0"
        if double.webhooks and accepted and behaviour in (ACCEPT, "hang", "empty"):
            message_id = parts[0].get("message-id", "")
            double.keep(double.report(reference, message_id, address))
        self.behave(behaviour, status, json.dumps(said), "")


def _log_in() -> str:
    return "Basic " + base64.b64encode(f"{PHONE_USER}:{PHONE_PASSWORD}".encode()).decode()


async def serve(options: argparse.Namespace) -> None:
    double = HttpDouble(options.kind, options.log, options.behaviour, None)
    double.webhooks = options.webhooks
    double.callbacks = [status for status in options.callbacks.split(",") if status]
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpDoubleLine(double), "127.0.0.1", options.port, backlog=500
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("vonage", "sms-gate"))
    parser.add_argument("--log", required=True, help="file that gets one line a request")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, printed")
    parser.add_argument("--behaviour", default=ACCEPT)
    parser.add_argument("--webhooks", default="", help="where receipts and replies are brought")
    parser.add_argument("--callbacks", default="delivered", help="states to report, in this order")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
