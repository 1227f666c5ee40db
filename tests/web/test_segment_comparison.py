"""Comparing two sides of a segment in the browser: counts, causes, the people, the file (B4)."""

import csv
import io
import re
from collections.abc import Callable

import pytest

from rollcall.actors import actor_for
from rollcall.audience.criteria import Criteria
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.extensions import db, write
from rollcall.models import Attendance, Organisation, Person, Role, Source
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.factories import attend, make_event, make_organisation, make_people, make_staff
from tests.web.browser import Browser

AT_THE_GALA = Criteria(events=("gala",))
SCANNED = Criteria(events=("gala",), sources=(Source.QR_SCAN,))


class Vip:
    """A segment of who is at the gala, with a snapshot of three people."""

    def __init__(self, organisation: Organisation) -> None:
        self.actor = actor_for(make_staff(Role.STAFF, organisation), "browser")
        event = make_event(organisation, "gala", name="The Gala")
        self.event_id = event.id
        self.people = make_people(
            organisation, [{"first_name": f"Person{number}"} for number in range(8)]
        )
        attend(event, self.people[:3])
        create_segment(self.actor, SegmentDraft("VIP", AT_THE_GALA))
        self.snapshot_id = ensure_segment_snapshot(self.actor, "vip").id

    def change(self) -> None:
        """One cancels, two are scanned; then version 2 asks for scans only."""
        cancel_attendance(self.actor, self.event_id, self.people[0])
        record_attendance(self.actor, self.event_id, self.people[3:5], Source.QR_SCAN)
        edit_segment(self.actor, "vip", SegmentDraft("VIP", SCANNED))


@pytest.fixture
def vip(acme: Organisation) -> Vip:
    return Vip(acme)


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in(Role.STAFF)


def words(page: str) -> str:
    main = page.partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)).strip()


def link(page: str, text: str) -> str:
    """The address of the link that says this."""
    found = re.search(rf'href="([^"]+)"[^>]*>{re.escape(text)}<', page)
    assert found, text
    return found[1].replace("&amp;", "&")


def test_the_page_says_who_came_and_who_went_and_why(browser: Browser, vip: Vip):
    vip.change()
    page = browser.get("/segments/vip/compare").text
    text = words(page)
    assert "Before 3 people Version 1, " in text
    assert "After 2 people Version 2 as it stands now" in text
    assert "-1 in all" in text
    assert "3 went" in text
    assert "0 stayed" in text
    assert "2 came" in text
    assert "Why they went 3 version 2 asks for a QR scan" in text
    assert "Why they came 2 registered for or scanned at The Gala" in text
    assert "probably" not in text


def test_each_number_opens_its_people(browser: Browser, vip: Vip):
    vip.change()
    page = browser.get("/segments/vip/compare?from=v1&to=now:1").text
    assert "no longer at The Gala" in page
    went = words(browser.get(link(page, "no longer at The Gala")).text)
    assert "Person0" in went
    assert "Person1" not in went
    assert "cancelled The Gala, " in went
    came = words(browser.get(link(page, "came")).text)
    assert "Person3" in came
    assert "Person4" in came
    assert "Person0" not in came
    assert "scanned at The Gala, " in came
    stayed = words(browser.get(link(page, "stayed")).text)
    assert "Person1" in stayed
    assert "Person3" not in stayed


def test_a_long_list_comes_in_pages(browser: Browser, acme: Organisation, vip: Vip):
    many = make_people(acme, 120)
    record_attendance(vip.actor, vip.event_id, many, Source.REGISTRATION)
    url = "/segments/vip/compare/people?change=came"
    seen: list[str] = []
    while url:
        page = browser.get(url).text
        seen += re.findall(r'href="/people/(\d+)"', page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        url = found[1].replace("&amp;", "&") if found else ""
    assert [int(person) for person in seen] == many


def test_the_file_is_safe_and_whole(browser: Browser, acme: Organisation, vip: Vip):
    vip.change()
    formula = make_people(acme, [{"first_name": "=1+1", "last_name": "Evil"}])
    record_attendance(vip.actor, vip.event_id, formula, Source.QR_SCAN)
    response = browser.get("/segments/vip/compare.csv")
    assert response.mimetype == "text/csv"
    assert "segment-vip-compared.csv" in response.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(response.text.removeprefix("\ufeff"))))
    assert {(row["change"], row["cause"]) for row in rows} == {
        ("came", "person.events"),
        ("went", "definition.sources"),
    }
    assert [int(row["person"]) for row in rows if row["change"] == "went"] == vip.people[:3]
    assert {row["name"] for row in rows if row["person"] == str(formula[0])} == {"'=1+1 Evil"}
    went = browser.get("/segments/vip/compare.csv?change=went&cause=definition.sources").text
    assert len(went.splitlines()) == 4
    assert len(browser.get("/segments/vip/compare.csv?change=stayed").text.splitlines()) == 1


def test_what_cannot_be_compared_is_said_beside_its_field(browser: Browser, vip: Vip):
    edit_segment(vip.actor, "vip", SegmentDraft("VIP", SCANNED))
    for query, sentence in (
        ("from=v2", "Version 2 has no snapshot: take one first (flask segment snapshot vip)"),
        ("from=yesterday", "Say &#34;now&#34;, a version such as &#34;v3&#34;"),
        ("to=v99999999999", "Say &#34;now&#34;"),
        ("to=0", "Say &#34;now&#34;"),
    ):
        response = browser.get(f"/segments/vip/compare?{query}")
        assert response.status_code == 422, query
        assert sentence in response.text
        typed = query.partition("=")[2]
        assert f'<option value="{typed}" selected' in response.text
    assert browser.get("/segments/vip/compare?from=v7").status_code == 404
    assert browser.get("/segments/vip/compare?from=987654").status_code == 404
    assert browser.get("/segments/vip/compare/people?change=fled").status_code == 400
    assert browser.get("/segments/vip/compare/people?cause=mood").status_code == 400
    assert browser.get("/segments/vip/compare/people?cursor=x").status_code == 400
    assert browser.get("/segments/nobody/compare").status_code == 404


def test_without_a_snapshot_the_page_says_what_to_do(browser: Browser, vip: Vip):
    create_segment(vip.actor, SegmentDraft("Fresh", AT_THE_GALA))
    page = browser.get("/segments/fresh/compare").text
    assert "There is nothing to compare with yet" in page
    assert "Take a snapshot of this segment" in page


def test_snapshots_of_another_segment_or_organisation_are_not_found(browser: Browser, vip: Vip):
    create_segment(vip.actor, SegmentDraft("Other", AT_THE_GALA))
    ensure_segment_snapshot(vip.actor, "other")
    assert browser.get(f"/segments/other/compare?from={vip.snapshot_id}").status_code == 404
    theirs = Vip(make_organisation("theirs"))
    assert browser.get(f"/segments/vip/compare?from={theirs.snapshot_id}").status_code == 404
    for path in ("compare.csv", "compare/people"):
        url = f"/segments/vip/{path}?from={theirs.snapshot_id}"
        assert browser.get(url).status_code == 404


def test_somebody_erased_since_is_counted_as_such(browser: Browser, vip: Vip):
    with write():
        for model, key in ((Attendance, Attendance.person_id), (Person, Person.id)):
            db.session.query(model).filter(key == vip.people[0]).delete()
    text = words(browser.get("/segments/vip/compare").text)
    assert "Before 2 people" in text
    assert "(1 person erased since)" in text
    assert "0 went" in text
