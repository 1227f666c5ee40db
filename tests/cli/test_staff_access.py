"""flask staff: invitations, links for a new password, sessions."""

import json

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from click.testing import Result

from rollcall.accounts.passwords import authenticate
from rollcall.accounts.resets import set_password_by_link
from rollcall.accounts.sessions import begin_session, find_session
from rollcall.extensions import db
from rollcall.models import Organisation, Role, StaffMail, StaffMember
from tests.factories import make_organisation, make_staff

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"


@pytest.fixture
def run(app: APIFlask):
    def invoke(*arguments: str) -> Result:
        db.session.rollback()
        return app.test_cli_runner().invoke(args=["staff", *arguments])

    return invoke


@pytest.fixture
def acme(app: APIFlask) -> Organisation:
    organisation = make_organisation("acme", name="Acme Events")
    make_staff(Role.SUPER, organisation, email="boss@x.org")
    return organisation


def secret_in(text: str) -> str:
    address, _, secret = text.strip().rpartition("/link/")
    assert address.endswith("http://127.0.0.1:5000")
    return secret


def test_an_invitation_prints_its_link_and_sends_nothing(acme, run):
    result = run("invite", "Nia@x.org", "--role", "admin", "--name", "Nia")
    assert result.exit_code == 0, result.output
    assert "nia@x.org joins as admin by this link, shown only now" in result.stdout
    listed = json.loads(run("list", "--json").output)
    assert [(one["email"], one["invited"]) for one in listed] == [
        ("boss@x.org", False),
        ("nia@x.org", True),
    ]
    assert "nia@x.org (Nia): admin, invited" in run("list").output
    staff = set_password_by_link(secret_in(result.stdout), "long enough")
    assert (staff.name, staff.rank) == ("Nia", Role.ADMIN)
    assert db.session.scalars(sa.select(StaffMail)).all() == []


def test_the_first_super_can_be_invited_and_acts_once_they_are_in(app, run):
    make_organisation("acme")
    link = json.loads(run("invite", "boss@x.org", "--role", "super", "--json").output)["link"]
    refused = run("end-sessions", "boss@x.org")
    assert refused.exit_code == 1
    assert "no active super yet" in refused.stderr
    refused = run("end-sessions", "boss@x.org", "--as", "boss@x.org")
    assert "has not accepted the invitation" in refused.stderr
    set_password_by_link(secret_in(link), "long enough")
    assert run("end-sessions", "boss@x.org").exit_code == 0


def test_an_invitation_is_withdrawn(acme, run):
    run("invite", "nia@x.org", "--role", "staff")
    assert "no longer invited" in run("withdraw", "nia@x.org").output
    assert db.session.scalar(sa.select(StaffMember).filter_by(email="nia@x.org")) is None
    again = run("withdraw", "nia@x.org")
    assert (again.exit_code, "no staff member nia@x.org" in again.stderr) == (1, True)
    refused = run("withdraw", "boss@x.org")
    assert (refused.exit_code, "accepted" in refused.stderr) == (1, True)


def test_a_link_for_a_new_password_is_printed(acme, run):
    make_staff(Role.STAFF, acme, email="sue@x.org")
    result = run("reset-link", "SUE@x.org")
    assert "sue@x.org chooses a new password by this link" in result.stdout
    set_password_by_link(secret_in(result.stdout), "long enough")
    assert authenticate("sue@x.org", "long enough") is not None


def test_sessions_are_listed_and_ended(acme, run):
    sue = make_staff(Role.STAFF, acme, email="sue@x.org")
    begun = begin_session(sue.id, "192.0.2.4", FIREFOX)
    line = run("sessions", "sue@x.org").output
    assert line.startswith("Firefox on Windows from 192.0.2.4, last seen ")
    assert "America/Toronto" in line
    [one] = json.loads(run("sessions", "sue@x.org", "--json").output)
    assert (one["browser"], one["address"]) == ("Firefox on Windows", "192.0.2.4")
    assert json.loads(run("end-sessions", "sue@x.org", "--json").output)["sessions_ended"] == 1
    assert find_session(*begun) is None
    assert "logged in nowhere" in run("sessions", "sue@x.org").output


@pytest.mark.parametrize(
    "arguments",
    [
        ["invite", "nia@x.org", "--role", "super"],
        ["reset-link", "boss@x.org"],
        ["end-sessions", "boss@x.org"],
    ],
)
def test_an_admin_reaches_no_super(acme, run, arguments):
    make_staff(Role.ADMIN, acme, email="admin@x.org")
    refused = run(*arguments, "--as", "admin@x.org")
    assert refused.exit_code == 1
    assert "Your role (admin)" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["invite", "nia@x.org", "--role", "staff"],
        ["withdraw", "sue@x.org"],
        ["reset-link", "sue@x.org"],
        ["sessions", "sue@x.org"],
        ["end-sessions", "sue@x.org"],
    ],
)
def test_staff_manage_no_staff(acme, run, arguments):
    make_staff(Role.STAFF, acme, email="sue@x.org")
    refused = run(*arguments, "--as", "sue@x.org")
    assert refused.exit_code == 1
    assert "takes the role admin" in refused.stderr


def test_what_is_wrong_is_said_by_the_words_that_were_typed(acme, run):
    result = run("invite", "no address", "--role", "staff")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: email:")
