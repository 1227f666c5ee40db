"""What a gateway that a file describes brings: receipts and texts, and who is not believed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.providers.base import Inbound, Receipt
from rollcall.providers.http.pointers import find_all, find_text, read_document
from rollcall.providers.http.provider import DECLARATION, HttpProvider, HttpSettings
from rollcall.providers.settings import read_settings
from rollcall.providers.webhooks import Events, NotGenuine, Unreadable
from tests.providers.brought import bring
from tests.providers.gateways import GATEWAYS, LOG_INS
from tests.providers.http_doubles import sign_event
from tests.providers.messages import REFERENCE
from tests.providers.test_http_provider import described


def documented(name: str) -> HttpSettings:
    path = str(GATEWAYS / f"{name}.toml")
    return read_settings(HttpSettings, {"HTTP_PROVIDER_FILE": path, **LOG_INS})


VONAGE, PHONE = documented("vonage"), documented("sms-gate")


def from_vonage(route: str, **fields: str) -> Events:
    return bring(DECLARATION, route, VONAGE, form=fields)


def from_phone(route: str, event: str, stamp: str = "1700000000", **payload: Any) -> Events:
    content = {"id": "e1", "event": event, "payload": payload, "webhookId": "w"}
    body = json.dumps(content, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "X-Timestamp": stamp,
        "X-Signature": sign_event(body, stamp),
    }
    return bring(DECLARATION, route, PHONE, body=body, headers=headers)


RECEIPTS = {
    "delivered": Receipt("delivered", REFERENCE, "0A1"),
    "accepted": Receipt("sent", REFERENCE, "0A1"),
    "buffered": Receipt("sent", REFERENCE, "0A1"),
    "failed": Receipt("failed", REFERENCE, "0A1", "9", "This is not a number that exists."),
    "expired": Receipt("failed", REFERENCE, "0A1", "9", "This is not a number that exists."),
    "unknown": None,
}


@pytest.mark.parametrize(("status", "receipt"), RECEIPTS.items())
def test_vonages_receipts(status: str, receipt: Receipt | None):
    fields = {"messageId": "0A1", "status": status, "err-code": "9", "client-ref": REFERENCE}
    events = from_vonage("receipts", **fields)
    assert (list(events.receipts), events.unread) == ([receipt] if receipt else [], "")
    # By GET it says the same.
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    asked = bring(DECLARATION, "receipts", VONAGE, method="GET", query=query)
    assert asked.receipts == events.receipts
    assert events.answer([]).body == b""


def test_a_reason_that_is_not_listed_is_told_in_a_sentence():
    events = from_vonage(
        "receipts", messageId="0A1", status="failed", **{"err-code": "77", "client-ref": REFERENCE}
    )
    assert events.receipts == [
        Receipt("failed", REFERENCE, "0A1", "77", "Vonage could not deliver the message.")
    ]


def test_a_message_is_named_by_our_reference_or_by_the_gateways_id():
    [receipt] = from_vonage("receipts", messageId="0A1", status="delivered").receipts
    assert receipt == Receipt("delivered", None, "0A1")
    with pytest.raises(Unreadable, match="No message is named at /client-ref or /messageId"):
        from_vonage("receipts", status="delivered")
    with pytest.raises(Unreadable, match="No status stands at /status"):
        from_vonage("receipts", messageId="0A1")


def test_a_status_that_nobody_knows_is_told_and_changes_nothing():
    events = from_vonage("receipts", messageId="0A1", status="lost at sea")
    assert events.receipts == []
    assert events.unread == (
        "receipts with a status that HTTP_PROVIDER_FILE does not know: lost at sea"
    )


PHONES = {
    "sms:sent": Receipt("sent", REFERENCE),
    "sms:delivered": Receipt("delivered", REFERENCE),
    "sms:failed": Receipt(
        "failed",
        REFERENCE,
        None,
        "sms:failed",
        "Android phone could not deliver the message. It says: no SIM",
    ),
}


@pytest.mark.parametrize(("event", "receipt"), PHONES.items())
@pytest.mark.parametrize("route", ["receipts", "inbound"])
def test_the_phones_receipts_at_either_address(route: str, event: str, receipt: Receipt):
    events = from_phone(route, event, messageId=REFERENCE, phoneNumber="+1", reason="no SIM")
    assert (events.receipts, events.inbound) == ([receipt], ())


def test_what_people_write():
    text = from_phone("inbound", "sms:received", sender="+420601000001", message="STOP ✋")
    assert text.inbound == [Inbound("e1", "+420601000001", "", "STOP ✋")]
    # Neither gateway sends on what it is answered.
    assert text.answer(["You get no more texts."]).body == b""
    fields = {"msisdn": "420601000001", "to": "12345", "messageId": "0B", "text": "stop"}
    assert from_vonage("inbound", **fields).inbound == [
        Inbound("0B", "+420601000001", "12345", "stop")
    ]
    for missing, said in (("msisdn", "No sender"), ("messageId", "No id")):
        with pytest.raises(Unreadable, match=said):
            from_vonage("inbound", **{k: v for k, v in fields.items() if k != missing})


def test_an_event_of_another_kind_is_taken_and_nothing_follows():
    for route in ("inbound", "receipts"):
        events = from_phone(route, "system:ping", health={})
        assert (list(events.receipts), list(events.inbound), events.unread) == ([], [], "")


@pytest.mark.parametrize("route", ["inbound", "receipts", "receipt"])
def test_what_does_not_carry_the_phones_signature_is_not_believed(route: str):
    body = json.dumps({"event": "sms:received", "id": "e1", "payload": {}}).encode()
    genuine = {
        "Content-Type": "application/json",
        "X-Timestamp": "1",
        "X-Signature": sign_event(body, "1"),
    }
    bring(DECLARATION, "receipts", PHONE, body=body, headers=genuine)
    forgeries: list[tuple[bytes, dict[str, str]]] = [
        (body + b" ", genuine),
        (body, genuine | {"X-Timestamp": "2"}),
        (body, genuine | {"X-Signature": "é"}),
        (body, {"Content-Type": "application/json"}),
        (body, genuine | {"X-Signature": ""}),
    ]
    for forged, headers in forgeries:
        with pytest.raises(NotGenuine):
            bring(DECLARATION, route, PHONE, body=forged, headers=headers, reference=REFERENCE)


def test_without_a_file_nothing_is_from_a_gateway():
    for route in ("inbound", "receipts", "receipt"):
        with pytest.raises(NotGenuine):
            bring(DECLARATION, route, HttpSettings(None), form={"a": "b"}, reference=REFERENCE)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_is_told_so(body: bytes):
    headers = {"Content-Type": "application/json"}
    with pytest.raises(Unreadable, match="not JSON"):
        bring(DECLARATION, "receipts", VONAGE, body=body, headers=headers)


def test_a_form_of_another_kind_is_told_so():
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(Unreadable, match="application/x-www-form-urlencoded"):
        bring(DECLARATION, "receipts", VONAGE, body=b"--x--", headers=headers)


SEVERAL = {
    "send": {"fields": {"to": "{to}", "dlr": "{receipt_url}"}},
    "receipts": {
        "each": "/results/*",
        "id": "/id",
        "status": "/s",
        "states": {"delivered": "1", "failed": ["2", "3"]},
        "opted_out": "3",
    },
    "inbound": {
        "id": ["/from", "/at"],
        "each": "/results/*",
        "sender": "/from",
        "text": "/text",
        "reply": "body",
    },
}


def test_several_receipts_in_one_request(tmp_path: Path):
    settings = described(tmp_path, SEVERAL)
    results = [{"id": "a", "s": 1}, {"id": "b", "s": 2}, {"id": "c", "s": 3}, {"id": "d", "s": 9}]
    body = json.dumps({"results": results}).encode()
    headers = {"Content-Type": "application/json"}
    events = bring(DECLARATION, "receipts", settings, body=body, headers=headers)
    said = "HTTP gateway could not deliver the message."
    assert events.receipts == [
        Receipt("delivered", None, "a"),
        Receipt("failed", None, "b", "2", said),
        Receipt("failed", None, "c", "3", said, opted_out=True),
    ]
    assert events.unread.endswith("does not know: 9")
    # Where the address itself names the message, nothing else has to.
    one = json.dumps({"results": [{"s": 1}]}).encode()
    named = bring(DECLARATION, "receipt", settings, body=one, headers=headers, reference=REFERENCE)
    assert named.receipts == [Receipt("delivered", REFERENCE)]
    assert HttpProvider(settings).declaration.reports is None


def test_several_texts_in_one_request_and_what_is_sent_back(tmp_path: Path):
    settings = described(tmp_path, SEVERAL)
    results = [
        {"from": 420601000001, "at": "12:00", "text": "STOP"},
        {"from": "00420601000002", "at": "12:01", "text": "x" * 3},
    ]
    body = json.dumps({"results": results}).encode()
    headers = {"Content-Type": "application/json"}
    events = bring(DECLARATION, "inbound", settings, body=body, headers=headers)
    assert events.inbound == [
        Inbound("420601000001-12:00", "+420601000001", "", "STOP"),
        Inbound("00420601000002-12:01", "+420601000002", "", "xxx"),
    ]
    answer = events.answer(["Acme: žádné další", ""])
    assert (answer.body.decode(), answer.content_type) == (
        "Acme: žádné další",
        "text/plain; charset=utf-8",
    )


# The example of RFC 6901, section 5.
EXAMPLE = {
    "foo": ["bar", "baz"],
    "": "0",
    "a/b": "1",
    "c%d": "2",
    "i\\j": "5",
    'k"l': "6",
    " ": "7",
    "m~n": "8",
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/foo/0", "bar"),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/i\\j", "5"),
        ('/k"l', "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
        ("/foo/2", None),
        ("/foo/-", None),
        ("/foo/01", None),
        ("/foo", None),
        ("", None),
        ("/none/at/all", None),
    ],
)
def test_pointers_are_those_of_the_standard(pointer: str, value: str | None):
    assert find_all(EXAMPLE, pointer) == [value]
    assert find_text(EXAMPLE, pointer) == (value or "")


@given(number=st.integers(-(10**40), 10**40))
def test_numbers_keep_every_digit(number: int):
    assert find_text(read_document(b'{"id": %d}' % number), "/id") == str(number)
    assert find_text(read_document(b'{"id": 1.50, "ok": true}'), "/id") == "1.50"
    assert find_text(read_document(b'{"id": 1.50, "ok": true}'), "/ok") == "true"
