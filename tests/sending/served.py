"""Rollcall as people run it: what `flask serve` does, in a process of its own, with its scheduler.

    python -m tests.sending.served

reads settings, a port and a log's name, again and again, and forks a process for each, so that
the application is loaded once. Whoever tests it looks at the database, at what it serves over
HTTP, and at the gateways beside it.
"""

import http.cookiejar
import os
import pickle
import re
import signal
import subprocess
import sys
import traceback
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from app import create_app
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import send_campaign_now
from rollcall.cli.serve import serve_app
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import (
    Attempt,
    Channel,
    ConsentChange,
    InboundMessage,
    Organisation,
    Person,
    PersonFacts,
    Recipient,
    Suppression,
)
from tests.chaos.senders import is_alive
from tests.factories import make_actor
from tests.providers.chosen import carried_by
from tests.providers.gateways import Gateway, free_ports, is_open
from tests.waiting import HANGS, wait_for

# All that a receipt or a reply may change.
EVIDENCE = (Attempt, Recipient, PersonFacts, InboundMessage, Suppression, ConsentChange)


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Visitor:
    """Asks over HTTP and keeps cookies, as a browser does."""

    def __init__(self) -> None:
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    @property
    def cookies(self) -> str:
        """What stands in the header of a request that is made by hand."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)

    def ask(
        self, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Get the URL, or post the form to it."""
        body = None if form is None else urlencode(form).encode()
        request = urllib.request.Request(url, body, headers or {})
        try:
            with self._opener.open(request, timeout=HANGS) as response:
                return Answer(response.status, response.read().decode(), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), error.headers)

    def log_in(self, url: str, email: str, password: str) -> Answer:
        """Log in at the page, with the token that its form carries."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.ask(f"{url}/login").text)
        assert found
        form = {"csrf_token": found[1], "email": email, "password": password}
        return self.ask(f"{url}/login", form)


def ask(url: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
    """Ask once, as somebody without any cookie."""
    return Visitor().ask(
        url, form, {name.replace("_", "-"): text for name, text in headers.items()}
    )


class Launcher(Gateway):
    """A process that has loaded the application and forks one that serves it, whenever asked."""

    def start(self) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = self.run(sys.executable, "-m", "tests.sending.served", **pipes)

    def launch(self, settings: Settings, port: int, log: Path) -> int:
        """Serve under these settings; returns the number of the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((settings, port, str(log)), self._process.stdin)
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


class Served:
    """The application and its scheduler on a free port, at its PUBLIC_URL."""

    def __init__(self, launcher: Launcher, settings: Settings, folder: Path) -> None:
        self._launcher = launcher
        [self.port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "served.log"
        self.settings = replace(
            settings, public_url=self.url, scheduler=True, scheduler_seconds=0.2
        )

    @contextmanager
    def over(self, gateway: Any) -> Iterator[None]:
        """Serve with these settings of a provider as well, and end when the block does."""
        settings = carried_by(self.settings, gateway)
        pid = self._launcher.launch(settings, self.port, self.log)
        try:
            wait_for(lambda: is_open(self.port) or not is_alive(pid))
            assert is_alive(pid), self.log.read_text("utf-8")
            yield
        finally:
            end_process(pid)


def end_process(pid: int) -> None:
    """End a process that serves, as an operator does."""
    if is_alive(pid):
        os.kill(pid, signal.SIGTERM)
    try:
        wait_for(lambda: not is_alive(pid))
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        raise


def send_now(organisation: Organisation, people: list[int], channel: Channel = Channel.SMS) -> int:
    """Let the running scheduler send these people a message; returns the campaign."""
    draft = CampaignDraft(
        name="Doors open",
        channel=channel,
        subject="Doors open" if channel == Channel.EMAIL else "",
        message="Hello %%FIRST_NAME%%, doors open at 7",
        criteria=Criteria(people=tuple(people), window_hours=0),
    )
    actor = make_actor(organisation)
    campaign_id = create_campaign(actor, draft)
    send_campaign_now(actor, campaign_id)
    return campaign_id


def states(campaign_id: int) -> list[str]:
    """The state of each recipient as it stands now, in the order of the people."""
    db.session.rollback()
    rows = db.session.scalars(
        sa.select(Recipient)
        .where(Recipient.campaign_id == campaign_id)
        .order_by(Recipient.person_id)
        .execution_options(populate_existing=True)
    )
    return [row.state.key for row in rows]


def await_states(campaign_id: int, expected: list[str]) -> None:
    """Return once the recipients are in these states; fails where they stay as they are."""
    found: list[str] = []

    def come() -> bool:
        found[:] = states(campaign_id)
        return found == expected

    wait_for(come, lambda: f"they stayed {found}")


def snapshot() -> dict[str, list[tuple]]:
    """Every row that a receipt or a reply may change, as it stands now."""
    db.session.rollback()
    return {
        model.__tablename__: sorted(
            (tuple(row) for row in db.session.execute(sa.select(*model.__table__.columns))), key=str
        )
        for model in EVIDENCE
    }


def opted_out(person_id: int, channel: Channel = Channel.SMS) -> bool:
    """Whether somebody is opted out of the channel now."""
    db.session.rollback()
    column = PersonFacts.opted_out_sms if channel == Channel.SMS else PersonFacts.opted_out_email
    return db.session.scalars(sa.select(column).where(PersonFacts.person_id == person_id)).one()


def inbound() -> list[tuple[str, str]]:
    """The text and the meaning of each message that was taken in, the oldest first."""
    db.session.rollback()
    rows = db.session.execute(
        sa.select(InboundMessage.text, InboundMessage.meaning).order_by(InboundMessage.id)
    )
    return [(row.text, str(row.meaning)) for row in rows]


def phones(people: list[int]) -> list[str]:
    """The phones of these people, in their order."""
    query = sa.select(Person).where(Person.id.in_(people))
    found = {person.id: person.phone or "" for person in db.session.scalars(query)}
    return [found[person_id] for person_id in people]


def main() -> None:
    """Fork a process that serves for each set of settings on the standard input; print its number.

    What is still served when the input ends is ended.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended needs nobody to take note
    served = []
    with suppress(EOFError):
        while True:
            settings, port, log = pickle.load(sys.stdin.buffer)
            pid = os.fork()
            if pid == 0:
                _serve(settings, port, log)
            served.append(pid)
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
    for pid in served:
        if is_alive(pid, os.getpid()):
            os.kill(pid, signal.SIGKILL)


def _serve(settings: Settings, port: int, log: str) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(target, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = 1
    try:
        serve_app(create_app(settings), "127.0.0.1", port, threads=8)
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)  # the fork must not go on with what the launcher was doing


if __name__ == "__main__":
    main()
