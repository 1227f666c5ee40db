"""What `docs/architecture.md` names is there: paths, modules, and the names in them."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGES = {path.name for path in (ROOT / "rollcall").iterdir() if path.is_dir()} | {"rollcall"}


def test_every_path_that_is_named_is_there():
    named = set(
        re.findall(r"`((?:rollcall|blueprints|templates|tests|docs)/[\w./-]*)`", ARCHITECTURE)
    )
    assert len(named) > 15
    missing = {path for path in named if not (ROOT / path).exists()}
    assert not missing


def test_every_module_and_every_name_in_it_is_there():
    dotted = {
        name
        for name in re.findall(r"`([a-z_]+(?:\.\w+)+)(?:\(\))?`", ARCHITECTURE)
        if name.split(".")[0] in PACKAGES
    }
    assert len(dotted) > 10
    assert not {name for name in dotted if not _is_there(name)}


def _is_there(dotted: str) -> bool:
    parts = dotted.removeprefix("rollcall.").split(".")
    place = ROOT / "rollcall"
    for number, part in enumerate(parts, 1):
        if (place / part).is_dir():
            place /= part
        elif (place / f"{part}.py").exists():
            inside = parts[number:]
            return len(inside) < 2 and set(inside) <= _names(place / f"{part}.py")
        else:
            return False
    return True


def _names(module: Path) -> set[str]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return {
        name
        for node in tree.body
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            else [target.id for target in node.targets if isinstance(target, ast.Name)]
            if isinstance(node, ast.Assign)
            else []
        )
    }
