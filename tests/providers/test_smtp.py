"""E-mail over SMTP against real servers: what each answer means, on which side of the dot."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from rollcall.providers.base import Outcome
from rollcall.providers.registry import find_provider
from rollcall.providers.smtp.provider import SmtpProvider, SmtpSettings
from tests.conftest import make_settings
from tests.providers.mails import (
    ACCEPTED,
    DOUBT,
    MESSAGE,
    PERMANENT,
    TEMPORARY,
    WIDE,
    kind,
    line_to,
    people,
    read_text,
    the_error,
)
from tests.providers.mailservers import (
    DROP,
    HANG,
    ScriptedMailServer,
    free_port,
)
from tests.waiting import HANGS, NEVER_ANSWERED


def send_one(server: ScriptedMailServer, timeout: float = HANGS) -> Outcome:
    connection = line_to(server.port, timeout)
    [outcome] = connection.send([MESSAGE])
    connection.close()
    if HANG not in server.actions.values():
        server.wait_until_idle()
    return outcome


def test_a_mail_arrives_whole_and_is_known_by_its_queue_id():
    with ScriptedMailServer() as server:
        outcome = send_one(server)
        assert outcome == Outcome(4711, provider_message_id="4TX7")
        [(address, mail)] = server.accepted
    assert address == "sarah@example.com"
    assert b"\r\nMessage-ID: <2-3-abc@example.org>\r\n" in mail
    assert "Hi Sarah,\n.\n..see you\n" in read_text(mail)


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["at once", "step by step"])
@pytest.mark.parametrize(
    ("stage", "action", "expected"),
    [
        ("greeting", "421 4.3.2 come back later", TEMPORARY + WIDE),
        ("greeting", "554 5.7.1 you are on a list", PERMANENT + WIDE),
        ("greeting", DROP, TEMPORARY + WIDE),
        ("greeting", "nonsense", TEMPORARY + WIDE),
        ("ehlo", "421 4.3.2 closing", TEMPORARY + WIDE),
        ("ehlo", DROP, TEMPORARY + WIDE),
        ("mail", "550 5.7.1 not with this sender", PERMANENT + WIDE),
        ("mail", "530 5.7.0 log in first", PERMANENT + WIDE),
        ("mail", "451 4.3.0 trouble here", TEMPORARY + WIDE),
        ("mail", "421 4.7.0 too many connections", TEMPORARY + WIDE),
        ("mail", DROP, TEMPORARY + WIDE),
        ("rcpt", "550 5.1.1 no such user", PERMANENT),
        ("rcpt", "552 5.2.2 over quota", PERMANENT),
        ("rcpt", "554 5.7.1 relay access denied", PERMANENT + WIDE),
        ("rcpt", "450 4.2.0 greylisted", TEMPORARY),
        ("rcpt", "451 4.7.1 try later", TEMPORARY),
        ("rcpt", "452 4.2.2 full", TEMPORARY),
        ("rcpt", "421 4.7.0 closing", TEMPORARY + WIDE),
        ("rcpt", DROP, TEMPORARY + WIDE),
        ("data", "554 5.7.1 not from you", PERMANENT),
        ("data", "451 4.3.0 not now", TEMPORARY),
        ("data", DROP, TEMPORARY + WIDE),
        ("dot", "550 5.7.1 spam", PERMANENT),
        ("dot", "552 5.3.4 too big", PERMANENT),
        ("dot", "451 4.3.0 local error", TEMPORARY),
        ("dot", "421 4.3.2 closing", TEMPORARY + WIDE),
    ],
)
def test_what_is_refused_was_not_accepted(stage, action, expected, offers):
    with ScriptedMailServer({stage: action}, offers=offers) as server:
        outcome = send_one(server)
        assert kind(outcome) == expected
        assert server.accepted == []


@pytest.mark.parametrize("action", [DROP, HANG, "what?", "354 go on"])
def test_once_the_dot_has_left_no_answer_is_doubt(action):
    with ScriptedMailServer({"dot": action}) as server:
        outcome = send_one(server, timeout=NEVER_ANSWERED)
        assert kind(outcome) == DOUBT
        assert sum(command == b"DATA" for command in server.commands) == 1


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_a_server_that_says_nothing_before_the_dot_accepted_nothing(stage):
    with ScriptedMailServer({stage: HANG}) as server:
        assert kind(send_one(server, timeout=NEVER_ANSWERED)) == TEMPORARY + WIDE
        assert server.accepted == []


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("552 5.3.4 enough", PERMANENT),
        ("421 4.3.2 closing", TEMPORARY + WIDE),
        (DROP, TEMPORARY + WIDE),
    ],
)
def test_a_mail_given_up_in_the_middle_never_gets_its_dot(action, expected):
    """The content is too long for the buffers in between, so the server's end is noticed.

    After a refusal the server reads on, as servers do: only the missing dot saves us.
    """
    with ScriptedMailServer({"content": action}) as server:
        connection = line_to(server.port)
        [outcome] = connection.send([replace(MESSAGE, text="x" * 12_000_000)])
        connection.close()
        assert kind(outcome) == expected
        server.wait_until_idle()
        assert server.accepted == []


@pytest.mark.parametrize(
    ("stage", "action", "word"),
    [
        ("rcpt", "550 5.1.1 <x>: unknown", "There is no such mailbox."),
        ("rcpt", "552 5.2.2 over quota", "The mailbox is full."),
        ("rcpt", "550 5.7.1 go away", "unwanted"),
        ("rcpt", "550 something else", "something else"),
        ("mail", "550 5.7.1 who are you", "SMTP_FROM"),
        ("rcpt", "554 5.7.1 Relay access denied", "user name and password"),
    ],
)
def test_staff_read_what_to_do(stage, action, word):
    with ScriptedMailServer({stage: action}) as server:
        error = the_error(send_one(server))
        assert word in error.text
        assert error.code == " ".join(action.split()[: 2 if "." in action.split()[1] else 1])


def test_one_line_carries_many_mails_and_one_bad_recipient_harms_nobody():
    with ScriptedMailServer({"rcpt": ["", "550 5.1.1 no", "", "450 4.2.0 grey", ""]}) as server:
        connection = line_to(server.port)
        outcomes = list(connection.send(people(5)))
        connection.close()
        assert [kind(outcome) for outcome in outcomes] == [
            ACCEPTED,
            PERMANENT,
            ACCEPTED,
            TEMPORARY,
            ACCEPTED,
        ]
        assert [address for address, _ in server.accepted] == [
            f"p{number}@example.com" for number in (0, 2, 4)
        ]


def test_a_refused_recipient_leaves_the_line_good_where_the_server_plays_along():
    with ScriptedMailServer({"rcpt": ["550 5.1.1 no"]}) as server:
        assert [kind(outcome) for outcome in line_to(server.port).send(people(3))] == [
            PERMANENT,
            ACCEPTED,
            ACCEPTED,
        ]
        assert server.lines == 1


def test_a_server_that_waits_for_content_after_refusing_gets_none():
    with ScriptedMailServer({"rcpt": "550 5.1.1 no", "data": "354 go on"}) as server:
        assert kind(send_one(server)) == PERMANENT
        assert server.accepted == []


@pytest.mark.parametrize("ended", [DROP, "421 4.7.0 enough mails on this line"])
@pytest.mark.parametrize("stage", ["mail", "rcpt"])
def test_a_kept_line_that_the_server_ended_is_opened_again(stage, ended):
    with ScriptedMailServer({stage: ["", ended, ""]}) as server:
        connection = line_to(server.port)
        for message in people(2):
            assert [kind(outcome) for outcome in connection.send([message])] == [ACCEPTED]
        assert server.lines == 2
        assert [address for address, _ in server.accepted] == ["p0@example.com", "p1@example.com"]


def test_a_server_that_stays_away_is_asked_twice_and_not_for_the_rest():
    with ScriptedMailServer({"mail": ["", DROP, DROP, ""]}) as server:
        outcomes = list(line_to(server.port).send(people(4)))
        assert [kind(outcome) for outcome in outcomes] == [ACCEPTED] + [TEMPORARY + WIDE] * 3
        assert server.lines == 2
        assert len(server.accepted) == 1


def test_after_one_doubt_a_new_line_after_two_no_more():
    with ScriptedMailServer({"dot": ["", DROP, "", DROP, ""]}) as server:
        outcomes = list(line_to(server.port).send(people(6)))
        assert [kind(outcome) for outcome in outcomes] == [
            ACCEPTED,
            DOUBT,
            ACCEPTED,
            DOUBT,
            TEMPORARY + WIDE,
            TEMPORARY + WIDE,
        ]
        assert len(server.accepted) == 4


def test_a_server_that_hangs_takes_one_mail_into_doubt_and_not_a_batch():
    with ScriptedMailServer({"dot": HANG}) as server:
        outcomes = list(line_to(server.port, timeout=NEVER_ANSWERED).send(people(5)))
        assert [kind(outcome) for outcome in outcomes] == [DOUBT] + [TEMPORARY + WIDE] * 4
        assert len(server.accepted) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_server_that_is_not_there_accepted_nothing(host):
    settings = SmtpSettings(f"smtp://{host}:{free_port()}", "a@example.org")
    outcomes = list(SmtpProvider(settings).connect(2).send(people(2)))
    assert [kind(outcome) for outcome in outcomes] == [TEMPORARY + WIDE] * 2
    assert host in the_error(outcomes[0]).text
    assert not SmtpProvider(settings).check()[-1].ok


@pytest.mark.parametrize(
    ("url", "sender", "named"),
    [
        ("", "a@example.org", "SMTP_URL"),
        ("mail.example.org", "a@example.org", "SMTP_URL"),
        ("http://mail.example.org", "a@example.org", "SMTP_URL"),
        ("smtp://mail.example.org:port", "a@example.org", "SMTP_URL"),
        ("smtp://mail.example.org?tls=perhaps", "a@example.org", "SMTP_URL"),
        ("smtp://127.0.0.1:9", "", "SMTP_FROM"),
        ("smtp://127.0.0.1:9", "nobody", "SMTP_FROM"),
    ],
)
def test_a_wrong_setting_is_named_and_stops_everybody(url, sender, named):
    provider = SmtpProvider(SmtpSettings(url, sender))
    outcomes = list(provider.connect(1).send(people(2)))
    assert [kind(outcome) for outcome in outcomes] == [PERMANENT + WIDE] * 2
    assert named in the_error(outcomes[0]).text
    assert any(not finding.ok and named in finding.text for finding in provider.check())


def test_an_address_that_no_server_takes_harms_only_itself():
    with ScriptedMailServer() as server:
        bad = replace(MESSAGE, address="a@b>\r\nRCPT TO:<eve@example.com")
        outcomes = list(line_to(server.port).send([bad, MESSAGE]))
        assert [kind(outcome) for outcome in outcomes] == [PERMANENT, ACCEPTED]
        assert [address for address, _ in server.accepted] == ["sarah@example.com"]


@pytest.mark.parametrize(("offers", "expected"), [(("SMTPUTF8",), ACCEPTED), ((), PERMANENT)])
def test_letters_outside_ascii_need_a_server_that_takes_them(offers, expected):
    with ScriptedMailServer(offers=offers) as server:
        message = replace(MESSAGE, address="jürgen@bücher.example")
        outcomes = list(line_to(server.port).send([message, MESSAGE]))
        assert [kind(outcome) for outcome in outcomes] == [expected, ACCEPTED]
        announced = b"MAIL FROM:<news@example.org> SMTPUTF8" in server.commands
        assert announced == (expected == ACCEPTED)


def test_check_greets_and_sends_nothing():
    with ScriptedMailServer() as server:
        provider = SmtpProvider(SmtpSettings(f"smtp://127.0.0.1:{server.port}", "a@example.org"))
        assert all(finding.ok for finding in provider.check())
        assert not any(command.startswith(b"MAIL") for command in server.commands)


def test_the_registry_makes_it_of_the_settings(tmp_path: Path):
    settings = make_settings(tmp_path, "sqlite:///x", ROLLCALL_EMAIL_PROVIDER="smtp")
    assert isinstance(find_provider(settings, "smtp"), SmtpProvider)


# A server with TLS and log-in: aiosmtpd's own, unscripted.


class Inbox:
    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, envelope.content))
        return "250 OK"


def _authenticate(
    server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any
) -> AuthResult:
    good = data.login == b"news@example.org" and data.password == b"p@ss/word"
    return AuthResult(success=good, handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody else knows, with its key in one file."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem".split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(params=["starttls", "smtps"])
def secure_server(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Any]:
    """An aiosmtpd that wants TLS and a log-in: (address without scheme, scheme, inbox)."""
    import ssl

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    inbox = Inbox()
    at_once = request.param == "smtps"
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=free_port(),
        ssl_context=context if at_once else None,
        tls_context=None if at_once else context,
        require_starttls=not at_once,
        auth_required=True,
        auth_require_tls=not at_once,
        authenticator=_authenticate,
    )
    controller.start()
    yield controller.port, "smtps" if at_once else "smtp", inbox
    controller.stop()


def secure_provider(server: Any, password: str = "p%40ss%2Fword", query: str = "") -> SmtpProvider:
    port, scheme, _ = server
    user = f"news%40example.org:{password}@" if password else ""
    return SmtpProvider(
        SmtpSettings(f"{scheme}://{user}127.0.0.1:{port}/{query}", "news@example.org")
    )


def test_logs_in_over_tls_and_sends(secure_server, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    provider = secure_provider(secure_server, query="?tls=required")
    assert "over TLS and accepts the user news@example.org" in provider.check()[-1].text
    outcomes = list(provider.connect(5).send(people(2)))
    assert outcomes == [
        Outcome(number, provider_message_id=f"<2-{number}-x@example.org>") for number in range(2)
    ]
    assert [mail[0] for mail in secure_server[2].mails] == [["p0@example.com"], ["p1@example.com"]]


def test_a_wrong_password_stops_everybody_and_names_the_setting(
    secure_server, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    provider = secure_provider(secure_server, password="wrong")
    outcomes = list(provider.connect(5).send(people(2)))
    assert [kind(outcome) for outcome in outcomes] == [PERMANENT + WIDE] * 2
    assert "password in SMTP_URL" in the_error(outcomes[0]).text
    assert secure_server[2].mails == []
    assert [finding.ok for finding in provider.check()] == [True, False]


def test_a_certificate_that_nobody_knows_is_refused_where_tls_is_required(secure_server):
    provider = secure_provider(secure_server, query="?tls=required")
    [outcome] = provider.connect(5).send([MESSAGE])
    assert kind(outcome) == PERMANENT + WIDE
    assert "certificate" in the_error(outcome).text


def test_a_server_that_wants_a_log_in_says_so(secure_server, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    [outcome] = secure_provider(secure_server, password="").connect(5).send([MESSAGE])
    assert kind(outcome) == PERMANENT + WIDE
    assert secure_server[2].mails == []


def test_tls_that_is_required_and_not_offered_sends_nothing():
    with ScriptedMailServer() as server:
        [outcome] = line_to(server.port, query="?tls=required").send([MESSAGE])
        assert kind(outcome) == PERMANENT + WIDE
        assert "?tls=never" in the_error(outcome).text
        assert server.accepted == []
