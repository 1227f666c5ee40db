"""E-mail over SMTP against Postfix's own test server, and the server of the long runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from rollcall.providers.smtp.provider import SmtpProvider, SmtpSettings
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
)
from tests.providers.mailservers import find_sink, running_sink
from tests.providers.needed import need_programs
from tests.waiting import wait_for


@pytest.fixture
def sink() -> None:
    """Leaves the test out, and says so, where smtp-sink is not installed."""
    need_programs([] if find_sink() else ["smtp-sink"], "postfix")


@pytest.mark.usefixtures("sink")
def test_postfix_s_sink_gets_each_mail_once_and_as_it_was_written(tmp_path: Path):
    with running_sink(keep=tmp_path) as port:
        connection = line_to(port)
        outcomes = list(connection.send(people(20)))
        connection.close()
        assert [kind(outcome) for outcome in outcomes] == [ACCEPTED] * 20
        mails = wait_for_mails(tmp_path, 20)
    for number in range(20):
        [mail] = [mail for mail in mails if f"To: <p{number}@example.com>" in mail]
        assert f"Message-ID: <2-{number}-x@example.org>" in mail
        assert "Hi Sarah,\n.\n..see you\n" in read_text(mail.encode())


def wait_for_mails(folder: Path, count: int) -> list[str]:
    def whole() -> list[str]:
        mails = [path.read_text("utf-8") for path in folder.iterdir()]
        all_there = len(mails) == count and all("--=_rollcall--" in mail for mail in mails)
        return mails if all_there else []

    return wait_for(whole)


@pytest.mark.usefixtures("sink")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-f", "mail"), PERMANENT + WIDE),
        (("-f", "rcpt"), PERMANENT),
        (("-f", "data"), PERMANENT),
        (("-f", "."), PERMANENT),
        (("-r", "mail"), TEMPORARY + WIDE),
        (("-r", "rcpt"), TEMPORARY),
        (("-r", "data"), TEMPORARY),
        (("-r", "."), TEMPORARY),
        (("-q", "mail"), TEMPORARY + WIDE),
        (("-q", "data"), TEMPORARY + WIDE),
        (("-q", "."), DOUBT),
    ],
    ids=" ".join,
)
def test_postfix_s_sink_refuses_and_hangs_up(options, expected):
    with running_sink(*options) as port:
        [outcome] = line_to(port).send([MESSAGE])
    assert kind(outcome) == expected


def test_the_server_for_long_runs_logs_each_mail(tmp_path: Path):
    log = tmp_path / "accepted.log"
    command = [sys.executable, "-m", "tests.providers.mailservers", "--log", str(log)]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            connection = SmtpProvider(SmtpSettings(url, "news@example.org")).connect(5)
            assert [kind(outcome) for outcome in connection.send(people(3))] == [ACCEPTED] * 3
        finally:
            process.kill()
    assert log.read_text() == "".join(
        f"p{number}@example.com 2-{number}-x@example.org\n" for number in range(3)
    )
