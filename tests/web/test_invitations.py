"""Inviting colleagues and choosing a password by a link, in the browser; no mail goes out here."""

import re

import pytest
import sqlalchemy as sa

from rollcall.accounts.invitations import invite_again, invite_staff
from rollcall.accounts.passwords import hash_password
from rollcall.accounts.resets import make_reset_link
from rollcall.actors import actor_for
from rollcall.extensions import db
from rollcall.models import AuditEntry, Role, StaffLink, StaffMail, StaffMember
from tests.factories import make_actor, make_organisation
from tests.web.browser import PASSWORD, Browser

NEW = {"email": "nia@example.org", "name": "Nia", "role": "staff"}
CHOSEN = {"password": "long enough", "repeated": "long enough"}


def path_on(page: str) -> str:
    found = re.search(r'value="http://127\.0\.0\.1:5000(/link/[\w-]{43})"', page)
    assert found, page
    return found[1]


def find(email: str = "nia@example.org") -> StaffMember | None:
    db.session.rollback()
    return db.session.scalar(sa.select(StaffMember).where(StaffMember.email == email))


def test_where_no_mail_goes_out_the_link_is_shown_once_and_nothing_is_queued(app, log_in):
    admin = log_in(Role.ADMIN)
    assert "sends no e-mails" in admin.get("/staff/invite").text
    shown = admin.post("/staff/invite", NEW)
    path = path_on(shown.text)
    assert path not in admin.get("/staff").text
    assert path not in admin.get(f"/staff/{find().id}").text
    assert path not in admin.get("/audit").text
    assert db.session.scalar(sa.select(sa.func.count(StaffMail.id))) == 0

    nia = Browser(app)
    page = nia.get(path)
    assert "Join Acme Events" in page.text
    assert "nia@example.org" in page.text
    answer = nia.post(path, CHOSEN)
    assert (answer.status_code, answer.location) == (302, "/")
    assert "Welcome to Acme Events" in nia.get("/", follow_redirects=True).text
    assert nia.is_logged_in
    assert Browser(app).log_in("nia@example.org", "long enough").status_code == 302


def test_opening_a_link_changes_nothing_however_often(app, log_in):
    path = path_on(log_in(Role.ADMIN).post("/staff/invite", NEW).text)
    scanner = Browser(app)
    for method in ("GET", "HEAD", "GET"):
        assert scanner.open(method, path).status_code == 200
    assert not scanner.is_logged_in
    assert db.session.scalars(sa.select(StaffLink)).one().used_at is None
    assert Browser(app).post(path, CHOSEN).status_code == 302


def test_a_link_is_named_to_nobody_and_kept_by_no_browser(app, log_in, capfd):
    path = path_on(log_in(Role.ADMIN).post("/staff/invite", NEW).text)
    nia = Browser(app)
    answers = [nia.get(path), nia.post(path, {"password": "x", "repeated": "x"})]
    answers += [nia.open("POST", path, data={}), nia.post(path, CHOSEN), nia.get(path)]
    assert [answer.status_code for answer in answers] == [200, 422, 400, 302, 410]
    for answer in answers:
        assert answer.headers["Referrer-Policy"] == "strict-origin"
        assert answer.headers["Cache-Control"] == "no-store"
    secret = path.rpartition("/")[2]
    heard = capfd.readouterr()
    assert secret not in heard.out + heard.err
    entries = db.session.scalars(sa.select(AuditEntry)).all()
    assert len(entries) >= 3
    assert not [one for one in entries if secret in f"{one.object_id}{one.before}{one.after}"]


def test_over_https_the_form_still_proves_that_it_is_ours(app, log_in):
    """The browser names its origin and not its path, and that is enough."""
    path = path_on(log_in(Role.ADMIN).post("/staff/invite", NEW).text)
    nia, secure = Browser(app), {"base_url": "https://localhost"}
    token = re.search(r'name="csrf_token" value="([^"]+)"', nia.get(path, **secure).text)[1]
    form = {**CHOSEN, "csrf_token": token}
    elsewhere = {"Referer": "https://evil.example/"}
    refused = nia.open("POST", path, data=form, headers=elsewhere, **secure)
    assert refused.status_code == 400
    here = {"Referer": "https://localhost/"}
    assert nia.open("POST", path, data=form, headers=here, **secure).status_code == 302


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"repeated": "something else"}, "repeated", "differ"),
        ({"password": "short", "repeated": "short"}, "password", "at least 8"),
        ({"password": "nia@example.org", "repeated": "nia@example.org"}, "password", "not the e-"),
    ],
)
def test_a_password_that_will_not_do_says_why_and_the_link_holds(app, log_in, change, field, words):
    path = path_on(log_in(Role.ADMIN).post("/staff/invite", NEW).text)
    nia = Browser(app)
    page = nia.post(path, {**CHOSEN, **change})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert words in page.text
    assert nia.post(path, CHOSEN).status_code == 302


def test_a_dead_link_says_why_and_what_to_do(app, browser, log_in):
    boss = log_in(Role.SUPER)
    used = path_on(boss.post("/staff/invite", NEW).text)
    Browser(app).post(used, CHOSEN)
    first = path_on(boss.post("/staff/invite", {**NEW, "email": "bob@example.org"}).text)
    second = path_on(boss.post(f"/staff/{find('bob@example.org').id}/invite").text)
    assert browser.get(second).status_code == 200
    for path, status, words in (
        (used, 410, "has been used"),
        (first, 410, "newer one"),
        ("/link/nobody-has-this", 404, "belongs to nobody"),
    ):
        for answer in (browser.get(path), browser.post(path, CHOSEN)):
            assert answer.status_code == status
            assert words in answer.text
            assert "ask whoever invited you" in answer.text


def test_the_list_shows_who_has_not_accepted_until_they_have(app, log_in):
    admin = log_in(Role.ADMIN)
    path = path_on(admin.post("/staff/invite", NEW).text)
    page = admin.get("/staff").text
    assert "Invited, not accepted yet" in page
    assert "Invite again" in page
    assert page.count(">nia@example.org<") == 1
    Browser(app).post(path, CHOSEN)
    page = admin.get("/staff").text
    assert "Invited, not accepted yet" not in page
    assert page.count(">nia@example.org<") == 1


def test_an_invitation_is_withdrawn_and_its_link_dead(app, log_in):
    admin = log_in(Role.ADMIN)
    path = path_on(admin.post("/staff/invite", NEW).text)
    withdrawn = admin.post(f"/staff/{find().id}/withdraw", follow_redirects=True)
    assert "is withdrawn" in withdrawn.text
    assert find() is None
    assert Browser(app).post(path, CHOSEN).status_code == 404
    assert find() is None


def test_an_admin_neither_invites_a_super_nor_touches_ones_invitation(log_in):
    boss, admin = log_in(Role.SUPER), log_in(Role.ADMIN)
    assert 'value="super"' not in admin.get("/staff/invite").text
    assert admin.post("/staff/invite", {**NEW, "role": "super"}).status_code == 403
    assert find() is None
    boss.post("/staff/invite", {**NEW, "role": "super"})
    staff_id = find().id
    assert f"/staff/{staff_id}/withdraw" not in admin.get("/staff").text
    for action in ("invite", "withdraw"):
        assert admin.post(f"/staff/{staff_id}/{action}").status_code == 403
    assert find() is not None


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"email": "no address"}, "email", ""),
        ({"role": "emperor"}, "role", "choose one of"),
        ({"name": "x" * 201}, "name", "at most 200"),
        ({"email": "taken@example.org"}, "email", "can log in already"),
        ({"email": "gone@example.org"}, "email", "deactivated"),
        ({"email": "stranger@example.org"}, "email", "logs in with this e-mail address already"),
    ],
)
def test_what_is_wrong_with_an_invitation_stands_beside_its_field(
    log_in, member, change, field, words
):
    member(Role.STAFF, email="taken@example.org")
    member(Role.STAFF, email="gone@example.org", active=False)
    member(Role.STAFF, email="stranger@example.org", organisation=make_organisation())
    page = log_in(Role.ADMIN).post("/staff/invite", {**NEW, **change})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert words in page.text
    assert f'value="{ {**NEW, **change}["email"] }"' in page.text
    assert find() is None


def test_whoever_is_logged_in_as_somebody_else_becomes_the_invited_one(app, log_in, member):
    path = path_on(log_in(Role.ADMIN).post("/staff/invite", NEW).text)
    shared = log_in(member(Role.STAFF, email="bob@example.org"))
    shared.post(path, CHOSEN)
    page = shared.get("/profile").text
    assert "nia@example.org" in page
    assert "bob@example.org" not in page


def test_the_forgotten_page_says_plainly_that_no_mail_goes_out_and_whom_to_ask(browser, member):
    member(Role.STAFF, email="sue@example.org")
    assert 'href="/forgot"' in browser.get("/login").text
    page = browser.get("/forgot").text
    assert "This installation sends no e-mails" in page
    assert "flask staff reset-link" in page
    assert "<form" not in page
    answer = browser.post("/forgot", {"email": "sue@example.org"}, follow_redirects=True)
    assert "This installation sends no e-mails" in answer.text
    assert db.session.scalars(sa.select(StaffLink)).all() == []
    assert db.session.scalars(sa.select(StaffMail)).all() == []


def test_an_invitation_of_another_organisation_is_not_found(log_in):
    invited = make_actor()
    other = log_in(Role.SUPER)
    invitation = invite_staff(invited, "nia@example.org", "staff", by_mail=False)
    for action in ("invite", "withdraw"):
        assert other.post(f"/staff/{invitation.staff_id}/{action}").status_code == 404
    assert "nia@example.org" not in other.get("/staff").text
    assert invite_again(invited, invitation.staff_id, by_mail=False).path is not None


def test_a_member_whose_password_was_reset_by_link_logs_in_anew(app, log_in, member):
    staff = member(Role.STAFF, password_hash=hash_password(PASSWORD))
    theirs = log_in(staff)
    path = make_reset_link(actor_for(member(Role.SUPER), "cli"), staff.id)
    page = theirs.get(path).text
    assert "Choose a new password" in page
    answer = theirs.post(path, CHOSEN)
    assert answer.location == "/login"
    assert "Your new password is set" in theirs.get("/login").text
    assert not theirs.is_logged_in
    assert theirs.log_in(staff, "long enough").status_code == 302
