"""Reads the tables of docs/roles.md: what one can do, for which roles, by which addresses."""

import re
from dataclasses import dataclass
from pathlib import Path

from rollcall.models import Role

DOCUMENT = Path(__file__).parents[2] / "docs" / "roles.md"
COLUMNS = ("super", "admin", "staff")
WAY = re.compile(r"`(GET|POST|PUT|PATCH|DELETE|flask) ([^`]+)`(?: \(([^)]+)\))?")


@dataclass(frozen=True)
class Way:
    """One way to do something: an address with its method, or a command; a variant where given."""

    method: str
    address: str
    variant: str

    @property
    def key(self) -> str:
        """What tests call it by: "POST /staff/invite (as admin)"."""
        return f"{self.method} {self.address}" + (f" ({self.variant})" if self.variant else "")


@dataclass(frozen=True)
class Row:
    """One right: what it is in words, whether each role has it, and the ways to it."""

    what: str
    allowed: dict[Role, bool]
    ways: tuple[Way, ...]


def read_rights() -> list[Row]:
    """Every row of the tables whose columns are the roles and whose last one is "Where"."""
    rows = []
    for cells in _tables(["What", *COLUMNS, "Where"]):
        what, *marks, where = cells
        allowed = dict(zip(map(Role, COLUMNS), map(_read_mark, marks), strict=True))
        rows.append(Row(what, allowed, _read_ways(where)))
    return rows


def read_limits() -> dict[str, dict[Role, int]]:
    """The limits by role: name -> role -> number."""
    return {
        name: {
            role: int(cell.replace(",", ""))
            for role, cell in zip(map(Role, COLUMNS), cells, strict=True)
        }
        for name, *cells in _tables(["Limit", *COLUMNS])
    }


def read_public_ways() -> list[Way]:
    """The addresses that nobody has to be logged in for."""
    return [way for _, where in _tables(["For whom", "Where"]) for way in _read_ways(where)]


def _tables(header: list[str]) -> list[list[str]]:
    rows: list[list[str]] = []
    inside = False
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells == header:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            assert len(cells) == len(header), f"a row with {len(cells)} cells: {line}"
            rows.append(cells)
    assert rows, f"docs/roles.md has no table {header}"
    return rows


def _read_mark(cell: str) -> bool:
    assert cell in ("yes", "no"), f"a right is yes or no, not {cell!r}"
    return cell == "yes"


def _read_ways(cell: str) -> tuple[Way, ...]:
    ways = tuple(Way(*match) for match in WAY.findall(cell))
    assert ways, f"no way is named in {cell!r}"
    rest = re.sub(r"[\s,]|<br>", "", WAY.sub("", cell))
    assert not rest, f"what is {rest!r} in {cell!r}?"
    return ways
