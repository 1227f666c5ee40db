"""A database that is full, locked or busy: no request without its intent, nobody sees an error."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.exc import DBAPIError

from rollcall import clock as real_clock
from rollcall.audience.criteria import Criteria
from rollcall.audience.preview import preview_audience
from rollcall.campaigns.document import campaign_document
from rollcall.campaigns.drafts import edit_campaign, find_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.errors import Conflict, DomainError
from rollcall.extensions import db
from rollcall.models import Attempt, Campaign, Channel
from rollcall.people.consent import opt_out_person
from rollcall.sending.due import run_due_campaigns
from tests.campaigns.stage import Stage, assert_adds_up
from tests.factories import make_people, set_facts
from tests.sending.live import addresses, kannel, state_of

# The long form of `make chaos` asks for a minute, and a thousand races.
WRITERS_SECONDS = float(os.environ.get("ROLLCALL_TEST_WRITERS_SECONDS", "8"))
RACES = int(os.environ.get("ROLLCALL_TEST_RACES", "60"))


@pytest.fixture
def gateway(stage: Stage, tmp_path: Path) -> Iterator[list[str]]:
    """Sends by a gateway process; gives how to read the requests that it got."""
    with kannel(stage, tmp_path) as double:
        yield lambda: addresses(double)


def only_on_sqlite(database_kind: str) -> None:
    if database_kind != "sqlite":
        pytest.skip("a full file and one lock for all writers are SQLite's own")


def test_disk_full_before_the_intent_is_no_request(stage: Stage, gateway, database_kind: str):
    only_on_sqlite(database_kind)
    stage.people(1500)
    campaign_id = stage.at_once()
    db.session.commit()
    with full_disk():
        with pytest.raises(DBAPIError, match="full"):
            stage.run_due()
        db.session.rollback()
    # The last pages had room for some intents; each request has its own, and no other went out.
    given = gateway()
    attempts = db.session.scalar(sa.select(sa.func.count(Attempt.id)))
    assert attempts is not None
    assert len(given) == len(set(given)) <= attempts < 1500
    stage.clock.shift(timedelta(seconds=61))
    stage.run_due()
    assert len(gateway()) == len(set(gateway()))
    assert state_of(campaign_id) == "completed"
    results = stage.document(campaign_id)["results"]
    assert results["sent"] + results["in_doubt"] == 1500
    assert results["in_doubt"] <= stage.settings.send_concurrency


class full_disk:
    """Lets no connection of this process take a page more than the database has now."""

    def __enter__(self) -> None:
        with db.engine.connect() as connection:
            self._pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        db.session.remove()
        db.engine.dispose()
        sa.event.listen(db.engine, "connect", self._limit)

    def __exit__(self, *_: object) -> None:
        sa.event.remove(db.engine, "connect", self._limit)
        db.session.remove()
        db.engine.dispose()

    def _limit(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self._pages}")


def test_database_locked_before_the_intent_is_no_request(stage: Stage, gateway, database_kind: str):
    only_on_sqlite(database_kind)
    stage.people(10)
    campaign_id = stage.at_once()
    db.session.remove()
    db.engine.dispose()

    def hurry(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 100")

    sa.event.listen(db.engine, "connect", hurry)
    other = sqlite3.connect(str(db.engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(DBAPIError, match="locked"):
            stage.run_due()
        db.session.rollback()
        assert gateway() == []
    finally:
        other.execute("ROLLBACK")
        other.close()
        sa.event.remove(db.engine, "connect", hurry)
    stage.clock.shift(timedelta(seconds=61))
    stage.run_due()
    assert len(gateway()) == len(set(gateway())) == 10
    assert state_of(campaign_id) == "completed"


def test_four_writers_and_a_dashboard_see_no_locked_database(app: APIFlask, stage: Stage):
    """Opt-outs, people, edits and a send, while somebody looks at previews all the time."""
    people = stage.people(400)
    draft = stage.for_sunday(reprocess=True)
    sending = [
        stage.at_once(name=f"Send {number}", criteria=Criteria(events=("show",), window_hours=0))
        for number in range(4)
    ]
    version = stage.campaign(draft).version
    organisation_id, actor, settings = stage.organisation_id, stage.actor, stage.settings
    db.session.remove()
    over = threading.Event()

    counts: dict[str, int] = {}
    errors: list[BaseException] = []

    def again_and_again(name: str, work) -> threading.Thread:
        def loop() -> None:
            with app.app_context():
                number = 0
                while not over.is_set():
                    try:
                        work(number)
                    except DomainError:
                        pass  # a clear conflict is an answer
                    except BaseException as error:
                        errors.append(error)
                        return
                    finally:
                        db.session.remove()
                    number += 1
                    counts[name] = number

        thread = threading.Thread(target=loop, name=name)
        thread.start()
        return thread

    def opt_out(number: int) -> None:
        opt_out_person(actor, people[number % 400], Channel.SMS, "stop word")

    def add(number: int) -> None:
        make_people(find_organisation(organisation_id), 5)

    def edit(number: int) -> None:
        edit_campaign(actor, draft, stage.draft(name=f"Edited {number}"), version)

    def send(_number: int) -> None:
        run_due_campaigns(settings)

    def look(_number: int) -> None:
        preview_audience(organisation_id, Criteria(events=("show",)), Channel.SMS, None)
        campaign_document(find_campaign(organisation_id, sending[0]))

    works = {"opt out": opt_out, "add": add, "edit": edit, "send": send, "look": look}
    threading.Timer(WRITERS_SECONDS, over.set).start()
    threads = [again_and_again(name, work) for name, work in works.items()]
    for thread in threads:
        thread.join(WRITERS_SECONDS + 60)
    assert errors == []
    assert set(counts) == set(works)
    for campaign_id in sending:
        assert state_of(campaign_id) == "completed"
        assert_adds_up(stage.document(campaign_id))


def find_organisation(organisation_id: int):
    from rollcall.models import Organisation

    return db.session.get_one(Organisation, organisation_id)


def test_an_edit_against_a_claim_ends_in_one_content_or_a_clear_conflict(
    app: APIFlask, stage: Stage, gateway
):
    """Each edit is stored or told that it came too late; what went out is one of the two texts."""
    (person,) = stage.people(1)
    answers: dict[str, int] = {"edited": 0, "conflict": 0}
    settings = replace(stage.settings, sms_provider="simulator")
    for number in range(RACES):
        set_facts(person, last_message_at=None)
        due = real_clock.now() + timedelta(seconds=1)
        campaign_id = stage.for_sunday(reprocess=False, message=f"Old {number}")
        version = stage.campaign(campaign_id).version
        with db.engine.begin() as other:
            other.execute(
                sa.update(Campaign).where(Campaign.id == campaign_id).values(scheduled_at=due)
            )
        stage.clock.shift(timedelta(seconds=2))
        new = stage.draft(message=f"New {number}", local_time="2026-11-30T10:00")
        db.session.remove()
        answers[race(app, stage, settings, campaign_id, new, version)] += 1
        texts = [message.text for message in stage.outbox(campaign_id)]
        campaign = stage.campaign(campaign_id)
        if campaign.state == "completed":
            assert texts == [f"Old {number}"]
            assert campaign.message == f"Old {number}"
        else:
            assert texts == []
            assert (campaign.state, campaign.message) == ("scheduled", f"New {number}")
    assert sum(answers.values()) == RACES


def race(app: APIFlask, stage: Stage, settings, campaign_id: int, new, version: int) -> str:
    """Edit and claim at the same moment; returns what the edit was told."""
    ready = threading.Barrier(2)
    failed: list[BaseException] = []

    def run() -> None:
        with app.app_context():
            ready.wait()
            try:
                run_due_campaigns(settings)
            except BaseException as error:
                failed.append(error)
            finally:
                db.session.remove()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        edit_campaign(stage.actor, campaign_id, new, version)
        schedule_campaign(stage.actor, campaign_id)
        return "edited"
    except Conflict:
        return "conflict"
    finally:
        thread.join()
        db.session.remove()
        assert failed == []
