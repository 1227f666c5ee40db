"""Every download, from a server process, as a browser and as a program get it.

Only a real server reads the lines after the view is over: the test client reads them while the
view's context still stands. What is a download is found by asking every route that is read,
so that a new one without a row in DOWNLOADS fails here.
"""

import csv
import http.client
import io
import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from flask_migrate import upgrade
from werkzeug.routing import Rule
from werkzeug.test import EnvironBuilder

from app import create_app
from blueprints.access import access_of
from rollcall.accounts.tokens import create_token
from rollcall.actors import record
from rollcall.campaigns.scheduling import send_campaign_now
from rollcall.extensions import db, write
from rollcall.models import Event, RejectedRow, Role
from rollcall.people.imports import import_people
from tests.chaos.senders import is_alive
from tests.conftest import make_settings
from tests.factories import attend, make_people
from tests.providers.gateways import free_ports, is_open
from tests.sending.served import Answer, Launcher, Visitor, end_process
from tests.waiting import wait_for
from tests.web.browser import PASSWORD
from tests.web.samples import MARK, World

GUESTS = 2_500  # who come after the segment's snapshot: three reads of a thousand
CSV, JSON_LINES = "text/csv", "application/x-ndjson"
ACCEPTED = ("application/json", CSV, JSON_LINES)
PAGES = ("text/html", "application/json", "application/problem+json", "text/plain", "text/css")
MEMBERS = "person,name,phone,email"
MOVED = f"{MEMBERS},change,cause,reason,evidence"
RECIPIENTS = f"{MEMBERS},change,source,status,reason,error,cause,explanation"
AUDIT = "number,at,staff,origin,address,action,object_type,object_id,before,after,seal"


@dataclass(frozen=True)
class Expected:
    """A file: its header, how many lines follow, and a text that only its last line holds."""

    header: str
    lines: int
    last: str
    name: str = ""


# By endpoint and what a program accepts; a browser accepts whatever comes.
DOWNLOADS = {
    ("segments.members_csv", ""): Expected(
        MEMBERS, 2_501, "Guest 2500", "segment-ours-segment-version-1.csv"
    ),
    ("segments.compare_csv", ""): Expected(
        MOVED, 2_500, "Guest 2500", "segment-ours-segment-compared.csv"
    ),
    ("campaigns.recipients_csv", ""): Expected(
        RECIPIENTS, 2_501, "Guest 2500", "campaign-1-recipients.csv"
    ),
    ("imports.rejected", ""): Expected(
        "Line,Reason,First name,Phone", 2_500, "Nobody 2500", "rejected-rows-of-import-2.csv"
    ),
    ("audit.export", ""): Expected(AUDIT, 2_500, "line 2500", "audit-trail.csv"),
    ("api_segments.members", CSV): Expected(MEMBERS, 2_501, "Guest 2500"),
    ("api_segments.compare_people", CSV): Expected(MOVED, 2_500, "Guest 2500"),
    ("api_campaigns.recipients", CSV): Expected(RECIPIENTS, 2_501, "Guest 2500"),
    ("api_audit.index", CSV): Expected(AUDIT, 2_500, "line 2500"),
    ("api_audit.index", JSON_LINES): Expected("", 2_500, "line 2500"),
}
NOTED = {"audit.export": "action=test.noted", "api_audit.index": "action=test.noted"}


class House:
    """An organisation with enough of everything for several pieces of each download."""

    def __init__(self, app: APIFlask) -> None:
        self.app = app
        self.world = World(app, "ours", MARK)
        self.token = create_token(
            self.world.actor, "reads all", self.world.staff[Role.SUPER].id
        ).plain
        names = [
            {"first_name": "Guest", "last_name": f"{number:04}"} for number in range(1, GUESTS + 1)
        ]
        guests = make_people(self.world.organisation, names)
        event = db.session.scalars(sa.select(Event).filter_by(slug="ours-event")).one()
        attend(event, guests)
        send_campaign_now(self.world.actor, self.world.campaign_id)
        self.world.run_id = self._import_what_is_no_phone()
        self.broken_run_id = self._import_what_is_no_phone()
        with write():
            for number in range(1, GUESTS + 1):
                record(
                    self.world.actor,
                    "test.noted",
                    "test",
                    number,
                    after={"text": f"line {number:04}"},
                )

    def _import_what_is_no_phone(self) -> int:
        rows = "".join(f"Nobody {number:04},not a phone\n" for number in range(1, GUESTS + 1))
        file = io.BytesIO(f"First name,Phone\n{rows}".encode())
        return import_people(file, self.world.actor, file_name="guests.csv")["id"]

    def path_of(self, rule: Rule) -> str:
        """The address of the rule, with what narrows it to the lines that are expected."""
        path, more = self.world.path_of(rule), NOTED.get(rule.endpoint)
        return f"{path}?{more}" if more else path

    def path_to(self, endpoint: str) -> str:
        """The address of an endpoint that is read."""
        return self.path_of(next(iter(self.app.url_map.iter_rules(endpoint))))

    def rules(self) -> Iterator[tuple[Rule, bool]]:
        """Every rule that is read, and whether it is a program's."""
        for rule in self.app.url_map.iter_rules():
            access = access_of(self.app, rule.endpoint)
            if "GET" in (rule.methods or ()) and rule.endpoint != "static" and not access.signed:
                yield rule, access.scope is not None


@dataclass(frozen=True)
class Server:
    """The process that serves the house, and its log."""

    url: str
    log: Path

    @property
    def place(self) -> str:
        return urlsplit(self.url).netloc


@pytest.fixture(scope="module")
def house(
    database_kind: str,
    empty_database: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    """The house in a database of its own, which no other test empties."""
    folder = tmp_path_factory.mktemp("downloads")
    if database_kind == "sqlite":
        shutil.copy(empty_database.removeprefix("sqlite:///"), folder / "rollcall.sqlite")
        with _opened(folder, f"sqlite:///{folder / 'rollcall.sqlite'}") as app:
            yield House(app)
        return
    url = sa.make_url(request.getfixturevalue("postgresql_url"))
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE downloads")
        own = url.set(database="downloads").render_as_string(hide_password=False)
        with _opened(folder, own) as app:
            upgrade()
            yield House(app)
        connection.exec_driver_sql("DROP DATABASE downloads WITH (FORCE)")
    engine.dispose()


@contextmanager
def _opened(folder: Path, url: str) -> Iterator[APIFlask]:
    app = create_app(make_settings(folder, url))
    app.testing = True
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="module")
def server(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """What `flask serve` does, in a process of its own, for all of these tests."""
    folder = tmp_path_factory.mktemp("server")
    [port] = free_ports(1)
    settings = replace(house.app.extensions["rollcall"], scheduler=False)
    with Launcher(folder / "launcher") as launcher:
        pid = launcher.launch(settings, port, folder / "served.log")
        try:
            wait_for(lambda: is_open(port) or not is_alive(pid))
            yield Server(f"http://127.0.0.1:{port}", folder / "served.log")
        finally:
            end_process(pid)


@pytest.fixture
def staff(house: House, server: Server) -> Visitor:
    """A browser in which the super is logged in."""
    visitor = Visitor()
    answer = visitor.log_in(server.url, house.world.staff[Role.SUPER].email, PASSWORD)
    assert answer.status == 200
    return visitor


def test_every_download_arrives_whole(house: House, server: Server, staff: Visitor):
    found: dict[tuple[str, str], Answer] = {}
    for rule, for_program in house.rules():
        for accepted in ACCEPTED if for_program else ("",):
            answer = ask(house, server, staff, rule, accepted)
            if _is_download(answer):
                found[rule.endpoint, accepted] = answer
    assert set(found) == set(DOWNLOADS), "a download is new, or is none any more: see DOWNLOADS"
    for key, expected in DOWNLOADS.items():
        _check(found[key], expected, key)


def ask(house: House, server: Server, staff: Visitor, rule: Rule, accepted: str) -> Answer:
    """Ask as a program if it accepts something, else as the logged-in browser."""
    url = f"{server.url}{house.path_of(rule)}"
    if accepted:
        headers = {"Authorization": f"Bearer {house.token}", "Accept": accepted}
        return Visitor().ask(url, headers=headers)
    return staff.ask(url)


def _is_download(answer: Answer) -> bool:
    """A file has a name, comes in pieces whose length nobody knew before, or is no page."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    return (
        "Content-Disposition" in answer.headers
        or answer.headers.get("Transfer-Encoding") == "chunked"
        or (answer.status == 200 and kind not in PAGES)
    )


def _check(answer: Answer, expected: Expected, key: tuple[str, str]) -> None:
    assert answer.status == 200, key
    lines = answer.text.removeprefix("\ufeff").splitlines()
    if expected.header:
        assert lines.pop(0) == expected.header, key
        assert answer.text.startswith("\ufeff"), key
        width = expected.header.count(",") + 1
        assert {len(row) for row in csv.reader(lines)} == {width}, key
    else:
        assert all(json.loads(line) for line in lines), key
    assert len(lines) == expected.lines, key
    assert [expected.last in line for line in lines].index(True) == expected.lines - 1, key
    kind = "attachment; filename=" if expected.name else ""
    named = f'{kind}"{expected.name}"' if expected.name else None
    assert answer.headers.get("Content-Disposition") == named, key


def test_a_file_that_breaks_off_is_seen_to_be_broken(house: House, server: Server, staff: Visitor):
    """The row that can't be read is the two thousandth: the answer has begun long before."""
    _spoil_a_row(house.broken_run_id, line=2_000)
    with pytest.raises(http.client.IncompleteRead) as broken:
        staff.ask(f"{server.url}/imports/{house.broken_run_id}/rejected.csv")
    text = broken.value.partial.decode()
    assert "Nobody 0900" in text
    last = text.splitlines()[-1]
    assert last.startswith('"INCOMPLETE: an error broke this file off here. Download it again;')
    reference = last.rstrip('."').rpartition(" ")[2]
    [line] = [line for line in server.log.read_text("utf-8").splitlines() if reference in line]
    told = json.loads(line)
    assert (told["event"], told["endpoint"]) == ("download broken off", "imports.rejected")
    assert "TypeError" in told["exception"]


def test_a_file_that_breaks_off_says_so_where_nothing_else_can(
    house: House, server: Server, staff: Visitor
):
    """In HTTP/1.0, which proxies speak, the end of the connection is all that ends a file."""
    _spoil_a_row(house.broken_run_id, line=2_000)
    host, port = server.place.split(":")
    path = f"/imports/{house.broken_run_id}/rejected.csv"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        request = f"GET {path} HTTP/1.0\r\nHost: {server.place}\r\nCookie: {staff.cookies}\r\n\r\n"
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
    assert answer.startswith("HTTP/1.0 200")
    assert "Nobody 0900" in answer
    assert answer.splitlines()[-1].startswith('"INCOMPLETE: ')


def test_what_fails_before_the_first_line_is_an_error_page(
    house: House, server: Server, staff: Visitor
):
    _spoil_a_row(house.broken_run_id, line=2)
    answer = staff.ask(f"{server.url}/imports/{house.broken_run_id}/rejected.csv")
    assert answer.status == 500
    assert "Content-Disposition" not in answer.headers
    assert "<html" in answer.text


def _spoil_a_row(run_id: int, line: int) -> None:
    """Let a number stand where the cells of this rejected row were kept, and of no other."""
    mine = sa.update(RejectedRow).where(RejectedRow.import_run_id == run_id)
    with write():
        db.session.execute(
            mine.where(RejectedRow.line.in_((2, 2_000))).values(raw=["Nobody", "not a phone"])
        )
        db.session.execute(mine.where(RejectedRow.line == line).values(raw=5))


@pytest.mark.parametrize("pieces", [0, 1, 2])
@pytest.mark.parametrize(("endpoint", "accepted"), DOWNLOADS)
def test_nothing_is_open_while_a_client_reads_or_after_it_left(
    house: House, staff: Visitor, endpoint: str, accepted: str, pieces: int
):
    """The application is called as a server calls it: a piece is handed on, more asked later."""
    answer = _call(house, staff, "GET", endpoint, accepted)
    reading = iter(answer)
    for _ in range(pieces):
        assert len(Context().run(next, reading)) > 10_000
    assert _transactions_open() == 0
    Context().run(answer.close)
    assert _connections_in_use(house) == 0


@pytest.mark.parametrize(("endpoint", "accepted"), DOWNLOADS)
def test_who_only_asks_for_the_head_leaves_nothing_open(
    house: House, staff: Visitor, endpoint: str, accepted: str
):
    answer = _call(house, staff, "HEAD", endpoint, accepted)
    assert list(answer) == []
    Context().run(answer.close)
    assert _connections_in_use(house) == 0


def _call(house: House, staff: Visitor, method: str, endpoint: str, accepted: str) -> Any:
    """Call the application where no context stands, as in a server's thread."""
    headers = {"Cookie": staff.cookies}
    if accepted:
        headers = {"Authorization": f"Bearer {house.token}", "Accept": accepted}
    environment = EnvironBuilder(house.path_to(endpoint), method=method, headers=headers)
    db.session.rollback()
    statuses: list[str] = []
    answer = Context().run(
        house.app.wsgi_app,
        environment.get_environ(),
        lambda status, *_: statuses.append(status),
    )
    assert statuses == ["200 OK"]
    return answer


def _transactions_open() -> int:
    """How many transactions others have open, which keep what they saw from being let go."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.connection.execute("PRAGMA busy_timeout = 0")
            busy, _, _ = connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.invalidate()
            return busy
        return connection.scalars(
            sa.text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
        ).one()


def _connections_in_use(house: House) -> int:
    db.session.rollback()
    pool = db.engine.pool
    assert isinstance(pool, sa.QueuePool)
    return pool.checkedout()
