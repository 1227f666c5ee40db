"""Logs tell what happened without saying to whom."""

import json

import pytest
import structlog

from rollcall import logs


@pytest.mark.parametrize(
    "text",
    [
        "can't send to +14165550123",
        "can't send to 416-555-0123",
        "Key (phone)=(+14165550123) already exists",
        "sarah.lee@example.org bounced",
        "Failing row: 'Sarah.Lee+1@Example.co.uk', 12",
        "(416) 555 0123",
    ],
)
def test_phones_and_addresses_are_taken_out(capsys: pytest.CaptureFixture[str], text: str):
    logs.configure()
    structlog.get_logger().error("it failed", error=text, nested={"to": [text]})
    line = capsys.readouterr().err
    assert "[removed]" in line
    assert "0123" not in line
    assert "@" not in line
    assert json.loads(line)["event"] == "it failed"


def test_an_exception_is_logged_without_them(capsys: pytest.CaptureFixture[str]):
    logs.configure()
    try:
        raise ValueError("no such person: sarah@example.org")
    except ValueError:
        structlog.get_logger().exception("it failed")
    line = capsys.readouterr().err
    assert "sarah@" not in line
    assert "ValueError" in json.loads(line)["exception"]


def test_ids_counts_and_times_are_kept(capsys: pytest.CaptureFixture[str]):
    logs.configure()
    structlog.get_logger().info("campaign left", campaign_id=12345678901, people=412)
    fields = json.loads(capsys.readouterr().err)
    assert (fields["campaign_id"], fields["people"]) == (12345678901, 412)
    assert fields["timestamp"].endswith("Z")
