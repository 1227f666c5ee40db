"""One's own sessions in the browser: listed, ended, kept where they should be."""

import re

import pytest
import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import AuditEntry, Role, StaffSession
from tests.web.browser import PASSWORD, Browser

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


def log_in_as(app, staff, user_agent: str, address: str = "127.0.0.1") -> Browser:
    browser = Browser(app)
    form = {"csrf_token": browser.csrf_token(), "email": staff.email, "password": PASSWORD}
    place = {"REMOTE_ADDR": address}
    headers = {"User-Agent": user_agent}
    answer = browser.open("POST", "/login", data=form, headers=headers, environ_base=place)
    assert answer.status_code == 302
    return browser


def rows_of(page: str) -> list[str]:
    body = page.partition('id="sessions"')[2]
    return [
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row))
        for row in re.findall(r'<tr role="row">(.*?)</tr>', body, re.DOTALL)[1:]
    ]


def ends_on(page: str) -> list[str]:
    return re.findall(r'action="(/profile/sessions/\d+/end)"', page)


def test_the_profile_lists_where_one_is_logged_in_and_marks_this_browser(app, member):
    staff = member(Role.STAFF)
    here = log_in_as(app, staff, FIREFOX, "192.0.2.5")
    log_in_as(app, staff, SAFARI, "192.0.2.6")
    log_in_as(app, member(Role.STAFF), FIREFOX, "192.0.2.77")
    page = here.get("/profile").text
    rows = rows_of(page)
    assert len(rows) == 2
    [mine] = [row for row in rows if "This browser" in row]
    [other] = [row for row in rows if row is not mine]
    assert "Firefox on Windows" in mine
    assert "192.0.2.5" in mine
    assert "Safari on an iPhone" in other
    assert "192.0.2.6" in other
    assert "America/Toronto" in other
    assert len(ends_on(page)) == 1
    assert "192.0.2.77" not in page


def test_an_ended_session_is_out_at_its_next_request(app, member):
    staff = member(Role.STAFF)
    here, there, far = (log_in_as(app, staff, FIREFOX) for _ in range(3))
    [first, _] = ends_on(here.get("/profile").text)
    answer = here.post(first, follow_redirects=True)
    assert "That browser is logged out" in answer.text
    assert here.is_logged_in
    assert [there.is_logged_in, far.is_logged_in].count(True) == 1
    here.post("/profile/sessions/end")
    assert here.is_logged_in
    assert not there.is_logged_in
    assert not far.is_logged_in
    page = here.get("/profile").text
    assert len(rows_of(page)) == 1
    assert "End all others" not in page


def test_nobody_ends_the_session_of_somebody_else(app, log_in, member):
    theirs = log_in(member(Role.STAFF))
    theirs_id = db.session.scalars(sa.select(StaffSession.id)).one()
    mine = log_in(Role.SUPER)
    assert mine.post(f"/profile/sessions/{theirs_id}/end").status_code == 404
    assert theirs.is_logged_in


def test_logging_out_ends_the_row_so_that_a_copied_cookie_is_worth_nothing(app, log_in):
    browser = log_in(Role.STAFF)
    copy = Browser(app)
    with browser.client.session_transaction() as session:
        stolen = dict(session)
    with copy.client.session_transaction() as session:
        session.update(stolen)
    assert copy.is_logged_in
    browser.post("/logout")
    assert not copy.is_logged_in
    db.session.rollback()
    assert db.session.scalars(sa.select(StaffSession)).one().ended_at is not None
    actions = db.session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions == ["staff.log_in", "staff.log_out"]


def test_a_log_in_gives_a_new_session_and_ends_the_one_before(app, member):
    """Whoever planted a session in somebody's browser does not share the one that follows."""
    attacker, victim = member(Role.STAFF), member(Role.SUPER)
    planted = log_in_as(app, attacker, FIREFOX)
    browser = Browser(app)
    with planted.client.session_transaction() as session:
        known = dict(session)
    with browser.client.session_transaction() as session:
        session.update(known)
    browser.log_in(victim)
    with browser.client.session_transaction() as session:
        assert session["_user_id"] != known["_user_id"]
    assert victim.email in browser.get("/profile").text
    assert not planted.is_logged_in


@pytest.mark.parametrize("form", ["{staff}.{key}", "{session}.{key}", "{session}."])
def test_a_cookie_from_before_the_update_asks_to_log_in_again(app, member, form):
    """It held the staff member's id and a key of theirs; the row has another."""
    staff = member(Role.STAFF)
    log_in_as(app, staff, FIREFOX)
    session_id = db.session.scalars(sa.select(StaffSession.id)).one()
    old = Browser(app)
    with old.client.session_transaction() as session:
        session["_user_id"] = form.format(staff=staff.id, session=session_id, key="0" * 32)
    answer = old.get("/profile")
    assert answer.status_code == 302
    assert answer.location.startswith("/login")


def test_ones_own_new_password_keeps_this_browser_and_its_promise_to_stay(app, member):
    staff = member(Role.STAFF)
    here, there = Browser(app), Browser(app)
    here.log_in(staff, keep="1")
    there.log_in(staff)
    form = {"present_password": PASSWORD, "password": "another one", "repeated": "another one"}
    answer = here.post("/profile/password", form)
    assert answer.status_code == 302
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("session="))
    assert "Expires" in cookie
    assert here.is_logged_in
    assert not there.is_logged_in


def test_an_admin_logs_somebody_out_everywhere(log_in, member):
    staff, boss = member(Role.STAFF), member(Role.SUPER)
    theirs, bosses, admin = log_in(staff), log_in(boss), log_in(Role.ADMIN)
    assert "has one browser logged in" in admin.get(f"/staff/{staff.id}").text
    answer = admin.post(f"/staff/{staff.id}/sessions/end", follow_redirects=True)
    assert "logged out everywhere" in answer.text
    assert not theirs.is_logged_in
    assert theirs.log_in(staff).status_code == 302
    assert admin.post(f"/staff/{boss.id}/sessions/end").status_code == 403
    assert bosses.is_logged_in
    entry = db.session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "staff.end_sessions")
    ).one()
    assert (entry.object_id, entry.after) == (str(staff.id), {"sessions_ended": 1})


def test_looking_at_pages_writes_hardly_ever(log_in):
    browser = log_in(Role.STAFF)
    before = db.session.scalars(sa.select(StaffSession.last_seen_at)).one()
    for _ in range(3):
        browser.get("/profile")
    db.session.rollback()
    assert db.session.scalars(sa.select(StaffSession.last_seen_at)).one() == before


def test_a_name_that_no_browser_has_is_only_text(app, member):
    browser = log_in_as(app, member(Role.STAFF), "<script>alert(1)</script>\x7f\u00e9")
    page = browser.get("/profile").text
    assert "An unknown browser" in page
    assert "<script>alert" not in page
