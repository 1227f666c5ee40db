"""A file of attendees comes in through a real browser: columns, progress, report."""

import re
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from playwright.sync_api import Page, expect

from rollcall.extensions import db
from rollcall.models import Attendance, ImportRun, Person
from tests.browser.conftest import PHONE, Site, Window
from tests.factories import make_event

FILE = Path(__file__).parents[1] / "people" / "files" / "eventbrite_attendees.csv"
MANY = 6_000


def upload(page: Page, site: Site, file: Path) -> None:
    page.goto(f"{site.url}/events/gala")
    page.get_by_role("button", name="Import people").first.click()
    page.get_by_label("The file").set_input_files(file)
    page.get_by_role("button", name="Upload and look at the columns").click()


def test_an_eventbrite_file_is_corrected_and_reported(
    site: Site, window: Callable[..., Window]
) -> None:
    make_event(site.organisation, "gala", name="The Gala")
    shown = window()
    page = shown.page
    upload(page, site, FILE)
    expect(page.get_by_role("heading", name="What is in each column?")).to_be_visible()
    expect(page.get_by_label("Cell Phone")).to_have_value("phone")
    page.get_by_text("columns left out").click()
    page.get_by_label("Job Title").select_option("city")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("main")).to_contain_text("“City” is chosen for “Home City” too")
    # Chromium itself notes the form that came back with its errors; nothing else complained.
    assert [text for text in shown.complaints if "422" not in text] == []
    shown.complaints.clear()
    page.get_by_label("Job Title").select_option("")
    page.get_by_label("Home City").select_option("")
    page.get_by_role("button", name="Import", exact=True).click()

    expect(page.get_by_role("heading", name="Imported")).to_be_visible()
    expect(page.locator("#import-run")).to_contain_text("5 rows added. 1 row was rejected.")
    expect(page.get_by_role("row", name=re.compile("555-0190"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all rejected rows").click()
    assert "555-0190" in Path(download.value.path()).read_text("utf-8-sig")
    page.get_by_role("button", name="To The Gala").click()
    expect(page.locator(".stats")).to_contain_text("3 people attend")
    db.session.rollback()
    assert db.session.scalars(sa.select(Person.city).distinct()).all() == [""]


def test_progress_moves_without_a_reload_until_the_report(
    site: Site, window: Callable[..., Window], tmp_path: Path
) -> None:
    make_event(site.organisation, "gala", name="The Gala")
    file = tmp_path / "many.csv"
    rows = (f"P{n},many{n}@example.org" for n in range(MANY))
    file.write_text("First name,Email\n" + "\n".join(rows) + "\n")
    page = window(viewport=PHONE).page
    upload(page, site, file)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#import-run")).to_contain_text(f"{MANY:,} rows added", timeout=60_000)
    assert sum("/progress" in url for url in asked) >= 1
    assert page.locator("#import-run[hx-trigger]").count() == 0
    assert sum(url.rstrip("0123456789").endswith("/imports/") for url in asked) == 2
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Attendance)) == MANY
    assert db.session.scalars(sa.select(ImportRun.bytes_done)).one() == file.stat().st_size


def test_the_file_comes_in_without_javascript(site: Site, window: Callable[..., Window]) -> None:
    make_event(site.organisation, "gala", name="The Gala")
    page = window(java_script_enabled=False).page
    upload(page, site, FILE)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#import-run")).to_be_visible()

    def is_over() -> bool:
        page.reload()
        return page.get_by_role("heading", name="Imported").is_visible()

    assert any(is_over() for _ in range(50))
