"""The page of notices: what is new, read by a press, counted in the menu, and nobody else's."""

import json
import re

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall.accounts.notices import list_notices, tell_staff
from rollcall.accounts.passwords import hash_password
from rollcall.actors import actor_for
from rollcall.extensions import db, write
from rollcall.models import AuditEntry, Notice, Role, StaffMember
from tests.factories import make_organisation, make_staff
from tests.web.browser import PASSWORD, Browser


@pytest.fixture
def sue(app: APIFlask) -> StaffMember:
    organisation = make_organisation("acme")
    return make_staff(
        Role.STAFF, organisation, email="sue@example.org", password_hash=hash_password(PASSWORD)
    )


@pytest.fixture
def browser(app: APIFlask, sue: StaffMember) -> Browser:
    browser = Browser(app)
    browser.log_in(sue)
    return browser


def tell(member: StaffMember, *titles: str, path: str = "/campaigns") -> list[int]:
    with write():
        for title in titles:
            tell_staff([member], "review", title, title, f"About {title}.", path)
    actor = actor_for(member, "browser")
    return [notice.id for notice in list_notices(actor).rows[: len(titles)]][::-1]


def unread(member: StaffMember) -> list[str]:
    db.session.rollback()
    query = sa.select(Notice.title).where(Notice.staff_id == member.id, Notice.read_at.is_(None))
    return list(db.session.scalars(query.order_by(Notice.id)))


def badges(page: str) -> list[str]:
    """What the badges of the page's menus say."""
    found = re.findall(r'<span class="waiting">(\d+)<span class="visually-hidden">([^<]+)', page)
    return [number + words for number, words in found]


def test_an_empty_page_says_what_will_come(browser: Browser):
    page = browser.get("/notices").text
    assert "Nothing to tell you" in page
    assert "it is said here and by e-mail" in page
    assert badges(page) == []


def test_what_is_new_stands_first_and_is_counted_on_every_page(browser: Browser, sue: StaffMember):
    first, _ = tell(sue, "Winner needs a decision", "Gala changed")
    page = browser.get("/notices").text
    assert page.index("Gala changed") < page.index("Winner needs a decision")
    assert "About Winner needs a decision." in page
    assert set(badges(browser.get("/people").text)) == {"2 notices not read", "2 not read"}
    browser.post(f"/notices/{first}/read", {})
    page = browser.get("/notices").text
    assert page.index("Not read yet") < page.index("Gala changed") < page.index("Read before")
    assert page.index("Read before") < page.index("Winner needs a decision")
    assert unread(sue) == ["Gala changed"]


def test_opening_one_reads_it_and_leads_to_what_it_is_about(browser: Browser, sue: StaffMember):
    (notice_id,) = tell(sue, "Providers fail", path="/providers")
    assert "Open the providers" in browser.get("/notices").text
    response = browser.post(f"/notices/{notice_id}/open", {})
    assert (response.status_code, response.location) == (302, "/providers")
    assert unread(sue) == []
    assert browser.post(f"/notices/{notice_id}/open", {}).location == "/providers"


def test_looking_at_the_page_reads_nothing(browser: Browser, sue: StaffMember):
    tell(sue, "One")
    browser.get("/notices")
    assert unread(sue) == ["One"]


def test_all_are_read_at_once_and_nobody_elses(browser: Browser, sue: StaffMember):
    bob = make_staff(organisation=sue.organisation)
    tell(sue, "One", "Two", "Three")
    tell(bob, "Four")
    browser.post("/notices/read", {})
    assert "3 notices marked as read." in browser.get("/notices").text
    assert (unread(sue), unread(bob)) == ([], ["Four"])


def test_a_colleagues_notice_is_not_found(browser: Browser, sue: StaffMember):
    bob = make_staff(Role.ADMIN, sue.organisation)
    (notice_id,) = tell(bob, "Bob's")
    for action in ("read", "open"):
        assert browser.post(f"/notices/{notice_id}/{action}", {}).status_code == 404
    assert unread(bob) == ["Bob's"]
    assert "Bob's" not in browser.get("/notices").text


def test_long_lists_come_page_by_page(browser: Browser, sue: StaffMember):
    tell(sue, *(f"Notice {number:03d}" for number in range(60)))
    page = browser.get("/notices").text
    assert page.count("Mark as read") == 50
    assert "Notice 059" in page
    older = re.search(r'href="([^"]+)">Older ones', page)
    assert older is not None
    page = browser.get(older[1].replace("&amp;", "&")).text
    assert page.count("Mark as read") == 10
    browser.post("/notices/read", {})
    page = browser.get("/notices").text
    assert page.count("<details>") == 50
    assert 'rel="next"' in page


@pytest.mark.parametrize("name", ["unread", "cursor"])
def test_a_place_in_the_list_that_is_none(browser: Browser, name: str):
    assert browser.get(f"/notices?{name}=nonsense").status_code in (400, 422)


def test_the_mails_can_be_done_without(browser: Browser, sue: StaffMember):
    assert 'id="mail_notices" name="mail_notices" value="1" checked' in browser.get("/profile").text
    response = browser.post("/notices/mail", {})
    assert response.location == "/profile#notices"
    page = browser.get("/profile").text
    assert "From now on you are told on your page of notices only." in page
    assert 'value="1" checked' not in page
    db.session.rollback()
    entry = db.session.scalars(sa.select(AuditEntry).filter_by(action="staff.mail_notices")).one()
    assert (entry.before, entry.after) == ({"mail_notices": True}, {"mail_notices": False})
    assert "You get no e-mails of these." in browser.get("/notices").text
    browser.post("/notices/mail", {"mail_notices": "1"})
    db.session.rollback()
    assert db.session.get_one(StaffMember, sue.id).mail_notices


def test_the_command_line_lists_and_reads_them(app: APIFlask, sue: StaffMember):
    runner = app.test_cli_runner()
    first, second = tell(sue, "One", "Two")

    def run(*args: str) -> str:
        result = runner.invoke(args=["notices", *args, "--as", "sue@example.org"])
        assert result.exit_code == 0, result.output
        return result.output

    lines = run("list").splitlines()
    assert [line.split()[0] for line in lines] == [str(second), str(first)]
    assert all(" * " in line for line in lines)
    assert run("read", str(first)) == "1 notice marked as read.\n"
    data = json.loads(run("list", "--unread", "--json"))["data"]
    assert [(row["title"], row["read_at"], row["path"]) for row in data] == [
        ("Two", None, "/campaigns")
    ]
    assert run("read") == "1 notice marked as read.\n"
    assert run("list", "--unread") == "There is no such notice.\n"
    result = runner.invoke(args=["notices", "read", "999", "--as", "sue@example.org"])
    assert (result.exit_code, "There is no notice 999." in result.output) == (1, True)
