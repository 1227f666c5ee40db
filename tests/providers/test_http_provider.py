"""Any HTTP gateway by its file: Vonage and an Android phone as documented, played by doubles."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.providers.http.file import Gateway
from rollcall.providers.http.judging import find_rule
from rollcall.providers.http.provider import (
    DECLARATION,
    HttpProvider,
    HttpSettings,
    describe_request,
)
from rollcall.providers.http_line import HttpResponse, read_address
from rollcall.providers.settings import WrongSetting, read_settings
from tests.providers import messages
from tests.providers.doubles import RETRY_AFTER
from tests.providers.gateways import (
    GATEWAYS,
    LOG_INS,
    DescribedDouble,
    Listener,
    free_ports,
    wait_for,
)
from tests.providers.http_doubles import NOT_VALID, QUEUE_FULL, VONAGE_SECRET
from tests.providers.messages import REFERENCE, kind_of, make_message, send

PHONE = "+420601000001"
LONG = "Bring a friend and a cake. " * 12  # three of Vonage's messages


@pytest.fixture(scope="module")
def vonage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DescribedDouble]:
    with DescribedDouble(tmp_path_factory.mktemp("vonage"), "vonage") as double:
        yield double


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DescribedDouble]:
    with DescribedDouble(tmp_path_factory.mktemp("phone"), "sms-gate") as double:
        yield double


TEXTS = ["Doors open at 7", '"; DROP} {text} %%FIRST_NAME%% \\ \r\n&to=1#', "Příliš 🎉 {{to}}"]


@pytest.mark.parametrize("text", TEXTS)
def test_vonage_takes_a_message_as_it_was_written(vonage: DescribedDouble, text: str):
    address = f"+42060100010{TEXTS.index(text)}"
    [outcome] = send(HttpProvider(vonage.settings), make_message(address, text))
    assert outcome.error is None
    assert (outcome.provider_message_id or "").startswith("0A00")
    [request] = vonage.requests(address)
    assert (request["method"], request["text"], request["reference"]) == ("POST", text, REFERENCE)
    assert request["values"] == {
        "api_key": "abcd1234",
        "from": "Rollcall",
        "to": address[1:],
        "type": "unicode" if "🎉" in text else "text",
        "client-ref": REFERENCE,
    }


@pytest.mark.parametrize("text", TEXTS)
def test_the_phone_takes_a_message_as_it_was_written(phone: DescribedDouble, text: str):
    address = f"+42060100020{TEXTS.index(text)}"
    [outcome] = send(HttpProvider(phone.settings), make_message(address, text))
    assert (outcome.error, outcome.provider_message_id) == (None, REFERENCE)
    [request] = phone.requests(address)
    assert (request["method"], request["text"], request["reference"]) == ("POST", text, REFERENCE)
    assert request["values"] == {
        "id": REFERENCE,
        "phoneNumbers": [address],
        "withDeliveryReport": True,
        "ttl": 3600,
    }


VONAGE_STATUSES = {
    "01": "later all",
    "02": "refused all",
    "03": "refused",
    "05": "doubt",
    "06": "refused",
    "07": "refused",
    "09": "refused all",
    "10": "later all",
    "29": "refused",
    "33": "refused",
    "77": "doubt",  # one that nobody has seen before
}


@pytest.mark.parametrize("text", ["one message", LONG])
@pytest.mark.parametrize(("status", "kind"), VONAGE_STATUSES.items())
def test_vonages_statuses_prove_what_the_file_says(
    vonage: DescribedDouble, status: str, kind: str, text: str
):
    [outcome] = send(HttpProvider(vonage.settings), make_message(f"+150055501{status}", text))
    error = messages.error_of(outcome)
    assert (error.code, kind_of(error)) == (str(int(status)), kind)
    # The gateway repeats our own secret in its words, as some error pages do.
    assert VONAGE_SECRET not in error.text
    known = {"09": "The Vonage account has too little credit.", "77": None}
    assert known.get(status) in (None, error.text)
    if status == "77":
        assert error.text == (
            "Vonage answered 200: nobody knows if it took the message. It says: Error 77 of …"
        )


@pytest.mark.parametrize("status", VONAGE_STATUSES)
def test_a_text_that_was_taken_in_part_is_in_doubt(vonage: DescribedDouble, status: str):
    [outcome] = send(HttpProvider(vonage.settings), make_message(f"+150055502{status}", LONG))
    assert kind_of(messages.error_of(outcome)) == "doubt"


@pytest.mark.parametrize(
    ("address", "code", "kind"),
    [(QUEUE_FULL, "503", "later all"), (NOT_VALID, "400", "refused")],
)
def test_the_phones_refusals(phone: DescribedDouble, address: str, code: str, kind: str):
    [outcome] = send(HttpProvider(phone.settings), make_message(address))
    assert (messages.error_of(outcome).code, kind_of(messages.error_of(outcome))) == (code, kind)


ANSWERS = {
    "403": "doubt",  # no rule of the file, and by HTTP's standard no proof
    "404": "doubt",
    "408": "doubt",
    "429": "later all",
    "500": "doubt",
    "502": "doubt",
    "503": "doubt",
    "504": "doubt",
    "600": "doubt",  # hangs
    "601": "doubt",  # resets the line
    "602": "doubt",  # gives half an answer
    "604": "doubt",  # closes the line without one
    "605": "doubt",  # answers garbage
}


@pytest.mark.parametrize("which", ["vonage", "phone"])
@pytest.mark.parametrize(("digits", "kind"), ANSWERS.items())
def test_what_no_rule_knows_is_in_doubt(
    request: pytest.FixtureRequest, which: str, digits: str, kind: str
):
    double: DescribedDouble = request.getfixturevalue(which)
    address = f"+19000000{digits}"
    [outcome] = send(HttpProvider(double.settings), make_message(address), timeout=0.7)
    error = messages.error_of(outcome)
    assert kind_of(error) == kind
    assert error.retry_after == (RETRY_AFTER if digits == "429" else None)
    wait_for(lambda: double.requests(address))
    assert len(double.requests(address)) == 1


def test_a_gateway_that_is_away_proves_that_nothing_was_taken(tmp_path: Path):
    settings = described(tmp_path, {"send": {"url": f"http://127.0.0.1:{free_ports(1)[0]}/"}})
    [outcome] = send(HttpProvider(settings), make_message())
    assert kind_of(messages.error_of(outcome)) == "later all"
    assert [finding.ok for finding in HttpProvider(settings).check()] == [True, False]


def test_a_wrong_log_in_concerns_everybody(phone: DescribedDouble, vonage: DescribedDouble):
    for double, name in ((phone, "SMSGATE_PASSWORD"), (vonage, "VONAGE_API_SECRET")):
        path = double.settings and double.folder / "gateway.toml"
        wrong = read_settings(
            HttpSettings, {"HTTP_PROVIDER_FILE": str(path), **LOG_INS, name: "mistaken"}
        )
        [outcome] = send(HttpProvider(wrong), make_message())
        error = messages.error_of(outcome)
        assert kind_of(error) == "refused all"
        assert "mistaken" not in str(error)


def test_a_check_asks_what_the_file_names_and_sends_nothing(phone: DescribedDouble):
    before = len(phone.lines())
    assert [finding.ok for finding in HttpProvider(phone.settings).check()] == [True, True]
    [request] = phone.lines()[before:]
    assert (request["method"], request["address"]) == ("GET", "")
    path = str(phone.folder / "gateway.toml")
    environ = {"HTTP_PROVIDER_FILE": path, **LOG_INS, "SMSGATE_PASSWORD": "mistaken"}
    finding = HttpProvider(read_settings(HttpSettings, environ)).check()[-1]
    assert (finding.ok, "does not accept the log-in" in finding.text) == (False, True)


def test_without_a_table_for_it_a_check_says_that_the_log_in_was_not_tried(
    vonage: DescribedDouble,
):
    before = len(vonage.lines())
    finding = HttpProvider(vonage.settings).check()[-1]
    assert (finding.ok, "not tried" in finding.text) == (True, True)
    assert len(vonage.lines()) == before


def test_without_a_file_everything_says_so():
    provider = HttpProvider(read_settings(HttpSettings, {}))
    assert provider.missing() == [
        "HTTP_PROVIDER_FILE is not set: write a file that describes the gateway."
    ]
    assert [finding.text for finding in provider.check()] == provider.missing()
    [outcome] = send(provider, make_message())
    assert kind_of(messages.error_of(outcome)) == "refused all"
    assert provider.host is None


def test_what_the_file_says_is_what_staff_read(phone: DescribedDouble, vonage: DescribedDouble):
    declared = HttpProvider(phone.settings).declaration
    assert (declared.label, declared.rate, declared.receipts) == ("Android phone", 0.5, "webhook")
    assert declared.proves_refusal[1:] == (
        "400: refused for this recipient.",
        "503 with /error is QueueLimitExceeded: too many requests; the whole provider rests.",
        "401 or 407: nothing is taken from our account; the provider stops.",
        "429: too many requests; the whole provider rests.",
    )
    assert (declared.name, declared.lookup, declared.ids_in_receipts) == ("http", False, True)
    assert HttpProvider(vonage.settings).declaration.rate is None
    assert HttpProvider(vonage.settings).host == "127.0.0.1"


# Texts of all kinds; a lone surrogate can't come out of a database.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(
    ['"', "'}]", "\\", "\r\nX: 1", "&to=1", "{text}", "{{", "%%A%%", "%00", "\0", "🎉", "\u2028"]
)
phones = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)
FIELDS = {"a": "{text}", "b": '{{"{text}"}}, {sender_name}{to}', "c": "{digits}", "{text}": "x"}


def request_of(body: str, method: str, fields: dict[str, Any], text: str, sender: str, to: str):
    described = {
        "send": {
            "url": "https://sms.example/send?v=1",
            "method": method,
            "body": body,
            "fields": fields,
            "headers": {"Idempotency-Key": "{reference}", "X-To": "<{to}>"},
        },
        "answer": {"rules": [{"outcome": "accepted", "status": "200"}]},
    }
    gateway = Gateway.model_validate(described)
    address = read_address(gateway.send.url)
    assert address is not None
    message = replace(make_message(to, text), sender_name=sender)
    return describe_request(gateway.send, address, message)


@given(text=texts, sender=texts, to=phones)
def test_nothing_breaks_out_of_a_json_body(text: str, sender: str, to: str):
    nested = {**FIELDS, "list": [1, True, {"deep": ["{text}"]}], "id": "{reference}"}
    request = request_of("json", "POST", nested, text, sender, to)
    assert json.loads(request.body) == {
        "a": text,
        "b": '{"' + text + '"}, ' + sender + to,
        "c": to[1:],
        "{text}": "x",
        "list": [1, True, {"deep": [text]}],
        "id": REFERENCE,
    }
    assert request.target == "/send?v=1"
    assert request.headers["Content-Type"] == "application/json"


@given(text=texts, sender=texts, to=phones)
def test_nothing_breaks_out_of_a_form_or_a_query(text: str, sender: str, to: str):
    flat = {**FIELDS, "list": ["{to}", 2, False]}
    expected = [
        ("a", text),
        ("b", '{"' + text + '"}, ' + sender + to),
        ("c", to[1:]),
        ("{text}", "x"),
        ("list", to),
        ("list", "2"),
        ("list", "false"),
    ]
    form = request_of("form", "POST", flat, text, sender, to)
    assert parse_qsl(form.body.decode("ascii"), keep_blank_values=True) == expected
    query = request_of("query", "GET", flat, text, sender, to)
    found = parse_qsl(urlsplit(query.target).query, keep_blank_values=True)
    assert found == [("v", "1"), *expected]
    assert query.body == b""
    assert query.headers == {
        "User-Agent": "Rollcall",
        "Idempotency-Key": REFERENCE,
        "X-To": f"<{to}>",
    }


def test_a_receipts_address_is_left_out_where_there_is_none():
    fields = {"a": "{receipt_url}", "b": {"url": "{receipt_url}", "c": "x{receipt_url}"}}
    without = request_of("json", "POST", fields, "text", "", PHONE)
    assert json.loads(without.body) == {"b": {"c": "x"}}


def test_an_address_for_receipts_is_given_where_it_can_be_reached(tmp_path: Path):
    receipts = {"status": "/s", "id": "/i", "states": {"failed": "f"}}
    far = HttpProvider(described(tmp_path, {"receipts": receipts}))
    here = {"send": {"url": "http://localhost:8080/"}, "receipts": receipts}
    near = HttpProvider(described(tmp_path, here))
    silent = HttpProvider(described(tmp_path, {}))
    ours, outside = "http://127.0.0.1:5000", "https://rollcall.example.org"
    asked = [one.reports_to(url) for one in (far, near, silent) for url in (ours, outside)]
    assert asked == [False, True, True, True, False, False]
    assert not HttpProvider(HttpSettings(None)).reports_to(outside)


def test_how_a_request_proves_itself(tmp_path: Path):
    kinds = {
        "basic": ({"username": "u", "password": "p:w"}, "Basic dTpwOnc="),
        "bearer": ({"token": "t0ken"}, "Bearer t0ken"),
        "header": ({"header": "X-Key", "value": "k"}, "k"),
        # echo -n '{"text": "Hello"}' | openssl dgst -sha256 -hmac secret
        "hmac": (
            {"header": "X-Sign", "secret": "secret", "prefix": "sha256="},
            "sha256=f1fed0634cef11aa39d74f4cb0aa76908fe94dc734720791ac07ff849a2c893c",
        ),
    }
    for kind, (values, wanted) in kinds.items():
        with Listener("{}") as listener:
            auth = {"kind": kind, **values}
            sending = {"url": f"{listener.url}/", "fields": {"text": "{text}"}, "auth": auth}
            send(HttpProvider(described(tmp_path, {"send": sending})), make_message(text="Hello"))
            [(_method, _path, headers, body)] = listener.requests
        assert body == b'{"text": "Hello"}'
        assert headers[values.get("header", "Authorization")] == wanted


@given(statuses=st.lists(st.sampled_from(["0", "3", "5", None]), max_size=4))
def test_a_message_of_several_parts_is_taken_when_all_are(statuses: list[str | None]):
    """Written as plain Python: what the file's rules for Vonage come to."""
    environ = {"HTTP_PROVIDER_FILE": str(GATEWAYS / "vonage.toml"), **LOG_INS}
    gateway = read_settings(HttpSettings, environ).described.gateway  # type: ignore[union-attr]
    document = {"messages": [{} if one is None else {"status": one} for one in statuses]}
    answer = HttpResponse(200, {}, json.dumps(document).encode())  # type: ignore[arg-type]
    rule = find_rule(gateway.answer, answer, document)
    expected = None
    if statuses and set(statuses) == {"0"}:
        expected = "accepted"
    elif statuses and set(statuses) == {"3"}:
        expected = "refused"
    assert (rule and rule.outcome) == expected


MINIMAL = {
    "send": {"url": "https://sms.example/send", "fields": {"to": "{to}", "text": "{text}"}},
    "answer": {"rules": [{"outcome": "accepted", "status": "200"}]},
}


def described(folder: Path, changes: dict[str, Any]) -> HttpSettings:
    """Settings of a file that describes a gateway in the fewest words, with these changes."""
    path = folder / "gateway.toml"
    tables = {name: {**MINIMAL.get(name, {}), **table} for name, table in changes.items()}
    path.write_text(write_toml(MINIMAL | tables), "utf-8")
    return read_settings(HttpSettings, {"HTTP_PROVIDER_FILE": str(path)})


def write_toml(tables: dict[str, Any]) -> str:
    """TOML of plain values: JSON, for what both have in common."""
    return "\n".join(f"{name} = {_inline(value)}" for name, value in tables.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)} = {_inline(one)}" for name, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


MISTAKES = [
    ({"send": {"url": "sms.example"}}, "send.url: must be a web address"),
    ({"send": {"method": "SEND"}}, "send.method: Input should be"),
    ({"send": {"method": "GET"}}, 'send: a GET has no body: body must be "query"'),
    ({"send": {"fields": {}}}, "send.fields:"),
    ({"send": {"fields": {"a": "{name}"}}}, "send: a holds '{name}', which is none of {to}"),
    ({"send": {"fields": {"a": "{"}}}, "send: a holds '{'"),
    ({"send": {"fields": {"a": {"gsm7": "x"}}}}, "send: a must name both gsm7 and ucs2"),
    ({"send": {"body": "form", "fields": {"a": {"b": "c"}}}}, "send: a can't be a table"),
    ({"send": {"headers": {"X": "{text}"}}}, "send.headers.X: holds '{text}'"),
    ({"send": {"headers": {"X Y": "z"}}}, "send.headers.X Y"),
    ({"send": {"auth": {"kind": "basic"}}}, "send.auth: username is missing"),
    ({"send": {"auth": {"kind": "hmac", "secret": "s", "over": ["all"]}}}, "send.auth: over lists"),
    ({"send": {"adress": "x"}}, "send.adress: is no name that is known here"),
    ({"answer": {"rules": []}}, "answer.rules:"),
    (
        {"answer": {"rules": [{"outcome": "refused", "status": "4xx"}]}},
        'answer: rules has none with outcome = "accepted"',
    ),
    ({"answer": {"rules": [{"outcome": "yes", "status": "200"}]}}, "answer.rules.0.outcome"),
    ({"answer": {"rules": [{"outcome": "accepted"}]}}, "answer.rules.0: names neither status"),
    (
        {"answer": {"rules": [{"outcome": "accepted", "equals": "0"}]}},
        "answer.rules.0: equals needs field",
    ),
    ({"answer": {"rules": [{"outcome": "accepted", "status": "20"}]}}, "answer.rules.0.status.0"),
    ({"answer": {"rules": [{"outcome": "accepted", "matches": "("}]}}, "answer.rules.0.matches"),
    ({"answer": {"id": "id"}}, "answer.id: must be a JSON Pointer"),
    ({"receipts": {"status": "/s", "id": "/i", "states": {}}}, "receipts.states: names no word"),
    (
        {"receipts": {"status": "/s", "id": "/i", "states": {"sent": "a", "failed": ["a", "b"]}}},
        "receipts.states: a can mean one thing only",
    ),
    (
        {"receipts": {"status": "/s", "states": {"failed": "f"}}},
        "receipts must say where reference or id stands",
    ),
    ({"receipts": {"id": "/i", "states": {"failed": "f"}}}, "receipts.status: Field required"),
    ({"inbound": {"sender": "/from", "text": "/text"}}, "inbound.id: Field required"),
    ({"inbound": {"id": [], "sender": "/from", "text": "/text"}}, "inbound.id:"),
    ({"proof": {"kind": "bearer"}}, "proof: token is missing, which bearer needs"),
    ({"check": {"url": "ftp://x"}}, "check.url: must be a web address"),
    ({"sender": {}}, "sender: is no name that is known here"),
]


@pytest.mark.parametrize(("changes", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_stops_the_start_with_the_fields_name(
    tmp_path: Path, changes: dict[str, Any], said: str
):
    with pytest.raises(WrongSetting) as caught:
        described(tmp_path, changes)
    text = str(caught.value)
    assert text.startswith(f"HTTP_PROVIDER_FILE {tmp_path / 'gateway.toml'}: ")
    assert said in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file"),
        (b"send = ", "is no TOML file"),
        (b"\xff", "is no TOML file"),
        (b"", "send: Field required"),
        (b'label = { env = "NO_SUCH" }', "label: the environment has no NO_SUCH"),
    ],
)
def test_a_file_that_can_not_be_used_is_named(tmp_path: Path, content: bytes | None, said: str):
    path = tmp_path / "gateway.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WrongSetting, match=said) as caught:
        read_settings(HttpSettings, {"HTTP_PROVIDER_FILE": str(path)})
    assert str(path) in str(caught.value)


def test_a_secret_of_the_environment_is_never_a_template_and_never_shown(tmp_path: Path):
    path = tmp_path / "gateway.toml"
    tables = MINIMAL | {"send": MINIMAL["send"] | {"fields": {"key": {"env": "KEY"}}}}
    path.write_text(write_toml(tables), "utf-8")
    settings = read_settings(HttpSettings, {"HTTP_PROVIDER_FILE": str(path), "KEY": "a{text}b}"})
    with Listener("{}") as listener:
        assert settings.described is not None
        sending = settings.described.gateway.send.model_copy(update={"url": f"{listener.url}/"})
        address = read_address(sending.url)
        assert address is not None
        request = describe_request(sending, address, make_message())
    assert json.loads(request.body) == {"key": "a{text}b}"}
    assert "a{text}b}" not in repr(settings)
    other = read_settings(HttpSettings, {"HTTP_PROVIDER_FILE": str(path), "KEY": "another"})
    assert settings != other
    assert hash(settings) != hash(other)
    assert DECLARATION.make(settings, tmp_path).declaration.label == "HTTP gateway"
