"""Invitations and forgotten passwords where mails do go out, to a mail server of the test's own."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from app import create_app
from rollcall.accounts import resets
from rollcall.accounts.links import withdraw_links
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import Role, StaffLink, StaffMail
from rollcall.monitoring.chores import run_chores
from tests.conftest import make_settings
from tests.providers.mailservers import ScriptedMailServer
from tests.web.browser import Browser

CHOSEN = {"password": "long enough", "repeated": "long enough"}
REFUSED = "550 5.1.1 no such user"


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resets, "SAME_TIME", 0.0)


@pytest.fixture
def server() -> Iterator[ScriptedMailServer]:
    with ScriptedMailServer() as server:
        yield server


@pytest.fixture
def app(settings: Settings, tmp_path: Path, server: ScriptedMailServer) -> Iterator[APIFlask]:
    """The application with a mail server."""
    mailing = {
        "ROLLCALL_EMAIL_PROVIDER": "smtp",
        "SMTP_URL": f"smtp://127.0.0.1:{server.port}",
        "SMTP_FROM": "Rollcall <rollcall@example.org>",
        "PUBLIC_URL": "https://rollcall.example",
    }
    app = create_app(make_settings(tmp_path, settings.database_url, **mailing))
    app.testing = True
    # The test's browser speaks http, to which a secure cookie would not come back.
    app.config["SESSION_COOKIE_SECURE"] = False
    with app.app_context():
        yield app
        db.session.rollback()
        db.session.remove()
        db.engine.dispose()


def deliver(app: APIFlask, server: ScriptedMailServer) -> list[tuple[str, str]]:
    """What the scheduler does between campaigns; returns each mail's recipient and its text."""
    db.session.rollback()
    assert run_chores(app.extensions["rollcall"]) == []
    server.wait_until_idle()
    arrived = [(address, _text_of(mail)) for address, mail in server.accepted]
    server.accepted.clear()
    return arrived


def _text_of(mail: bytes) -> str:
    body = message_from_bytes(mail, policy=policy.default).get_body(("plain",))
    assert body is not None
    return body.get_content()


def path_in(text: str) -> str:
    found = re.search(r"https://rollcall\.example(/link/[\w-]{43})\s", text + "\n")
    assert found, text
    return found[1]


def ask(browser: Browser, email: str):
    return browser.post("/forgot", {"email": email}, follow_redirects=True)


def test_an_invitation_goes_to_the_address_and_its_link_is_shown_to_nobody(app, server, log_in):
    admin = log_in(Role.ADMIN)
    form = {"email": "nia@example.org", "role": "admin"}
    answer = admin.post("/staff/invite", form, follow_redirects=True)
    assert "An invitation goes to nia@example.org" in answer.text
    assert "/link/" not in answer.text
    assert "The mail waits to go out" in answer.text
    [(address, text)] = deliver(app, server)
    assert address == "nia@example.org"
    assert "invites you to work with Rollcall for Acme Events, with the role admin" in text
    assert "The mail server has taken the mail" in admin.get("/staff").text
    # What is gone holds no secret any more.
    db.session.rollback()
    assert db.session.scalars(sa.select(StaffMail.path)).all() == [""]
    nia = Browser(app)
    assert nia.post(path_in(text), CHOSEN).status_code == 302
    assert nia.is_logged_in


def test_a_refused_invitation_is_told_on_the_list(app, server, log_in):
    server.actions["rcpt"] = REFUSED
    admin = log_in(Role.ADMIN)
    admin.post("/staff/invite", {"email": "nia@example.org", "role": "staff"})
    assert deliver(app, server) == []
    page = admin.get("/staff").text
    assert "The mail did not go out" in page
    assert "no such user" in page
    db.session.rollback()
    assert db.session.scalars(sa.select(StaffMail.path)).all() == [""]


def test_a_withdrawn_invitation_that_waited_never_goes(app, server, log_in):
    admin = log_in(Role.ADMIN)
    admin.post("/staff/invite", {"email": "nia@example.org", "role": "staff"})
    db.session.rollback()
    staff_id = db.session.scalars(sa.select(StaffMail.staff_id)).one()
    admin.post(f"/staff/{staff_id}/withdraw")
    assert deliver(app, server) == []


def test_a_forgotten_password_is_chosen_anew_and_its_owner_told(app, server, browser, member):
    sue = member(Role.STAFF, email="sue@example.org")
    elsewhere = Browser(app)
    elsewhere.log_in(sue)
    page = ask(browser, " Sue@example.org ")
    assert "Look into your mailbox" in page.text
    [(address, text)] = deliver(app, server)
    assert address == "sue@example.org"
    assert elsewhere.is_logged_in, "asking alone ends nothing"
    answer = browser.post(path_in(text), CHOSEN)
    assert answer.location == "/login"
    assert not elsewhere.is_logged_in
    assert browser.log_in(sue).status_code == 422
    assert browser.log_in(sue, "long enough").status_code == 302
    [(address, text)] = deliver(app, server)
    assert address == "sue@example.org"
    assert "was changed by a link" in text
    assert "/link/" not in text


def test_the_answer_is_the_same_for_whom_nobody_knows(app, server, member):
    member(Role.STAFF, email="sue@example.org")
    member(Role.STAFF, email="gone@example.org", active=False)
    answers = [
        ask(Browser(app), email)
        for email in ("sue@example.org", "nobody@example.org", "gone@example.org", "no address")
    ]
    assert {answer.status_code for answer in answers} == {200}
    pages = {
        re.sub(r'(csrf_token" value|server-time" content)="[^"]*"', "", a.text) for a in answers
    }
    assert len(pages) == 1
    assert [address for address, _ in deliver(app, server)] == ["sue@example.org"]


def test_only_the_last_link_holds(app, server, browser, member):
    member(Role.STAFF, email="sue@example.org")
    ask(browser, "sue@example.org")
    [(_, first)] = deliver(app, server)
    ask(browser, "sue@example.org")
    [(_, second)] = deliver(app, server)
    assert browser.post(path_in(first), CHOSEN).status_code == 410
    assert browser.post(path_in(second), CHOSEN).status_code == 302
    assert browser.post(path_in(second), CHOSEN).status_code == 410


def test_an_empty_address_is_asked_for_beside_its_field(browser):
    page = browser.post("/forgot", {"email": "  "})
    assert page.status_code == 422
    assert 'id="email-error"' in page.text


def test_nobodys_mailbox_is_filled_from_wherever_one_asks(app, server, browser, member):
    app.config["RESET_LIMIT"] = "2 per hour"
    member(Role.STAFF, email="sue@example.org")
    for email in ("sue@example.org", "nobody@example.org"):
        statuses = []
        for number in range(3):
            form = {"csrf_token": browser.csrf_token(), "email": email}
            place = {"REMOTE_ADDR": f"192.0.2.{number}"}
            answer = browser.open("POST", "/forgot", data=form, environ_base=place)
            statuses.append(answer.status_code)
        assert statuses == [302, 302, 429], email
    # Of the two links the first was withdrawn before it went out.
    assert len(deliver(app, server)) == 1


def test_one_place_asks_for_a_few_addresses_only(app, browser):
    app.config["LOGIN_LIMIT"] = "3 per hour"
    statuses = [
        browser.post("/forgot", {"email": f"guess{number}@example.org"}).status_code
        for number in range(4)
    ]
    assert statuses == [302, 302, 302, 429]


def test_asking_takes_a_form_of_ours(browser, member):
    member(Role.STAFF, email="sue@example.org")
    assert browser.open("POST", "/forgot", data={"email": "sue@example.org"}).status_code == 400
    assert db.session.scalars(sa.select(StaffLink)).all() == []


def test_a_secret_that_waits_never_goes_into_the_simulators_outbox(app, server, log_in, tmp_path):
    """The provider was changed while an invitation waited: every colleague can read the outbox."""
    log_in(Role.ADMIN).post("/staff/invite", {"email": "nia@example.org", "role": "admin"})
    db.session.rollback()
    secret = db.session.scalars(sa.select(StaffMail.path)).one()
    assert secret
    simulator = make_settings(tmp_path, app.extensions["rollcall"].database_url)
    assert run_chores(simulator) == []
    db.session.rollback()
    mail = db.session.scalars(sa.select(StaffMail)).one()
    assert (mail.path, mail.error) == ("", "the simulator sends no secrets")
    outbox = simulator.outbox_path
    assert not outbox.exists() or secret.encode() not in outbox.read_bytes()
    with write():
        withdraw_links(mail.staff_id)
