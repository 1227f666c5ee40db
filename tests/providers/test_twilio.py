"""Twilio: a double that checks what it is sent and answers with Twilio's documented codes."""

import datetime as dt
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from rollcall import clock
from rollcall.providers.base import Inbound, OutgoingMessage, ProviderError, Receipt
from rollcall.providers.twilio.codes import CODES, Concerns, describe_code, error_of
from rollcall.providers.twilio.provider import Twilio, TwilioSettings
from rollcall.providers.twilio.signature import is_signed
from rollcall.providers.twilio.webhooks import read_receipt, read_text
from tests.providers import messages
from tests.providers.doubles import RETRY_AFTER, TWILIO_SID, TWILIO_TOKEN
from tests.providers.gateways import DOCUMENT, Double, Listener, free_ports
from tests.providers.messages import REFERENCE, kind_of, make_message, send
from tests.waiting import HANGS, NEVER_ANSWERED, wait_for

SERVICE = "MG" + "0" * 32
TRIAL_PREFIX = "Sent from your Twilio trial account - "


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    with Double(tmp_path_factory.mktemp("double"), "twilio") as double:
        yield double


def test_a_message_is_accepted_with_twilios_id_and_sent_once(double: Double):
    address, text = "+420601000001", "Příliš & 100% 🎉"
    message = make_message(address, text, receipts="https://rollcall.example")
    [outcome] = send(Twilio(double.twilio), message)
    assert outcome.error is None
    assert (outcome.provider_message_id or "").startswith("SM")
    [request] = double.requests(address)
    assert request["method"] == "POST"
    assert request["text"] == text
    assert request["reference"] == REFERENCE
    assert request["values"] == {
        "To": address,
        "From": "+15005550006",
        "StatusCallback": f"https://rollcall.example/receipt/{REFERENCE}",
    }


@pytest.mark.parametrize(
    ("sender", "field"),
    [
        ("+15005550006", "From"),
        ("Rollcall", "From"),
        ("MGM Grand", "From"),  # a name, though services begin with MG too
        (SERVICE, "MessagingServiceSid"),
    ],
)
def test_the_sender_is_a_number_a_name_or_a_service(double: Double, sender: str, field: str):
    address = f"+4206010007{len(sender):02d}"
    send(Twilio(replace(double.twilio, sender=sender)), make_message(address))
    values = double.requests(address)[-1]["values"]
    assert values == {"To": address, field: sender}


TO_CODES = [
    ("+15005550001", "21211", "refused"),
    ("+15005550002", "21612", "refused"),
    ("+15005550003", "21408", "refused"),
    ("+15005550004", "21610", "refused"),
    ("+15005550009", "21614", "refused"),
    ("+15005550099", "29999", "refused"),
]


@pytest.mark.parametrize(("address", "code", "kind"), TO_CODES)
def test_twilios_codes_for_a_recipient_refuse_that_recipient(
    double: Double, address: str, code: str, kind: str
):
    [outcome] = send(Twilio(double.twilio), make_message(address))
    error = messages.error_of(outcome)
    assert (error.code, kind_of(error)) == (code, kind)
    assert error.opted_out == (code == "21610")
    # What is not known here is shown in Twilio's own words.
    known = "Something that nobody has seen before" if code == "29999" else CODES[int(code)].text
    assert error.text == known
    assert len(double.requests(address)) == 1


@pytest.mark.parametrize(
    ("sender", "code", "kind"),
    [
        ("+15005550001", "21212", "refused all"),
        ("+15005550007", "21606", "refused all"),
        ("+15005550008", "21611", "later all"),
    ],
)
def test_twilios_codes_for_the_sender_concern_everybody(
    double: Double, sender: str, code: str, kind: str
):
    twilio = Twilio(replace(double.twilio, sender=sender))
    [outcome] = send(twilio, make_message("+420601000601"))
    error = messages.error_of(outcome)
    assert (error.code, kind_of(error)) == (code, kind)
    assert "TWILIO_FROM" in error.text
    assert error.retry_after == (RETRY_AFTER if code == "21611" else None)


def test_a_wrong_token_and_a_wrong_account_concern_everybody(double: Double):
    wrong = Twilio(replace(double.twilio, auth_token="not-the-token"))
    [outcome] = send(wrong, make_message())
    error = messages.error_of(outcome)
    assert (error.code, kind_of(error)) == ("20003", "refused all")
    assert "TWILIO_AUTH_TOKEN" in error.text
    assert "not-the-token" not in str(error)
    assert "TWILIO_AUTH_TOKEN" in wrong.check()[-1].text
    elsewhere = Twilio(replace(double.twilio, base_url=f"{double.twilio.base_url}/elsewhere"))
    [outcome] = send(elsewhere, make_message())
    assert messages.error_of(outcome).code == "20404"
    assert kind_of(messages.error_of(outcome)) == "refused all"


HANGS_AT = "600"
ANSWERS = {
    "400": "doubt",
    "403": "refused all",
    "404": "refused all",
    "408": "doubt",
    "429": "later all",
    "500": "doubt",
    "502": "doubt",
    "503": "doubt",
    "504": "doubt",
    HANGS_AT: "doubt",
    "601": "doubt",  # resets the line
    "602": "doubt",  # gives half an answer
    "604": "doubt",  # closes the line without one
    "605": "doubt",  # answers garbage
}


@pytest.mark.parametrize(("digits", "kind"), ANSWERS.items())
def test_answers_that_are_not_twilios_prove_what_they_prove(double: Double, digits: str, kind: str):
    address = f"+19000000{digits}"
    patience = NEVER_ANSWERED if digits == HANGS_AT else HANGS
    [outcome] = send(Twilio(double.twilio), make_message(address), timeout=patience)
    error = messages.error_of(outcome)
    assert kind_of(error) == kind
    assert error.retry_after == (RETRY_AFTER if digits == "429" else None)
    wait_for(lambda: double.requests(address))
    assert len(double.requests(address)) == 1


def test_a_refused_connection_proves_that_nothing_was_taken(double: Double):
    settings = replace(double.twilio, base_url=f"http://127.0.0.1:{free_ports(1)[0]}")
    [outcome] = send(Twilio(settings), make_message())
    assert kind_of(messages.error_of(outcome)) == "later all"
    assert [finding.ok for finding in Twilio(settings).check()] == [True, False]


def test_a_check_asks_for_the_account_and_sends_nothing(double: Double):
    before = len(double.lines())
    findings = Twilio(double.twilio).check()
    assert [finding.ok for finding in findings] == [True, True, True]
    [request] = double.lines()[before:]
    assert (request["method"], request["address"]) == ("GET", "")


@pytest.mark.parametrize(
    ("account", "found"),
    [
        ('{"status": "suspended", "type": "Full"}', "suspended"),
        ('{"status": "active", "type": "Trial"}', "trial account"),
        ('{"code": 20404, "message": "not found", "status": 404}', "not answer as Twilio"),
        ("[]", "not answer as Twilio"),
    ],
)
def test_a_check_says_what_is_wrong_with_the_account(account: str, found: str):
    with Listener(account) as listener:
        settings = TwilioSettings(listener.url, TWILIO_SID, TWILIO_TOKEN, "+15005550006")
        finding = Twilio(settings).check()[-1]
    assert not finding.ok
    assert found in finding.text


def test_missing_settings_are_named_and_nothing_raises():
    twilio = Twilio(TwilioSettings("api.twilio.com", "", "", ""))
    names = ("TWILIO_BASE_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM")
    [outcome] = send(twilio, make_message())
    error = messages.error_of(outcome)
    assert kind_of(error) == "refused all"
    assert all(name in error.text for name in names)
    assert [finding.text.split()[0] for finding in twilio.check()] == list(names)


def test_what_twilio_took_is_found_by_number_text_and_time(double: Double):
    twilio, began = Twilio(double.twilio), clock.now()
    lost = make_message("+19000001600", "Did it go out?")
    [outcome] = send(twilio, lost, timeout=0.5)
    assert kind_of(messages.error_of(outcome)) == "doubt"
    found = twilio.find(lost, began)
    assert found is not None
    assert (found.token, found.error) == (lost.token, None)
    assert (found.provider_message_id or "").startswith("SM")
    assert twilio.find(replace(lost, text="Something else"), began) is None
    assert twilio.find(replace(lost, address="+420601009999"), began) is None
    assert twilio.find(lost, began + dt.timedelta(minutes=1)) is None
    assert len([r for r in double.requests(lost.address) if r["method"] == "POST"]) == 1


def _record(**changes: object) -> dict[str, object]:
    record: dict[str, object] = {
        "sid": "SM1",
        "status": "undelivered",
        "to": "+420601000001",
        "body": "Doors open at 7",
        "direction": "outbound-api",
        "date_created": "Sat, 21 Nov 2026 12:00:00 +0000",
        "error_code": 30003,
        "error_message": None,
    }
    return record | changes


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (_record(), "30003"),
        (_record(error_code=None), "undelivered"),
        (_record(status="failed", error_code="21610"), "21610"),
        (_record(status="queued", error_code=None), None),
        (
            _record(body="Sent from your Twilio trial account - Doors open at 7", status="sent"),
            None,
        ),
    ],
)
def test_what_twilio_took_and_lost_is_found_as_failed(record: dict[str, object], code: str | None):
    foreign = [None, {}, _record(direction="inbound"), _record(date_created="then"), _record(to=1)]
    since = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    with Listener(json.dumps({"messages": [*foreign, record]})) as listener:
        settings = TwilioSettings(listener.url, TWILIO_SID, TWILIO_TOKEN, "+15005550006")
        found = Twilio(settings).find(make_message(), since)
        query = dict(parse_qsl(listener.requests[0][1].partition("?")[2]))
    assert found is not None
    assert (found.error and found.error.code) == code
    assert query == {"To": "+420601000001", "PageSize": "100"}


def test_what_twilio_does_not_answer_is_not_taken_for_nothing_known(double: Double):
    wrong = Twilio(replace(double.twilio, auth_token="wrong"))
    with pytest.raises(ProviderError, match="20003"):
        wrong.find(make_message(), clock.now())
    with pytest.raises(ProviderError, match="TWILIO_FROM"):
        Twilio(replace(double.twilio, sender="")).find(make_message(), clock.now())


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_told_in_a_sentence_and_concerns_somebody(code: int):
    error = error_of(code, 400, "Twilio's own words", 3.0)
    concerns = CODES[code].concerns
    assert error.text == describe_code(code)
    assert error.text[0].isupper()
    assert error.text.endswith(".")
    assert len(error.text) <= 300
    assert error.provider_wide == (concerns in (Concerns.ACCOUNT, Concerns.LATER))
    assert error.permanent == (concerns is not Concerns.LATER)
    assert error.opted_out == (code == 21610)


def test_the_documents_list_every_code():
    document = DOCUMENT.read_text("utf-8")
    assert [code for code in CODES if f"| {code} | {CODES[code].text} |" not in document] == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "refused"), (401, "refused all"), (403, "refused all"), (429, "later all")],
)
def test_an_unknown_code_is_judged_by_its_status(status: int, kind: str):
    error = error_of(99999, status, "", None)
    assert kind_of(error) == kind
    assert error.text == "Twilio reports error 99999."


FORM = {"From": "+420601000001", "Body": "STOP ✋", "MessageSid": "SM1", "To": "+15005550006"}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"MessageStatus": status, "MessageSid": "SM1"}, Receipt("sent", "r", "SM1"))
        for status in ("accepted", "queued", "sending", "sent", "scheduled")
    ]
    + [
        ({"MessageStatus": "delivered", "MessageSid": "SM1"}, Receipt("delivered", "r", "SM1")),
        ({"SmsStatus": "delivered", "SmsSid": "SM1"}, Receipt("delivered", "r", "SM1")),
        (
            {"MessageStatus": "undelivered", "MessageSid": "SM1", "ErrorCode": "30003"},
            Receipt("failed", "r", "SM1", "30003", "The phone is switched off or out of reach."),
        ),
        (
            {"MessageStatus": "failed", "MessageSid": "SM1", "ErrorCode": "31999"},
            Receipt("failed", "r", "SM1", "31999", "Twilio reports error 31999."),
        ),
        (
            {"MessageStatus": "failed", "MessageSid": "SM1", "ErrorCode": "21610"},
            Receipt("failed", "r", "SM1", "21610", "Opted out at the carrier.", opted_out=True),
        ),
        (
            {"MessageStatus": "failed", "MessageSid": "SM1"},
            Receipt("failed", "r", "SM1", "failed", "Twilio could not deliver the message."),
        ),
        ({"MessageStatus": "received", "MessageSid": "SM1"}, None),
        ({"MessageSid": "SM1"}, None),
        ({}, None),
    ],
)
def test_receipts_are_read(form: dict[str, str], expected: Receipt | None):
    assert read_receipt(form, "r") == expected


def test_inbound_messages_are_read_and_who_has_answered_them():
    inbound = Inbound("SM1", "+420601000001", "+15005550006", "STOP ✋")
    assert read_text(FORM) == inbound
    assert read_text(FORM | {"OptOutType": "STOP"}) == replace(inbound, answered=True)
    picture = {"From": "+1", "To": "+2", "MessageSid": "MM1", "NumMedia": "1"}
    assert read_text(picture) == Inbound("MM1", "+1", "+2", "")
    assert read_text({"Body": "STOP", "From": "+1"}) is None
    assert read_text({"Body": "STOP", "MessageSid": "SM1"}) is None


def test_the_double_reports_back_signed_also_before_it_answers(tmp_path: Path):
    options = ("--callbacks", "delivered,sent", "--callbacks-first")
    with Listener() as listener, Double(tmp_path, "twilio", *options) as double:
        message = make_message(receipts=listener.url)
        [outcome] = send(Twilio(double.twilio), message)
        assert len(listener.requests) == 2
    for _method, target, headers, body in listener.requests:
        form = dict(parse_qsl(body.decode()))
        signature = headers["X-Twilio-Signature"]
        assert is_signed(TWILIO_TOKEN, listener.url + target, signature, list(form.items()))
        assert form["MessageSid"] == outcome.provider_message_id
        assert target.endswith(REFERENCE)
    receipts = [read_receipt(dict(parse_qsl(body.decode()))) for *_, body in listener.requests]
    assert [receipt and receipt.status for receipt in receipts] == ["delivered", "sent"]


def test_a_hundred_messages_at_once_arrive_once_each(double: Double):
    """Lines of several threads share nothing but the provider."""
    twilio = Twilio(double.twilio)
    batches: list[list[OutgoingMessage]] = [
        [make_message(f"+4206070{thread:02d}{number:03d}") for number in range(25)]
        for thread in range(4)
    ]
    with ThreadPoolExecutor(4) as pool:
        outcomes = [one for batch in pool.map(lambda b: send(twilio, *b), batches) for one in batch]
    ids = {outcome.provider_message_id for outcome in outcomes}
    assert len(ids) == 100
    assert None not in ids
    taken = [r["address"] for r in double.requests() if r["address"].startswith("+4206070")]
    assert sorted(taken) == sorted(message.address for batch in batches for message in batch)
