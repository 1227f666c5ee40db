"""flask doctor, provider, alert, restore, campaign doubts: what is printed, what is stored."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from click.testing import Result

from rollcall import clock
from rollcall.accounts.alerts import list_all_open_alerts, raise_alert
from rollcall.extensions import db, write
from rollcall.models import (
    Campaign,
    CampaignState,
    Channel,
    Installation,
    ProviderState,
    Role,
)
from rollcall.monitoring import doctor
from rollcall.providers.http.provider import HttpSettings
from rollcall.providers.settings import read_settings
from rollcall.providers.smtp.provider import SmtpSettings
from rollcall.sending.due import run_due_campaigns
from rollcall.sending.installation import (
    SendMark,
    find_hold,
    find_installation,
    keep_mark_outside,
    mark_file,
)
from tests.factories import attend, make_event, make_organisation, make_people, make_staff
from tests.providers.chosen import carried_by
from tests.providers.gateways import (
    GATEWAYS,
    LOG_INS,
    ROOT,
    DescribedDouble,
    Double,
    free_ports,
)

Run = Callable[..., Result]


@pytest.fixture
def run(app: APIFlask) -> Run:
    def invoke(*arguments: str) -> Result:
        db.session.rollback()
        return app.test_cli_runner().invoke(args=list(arguments))

    return invoke


def use(app: APIFlask, *gateways: Any, **changes: Any) -> None:
    app.extensions["rollcall"] = carried_by(app.extensions["rollcall"], *gateways, **changes)


def to_mend(run: Run) -> dict[str, str]:
    """What must be mended by subject, as `flask doctor --json` says it; checks the exit status."""
    result = run("doctor", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == (0 if found["healthy"] else 1), result.output
    return {line["subject"]: line["text"] for line in found["lines"] if not line["ok"]}


@pytest.fixture
def kannel(app: APIFlask, tmp_path: Path) -> Iterator[Double]:
    with Double(tmp_path / "gateway", "kannel") as double:
        use(app, double.kannel)
        yield double


def test_a_sound_installation_has_nothing_to_mend(run: Run):
    result = run("doctor")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    for subject in ("SECRET_KEY", "PUBLIC_URL", "instance folder", "database", "tables"):
        assert f"ok    {subject}: " in result.output
    for subject in ("send mark", "scheduler", "alerts", "Simulator (sms and email)"):
        assert f"ok    {subject}: " in result.output


def test_settings_that_do_not_fit_a_real_provider(app: APIFlask, run: Run):
    use(app, secret_key=None)
    assert "SECRET_KEY" in to_mend(run)
    use(app, secret_key="short")
    assert "less than 16 characters" in to_mend(run)["SECRET_KEY"]
    use(app, secret_key=None, demo=True)
    assert "SECRET_KEY" not in to_mend(run)
    use(app, SmtpSettings("", ""))
    found = to_mend(run)
    assert "everybody knows" in found["SECRET_KEY"]
    assert "reached from this machine only" in found["PUBLIC_URL"]
    assert "SMTP_URL is not set" in found["Mail server (SMTP) (email)"]
    use(app, public_url="http://rollcall.example.org")
    assert "not encrypted" in to_mend(run)["PUBLIC_URL"]
    use(app, public_url="https://rollcall.example.org")
    assert "PUBLIC_URL" not in to_mend(run)


def test_e_mail_needs_a_postal_address_of_every_organisation(app: APIFlask, run: Run):
    make_organisation("with", postal_address="1 Street, Town")
    make_organisation("without")
    assert "postal addresses" not in to_mend(run), "the simulator reaches nobody"
    use(app, email_provider="smtp")
    assert to_mend(run)["postal addresses"].startswith("without has none")


def test_a_gateway_that_is_away_and_one_that_knows_us(app: APIFlask, run: Run, kannel: Double):
    assert to_mend(run) == {}, "a gateway on this machine needs no outside address"
    [port] = free_ports(1)
    away = replace(kannel.kannel, url=f"http://127.0.0.1:{port}/cgi-bin/sendsms")
    use(app, away)
    found = to_mend(run)
    assert list(found) == ["Kannel (sms)"]
    use(app, replace(kannel.kannel, password="wrong"))
    assert "did not accept the log-in" in to_mend(run)["Kannel (sms)"]
    assert "wrong" not in run("doctor").output, "no password is printed"


def test_a_provider_whose_campaigns_were_paused(run: Run, kannel: Double):
    with write():
        db.session.add(
            ProviderState(
                name="kannel",
                free_at=0.0,
                failures=3,
                error_code="403",
                error_text="Wrong password.",
                open_since=clock.now(),
            )
        )
        raise_alert("provider", "provider.kannel", "Kannel is failing.")
    found = to_mend(run)
    assert "Wrong password. Its campaigns are paused" in found["Kannel (sms)"]
    assert "Kannel is failing." in found.values()


def doctor_of(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, on another database."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "doctor"],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": url,
            "ROLLCALL_INSTANCE": str(folder),
            "SECRET_KEY": "a key for tests only",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_no_database_is_said_in_a_line_and_the_rest_is_looked_at(tmp_path: Path):
    [port] = free_ports(1)
    for url in (
        f"postgresql+psycopg://nobody:hidden@127.0.0.1:{port}/rollcall",
        f"sqlite:///{tmp_path}/missing/rollcall.sqlite",
    ):
        found = doctor_of(tmp_path, url)
        assert found.returncode == 1, found.stderr
        bad = [line for line in found.stdout.splitlines() if not line.startswith("ok ")]
        assert len(bad) == 1, found.stdout
        assert re.match("mend  database: (PostgreSQL|SQLite) can't be reached: ", bad[0])
        assert "ok    Simulator (sms and email)" in found.stdout
        assert "Traceback" not in found.stderr
        assert "hidden" not in found.stdout + found.stderr


def test_a_database_without_tables(tmp_path: Path):
    found = doctor_of(tmp_path, f"sqlite:///{tmp_path}/empty.sqlite")
    assert found.returncode == 1, found.stderr
    assert "mend  tables: There are none yet. Create them: flask db upgrade" in found.stdout
    assert "Traceback" not in found.stderr


def test_tables_of_another_version(run: Run):
    current = db.session.scalar(sa.text("SELECT version_num FROM alembic_version"))
    try:
        with write():
            db.session.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
        assert to_mend(run) == {"tables": "They are of another version (0000)."}
        assert "flask db upgrade" in run("doctor").output
    finally:
        with write():
            db.session.execute(
                sa.text("UPDATE alembic_version SET version_num = :current"), {"current": current}
            )


def test_clocks_that_differ(run: Run, monkeypatch: pytest.MonkeyPatch, database_kind: str):
    """The doctor's own clock is set, which only PostgreSQL has another one beside."""
    there = clock.now
    monkeypatch.setattr(doctor.clock, "now", lambda: there() - timedelta(seconds=30))
    found = to_mend(run)
    if database_kind == "postgresql":
        assert "differ by 30 seconds" in found["clocks"]
    else:
        assert found == {}


def test_a_folder_that_can_not_be_written_to_or_is_full(
    app: APIFlask, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(doctor, "LEAST_FREE", 2**62)
    assert "GiB are free" in to_mend(run)["instance folder"]
    monkeypatch.undo()
    (tmp_path / "file").write_text("in the way")
    use(app, instance_path=tmp_path / "file")
    assert "can't be written to" in to_mend(run)["instance folder"]


def send_something(app: APIFlask, run: Run) -> int:
    organisation = make_organisation("acme")
    make_staff(Role.SUPER, organisation)
    attend(make_event(organisation, "show"), make_people(organisation, 2))
    options = ("--name", "Hello", "--channel", "sms", "--message", "Hello", "--event", "show")
    created = json.loads(run("campaign", "create", *options, "--now", "--json").stdout)
    run_due_campaigns(app.extensions["rollcall"])
    return created["id"]


def test_the_send_mark_is_looked_at(app: APIFlask, run: Run):
    settings = app.extensions["rollcall"]
    send_something(app, run)
    assert to_mend(run) == {}
    path = mark_file(settings, find_installation().uuid)
    kept = path.read_text()
    path.unlink()
    assert "a restored backup would not be noticed" in to_mend(run)["send mark"]
    path.write_text("half a fi")
    assert "can't be read" in to_mend(run)["send mark"]
    path.write_text(kept)
    installation = find_installation()
    keep_mark_outside(settings, installation.uuid, SendMark(10**6, clock.now()))
    assert "older than what was sent" in to_mend(run)["send mark"]


def test_campaigns_that_nobody_looks_at(app: APIFlask, run: Run):
    campaign_id = send_something(app, run)
    with write():
        campaign = db.session.get_one(Campaign, campaign_id)
        campaign.state = CampaignState.SCHEDULED
        campaign.scheduled_at = clock.now() - timedelta(seconds=30)
    assert "scheduler" not in to_mend(run), "half a minute is nothing"
    with write():
        db.session.get_one(Campaign, campaign_id).scheduled_at = clock.now() - timedelta(minutes=2)
    assert f"{campaign_id} should have gone out" in to_mend(run)["scheduler"]


def test_restore_status_and_confirm(app: APIFlask, run: Run):
    settings = app.extensions["rollcall"]
    send_something(app, run)
    assert json.loads(run("restore", "status", "--json").stdout)["sending"] == "free"
    refused = run("restore", "confirm")
    assert refused.exit_code == 1
    assert refused.stderr == "Error: Nothing is held back, so there is nothing to confirm.\n"
    keep_mark_outside(settings, find_installation().uuid, SendMark(50, clock.now()))
    status = run("restore", "status")
    assert "restored from a backup" in status.stdout
    assert "flask restore confirm" in status.stdout
    assert find_hold() is not None
    assert "restored from a backup" in to_mend(run)["send mark"]
    admin = make_staff(Role.ADMIN, None)
    assert run("restore", "confirm", "--as", admin.email).exit_code == 1
    assert find_hold() is not None
    confirmed = run("restore", "confirm", "--org", "acme")
    assert confirmed.stdout == "Messages may go out.\n"
    assert find_hold() is None
    assert db.session.get_one(Installation, 1).send_mark == 50
    assert to_mend(run) == {}


def test_alerts_are_listed_and_closed(run: Run):
    organisation = make_organisation("acme")
    make_staff(Role.SUPER, organisation)
    assert run("alert", "list").output == "No alert is open.\n"
    with write():
        raise_alert("missed", "one", "It missed its time.", organisation_id=organisation.id)
    [listed] = json.loads(run("alert", "list", "--json").stdout)
    assert listed["text"] == "It missed its time."
    assert "It missed its time." in to_mend(run).values()
    assert run("alert", "close", str(listed["id"])).output == "Closed.\n"
    assert list_all_open_alerts() == []
    assert run("alert", "close", "4711").exit_code == 1


def test_providers_are_listed_checked_and_tried(run: Run, kannel: Double):
    make_staff(Role.SUPER, make_organisation("acme"))
    shown = json.loads(run("provider", "list", "--json").stdout)
    assert [(one["channel"], one["provider"]) for one in shown] == [
        ("sms", "kannel"),
        ("email", "simulator"),
    ]
    assert "/webhooks/kannel/" in shown[0]["inbound_address"]
    assert shown[1]["inbound_address"] is None
    checked = run("provider", "check", "sms")
    assert checked.exit_code == 0, checked.output
    assert "ok    Kannel (sms): Kannel accepts the log-in." in checked.output
    tried = run("provider", "test", "sms", "--phone", "416 555 0123")
    assert tried.output == "Kannel took it. It should be there in a minute.\n"
    assert len(kannel.requests("+14165550123")) == 1
    kannel.behave("429")
    refused = run("provider", "test", "sms", "--phone", "416 555 0123")
    assert refused.exit_code == 1
    assert "Kannel did not take it." in refused.stderr


def test_a_gateway_that_a_file_describes(app: APIFlask, run: Run, tmp_path: Path):
    make_staff(Role.SUPER, make_organisation("acme"))
    with DescribedDouble(tmp_path / "vonage", "vonage") as vonage:
        use(app, vonage.settings)
        shown = json.loads(run("provider", "list", "--json").stdout)
        assert (shown[0]["provider"], shown[0]["label"]) == ("http", "Vonage")
        for name, end in (("inbound_address", "/inbound"), ("receipts_address", "/receipts")):
            assert shown[0][name].startswith("http://127.0.0.1:5000/webhooks/http/")
            assert shown[0][name].endswith(end)
            assert shown[1][name] is None
        listed = run("provider", "list").output
        assert f"       receipts are to come to {shown[0]['receipts_address']}" in listed
        assert to_mend(run) == {}, "a gateway on this machine needs no outside address"
        assert run("provider", "check", "sms").exit_code == 0
        tried = run("provider", "test", "sms", "--phone", "416 555 0123")
        assert tried.output == "Vonage took it. It should be there in a minute.\n"
        vonage.behave("500")
        doubtful = run("provider", "test", "sms", "--phone", "416 555 0123")
        assert "Nobody can know whether Vonage took it." in doubtful.stderr
    environ = {"HTTP_PROVIDER_FILE": str(GATEWAYS / "vonage.toml"), **LOG_INS}
    use(app, read_settings(HttpSettings, environ))
    assert "Vonage reports there what became" in to_mend(run)["PUBLIC_URL"]
    use(app, HttpSettings(None))
    assert "HTTP_PROVIDER_FILE is not set" in to_mend(run)["HTTP gateway (sms)"]


def test_a_check_that_finds_something_fails(app: APIFlask, run: Run):
    make_staff(Role.SUPER, make_organisation("acme"))
    use(app, sms_provider="twilio")
    checked = run("provider", "check", "--json")
    assert checked.exit_code == 1
    found = json.loads(checked.stdout)
    assert [one["channel"] for one in found] == [str(channel) for channel in Channel]
    assert not all(finding["ok"] for finding in found[0]["findings"])


def test_doubts_are_listed_and_decided(app: APIFlask, run: Run, kannel: Double):
    kannel.behave("500")
    campaign_id = str(send_something(app, run))
    kannel.behave("accept")
    shown = json.loads(run("campaign", "doubts", campaign_id, "--json").stdout)
    assert shown["in_doubt"] == 2
    first = shown["data"][0]["person_id"]
    assert shown["data"][0]["address"] in run("campaign", "doubts", campaign_id).output
    wrong = run("campaign", "doubts", campaign_id, "--person", str(first))
    assert wrong.exit_code == 2
    asked = run("campaign", "doubts", campaign_id, "--ask")
    assert "Kannel can't be asked" in asked.stderr
    decided = run("campaign", "doubts", campaign_id, "--decide", "sent", "--person", str(first))
    assert "Decided on 1 person." in decided.output
    again = json.loads(run("campaign", "doubts", campaign_id, "--decide", "again", "--json").stdout)
    assert (again["decided"], again["in_doubt"]) == (1, 0)
    run_due_campaigns(app.extensions["rollcall"])
    sent = [line["address"] for line in kannel.requests()]
    assert len(sent) == 3
    assert sent.count(shown["data"][1]["address"]) == 2
    assert run("campaign", "doubts", campaign_id).output == "Nobody is in doubt.\n"
