"""Imports beside the requests: begun once, ended in every case, started again after a stop."""

import io
import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor
from rollcall.config import Settings
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.models import AuditEntry, Event, ImportRun, Organisation, Person
from rollcall.people import import_jobs
from rollcall.people.import_jobs import (
    SILENT_FOR,
    Upload,
    discard_upload,
    propose_for_run,
    read_mapping,
    restart_import,
    run_state,
    start_import,
    upload_file,
)
from rollcall.people.importing import runs
from rollcall.people.reading.mapping import Mapping
from tests.factories import make_actor, make_event, make_organisation

DATA = b"Phone,Name\n+14165550123,Ada\n+14165550124,Grace\n"
MAPPING = Mapping("people", {"phone": "Phone", "first_name": "Name"})


@pytest.fixture
def acme(app: Any) -> Organisation:
    return make_organisation("acme")


@pytest.fixture
def actor(acme: Organisation) -> Actor:
    return make_actor(acme)


@pytest.fixture
def gala(acme: Organisation) -> Event:
    return make_event(acme, "gala")


@pytest.fixture
def run_id(actor: Actor, settings: Settings) -> int:
    return upload_file(actor, settings, io.BytesIO(DATA), "list.csv", Upload())


def find(actor: Actor, run_id: int) -> ImportRun:
    db.session.rollback()
    return runs.find_run(actor.organisation_id, run_id)


def people() -> int:
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count()).select_from(Person)) or 0


def fall_silent(run_id: int) -> None:
    """The process that reads the file was killed: nobody touches the run any more."""
    with write():
        db.session.execute(
            sa.update(ImportRun)
            .where(ImportRun.id == run_id)
            .values(touched_at=clock.now() - SILENT_FOR - timedelta(seconds=1))
        )


def test_the_run_has_begun_before_the_thread_is_heard_of(app, actor, run_id):
    thread = start_import(app, actor, run_id, MAPPING)
    assert find(actor, run_id).state != "uploaded"
    thread.join()
    run = find(actor, run_id)
    assert (run.state, run.added, run.bytes_done) == ("completed", 2, len(DATA))


def test_of_two_clicks_one_imports_and_the_other_is_told(app, actor, run_id):
    thread = start_import(app, actor, run_id, MAPPING)
    with pytest.raises(Conflict):
        start_import(app, actor, run_id, MAPPING)
    thread.join()
    assert people() == 2


def test_an_error_that_nobody_expected_ends_the_run_and_removes_the_file(
    app, actor, settings, run_id, monkeypatch
):
    def break_down(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the disk has gone")

    monkeypatch.setattr(import_jobs, "import_people", break_down)
    start_import(app, actor, run_id, MAPPING).join()
    run = find(actor, run_id)
    assert (run.state, run.error) == ("failed", "Rollcall could not go on with this file.")
    assert not list((settings.instance_path / "uploads").iterdir())


def test_a_file_that_went_away_ends_the_run_with_a_sentence(app, actor, settings, run_id):
    for path in (settings.instance_path / "uploads").iterdir():
        path.unlink()
    start_import(app, actor, run_id, MAPPING).join()
    run = find(actor, run_id)
    assert run.state == "failed"
    assert "no longer kept" in run.error


def test_the_attendance_is_of_the_event_that_was_chosen(app, actor, settings, gala):
    what = Upload("people", "gala", "qr_scan")
    run_id = upload_file(actor, settings, io.BytesIO(DATA), "list.csv", what)
    start_import(app, actor, run_id, MAPPING).join()
    sql = "SELECT count(*) FROM attendance WHERE event_id = :event AND source = 2"
    assert db.session.scalar(sa.text(sql), {"event": gala.id}) == 2


def test_a_silent_run_is_interrupted_and_one_that_was_just_touched_is_not(app, actor, run_id):
    run = find(actor, run_id)
    runs.begin_run(actor, "people", run.file_name, run.bytes_total, run_id=run_id)
    assert run_state(find(actor, run_id)) == "running"
    fall_silent(run_id)
    assert run_state(find(actor, run_id)) == "interrupted"


def begin_and_fall_silent(actor: Actor, settings: Settings, run_id: int) -> None:
    """A process stores the first row, and is killed."""
    run = find(actor, run_id)
    runs.begin_run(actor, "people", run.file_name, run.bytes_total, run_id=run_id)
    import_jobs.import_people(io.BytesIO(DATA[:30]), actor, mapping=MAPPING, run_id=run_id)
    with write():
        db.session.execute(sa.update(ImportRun).values(state="running", completed_at=None))
    fall_silent(run_id)
    assert people() == 1


def test_started_again_it_goes_over_everything_and_nobody_comes_in_twice(
    app, actor, settings, run_id
):
    begin_and_fall_silent(actor, settings, run_id)
    new_id = restart_import(app, actor, run_id)
    for thread in threading.enumerate():
        if thread.name == f"import-{new_id}":
            thread.join()
    run = find(actor, new_id)
    assert (run.state, run.added, run.unchanged) == ("completed", 1, 1)
    assert people() == 2
    assert find(actor, run_id).state == "failed"
    entry = db.session.scalars(sa.select(AuditEntry).filter_by(action="import.restart")).one()
    assert entry.after == {"run": new_id, "file": "list.csv"}


def test_of_two_that_start_it_again_one_wins(app, actor, settings, run_id):
    begin_and_fall_silent(actor, settings, run_id)
    new_id = restart_import(app, actor, run_id)
    with pytest.raises((Conflict, InvalidInput)):
        restart_import(app, actor, run_id)
    for thread in threading.enumerate():
        if thread.name == f"import-{new_id}":
            thread.join()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(ImportRun)) == 2


def test_what_has_begun_cannot_be_discarded(app, actor, settings, run_id):
    start_import(app, actor, run_id, MAPPING).join()
    with pytest.raises(Conflict):
        discard_upload(actor, settings, run_id)


def test_a_file_that_is_no_table_leaves_nothing_behind(actor, settings):
    with pytest.raises(InvalidInput) as raised:
        upload_file(actor, settings, io.BytesIO(b"\x89PNG\r\n"), "face.csv", Upload())
    assert set(raised.value.fields) == {"file"}
    assert not (settings.instance_path / "uploads").exists()


def test_an_event_of_another_organisation_is_not_found(actor, settings):
    make_event(make_organisation("other"), "theirs")
    with pytest.raises(NotFound):
        upload_file(actor, settings, io.BytesIO(DATA), "list.csv", Upload(event_slug="theirs"))


def test_the_run_of_another_organisation_is_not_found(app, actor, settings, run_id):
    stranger = make_actor(make_organisation("other"))
    for call in (
        lambda: start_import(app, stranger, run_id, MAPPING),
        lambda: restart_import(app, stranger, run_id),
        lambda: discard_upload(stranger, settings, run_id),
    ):
        with pytest.raises(NotFound):
            call()
    assert propose_for_run(actor, settings, find(actor, run_id)).header == ["Phone", "Name"]


@pytest.mark.parametrize(
    ("meanings", "fields"),
    [
        ({0: "phone", 1: "phone"}, {"column-1"}),
        ({0: "phone", 1: "shoe size"}, {"column-1"}),
        ({0: "city", 1: ""}, {"columns"}),
        ({}, {"columns"}),
    ],
)
def test_a_mapping_that_cannot_be_read_names_the_column(meanings, fields):
    with pytest.raises(InvalidInput) as raised:
        read_mapping("people", ["A", "B"], meanings, day_first=False)
    assert set(raised.value.fields) == fields


def test_purchases_need_their_amount_and_date():
    with pytest.raises(InvalidInput) as raised:
        read_mapping("purchases", ["A", "B"], {0: "email"}, day_first=False)
    assert "Amount" in raised.value.fields["columns"]
    assert "Purchased at" in raised.value.fields["columns"]


def test_what_staff_chose_is_the_mapping():
    mapping = read_mapping(
        "people", ["A", "B", "C"], {0: "email", 2: "city", 9: "phone"}, day_first=True
    )
    assert mapping == Mapping("people", {"email": "A", "city": "C"}, True)
