"""Inviting a colleague and ending their session, in a real browser; axe on pages without log-in."""

from collections.abc import Callable
from typing import Any

import pytest

from rollcall.accounts.invitations import invite_staff
from rollcall.accounts.passwords import hash_password
from rollcall.accounts.resets import make_reset_link
from rollcall.accounts.sessions import begin_session
from rollcall.actors import actor_for
from rollcall.models import Role
from tests.browser.conftest import LAPTOP, PHONE, Site, Window
from tests.browser.test_accessibility import violations
from tests.factories import make_staff
from tests.web.browser import PASSWORD

NEW = "a new good password"


def test_a_colleague_is_invited_joins_and_is_logged_out_again(
    site: Site, window: Callable[..., Window], chromium: Any
):
    boss = window()
    boss.open("/staff")
    boss.page.click("text=Invite a colleague")
    boss.page.fill("[name=email]", "nia@example.org")
    boss.page.fill("[name=name]", "Nia")
    boss.page.click("text=Make the link")
    path = "/link/" + boss.page.input_value("#link").rpartition("/link/")[2]

    context = chromium.new_context(viewport=PHONE)
    nia = context.new_page()
    asked: list[str] = []
    nia.on("request", lambda request: asked.append(request.headers.get("referer", "")))
    nia.goto(site.url + path)
    nia.fill("[name=password]", NEW)
    nia.fill("[name=repeated]", NEW)
    nia.click("text=Set the password and log in")
    nia.wait_for_url(lambda url: "/link/" not in url)
    assert nia.locator("text=Welcome to Art Battle Canada").is_visible()
    assert any(asked)
    assert not [referer for referer in asked if "/link/" in referer]
    nia.goto(site.url + "/profile")
    assert nia.locator("text=This browser").is_visible()
    assert "Chrome on " in nia.locator("#sessions").inner_text()

    boss.open("/staff")
    assert boss.page.locator("text=Invited, not accepted yet").count() == 0
    boss.page.click("text=nia@example.org")
    boss.page.click("text=End their sessions")
    assert boss.page.locator("text=They are logged out everywhere").is_visible()
    nia.goto(site.url + "/campaigns")
    assert nia.url == f"{site.url}/login?next=/campaigns"
    context.close()


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(LAPTOP, "light"), (PHONE, "dark")], ids=["laptop", "phone"]
)
def test_axe_finds_nothing_on_the_pages_of_accounts(
    site: Site,
    window: Callable[..., Window],
    chromium: Any,
    viewport: dict[str, int],
    scheme: str,
):
    actor = actor_for(site.staff, "browser")
    sue = make_staff(Role.ADMIN, site.organisation, password_hash=hash_password(PASSWORD))
    join = invite_staff(actor, "nia@example.org", "staff", name="Nia", by_mail=False)
    reset = make_reset_link(actor, sue.id)
    begin_session(sue.id, "2001:db8::17", "")
    begin_session(site.staff.id, "2001:db8::17", "Mozilla/5.0 (Windows NT 10.0) Firefox/132.0")
    look = {"viewport": viewport, "color_scheme": scheme}
    context = chromium.new_context(**look)
    public, staff = context.new_page(), window(**look).page
    seen = [(public, path) for path in ("/login", "/forgot", join.path, reset, "/link/none")]
    seen += [(staff, path) for path in ("/staff", "/staff/invite", f"/staff/{sue.id}", "/profile")]
    failures = []
    for page, path in seen:
        page.goto(site.url + path)
        failures += [f"{path}: {text}" for text in violations(page)]
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            failures.append(f"{path}: wider than the screen")
    staff.goto(site.url + "/staff/invite")
    staff.fill("[name=email]", "bob@example.org")
    staff.click("text=Make the link")
    failures += [f"the link shown: {text}" for text in violations(staff)]
    context.close()
    assert not failures, "\n".join(failures)
