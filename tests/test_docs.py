"""The documents say what the code does."""

import re
from itertools import product
from pathlib import Path
from typing import Any

from apiflask import APIFlask

from rollcall.cli import COMMANDS
from rollcall.cli.reference import write_reference
from rollcall.config import Settings
from rollcall.providers.registry import names_for

ROOT = Path(__file__).parents[1]


def test_the_command_reference_is_that_of_the_commands():
    """Write it anew with: flask reference > docs/cli.md"""
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == write_reference(COMMANDS)


def test_every_command_in_the_documents_exists(app: APIFlask):
    runner = app.test_cli_runner()
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        for words in re.findall(r"flask ((?:[a-z][a-z-]* ?){1,2})", text):
            command = words.split()
            if command[0] in ("db", "run"):
                continue
            known = runner.invoke(args=[*command, "--help"])
            alone = runner.invoke(args=[command[0], "--help"])
            assert known.exit_code == 0 or alone.exit_code == 0, f"{document.name}: flask {words}"


def test_every_link_between_documents_leads_somewhere():
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


class Asked(dict[str, str]):
    """An environment that keeps which settings it was asked for."""

    def __init__(self, **given: str) -> None:
        super().__init__(given)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)


def test_every_setting_that_is_read_is_documented():
    """In the operations guide, or where it is a provider's own in the providers' guide."""
    guides = [ROOT / "docs" / name for name in ("operations.md", "providers.md")]
    documented = "".join(guide.read_text(encoding="utf-8") for guide in guides)
    read: set[str] = set()
    for sms, email in product(names_for("sms"), names_for("email")):
        asked = Asked(ROLLCALL_SMS_PROVIDER=sms, ROLLCALL_EMAIL_PROVIDER=email)
        Settings.from_environment(asked)
        read |= asked.names
    # The last one of each kind, so that what is read late is known to be among them.
    assert {"PUBLIC_URL", "TWILIO_AUTH_TOKEN", "KANNEL_URL", "SMPP_HOST", "SMTP_FROM"} <= read
    read.discard("ROLLCALL_DEMO")  # only `make demo` sets it
    assert not {name for name in read if not re.search(rf"\b{name}\b", documented)}
