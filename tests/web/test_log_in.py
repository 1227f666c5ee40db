"""Logging in and out, what ends a session, and how guessing is slowed down (H1)."""

import re

import pytest
import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import AuditEntry, Role, StaffMember
from tests.factories import make_organisation
from tests.web.browser import PASSWORD, Browser


def test_the_right_password_lets_in_and_is_recorded(browser, member):
    staff = member(email="sue@example.org")
    response = browser.log_in("  Sue@Example.ORG ")
    assert response.status_code == 302
    assert browser.get("/profile").status_code == 200
    assert db.session.get_one(StaffMember, staff.id).last_login_at is not None
    entry = db.session.scalars(sa.select(AuditEntry)).one()
    assert (entry.action, entry.staff_id, entry.origin) == ("staff.log_in", staff.id, "browser")
    assert entry.address == "127.0.0.1"


def test_an_empty_installation_says_how_somebody_can_log_in(browser):
    assert "flask org create" in browser.get("/login").text
    make_organisation()
    assert "flask org create" not in browser.get("/login").text


def test_a_wrong_password_and_an_unknown_address_are_told_apart_by_nothing(browser, member):
    member(email="sue@example.org")
    wrong = browser.log_in("sue@example.org", "wrong horse battery")
    unknown = browser.log_in("bob@example.org", "wrong horse battery")
    assert wrong.status_code == unknown.status_code == 422
    assert _lasting(wrong.text).replace("sue@", "") == _lasting(unknown.text).replace("bob@", "")
    assert "do not fit together" in wrong.text
    assert 'value="sue@example.org"' in wrong.text
    assert not browser.is_logged_in


def test_a_deactivated_staff_member_is_refused_like_a_stranger(browser, member):
    assert browser.log_in(member(active=False)).status_code == 422


def test_a_staff_member_without_a_password_is_refused(browser, member):
    assert browser.log_in(member(password_hash=None), "").status_code == 422


def test_whoever_is_logged_in_already_is_led_on(log_in):
    response = log_in(Role.STAFF).get("/login?next=/profile")
    assert (response.status_code, response.location) == (302, "/profile")


def test_logging_out_ends_the_session(log_in):
    browser = log_in(Role.STAFF)
    assert browser.post("/logout").location == "/login"
    assert not browser.is_logged_in


@pytest.mark.parametrize(
    ("came_from", "leads_to"),
    [
        ("http://localhost/campaigns/new", "/login?next=/campaigns/new"),
        ("http://elsewhere.example//evil.example", "/login"),
        ("", "/login"),
    ],
)
def test_a_form_sent_too_late_leads_back_to_its_page(browser, came_from: str, leads_to: str):
    response = browser.post("/campaigns/new", headers={"Referer": came_from} if came_from else {})
    assert (response.status_code, response.location) == (302, leads_to)


def test_logging_out_takes_a_form_and_never_a_link(log_in):
    browser = log_in(Role.STAFF)
    assert browser.get("/logout").status_code == 405
    assert browser.is_logged_in


def test_nothing_of_the_session_before_the_log_in_survives_it(browser, member):
    with browser.client.session_transaction() as session:
        session["planted"] = "by somebody else"
    token_before = browser.csrf_token()
    browser.log_in(member())
    with browser.client.session_transaction() as session:
        assert "planted" not in session
    refused = browser.open("POST", "/logout", data={"csrf_token": token_before})
    assert refused.status_code == 400


def test_a_session_lasts_beyond_the_browser_only_where_asked_for(app, member):
    staff = member()
    short, kept = Browser(app), Browser(app)
    assert "Expires" not in _session_cookie(short.log_in(staff))
    assert "Expires" in _session_cookie(kept.log_in(staff, keep="1"))


@pytest.mark.parametrize("path", ["/staff?x=1", "/profile"])
def test_after_the_log_in_one_is_where_one_wanted_to_be(browser, member, path):
    asked = browser.get(path)
    assert asked.status_code == 302
    form = browser.get(asked.location)
    assert f'name="next" value="{path}"' in form.text
    assert browser.log_in(member(), next=path).location == path


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "evil.example",
    ],
)
def test_the_log_in_never_leads_to_another_site(browser, member, address):
    assert browser.log_in(member(), next=address).location == "/"
    assert browser.get("/login", query_string={"next": address}).location == "/"


def test_a_form_without_its_csrf_token_is_refused(browser, member):
    data = {"email": member().email, "password": PASSWORD}
    response = browser.open("POST", "/login", data=data)
    assert response.status_code == 400
    assert "Nothing was changed" in response.text
    assert not browser.is_logged_in


def test_changing_the_password_ends_all_other_sessions(log_in, member):
    staff = member(Role.STAFF)
    here, elsewhere = log_in(staff), log_in(staff)
    form = {
        "present_password": PASSWORD,
        "password": "another good one",
        "repeated": "another good one",
    }
    assert here.post("/profile/password", form).status_code == 302
    assert here.is_logged_in
    assert not elsewhere.is_logged_in


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"present_password": "not it"}, "present_password", "not your present password"),
        ({"repeated": "something else"}, "repeated", "differ"),
        ({"password": "short", "repeated": "short"}, "password", "at least 8"),
    ],
)
def test_a_password_change_that_fails_says_why_beside_the_field(log_in, change, field, words):
    browser = log_in(Role.STAFF)
    form = {
        "present_password": PASSWORD,
        "password": "another good one",
        "repeated": "another good one",
        **change,
    }
    response = browser.post("/profile/password", form)
    assert response.status_code == 422
    assert f'id="{field}-error"' in response.text
    assert words in response.text


def test_deactivating_somebody_ends_their_sessions_at_once(log_in, member):
    staff = member(Role.STAFF)
    theirs, mine = log_in(staff), log_in(Role.SUPER)
    mine.post(f"/staff/{staff.id}/deactivate")
    assert not theirs.is_logged_in


@pytest.mark.parametrize("cookie", ["", "1", "1.", "x.y", "99999999999999999999.k", "1.é"])
def test_a_session_that_names_nobody_is_nobodys(app, browser, member, cookie):
    member()
    with browser.client.session_transaction() as session:
        session["_user_id"] = cookie
    assert not browser.is_logged_in


def test_too_many_wrong_passwords_from_one_address_have_to_wait(app, browser, member):
    app.config["LOGIN_LIMIT"] = "3 per hour"
    for number in range(3):
        assert browser.log_in(f"guess{number}@example.org", "guess").status_code == 422
    response = browser.log_in(member())
    assert response.status_code == 429
    assert "Too many tries" in response.text
    assert 3000 < int(response.headers["Retry-After"]) <= 3601


def test_too_many_wrong_passwords_for_one_account_have_to_wait_wherever_from(app, browser, member):
    app.config["LOGIN_LIMIT"] = "3 per hour"
    staff = member()
    for number in range(3):
        address = {"REMOTE_ADDR": f"192.0.2.{number}"}
        form = {"csrf_token": browser.csrf_token(), "email": staff.email, "password": "guess"}
        assert browser.open("POST", "/login", data=form, environ_base=address).status_code == 422
    assert browser.log_in(staff).status_code == 429


def test_right_passwords_never_have_to_wait(app, member):
    app.config["LOGIN_LIMIT"] = "3 per hour"
    staff = member()
    assert [Browser(app).log_in(staff).status_code for _ in range(5)] == [302] * 5


def _session_cookie(response):
    return next(c for c in response.headers.getlist("Set-Cookie") if c.startswith("session="))


def _lasting(page):
    """The page without what differs each time: its CSRF token and its time."""
    return re.sub(r'(name="csrf_token" value|name="server-time" content)="[^"]*"', "", page)
