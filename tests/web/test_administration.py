"""The pages for staff, tokens, settings and the audit trail, as people use them."""

import re

import pytest
import sqlalchemy as sa

from rollcall.accounts.tokens import find_token
from rollcall.extensions import db
from rollcall.models import ApiToken, AuditEntry, Organisation, Role, StaffMember
from tests.factories import make_organisation
from tests.web.browser import Browser

NEW = {"email": "new@example.org", "name": "Nia", "role": "staff", "password": "long enough"}


def find(email: str) -> StaffMember | None:
    return db.session.scalar(sa.select(StaffMember).where(StaffMember.email == email))


def test_an_admin_adds_somebody_who_can_log_in(app, log_in):
    assert log_in(Role.ADMIN).post("/staff/new", NEW).status_code == 302
    assert Browser(app).log_in("new@example.org", "long enough").status_code == 302


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"role": "emperor"}, "role"),
        ({"password": "short"}, "password"),
        ({"password": "new@example.org"}, "password"),
    ],
)
def test_what_is_wrong_with_a_new_staff_member_stands_beside_its_field(log_in, change, field):
    response = log_in(Role.ADMIN).post("/staff/new", {**NEW, **change})
    assert response.status_code == 422
    assert f'id="{field}-error"' in response.text
    assert 'value="Nia"' in response.text
    assert "long enough" not in response.text
    assert find("new@example.org") is None


def test_nobody_gives_a_role_above_their_own(log_in):
    admin = log_in(Role.ADMIN)
    assert 'value="super"' not in admin.get("/staff/new").text
    assert admin.post("/staff/new", {**NEW, "role": "super"}).status_code == 403
    assert find("new@example.org") is None


def test_an_admin_changes_no_super(log_in, member):
    boss, admin = member(Role.SUPER), log_in(Role.ADMIN)
    assert "does not reach" in admin.get(f"/staff/{boss.id}").text
    for path in ("", "/deactivate", "/password"):
        form = {"name": "x", "role": "staff", "password": "long enough"}
        assert admin.post(f"/staff/{boss.id}{path}", form).status_code == 403
    assert db.session.get_one(StaffMember, boss.id).active


def test_the_last_super_stays(log_in, member):
    boss = member(Role.SUPER)
    browser = log_in(boss)
    assert browser.post(f"/staff/{boss.id}/deactivate").status_code == 409
    form = {"name": "", "role": "admin"}
    response = browser.post(f"/staff/{boss.id}", form)
    assert response.status_code == 409
    assert "last super" in response.text
    member(Role.SUPER)
    assert browser.post(f"/staff/{boss.id}", form).status_code == 302


def test_somebody_deactivated_can_be_let_in_again(app, log_in, member):
    staff, admin = member(Role.STAFF), log_in(Role.ADMIN)
    admin.post(f"/staff/{staff.id}/deactivate")
    assert Browser(app).log_in(staff).status_code == 422
    assert "Deactivated" in admin.get("/staff").text
    admin.post(f"/staff/{staff.id}/reactivate")
    assert Browser(app).log_in(staff).status_code == 302


def test_a_new_password_from_an_admin_ends_sessions_and_lets_in(app, log_in, member):
    staff = member(Role.STAFF)
    theirs = log_in(staff)
    form = {"password": "a fresh password"}
    assert log_in(Role.ADMIN).post(f"/staff/{staff.id}/password", form).status_code == 302
    assert not theirs.is_logged_in
    assert Browser(app).log_in(staff, "a fresh password").status_code == 302


def test_a_token_is_shown_once_and_works(log_in, member):
    staff, browser = member(Role.STAFF), log_in(Role.SUPER)
    form = {"name": "Importer", "staff": str(staff.id), "scopes": ["read", "write"]}
    page = browser.post("/tokens/new", form)
    plain = re.search(r"rc_[\w-]+", page.text)[0]
    assert plain not in browser.get("/tokens").text
    token = find_token(plain)
    assert (token.staff_id, token.scopes) == (staff.id, ["read", "write"])
    assert plain not in str(db.session.scalars(sa.select(ApiToken.token_hash)).all())


@pytest.mark.parametrize(
    ("change", "field"),
    [({"name": ""}, "name"), ({"staff": "x"}, "staff"), ({"scopes": []}, "scopes")],
)
def test_what_is_wrong_with_a_token_stands_beside_its_field(log_in, member, change, field):
    form = {"name": "Importer", "staff": str(member(Role.STAFF).id), "scopes": ["read"]}
    response = log_in(Role.SUPER).post("/tokens/new", {**form, **change})
    assert response.status_code == 422
    assert f'id="{field}-error"' in response.text


def test_an_admin_makes_no_token_for_a_super(log_in, member):
    form = {"name": "Importer", "staff": str(member(Role.SUPER).id), "scopes": ["read"]}
    assert log_in(Role.ADMIN).post("/tokens/new", form).status_code == 403


def test_a_token_for_somebody_of_another_organisation_is_not_made(log_in, member):
    stranger = member(Role.STAFF, organisation=make_organisation("other"))
    form = {"name": "Importer", "staff": str(stranger.id), "scopes": ["read"]}
    assert log_in(Role.SUPER).post("/tokens/new", form).status_code == 404
    assert db.session.scalar(sa.select(sa.func.count(ApiToken.id))) == 0


SETTINGS = {"name": "Acme Nights", "country": "DE", "timezone": "Europe/Berlin"}


def test_an_admin_changes_the_settings(log_in, acme):
    assert log_in(Role.ADMIN).post("/settings", SETTINGS).status_code == 302
    changed = db.session.get_one(Organisation, acme.id)
    assert (changed.name, changed.country, changed.timezone) == tuple(SETTINGS.values())


def test_only_a_super_changes_the_quiet_hours(log_in, acme):
    form = {**SETTINGS, "quiet_hours": "09:00-20:00"}
    assert log_in(Role.ADMIN).post("/settings", form).status_code == 403
    assert db.session.get_one(Organisation, acme.id).name == "Acme Events"
    assert log_in(Role.SUPER).post("/settings", form).status_code == 302
    assert "09:00-20:00" in log_in(Role.ADMIN).get("/settings").text


def test_all_that_is_wrong_with_the_settings_is_said_at_once(log_in):
    form = {"name": " ", "country": "Canada", "timezone": "Moon/Sea", "quiet_hours": "21:00-08:00"}
    page = log_in(Role.SUPER).post("/settings", form)
    assert page.status_code == 422
    for field in form:
        assert f'id="{field}-error"' in page.text
    assert 'value="Canada"' in page.text


def test_the_audit_trail_shows_who_changed_what_from_where(log_in, member):
    boss = member(Role.SUPER)
    browser = log_in(boss)
    browser.post("/settings", SETTINGS)
    page = " ".join(browser.get("/audit?action=organisation").text.split())
    assert boss.email in page
    assert "browser from 127.0.0.1" in page
    assert "<strong>country:</strong> CA → DE" in page
    assert "action=staff.log_in" not in page


def test_the_audit_trail_filters_by_staff_member_and_by_object(log_in, member):
    boss, other = log_in(Role.SUPER), member(Role.STAFF)
    log_in(other)
    by_staff = boss.get(f"/audit?staff={other.id}").text
    assert by_staff.count("?action=staff.log_in") == 1
    by_object = boss.get(f"/audit?object_type=staff&object_id={other.id}").text
    assert by_object.count("?action=staff.log_in") == 1
    assert "No change fits" in boss.get("/audit?action=campaign").text


def test_the_audit_trail_is_turned_page_by_page_both_ways(log_in, member):
    browser = log_in(Role.SUPER)
    staff = member(Role.STAFF)
    for number in range(120):
        db.session.add(_entry(staff, f"step.{number:03}"))
    db.session.commit()
    first = browser.get("/audit")
    seen = _steps(first)
    second = browser.get(_link(first, "next"))
    third = browser.get(_link(second, "next"))
    assert seen + _steps(second) + _steps(third) == [f"{n:03}" for n in reversed(range(120))]
    assert _link(third, "next") is None
    assert _steps(browser.get(_link(third, "prev"))) == _steps(second)
    assert _link(browser.get(_link(second, "prev")), "prev") is None
    assert _link(first, "prev") is None


def test_the_audit_trail_can_not_be_changed_by_any_route(app):
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/audit"):
            assert rule.methods == {"GET", "HEAD", "OPTIONS"}


def test_the_menu_offers_only_what_the_role_may_open(log_in):
    assert 'href="/staff"' not in log_in(Role.STAFF).get("/profile").text
    assert 'href="/staff"' in log_in(Role.ADMIN).get("/profile").text
    page = log_in(Role.ADMIN).get("/staff").text
    assert '<a href="/staff" aria-current="page">' in page


def _entry(staff: StaffMember, action: str) -> AuditEntry:
    return AuditEntry(
        organisation_id=staff.organisation_id,
        at=staff.created_at,
        origin="scheduler",
        action=action,
        object_type="test",
        object_id="1",
    )


def _steps(page) -> list[str]:
    return re.findall(r"action=step\.(\d+)\"", page.text)


def _link(page, rel: str) -> str | None:
    found = re.search(rf'href="([^"]+)" rel="{rel}"', page.text)
    return found[1].replace("&amp;", "&") if found else None
