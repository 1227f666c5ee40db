"""The documents say what the code does."""

import re
from pathlib import Path

from apiflask import APIFlask

from rollcall.cli import COMMANDS
from rollcall.cli.reference import write_reference

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


def test_every_setting_is_in_the_operations_guide():
    source = (ROOT / "rollcall" / "config.py").read_text(encoding="utf-8")
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    settings = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source.split("def flask_config")[0]))
    settings.discard("ROLLCALL_DEMO")
    missing = {name for name in settings if name not in guide}
    assert not missing
