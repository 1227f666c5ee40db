"""E-mails to staff over a real mail server: gone once, tried again, given up, never lost."""

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from apiflask import APIFlask

from rollcall import clock
from rollcall.accounts.notices import queue_mail, tell_staff
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import Alert, StaffMail, StaffMember
from rollcall.sending import staff_mail
from rollcall.sending.staff_mail import send_waiting_mail
from tests.conftest import make_settings
from tests.factories import NOON, make_organisation, make_staff
from tests.providers.mailservers import DROP, ScriptedMailServer, free_port


@pytest.fixture
def traveller(app: APIFlask) -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def sue(traveller: time_machine.Traveller) -> StaffMember:
    organisation = make_organisation(name="Acme", postal_address="1 Main Street, Toronto")
    return make_staff(organisation=organisation, email="sue@example.org")


@pytest.fixture
def through(settings: Settings, tmp_path: Path) -> Callable[[int], Settings]:
    """Settings by which mail goes to a server of this machine."""

    def make(port: int) -> Settings:
        return make_settings(
            tmp_path,
            settings.database_url,
            ROLLCALL_EMAIL_PROVIDER="smtp",
            SMTP_URL=f"smtp://127.0.0.1:{port}",
            SMTP_FROM="rollcall@example.org",
            PUBLIC_URL="https://rollcall.example.org",
        )

    return make


Through = Callable[[int], Settings]


def tell(member: StaffMember, key: str = "one", title: str = "It needs a decision") -> None:
    with write():
        tell_staff([member], "review", key, title, "Nothing goes out. Décidez!", "/campaigns/7")


def waiting() -> list[StaffMail]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(StaffMail).order_by(StaffMail.id)))


def open_alerts() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(Alert.text).where(Alert.closed_at.is_(None))))


def read(mail: bytes) -> Any:
    return email.message_from_bytes(mail, policy=email.policy.default)


def test_a_notice_comes_by_mail_with_the_link_to_what_it_is_about(
    sue: StaffMember, through: Through
):
    tell(sue)
    with ScriptedMailServer() as server:
        assert send_waiting_mail(through(server.port)) == 1
        assert send_waiting_mail(through(server.port)) == 0
        server.wait_until_idle()
    ((address, raw),) = server.accepted
    mail = read(raw)
    assert address == mail["To"] == "sue@example.org"
    assert mail["Subject"] == "It needs a decision"
    assert mail["From"].addresses[0].display_name == "Rollcall of Acme"
    text = mail.get_body(("plain",)).get_content()
    assert text.startswith("Nothing goes out. Décidez!")
    assert "https://rollcall.example.org/campaigns/7" in text
    html = mail.get_body(("html",)).get_content()
    assert 'href="https://rollcall.example.org/campaigns/7"' in html
    (stored,) = waiting()
    assert (stored.ended_at, stored.error, stored.tries) == (NOON, None, 1)


def test_whoever_wants_no_mail_gets_none(sue: StaffMember, through: Through):
    with write():
        db.session.get_one(StaffMember, sue.id).mail_notices = False
    tell(sue)
    assert waiting() == []


def test_a_server_that_is_down_is_tried_again_later_and_later(
    sue: StaffMember, through: Through, traveller: time_machine.Traveller
):
    tell(sue)
    port = free_port()
    tried = []
    for _ in range(300):
        before = waiting()[0].tries
        assert send_waiting_mail(through(port)) == 0
        if waiting()[0].tries > before:
            tried.append(round((clock.now() - NOON) / timedelta(minutes=1)))
        traveller.shift(timedelta(minutes=1))
    assert tried == [0, 1, 3, 7, 15, 31, 63, 127, 255]
    (stored,) = waiting()
    assert stored.ended_at is None
    assert stored.error
    with ScriptedMailServer(port=port) as server:
        traveller.shift(timedelta(minutes=300))
        assert send_waiting_mail(through(port)) == 1
        server.wait_until_idle()
    assert [address for address, _ in server.accepted] == ["sue@example.org"]
    assert (waiting()[0].error, open_alerts()) == (None, [])


def test_after_ten_tries_it_is_given_up_with_an_alert_that_passes(
    sue: StaffMember, through: Through, traveller: time_machine.Traveller
):
    tell(sue)
    for _ in range(12):
        send_waiting_mail(through(free_port()))
        traveller.shift(timedelta(hours=9))
    (stored,) = waiting()
    assert stored.tries == 10
    assert stored.ended_at is not None
    (alert,) = open_alerts()
    assert "“It needs a decision” to sue@example.org could not be delivered" in alert
    assert "It stands on their page of notices all the same." in alert
    tell(sue, "two")
    with ScriptedMailServer() as server:
        assert send_waiting_mail(through(server.port)) == 1
    assert open_alerts() == []


def test_an_address_that_is_refused_for_good_is_not_tried_again(
    sue: StaffMember, through: Through, traveller: time_machine.Traveller
):
    bob = make_staff(organisation=sue.organisation, email="bob@example.org")
    tell(sue)
    tell(bob)
    with ScriptedMailServer({"rcpt": ["550 5.1.1 no such user", ""]}) as server:
        assert send_waiting_mail(through(server.port)) == 1
        traveller.shift(timedelta(days=1))
        assert send_waiting_mail(through(server.port)) == 0
        server.wait_until_idle()
    assert [address for address, _ in server.accepted] == ["bob@example.org"]
    refused, gone = waiting()
    assert (refused.tries, gone.tries) == (1, 1)
    assert "no such user" in (refused.error or "")
    assert "sue@example.org" in open_alerts()[0]
    assert len(open_alerts()) == 1


def test_of_a_server_that_is_down_one_mail_finds_out(sue: StaffMember, through: Through):
    for number in range(5):
        tell(sue, str(number))
    assert send_waiting_mail(through(free_port())) == 0
    assert [mail.tries for mail in waiting()] == [1, 0, 0, 0, 0]


def test_a_mail_whose_fate_is_not_known_goes_again(
    sue: StaffMember, through: Through, traveller: time_machine.Traveller
):
    """A notice twice does less harm than none."""
    tell(sue)
    with ScriptedMailServer({"dot": [DROP]}) as server:
        assert send_waiting_mail(through(server.port)) == 0
        traveller.shift(timedelta(minutes=3))
        assert send_waiting_mail(through(server.port)) == 1
        server.wait_until_idle()
    assert len(server.accepted) == 2


def test_a_process_that_dies_before_it_has_noted_leaves_the_mail_to_others(
    sue: StaffMember,
    through: Through,
    traveller: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
):
    tell(sue)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with ScriptedMailServer() as server:
        with monkeypatch.context() as patch:
            patch.setattr(staff_mail, "_record", die)
            with pytest.raises(KeyboardInterrupt):
                send_waiting_mail(through(server.port))
        traveller.shift(timedelta(seconds=119))
        assert send_waiting_mail(through(server.port)) == 0, "its claim still holds"
        traveller.shift(timedelta(seconds=2))
        assert send_waiting_mail(through(server.port)) == 1
        server.wait_until_idle()
    assert len(server.accepted) == 2
    assert [mail.tries for mail in waiting()] == [2]


def test_a_claim_that_ran_out_notes_nothing_over_the_one_after_it(
    sue: StaffMember, through: Through, monkeypatch: pytest.MonkeyPatch
):
    """A process that slept for minutes while another one sent the mail finds it as it was left."""
    tell(sue)
    send = staff_mail._write

    def sleep_long(mail: Any) -> Any:
        with write():
            db.session.execute(sa.update(StaffMail).values(tries=2, ended_at=NOON))
        return send(mail)

    monkeypatch.setattr(staff_mail, "_write", sleep_long)
    send_waiting_mail(through(free_port()))
    (stored,) = waiting()
    assert (stored.tries, stored.ended_at, stored.error) == (2, NOON, None)


def test_many_processes_at_once_send_each_mail_once(
    app: APIFlask, sue: StaffMember, through: Through
):
    for number in range(30):
        tell(sue, str(number), f"Number {number}")
    db.session.rollback()
    with ScriptedMailServer() as server:

        def send(_: int) -> int:
            with app.app_context():
                try:
                    return sum(send_waiting_mail(through(server.port)) for _ in range(4))
                finally:
                    db.session.remove()

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(send, range(4))) == 30
        server.wait_until_idle()
    subjects = sorted(int(read(raw)["Subject"].split()[1]) for _, raw in server.accepted)
    assert subjects == list(range(30))


def test_a_secret_is_forgotten_once_the_mail_is_gone(sue: StaffMember, through: Through):
    with write():
        queue_mail(sue, "Welcome", "Choose a password:", "/links/s3cret", secret=True)
    with ScriptedMailServer() as server:
        assert send_waiting_mail(through(server.port)) == 1
        server.wait_until_idle()
    assert re.search(rb"links/s3cret", server.accepted[0][1].replace(b"=\r\n", b""))
    assert waiting()[0].path == ""


def test_a_secret_that_can_not_go_is_forgotten_too(sue: StaffMember, through: Through):
    with write():
        queue_mail(sue, "Welcome", "Choose a password:", "/links/s3cret", secret=True)
    with ScriptedMailServer({"rcpt": "550 5.1.1 no such user"}) as server:
        send_waiting_mail(through(server.port))
    assert waiting()[0].path == ""
    assert "send it again under Staff" in open_alerts()[0]


def test_with_the_simulator_it_stands_in_the_outbox(app: APIFlask, sue: StaffMember):
    from rollcall.providers.simulator import read_outbox

    tell(sue)
    settings = replace(app.extensions["rollcall"])
    assert send_waiting_mail(settings) == 1
    (message,) = read_outbox(settings.outbox_path, sue.organisation_id, limit=10)
    assert (message.address, message.subject) == ("sue@example.org", "It needs a decision")
