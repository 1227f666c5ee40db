"""Imports in the browser: upload, columns, progress, report, rejected rows (A1)."""

import csv
import io
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from rollcall import clock
from rollcall.actors import actor_for
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import (
    Attendance,
    Event,
    ImportRun,
    Organisation,
    Person,
    PersonFacts,
    Purchase,
    Role,
    Source,
)
from rollcall.people.importing import runs
from tests.factories import make_event, make_organisation, make_person, make_staff
from tests.web.browser import Browser

FILES = Path(__file__).parents[1] / "people" / "files"
HEADER = "First Name,Last Name,Phone,Email\n"


@pytest.fixture
def browser(log_in: Callable[..., Browser]) -> Browser:
    return log_in(Role.STAFF)


@pytest.fixture
def gala(acme: Organisation) -> Event:
    return make_event(acme, "gala", name="The Gala")


def upload(
    browser: Browser, data: bytes | str, name: str = "list.csv", **form: str
) -> TestResponse:
    content = data.encode() if isinstance(data, str) else data
    values = {"kind": "people", "source": "registration", "event": "", **form}
    return browser.post("/imports/new", {**values, "file": (io.BytesIO(content), name)})


def confirm(browser: Browser, path: str, **changed: str) -> TestResponse:
    """Send the form with the columns as it stands, but for what is changed; await the end."""
    page = browser.get(path).text
    chosen = {}
    for name, body in re.findall(r'<select id="(column-\d+)".*?>(.*?)</select>', page, re.DOTALL):
        found = re.search(r'value="([^"]*)" selected', body)
        chosen[name] = found[1] if found else ""
    response = browser.post(path, {**chosen, **changed})
    await_import(path)
    return response


def await_import(path: str) -> None:
    name = f"import-{path.rsplit('/', 1)[1]}"
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(timeout=60)
            assert not thread.is_alive()


def kept_files(settings: Settings) -> list[Path]:
    return list((settings.instance_path / "uploads").glob("*"))


def only_run() -> ImportRun:
    db.session.rollback()
    return db.session.scalars(sa.select(ImportRun)).one()


def test_an_eventbrite_file_goes_from_upload_to_report(browser, gala, settings):
    uploaded = upload(
        browser, (FILES / "eventbrite_attendees.csv").read_bytes(), "eventbrite.csv", event="gala"
    )
    assert uploaded.status_code == 302
    columns = browser.get(uploaded.location).text
    assert "eventbrite.csv for The Gala" in columns
    assert "(416) 555-0123" in columns
    assert len(kept_files(settings)) == 1
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Person)) == 0

    assert confirm(browser, uploaded.location).location == uploaded.location
    report = browser.get(uploaded.location).text
    run = only_run()
    assert (run.state, run.added, run.rejected) == ("completed", 5, 1)
    assert "5 rows added" in report
    assert "1 row was rejected" in report
    assert 'href="/campaigns/new?event=gala"' in report
    assert "hx-trigger" not in report.split('id="import-run"')[1].split(">")[0]
    sarah = db.session.scalars(sa.select(Person).filter_by(first_name="Sarah")).one()
    assert (sarah.phone, sarah.email) == ("+14165550123", "sarah.lee@example.com")
    attending = sa.select(Attendance.source).where(Attendance.person_id == sarah.id)
    assert list(db.session.scalars(attending)) == [Source.REGISTRATION]
    assert kept_files(settings) == []


def test_the_same_file_again_changes_nothing_and_says_so(browser, gala):
    data = (FILES / "eventbrite_attendees_new.csv").read_bytes()
    for _ in range(2):
        location = upload(browser, data, event="gala").location
        confirm(browser, location)
    assert "everything in this file was known already" in browser.get(location).text


def test_what_staff_correct_is_used_and_remembered(browser):
    data = "Given,Handy number,Note\nAda,416 555 0123,x\n"
    location = upload(browser, data).location
    confirm(browser, location, **{"column-0": "last_name", "column-1": "phone"})
    assert db.session.scalars(sa.select(Person.last_name)).one() == "Ada"
    again = browser.get(upload(browser, data).location).text
    assert "Read as the last file with these columns was" in again
    chosen = re.search(r'<select id="column-0".*?</select>', again, re.DOTALL)
    assert chosen
    assert 'value="last_name" selected' in chosen[0]


def test_two_columns_that_are_both_the_phone_are_refused_beside_the_column(browser, settings):
    location = upload(browser, HEADER + "Ada,Lovelace,416 555 0123,ada@example.org\n").location
    response = confirm(browser, location, **{"column-1": "phone"})
    assert response.status_code == 422
    assert 'id="column-2-error"' in response.text
    assert "is chosen for “Last Name” too" in response.text
    assert only_run().state == "uploaded"
    assert len(kept_files(settings)) == 1


def test_without_any_address_the_columns_are_refused_and_nothing_chosen_is_lost(browser):
    location = upload(browser, HEADER + "Ada,Lovelace,416 555 0123,ada@example.org\n").location
    changed = {"column-1": "city", "column-2": "", "column-3": ""}
    response = confirm(browser, location, **changed)
    assert response.status_code == 422
    assert "say which column holds the phone or the e-mail address" in response.text
    assert 'value="city" selected' in response.text


def test_a_meaning_that_does_not_exist_is_refused(browser):
    location = upload(browser, HEADER + "Ada,Lovelace,416 555 0123,\n").location
    response = confirm(browser, location, **{"column-0": "shoe_size"})
    assert response.status_code == 422
    assert "Choose one of the meanings in the list." in response.text


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "empty.csv", "This file is empty"),
        (b"\n \r\n\t\n", "blank.csv", "This file is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "people.csv", "This is an image"),
        (b"PK\x03\x04" + bytes(200), "people.xlsx", "This is an Excel workbook"),
        (bytes(range(1, 256)) * 200, "people.csv", "not a text file"),
        (",".join(f"c{n}" for n in range(600)) + "\n1\n", "wide.csv", "600 columns"),
    ],
)
def test_a_file_that_is_no_table_is_refused_at_once(browser, settings, data, name, words):
    response = upload(browser, data, name)
    assert response.status_code == 422
    assert words in response.text
    assert 'aria-invalid="true"' in response.text
    assert db.session.scalar(sa.select(sa.func.count()).select_from(ImportRun)) == 0
    assert kept_files(settings) == []


def test_a_form_without_a_file_keeps_what_was_chosen(browser, gala):
    form = {"kind": "people", "event": "gala", "source": "qr_scan"}
    response = browser.post("/imports/new", form)
    assert response.status_code == 422
    assert "Choose the CSV file that was exported." in response.text
    assert 'value="gala" selected' in response.text
    assert re.search(r'value="qr_scan" checked', response.text)


@pytest.mark.parametrize("field", ["kind", "source"])
def test_words_that_no_form_has_are_refused_by_their_field(browser, field):
    response = upload(browser, HEADER + "a,b,416 555 0123,\n", **{field: "sausage"})
    assert response.status_code == 422
    assert f'href="#{field}-' in response.text


def test_an_event_of_another_organisation_is_not_found(browser):
    make_event(make_organisation("other"), "theirs")
    assert upload(browser, HEADER + "a,b,416 555 0123,\n", event="theirs").status_code == 404
    assert browser.get("/imports/new?event=theirs").status_code == 404


def test_a_huge_line_is_a_rejected_row_and_not_an_error(browser):
    data = HEADER + "x" * 2_000_000 + "\nAda,Lovelace,416 555 0123,\n"
    location = upload(browser, data).location
    confirm(browser, location)
    assert "this line is longer than a row can be" in browser.get(location).text.lower()
    assert only_run().added == 1


def test_text_from_a_file_is_never_markup(browser):
    location = upload(browser, HEADER + "<script>alert(1)</script>,x,12,\n", "<b>.csv").location
    assert "<script>alert" not in browser.get(location).text
    confirm(browser, location)
    report = browser.get(location).text
    assert "&lt;script&gt;" in report
    assert "<b>.csv" not in report


def test_purchases_feed_people_who_are_known(browser, acme):
    ada = make_person(acme, email="ada@example.org")
    data = "Order ID,Email,Date,Total\nP-1,ada@example.org,2026-03-01,25.00\n"
    location = upload(browser, data, kind="purchases").location
    confirm(browser, location)
    bought = db.session.scalars(sa.select(Purchase)).one()
    assert (bought.person_id, bought.reference, str(bought.amount)) == (ada.id, "P-1", "25")
    assert "1 row added" in browser.get(location).text


def test_rejected_rows_come_as_a_file_without_formulas(browser):
    data = HEADER + '=HYPERLINK("http://evil.example"),x,12,\n@SUM(1),y,13,\nAda,L,4165550123,\n'
    location = upload(browser, data).location
    confirm(browser, location)
    response = browser.get(f"{location}/rejected.csv")
    assert response.mimetype == "text/csv"
    assert "attachment" in response.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(response.get_data().decode("utf-8-sig"))))
    assert rows[0] == ["Line", "Reason", "First Name", "Last Name", "Phone", "Email"]
    assert [row[0] for row in rows[1:]] == ["2", "3"]
    assert rows[1][2].startswith("'=HYPERLINK")
    assert rows[2][2] == "'@SUM(1)"
    assert "too short" in rows[1][1]


def test_mended_rejected_rows_can_be_imported_as_downloaded(browser):
    location = upload(browser, HEADER + "Ada,Lovelace,12,\n").location
    confirm(browser, location)
    mended = browser.get(f"{location}/rejected.csv").get_data().replace(b",12,", b",4165550123,")
    confirm(browser, upload(browser, mended).location)
    assert db.session.scalars(sa.select(Person.phone)).one() == "+14165550123"


def begin(browser: Browser, acme: Organisation, **values: object) -> str:
    """An import that a process has begun and does not go on with; returns its address."""
    location = upload(browser, HEADER + "Ada,Lovelace,416 555 0123,\n").location
    actor = actor_for(make_staff(Role.STAFF, acme), "browser")
    run = only_run()
    mapping = {"columns": {"first_name": "First Name", "phone": "Phone"}, "day_first": False}
    runs.begin_run(actor, "people", run.file_name, run.bytes_total, run_id=run.id)
    with write():
        db.session.execute(sa.update(ImportRun).values(mapping=mapping, **values))
    return location


def test_progress_is_polled_until_the_import_is_over(browser, acme):
    location = begin(browser, acme, bytes_total=200, bytes_done=100, rows=4_000)
    page, fragment = browser.get(location).text, browser.get(f"{location}/progress").text
    for shown in (page, fragment):
        assert f'hx-get="{location}/progress"' in shown
        assert "4,000 rows so far, 50 % of the file" in shown
    assert "<html" not in fragment
    actor = actor_for(make_staff(Role.STAFF, acme), "browser")
    runs.complete_run(actor, only_run().id)
    assert "hx-get" not in browser.get(f"{location}/progress").text


def test_a_second_click_imports_once(browser, acme):
    location = begin(browser, acme)
    response = browser.post(location, {"column-2": "phone"})
    assert response.status_code == 409
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Person)) == 0


def test_an_interrupted_import_says_so_and_starts_again(browser, acme, settings):
    long_ago = clock.now() - timedelta(minutes=5)
    location = begin(browser, acme, touched_at=long_ago)
    page = browser.get(location).text
    assert "Interrupted" in page
    assert "Start again" in page
    assert "hx-trigger" not in page
    again = browser.post(f"{location}/again")
    await_import(again.location)
    assert again.location != location
    assert "1 row added" in browser.get(again.location).text
    assert "Interrupted, and started again." in browser.get(location).text
    assert db.session.scalars(sa.select(Person.first_name)).one() == "Ada"
    assert kept_files(settings) == []


def test_an_import_that_is_still_running_is_not_started_again(browser, acme):
    location = begin(browser, acme)
    assert browser.post(f"{location}/again").status_code == 409
    assert only_run().state == "running"


def test_a_discarded_file_is_gone_and_cannot_be_imported(browser, settings):
    location = upload(browser, HEADER + "Ada,Lovelace,416 555 0123,\n").location
    browser.post(f"{location}/discard")
    assert kept_files(settings) == []
    assert "Discarded" in browser.get(location).text
    assert browser.post(location, {"column-2": "phone"}).status_code == 422
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Person)) == 0


def test_a_file_that_is_no_longer_kept_asks_for_it_again(browser, settings):
    location = upload(browser, HEADER + "Ada,Lovelace,416 555 0123,\n").location
    for path in kept_files(settings):
        path.unlink()
    page = browser.get(location)
    assert page.status_code == 200
    assert "no longer kept" in page.text


def test_the_list_shows_the_organisations_own_imports_newest_first(browser, log_in, member):
    assert "Nothing imported yet" in browser.get("/imports").text
    for name in ("first.csv", "second.csv"):
        upload(browser, HEADER + "Ada,Lovelace,416 555 0123,\n", name)
    page = browser.get("/imports").text
    assert page.index("second.csv") < page.index("first.csv")
    stranger = log_in(member(Role.SUPER, make_organisation("other")))
    assert "first.csv" not in stranger.get("/imports").text


def test_an_import_never_clears_an_opt_out(browser, acme):
    ada = make_person(acme, phone="+14165550123", opted_out="sms")
    location = upload(browser, "Phone,SMS opted out\n416 555 0123,no\n").location
    confirm(browser, location)
    assert db.session.get_one(PersonFacts, ada.id).opted_out_sms
