"""Kannel: Debian's own bearerbox, smsbox and fakesmsc, and a double for what these never do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from rollcall.providers.base import Inbound, Receipt
from rollcall.providers.kannel.provider import DECLARATION, Kannel, KannelSettings
from rollcall.providers.kannel.webhooks import read_receipt, read_text
from tests.providers.brought import bring
from tests.providers.doubles import KANNEL_PASSWORD, RETRY_AFTER
from tests.providers.gateways import (
    Double,
    Listener,
    Network,
    RealKannel,
    kannel_programs,
)
from tests.providers.messages import REFERENCE, error_of, kind_of, make_message, send
from tests.providers.needed import need_programs
from tests.waiting import wait_for

PHONE = "+420601000001"


@pytest.fixture(scope="module")
def webhooks() -> Iterator[Listener]:
    """Where the gateway brings what phones write, and its receipts."""
    with Listener() as listener:
        yield listener


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, webhooks: Listener) -> Iterator[RealKannel]:
    need_programs(kannel_programs(), "kannel kannel-extras")
    folder = tmp_path_factory.mktemp("kannel")
    with RealKannel(folder, f"{webhooks.url}/inbound") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def network(gateway: RealKannel) -> Iterator[Network]:
    with gateway.open_network() as network:
        yield network


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    with Double(tmp_path_factory.mktemp("double"), "kannel") as double:
        yield double


TEXTS = {
    "plain": "Doors open at 7, see you!",
    "signs of a URL": "100% + 1 & 2 = 3 ? #4; a/b",
    "all of GSM": "@£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ {[~]}^|€ ÄÖÑÜ§¿äöñüà",
    "accents beyond GSM": "Příliš žluťoučký kůň",
    "Cyrillic": "Привет, двери в 7",
    "emoji": "Party 🎉 👩‍👩‍👧 👍🏽",
    "long": "Bring a friend and a cake. " * 12,
    "long Cyrillic": "Приходите все. " * 12,
    "long emoji": "🎉🎉 yes " * 20,
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_reach_the_phone_unchanged(gateway: RealKannel, network: Network, name: str):
    address = f"+42060200000{list(TEXTS).index(name)}"
    [outcome] = send(Kannel(gateway.settings), make_message(address, TEXTS[name]))
    assert outcome.error is None
    assert outcome.token == 255
    wait_for(lambda: address in dict(network.messages()))
    assert [text for to, text in network.messages() if to == address] == [TEXTS[name]]


def test_receipts_come_to_our_address_and_are_read(
    gateway: RealKannel, network: Network, webhooks: Listener
):
    hook = f"{webhooks.url}/100%D0?key=a&other=b"
    message = replace(make_message(PHONE, "Receipts?"), receipt_url=f"{hook}&r=1")
    [outcome] = send(Kannel(gateway.settings), message)
    assert outcome.error is None

    def receipts() -> list[dict[str, str]]:
        targets = [urlsplit(target) for _, target, _, _ in list(webhooks.requests)]
        return [dict(parse_qsl(t.query)) for t in targets if t.path == "/100%D0"]

    wait_for(lambda: len(receipts()) == 2)
    # The gateway may report "taken" and "delivered" in either order.
    read = [read_receipt(values, REFERENCE) for values in receipts()]
    assert {receipt.status for receipt in read if receipt} == {"sent", "delivered"}
    assert {receipt.reference for receipt in read if receipt} == {REFERENCE}
    assert all(
        (found["key"], found["other"], found["r"]) == ("a", "b", "1") for found in receipts()
    )


def test_without_an_address_for_receipts_none_are_asked_for(double: Double):
    addresses = ["+420601000401", "+420601000402"]
    with_receipts = make_message(addresses[0], receipts="http://127.0.0.1:9")
    send(Kannel(double.kannel), with_receipts, make_message(addresses[1]))
    [asked], [other] = double.requests(addresses[0]), double.requests(addresses[1])
    assert asked["values"]["dlr-mask"] == "27"
    assert asked["reference"] == REFERENCE
    assert not {"dlr-mask", "dlr-url"} & other["values"].keys()


def test_messages_wait_while_the_network_is_away_and_go_out_once(tmp_path: Path):
    need_programs(kannel_programs(), "kannel kannel-extras")
    with RealKannel(tmp_path / "kannel") as gateway:
        [outcome] = send(Kannel(gateway.settings), make_message(text="Later"))
        assert outcome.error is None
        with gateway.open_network() as network:
            wait_for(network.messages)
            assert network.messages() == [(PHONE, "Later")]


INBOUND = [
    ("+420603000001", "text", "STOP", "STOP"),
    ("420603000002", "text", "Přijdu 🎉", "Přijdu 🎉"),
    ("00420603000003", "data", "a%2Bb%26c+d", "a+b&c d"),
    ("+420603000004", "ucs2", "%04%1F%04%40%D8%3C%DF%89", "Пр🎉"),
]


@pytest.mark.parametrize(("sender", "kind", "written", "text"), INBOUND)
def test_what_phones_write_arrives_as_it_was_written(
    network: Network, webhooks: Listener, sender: str, kind: str, written: str, text: str
):
    before = len(webhooks.requests)
    network.write(sender, kind, written)

    def arrived() -> list[Inbound]:
        targets = [urlsplit(target) for _, target, _, _ in webhooks.requests[before:]]
        queries = [target.query.encode() for target in targets if target.path == "/inbound"]
        return [found for found in map(read_text, queries) if found]

    wait_for(arrived)
    [inbound] = arrived()
    assert inbound.address == "+420" + sender[-9:]
    assert (inbound.to_address, inbound.text) == ("12345", text)
    assert len(inbound.message_id) == 36


@pytest.mark.parametrize("reply", ["You get no more texts from us.", "Odhlášeno: Přátelé 👋"])
def test_the_answer_to_an_inbound_message_reaches_the_phone(
    network: Network, webhooks: Listener, reply: str
):
    sender = f"+42060400000{len(reply)}"
    stop = bring(DECLARATION, "inbound", None, method="GET", query="from=%2B420&id=1&text=STOP")
    answer = stop.answer([reply])
    assert answer.body == reply.encode()
    webhooks.reply, webhooks.reply_headers = reply, dict(answer.headers)
    try:
        network.write(sender, "text", "STOP")
        wait_for(lambda: sender in dict(network.messages()))
    finally:
        webhooks.reply, webhooks.reply_headers = "", {}
    assert dict(network.messages())[sender] == reply
    # An empty answer, as all of those above got, sends nothing.
    assert not [text for to, text in network.messages() if to.startswith("+420603")]


def test_a_check_looks_at_the_log_in_and_sends_nothing(gateway: RealKannel, network: Network):
    before = network.messages()
    findings = Kannel(gateway.settings).check()
    assert [finding.ok for finding in findings] == [True, True, True]
    assert findings[-1].text == "Kannel accepts the log-in."
    assert network.messages() == before


def test_a_wrong_password_concerns_everybody_and_is_not_shown(gateway: RealKannel):
    wrong = Kannel(replace(gateway.settings, password="verysecret"))
    [outcome] = send(wrong, make_message())
    error = error_of(outcome)
    assert (error.code, kind_of(error)) == ("403", "refused all")
    assert "KANNEL_PASSWORD" in error.text
    found = wrong.check()[-1]
    assert not found.ok
    assert "KANNEL_USERNAME" in found.text
    assert "verysecret" not in f"{error} {found.text}"


def test_a_wrong_path_and_a_wrong_number_are_told_apart(gateway: RealKannel):
    settings = gateway.settings
    [outcome] = send(Kannel(replace(settings, url=settings.url + "x")), make_message())
    assert (error_of(outcome).code, kind_of(error_of(outcome))) == ("404", "refused all")
    [outcome] = send(Kannel(settings), make_message("nobody"))
    assert kind_of(error_of(outcome)) == "refused"
    assert "no phone number" in error_of(outcome).text
    message = replace(make_message(), receipt_url="ftp://example.org/")
    [outcome] = send(Kannel(settings), message)
    assert kind_of(error_of(outcome)) == "refused all"
    assert "PUBLIC_URL" in error_of(outcome).text


ANSWERS = {
    "400": "refused",
    "403": "refused all",
    "404": "refused all",
    "408": "doubt",
    "429": "later all",
    "500": "doubt",
    "502": "doubt",
    "503": "doubt",
    "504": "doubt",
    "609": "later all",  # 503 in Kannel's own words
    "614": "refused",  # 403: no network carries the number
}


@pytest.mark.parametrize(("digits", "kind"), ANSWERS.items())
def test_each_answer_means_what_it_proves(double: Double, digits: str, kind: str):
    address = f"+19000000{digits}"
    [outcome] = send(Kannel(double.kannel), make_message(address))
    error = error_of(outcome)
    assert kind_of(error) == kind
    assert error.retry_after == (RETRY_AFTER if digits == "429" else None)
    assert error.text.endswith(".") or digits == "400"
    assert len(double.requests(address)) == 1


def test_an_answer_that_repeats_the_request_does_not_give_the_password_away(double: Double):
    double.behave("echo")
    try:
        [outcome] = send(Kannel(double.kannel), make_message("+420601000501"))
    finally:
        double.behave("accept")
    error = error_of(outcome)
    assert "username=app" in error.text
    for form in (KANNEL_PASSWORD, "s+e%26cret", "s%20e%26cret"):
        assert form not in str(error)


def test_a_check_says_where_something_else_than_kannel_answers():
    with Listener("Welcome to nginx!") as listener:
        kannel = Kannel(KannelSettings(f"{listener.url}/", "app", "secret", ""))
        findings = kannel.check()
    assert [finding.ok for finding in findings] == [True, True, False]
    assert "does not answer as Kannel does" in findings[-1].text


def test_missing_settings_are_named_and_nothing_raises():
    kannel = Kannel(KannelSettings("", "", "", ""))
    [outcome] = send(kannel, make_message())
    assert kind_of(error_of(outcome)) == "refused all"
    names = ("KANNEL_URL", "KANNEL_USERNAME", "KANNEL_PASSWORD")
    assert all(name in error_of(outcome).text for name in names)
    assert [finding.text.split()[0] for finding in kannel.check()] == list(names)
    [finding] = Kannel(KannelSettings("127.0.0.1:13013", "a", "b", "")).check()
    assert (finding.ok, "http://" in finding.text) == (False, True)


def test_a_sender_is_left_to_the_gateway_where_none_is_set(double: Double):
    send(Kannel(replace(double.kannel, sender="")), make_message("+420601000502"))
    send(Kannel(double.kannel), make_message("+420601000503"))
    assert "from" not in double.requests("+420601000502")[0]["values"]
    assert double.requests("+420601000503")[0]["values"]["from"] == "12345"


SMPP = "id:1 sub:001 dlvrd:000 submit date:2611 done date:2611 stat:{} err:{} text:"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"status": "1"}, Receipt("delivered", "r")),
        ({"status": "8", "reply": "ACK/"}, Receipt("sent", "r")),
        ({"status": "4"}, Receipt("sent", "r")),
        (
            {"status": "2", "reply": SMPP.format("UNDELIV", "099")},
            Receipt(
                "failed", "r", None, "UNDELIV 099", "The network could not deliver the message."
            ),
        ),
        (
            {"status": "34", "reply": SMPP.format("EXPIRED", "000")},
            Receipt(
                "failed",
                "r",
                None,
                "EXPIRED",
                "The phone was not reached in time, and the network gave up.",
            ),
        ),
        (
            {"status": "16", "reply": "NACK/0x0000000b/Invalid Destination Address"},
            Receipt(
                "failed",
                "r",
                None,
                "0x0000000b",
                "The network refused the message: Invalid Destination Address.",
            ),
        ),
        (
            {"status": "16"},
            Receipt("failed", "r", None, "rejected", "The network refused the message."),
        ),
        (
            {"status": "2"},
            Receipt("failed", "r", None, "failed", "The network could not deliver the message."),
        ),
        ({"status": "32"}, None),
        ({"status": "0"}, None),
        ({"status": "-1"}, None),
        ({"status": "²"}, None),
        ({"status": "delivered"}, None),
        ({}, None),
    ],
)
def test_receipts_are_read(values: dict[str, str], expected: Receipt | None):
    assert read_receipt(values, "r") == expected


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (b"text=caf%C3%A9&charset=UTF-8&coding=0", "café"),
        (b"text=%04%1F%04%40&charset=UTF-16BE&coding=2", "Пр"),
        (b"text=%04%1F%04%40&coding=2", "Пр"),
        (b"text=%04%1F%04%40&charset=UCS-2&coding=2", "Пр"),
        (b"text=caf%E9&charset=ISO-8859-1", "café"),
        (b"text=caf%E9&charset=8-BIT&coding=1", "café"),
        (b"text=caf%E9", "café"),
        (b"text=STOP%FF&charset=UTF-8", "STOP\ufffd"),
        (b"text=%00S%00T%00O%00P%00&charset=UTF-16BE", "STOP\ufffd"),
        (b"text=STOP&charset=nonsense", "STOP"),
        (b"text=ST%00OP", "STOP"),
        (b"charset=UTF-8", ""),
    ],
)
def test_texts_of_phones_are_read_in_their_character_set(query: bytes, text: str):
    found = read_text(b"from=%2B420601000001&to=12345&id=abc&" + query)
    assert found == Inbound("abc", "+420601000001", "12345", text)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("%2B420601000001", "+420601000001"),
        ("420601000001", "+420601000001"),
        ("00420%20601%20000%20001", "+420601000001"),
        ("0601000001", "0601000001"),  # a national number: no country can be guessed
        ("12345", "12345"),  # a short code has no country either
        ("Bank", "Bank"),
    ],
)
def test_numbers_of_phones_are_written_internationally(written: str, address: str):
    found = read_text(f"from={written}&to=1&id=abc&text=x".encode())
    assert found is not None
    assert found.address == address


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"text=STOP",
        b"from=%2B420601000001&text=STOP",
        b"%00&&=;",
        b"from=1&id=2&" + b"a=1&" * 99,
    ],
)
def test_what_is_no_message_is_not_read_as_one(query: bytes):
    assert read_text(query) is None


def test_every_gateway_that_was_started_is_ended_also_after_a_failure(tmp_path: Path):
    need_programs(kannel_programs(), "kannel kannel-extras")
    gateway = RealKannel(tmp_path / "kannel")
    processes = []

    def fail() -> None:
        with gateway:
            processes.extend(gateway.processes)
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert [process.returncode is not None for process in processes] == [True, True]
