"""No session outlives its unit of work: real processes are watched from outside, waits from within.

What stays open keeps SQLite's write-ahead log from ever being emptied, and an update of a
PostgreSQL database waiting.
"""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from flask import has_app_context

from rollcall import clock
from rollcall.accounts.notices import tell_admins
from rollcall.accounts.passwords import hash_password
from rollcall.cli.serve import make_server
from rollcall.config import Settings
from rollcall.extensions import NestedTransaction, db, end_reading, pause, write
from rollcall.models import Campaign, CampaignState, Organisation
from rollcall.providers.simulator import Simulator
from rollcall.sending import runner
from rollcall.sending.due import run_due_campaigns
from rollcall.sending.provider_health import SOUND, ProviderHealth, read_health
from rollcall.sending.staff_mail import send_waiting_mail
from rollcall.sending.wire import Wire
from tests.campaigns.stage import Stage
from tests.factories import make_organisation, make_people, make_staff
from tests.providers.gateways import ROOT, end_process, free_ports, is_open
from tests.sending.served import Visitor, send_now
from tests.waiting import wait_for

PASSWORD = "a long password for tests"
PEOPLE = 1_500  # their messages alone leave a log of 20 MB that is never emptied
WATCHED = "watched"


@contextmanager
def running(settings: Settings, folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `flask …` as people do, with its scheduler, under a name that the database knows."""
    url = sa.make_url(settings.database_url)
    if url.get_backend_name() == "postgresql":
        url = url.update_query_dict({"application_name": WATCHED})
    environment = {
        **os.environ,
        "SECRET_KEY": settings.secret_key or "",
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "ROLLCALL_INSTANCE": str(settings.instance_path),
        "ROLLCALL_SCHEDULER": "on",
        "ROLLCALL_SCHEDULER_SECONDS": "0.2",
    }
    with (folder / "process.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app", *command],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        end_process(process)


class Watcher:
    """Looks from outside whether a transaction of the process stays open."""

    def __init__(self, settings: Settings) -> None:
        self._engine = sa.create_engine(settings.database_url, isolation_level="AUTOCOMMIT")
        self._wal = Path(settings.database_url.removeprefix("sqlite:///") + "-wal")

    def expect_nothing_open(self) -> None:
        """Return once what was open a moment ago has ended, however slow the machine is."""
        db.session.rollback()  # our own would be in the way as well
        if self._engine.dialect.name == "sqlite":
            wait_for(self._log_can_be_emptied)
            return
        seen = self._open_transactions()
        wait_for(lambda: not seen & self._open_transactions())

    def _log_can_be_emptied(self) -> bool:
        with self._engine.connect() as connection:
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        return not busy

    def log_size(self) -> int:
        return self._wal.stat().st_size if self._wal.exists() else 0

    def _open_transactions(self) -> set[tuple[Any, ...]]:
        statement = sa.text(
            "SELECT pid, xact_start FROM pg_stat_activity WHERE application_name = :name"
            " AND state LIKE 'idle in transaction%'"
        )
        with self._engine.connect() as connection:
            return {tuple(row) for row in connection.execute(statement, {"name": WATCHED})}

    def connections(self) -> int:
        """How many connections PostgreSQL has from the process, so that it is known to be seen."""
        statement = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")
        with self._engine.connect() as connection:
            return connection.execute(statement, {"name": WATCHED}).scalar_one()


@pytest.fixture
def watcher(settings: Settings) -> Watcher:
    return Watcher(settings)


def await_completed(campaign_id: int) -> None:
    def completed() -> bool:
        db.session.rollback()
        query = sa.select(Campaign.state).where(Campaign.id == campaign_id)
        return db.session.scalars(query).one() == CampaignState.COMPLETED

    wait_for(completed)
    db.session.rollback()


def break_off(url: str, visitor: Visitor) -> None:
    """Ask for a download and hang up after its beginning."""
    port = int(url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        path = url.partition(f":{port}")[2]
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {visitor.cookies}\r\n\r\n"
        line.sendall(head.encode())
        assert line.recv(100).startswith(b"HTTP/1.1 200")


def test_a_server_leaves_no_transaction_open(
    app: APIFlask, settings: Settings, tmp_path: Path, watcher: Watcher, database_kind: str
):
    organisation = make_organisation()
    staff = make_staff(organisation=organisation, password_hash=hash_password(PASSWORD))
    email = staff.email
    people = make_people(organisation, PEOPLE)
    db.session.rollback()
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with running(settings, tmp_path, "serve", "--port", str(port)) as process:
        wait_for(lambda: is_open(port) or process.poll() is not None)
        log = (tmp_path / "process.log").read_text("utf-8")
        assert process.poll() is None, log
        assert "There is no organisation yet" not in log
        watcher.expect_nothing_open()
        if database_kind == "postgresql":
            wait_for(watcher.connections)

        visitor = Visitor()
        assert visitor.log_in(url, email, PASSWORD).status == 200
        campaign_id = send_now(db.session.get_one(Organisation, organisation.id), people)
        for path in ("/", "/campaigns", "/people", "/nowhere", "/healthz"):
            visitor.ask(f"{url}{path}")
        watcher.expect_nothing_open()

        await_completed(campaign_id)
        watcher.expect_nothing_open()
        if database_kind == "sqlite":
            assert watcher.log_size() < 4_000_000, "the log was emptied, and begins anew"

        download = f"{url}/campaigns/{campaign_id}/recipients.csv"
        assert visitor.ask(download).text.count("\n") > PEOPLE
        watcher.expect_nothing_open()
        break_off(download, visitor)
        break_off(f"{url}/audit/export", visitor)
        watcher.expect_nothing_open()


def test_a_scheduler_by_itself_leaves_no_transaction_open(
    app: APIFlask, settings: Settings, tmp_path: Path, watcher: Watcher, database_kind: str
):
    organisation = make_organisation()
    campaign_id = send_now(organisation, make_people(organisation, 200))
    db.session.rollback()
    with running(settings, tmp_path, "scheduler", "run"):
        await_completed(campaign_id)
        watcher.expect_nothing_open()
        if database_kind == "postgresql":
            assert watcher.connections()


def test_a_slow_reader_keeps_no_view_waiting():
    """A view that waits for its reader has a transaction open, for as long as that one likes."""
    taken = threading.Event()

    def view(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/csv")])
        for _ in range(64):
            yield b"x" * 1_000_000
        taken.set()

    [port] = free_ports(1)
    server = make_server(view, "127.0.0.1", port, threads=1)
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    with socket.create_connection(("127.0.0.1", port), 20) as reader:
        reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert reader.recv(10)
        assert taken.wait(60), "the view was stopped, since nobody read on"
    server.close()


# Waits, from within


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where the process waited or spoke to a provider; it must not with a transaction open."""
    found: list[str] = []

    def watch(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            if has_app_context():
                assert not db.session().in_transaction(), f"{name} with a transaction open"
                found.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, watched)

    watch(clock, "sleep")
    watch(Wire, "collect")
    watch(Simulator, "connect")
    return found


def test_a_campaign_waits_for_wire_and_rate_with_nothing_open(
    app: APIFlask, settings: Settings, waits: list[str]
):
    organisation = make_organisation()
    campaign_id = send_now(organisation, make_people(organisation, 3))
    run_due_campaigns(replace(settings, send_rate=1.0))
    await_completed(campaign_id)
    assert {"sleep", "collect"} <= set(waits)


def test_a_campaign_whose_provider_rests_meanwhile_collects_with_nothing_open(
    app: APIFlask, settings: Settings, waits: list[str], monkeypatch: pytest.MonkeyPatch
):
    """That it rests is found out by reading, while the first batch is still on the wire."""
    standing = [SOUND, replace(SOUND, resting_until=clock.now() + timedelta(hours=1))]

    def rest_after_the_first_batch(name: str) -> ProviderHealth:
        read_health(name)
        return standing.pop(0) if len(standing) > 1 else standing[0]

    monkeypatch.setattr(runner, "read_health", rest_after_the_first_batch)
    organisation = make_organisation()
    send_now(organisation, make_people(organisation, 8))
    run_due_campaigns(replace(settings, send_batch=4))
    assert "collect" in waits


def test_a_dry_run_waits_with_nothing_open(app: APIFlask, waits: list[str]):
    stage = Stage(app, cast(Any, None))  # on the machine's own clock
    stage.people(4)
    campaign_id = stage.at_once(dry_run_address="+14165550123", dry_run_limit=3)
    run_due_campaigns(replace(stage.settings, send_rate=1.0))
    await_completed(campaign_id)
    assert {"sleep", "connect"} <= set(waits)


def test_mail_to_staff_goes_out_with_nothing_open(
    app: APIFlask, settings: Settings, waits: list[str]
):
    staff = make_staff()
    with write():
        tell_admins(staff.organisation_id, "alert", "key", "Title", "Text", "/alerts")
    assert send_waiting_mail(settings) == 1
    assert "connect" in waits


def test_nobody_waits_in_the_middle_of_writing(app: APIFlask):
    for wait in (end_reading, lambda: pause(0)):
        with pytest.raises(NestedTransaction), write():
            wait()


# The threads of these touch no database: a provider's own, and the one that wakes the scheduler.
SLEEP_BY_THEMSELVES = (
    "rollcall/clock.py",
    "rollcall/extensions.py",
    "rollcall/providers/",
    "rollcall/scheduler.py",
    "rollcall/sending/wire.py",
    "rollcall/monitoring/backup_postgresql.py",
)


def test_whoever_waits_does_so_by_pause():
    """`pause` ends the open transaction first; who sleeps without it forgets that one day."""
    offenders = [
        str(path.relative_to(ROOT))
        for folder in ("rollcall", "blueprints")
        for path in (ROOT / folder).rglob("*.py")
        if not str(path.relative_to(ROOT)).startswith(SLEEP_BY_THEMSELVES)
        and re.search(r"\bsleep\(", path.read_text("utf-8"))
    ]
    assert not offenders
