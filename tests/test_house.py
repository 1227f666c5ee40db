"""The house rules of DEVELOPERS that a machine can check: directions, sizes, what knows what."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    [ROOT / "app.py", *ROOT.glob("rollcall/**/*.py"), *ROOT.glob("blueprints/**/*.py")]
)
PARSED = {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}

LONGEST_FILE = 500
LONGEST_FUNCTION = 40  # lines of its body; what the docstring says is never too long
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

REQUEST_NAMES = {"request", "session", "g", "current_app", "has_request_context"}
REQUEST_PACKAGES = {"apiflask", "flask_limiter", "flask_login", "flask_wtf", "werkzeug"}
MAY_KNOW_THE_APP = ("rollcall/cli/", "rollcall/scheduler.py")


def imports_of(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every import as (module, name); the name is empty for a plain `import module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def in_folder(*folders: str) -> dict[Path, ast.Module]:
    return {path: tree for path, tree in PARSED.items() if path.as_posix().startswith(folders)}


def test_imports_go_only_in_the_allowed_directions(capsys):
    """The contracts stand in pyproject.toml; lint-imports prints the imports that break one."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        status = lint_imports(no_cache=True)
    finally:
        os.chdir(before)
    assert status == 0, capsys.readouterr().out


def test_nothing_imports_the_wiring():
    offenders = [
        path
        for path, tree in PARSED.items()
        for module, _name in imports_of(tree)
        if module.split(".")[0] == "app"
    ]
    assert not offenders


def test_blueprints_ask_verbs_and_never_the_database():
    offenders = [
        f"{path} imports {module} {name}"
        for path, tree in in_folder("blueprints/").items()
        for module, name in imports_of(tree)
        if module.split(".")[0] in ("sqlalchemy", "flask_sqlalchemy")
        or module == "rollcall.extensions"
        or (module == "rollcall" and name == "extensions")
    ]
    assert not offenders


def test_blueprints_write_no_select():
    calls = (
        (path, node)
        for path, tree in in_folder("blueprints/").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    )
    offenders = [
        f"{path}:{node.lineno}"
        for path, node in calls
        if getattr(node.func, "id", getattr(node.func, "attr", "")) == "select"
    ]
    assert not offenders


def test_only_the_command_line_and_the_scheduler_know_an_application():
    """The acting staff member is an argument; nothing below the blueprints knows a request."""
    offenders = [
        f"{path} imports {module} {name}"
        for path, tree in in_folder("rollcall/").items()
        if not path.as_posix().startswith(MAY_KNOW_THE_APP)
        for module, name in imports_of(tree)
        if module.split(".")[0] in REQUEST_PACKAGES
        or (module.split(".")[0] == "flask" and name in REQUEST_NAMES | {""})
    ]
    assert not offenders


def test_files_and_functions_stay_short():
    long = []
    for path, tree in PARSED.items():
        lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            long.append(f"{path} has {lines} lines")
        long += [
            f"{path}:{node.lineno} {node.name} has {_body_length(node)} lines"
            for node in ast.walk(tree)
            if isinstance(node, FUNCTIONS) and _body_length(node) > LONGEST_FUNCTION
        ]
    assert not long


def test_names_say_what_a_thing_does():
    vague = [str(path) for path in PARSED if path.stem in ("utils", "util", "helpers", "helper")]
    vague += [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in PARSED.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Helper|Utils?)$", node.name)
    ]
    assert not vague


def test_no_html_is_built_in_python():
    offenders = [
        f"{path}:{node.lineno}: {node.value[:60]!r}"
        for path, tree in PARSED.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"</[a-z]+>|<(div|span|p|a|li|td|br)\b", node.value)
    ]
    assert not offenders


def test_templates_hold_no_script_and_no_style():
    """The Content-Security-Policy forbids both, and a browser would drop them in silence.

    Nor do they take anything from another host, or let htmx run code out of an attribute.
    """
    inline = re.compile(
        r"<style|<script(?![^>]*\ssrc=)|\sstyle\s*=|\son\w+\s*=|hx-on|javascript:"
        r"|(src|href|action)=[\"']https?://",
        re.IGNORECASE,
    )
    templates = list(ROOT.glob("templates/**/*.html"))
    assert len(templates) > 100
    offenders = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in templates
        if (found := inline.search(path.read_text(encoding="utf-8")))
    ]
    assert not offenders


def _body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
