"""The commands of docs/api.md do what the guide says."""

import re
import shlex
from pathlib import Path

from werkzeug.test import TestResponse

from tests.api.client import Program, problem_fields

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
CSV = b"Name,Mobile\nTom Smith,416 555 0125\n"


def run(program: Program, command: str) -> TestResponse:
    """Send what a curl command would send."""
    words = shlex.split(command.replace("$ROLLCALL", ""))
    method, data, headers, path = "GET", None, {}, ""
    options = iter(words[1:])
    for word in options:
        if word == "-H":
            name, _, value = next(options).partition(": ")
            headers[name] = value
        elif word == "-X":
            method = next(options)
        elif word in ("-d", "--data-binary"):
            text = next(options)
            data = CSV if text.startswith("@") else text.encode()
            method = "POST"
        elif word != "-s":
            path = word
    assert headers.pop("Authorization") == "Bearer $TOKEN"
    return program.call(method, path, headers=headers, data=data)


def test_every_command_works(program: Program):
    commands = re.findall(r"^curl .*$", GUIDE.read_text(), re.MULTILINE)
    assert len(commands) == 16
    answers = [run(program, command) for command in commands]
    for command, answer in zip(commands, answers, strict=True):
        assert answer.status_code in (200, 201), (command, answer.text)
    event, attendance, imported, preview, *answers = answers
    campaign, shown, recipients, export, *answers = answers
    explained, causes, rehearsed, cancelled, *answers = answers
    called_off, reopened, segment, snapshot = answers
    assert event.get_json()["slug"] == "art-battle-toronto"
    assert attendance.get_json()["people_added"] == 2
    assert imported.get_json()["added"] == 1
    assert preview.get_json()["funnel"]["reachable"] == 3
    assert campaign.get_json()["total_recipients"] == 3
    assert shown.get_json() == campaign.get_json()
    assert len(recipients.get_json()["data"]) == 3
    assert len(export.text.splitlines()) == 4
    assert explained.get_json()["verdict"] == "would_get"
    assert causes.get_json()["kept"] == 3
    assert rehearsed.get_json()["outcome"] == "within_limits"
    assert cancelled.get_json()["status"] == "cancelled"
    assert called_off.get_json()["cancelled_at"]
    assert reopened.get_json()["cancelled_at"] is None
    assert segment.get_json()["slug"] == "vip"
    assert (snapshot.status_code, snapshot.get_json()["count"]) == (201, 3)


def test_the_error_is_as_shown(program: Program):
    shown = re.search(r"```json\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert shown
    response = program.post(
        "/campaigns",
        {
            "name": "x",
            "channel": "sms",
            "message": "x",
            "targeting_criteria": {"cities": ["Toronto"]},
            "reprocess_audience_at_send": True,
        },
    )
    for field, message in problem_fields(response).items():
        assert f'"field": "{field}"' in shown[1]
        assert f'"message": "{message}"' in shown[1]
