"""The drill of docs/operations.md, word for word, with a server that is killed while it sends."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import create_app
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import Campaign, CampaignState, Organisation
from rollcall.providers.simulator import read_outbox
from rollcall.sending.installation import find_installation, mark_file
from tests.chaos.senders import is_alive
from tests.conftest import make_settings
from tests.factories import make_organisation, make_people
from tests.migrations.databases import Databases, move
from tests.providers.gateways import ROOT, free_ports, is_open
from tests.sending.served import Launcher, ask, send_now
from tests.waiting import wait_for

PEOPLE = 3_000  # at the rate below more than is sent before the server is killed
RATE = "60"
Run = Callable[[str], subprocess.CompletedProcess[str]]


def commands_of(heading: str) -> list[str]:
    """The commands that the document tells to type under a heading."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    section = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    return [
        line.strip()
        for block in re.findall(r"^```\n(.*?)^```", section, re.M | re.S)
        for line in block.splitlines()
    ]


@pytest.fixture
def own(databases: Databases, tmp_path: Path, postgresql_programs: None) -> Iterator[Settings]:
    url = databases.make()
    move(url, tmp_path, "head")
    settings = make_settings(
        tmp_path / "instance",
        url,
        ROLLCALL_SCHEDULER_SECONDS="0.2",
        ROLLCALL_SEND_RATE=RATE,
    )
    with create_app(settings).app_context():
        yield settings


@pytest.fixture
def run(own: Settings, tmp_path: Path) -> Run:
    """Types a command of the document into a shell, with its folder for backups elsewhere."""
    (tmp_path / "backups").mkdir()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FLASK_APP": "app.py",
        "SECRET_KEY": own.secret_key or "",
        "DATABASE_URL": own.database_url,
        "ROLLCALL_INSTANCE": str(own.instance_path),
    }

    def type_in(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command.replace("/backups/", f"{tmp_path}/backups/"),
            shell=True,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return type_in


@contextmanager
def serving(settings: Settings, folder: Path) -> Iterator[str]:
    """Serve and send in a process of its own, which is killed at the end as by a power cut."""
    [port] = free_ports(1)
    log = folder / "served.log"
    with Launcher(folder / "launcher") as launcher:
        pid = launcher.launch(replace(settings, scheduler=True), port, log)
        try:
            wait_for(lambda: is_open(port) or not is_alive(pid))
            assert is_alive(pid), log.read_text("utf-8")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not is_alive(pid))


def sent(settings: Settings) -> list[str]:
    """The phone of each message that went out, the oldest first; staff are told by e-mail."""
    everything = read_outbox(settings.outbox_path, 1, limit=10 * PEOPLE)
    return [message.address for message in reversed(everything) if message.channel == "sms"]


def let_go() -> None:
    """Have no connection open, as the document says of every program."""
    db.session.remove()
    db.engine.dispose()


def state_of(campaign_id: int) -> CampaignState:
    db.session.rollback()
    query = sa.select(Campaign.state).where(Campaign.id == campaign_id)
    return db.session.scalars(query).one()


def test_the_drill(own: Settings, run: Run, tmp_path: Path):
    [back_up] = commands_of("Backup")
    restore, doctor = commands_of("Put a backup back")
    [confirm] = commands_of("After a backup was restored")
    organisation = make_organisation()
    assert run(f"flask staff create a@example.org --role super --org {organisation.slug}").stdout
    people = make_people(organisation, PEOPLE)
    campaign_id = send_now(organisation, people)
    let_go()

    with serving(own, tmp_path):
        wait_for(lambda: len(sent(own)) > 20)
        taken = run(back_up)
        assert taken.returncode == 0, taken.stderr
        at_backup = len(sent(own))
        wait_for(lambda: len(sent(own)) > at_backup + 20)
        refused = run(restore)
        assert refused.returncode == 1
        assert "in use" in refused.stderr
        assert "Nothing was changed" in refused.stderr
    assert_sound(tmp_path / "backups" / "rollcall.backup", own)
    when_killed = sent(own)
    assert len(set(when_killed)) == len(when_killed) < PEOPLE

    # The worst case: on a new machine nothing tells how old the database is.
    mark_file(own, find_installation().uuid).unlink()
    let_go()
    restored = run(restore)
    assert restored.returncode == 0, restored.stderr
    assert "Nothing goes out until a super confirms that it may." in restored.stdout
    assert_no_log_beside(own)
    found = run(doctor)
    assert found.returncode == 1
    assert "A backup was restored" in found.stdout
    assert "ok    tables" in found.stdout
    assert "Messages may go out" not in run("flask restore status").stdout
    assert state_of(campaign_id) == CampaignState.PAUSED
    let_go()

    with serving(own, tmp_path / "again") as url:
        assert '"sending": "held"' in ask(f"{url}/healthz").text.replace('":"', '": "')
        meanwhile = send_now(db.session.get_one(Organisation, 1), people[-1:])
        db.session.remove()
        confirmed = run(confirm)
        assert confirmed.returncode == 0, confirmed.stderr
        wait_for(lambda: state_of(meanwhile) == CampaignState.COMPLETED)
        assert state_of(campaign_id) == CampaignState.PAUSED
    assert sent(own)[len(when_killed) :] == [sent(own)[-1]], "only what was written afterwards"


def assert_sound(backup: Path, settings: Settings) -> None:
    """A backup that was taken while a server wrote stands for itself, and is whole."""
    assert [path.name for path in backup.parent.iterdir()] == [backup.name]
    if not settings.database_url.startswith("sqlite"):
        return
    with closing(sqlite3.connect(f"file:{backup}?mode=ro&immutable=1", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def assert_no_log_beside(settings: Settings) -> None:
    if settings.database_url.startswith("sqlite"):
        live = Path(settings.database_url.removeprefix("sqlite:///"))
        wal = live.with_name(f"{live.name}-wal")
        assert not wal.exists() or wal.stat().st_size == 0
