"""What is done to try each right of docs/roles.md that changes something, in the browser.

Each deed makes what it needs, so that it works however often and in whatever order it is done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rollcall.actors import Actor, actor_for
from rollcall.models import Role
from tests.web.samples import World


@dataclass(frozen=True)
class Deed:
    """A form and where it is sent; `refused` is the answer to a role that may not."""

    path: str
    form: dict[str, Any] = field(default_factory=dict)
    changes: bool = True
    refused: int = 403


Make = Callable[[World, Role], Deed]
DEEDS: dict[str, Make] = {}
counted = iter(range(1, 1_000_000))


def deed(key: str) -> Callable[[Make], Make]:
    """Name what a function tries as docs/roles.md names it."""

    def add(make: Make) -> Make:
        assert key not in DEEDS
        DEEDS[key] = make
        return make

    return add


def simple(key: str, path: str, form: dict[str, Any] | None = None, **values: Any) -> None:
    """A deed whose form is always the same; the path may name what the world has."""
    DEEDS[key] = lambda world, _role: Deed(path.format(w=world), dict(form or {}), **values)


def own_actor(world: World, role: Role) -> Actor:
    return actor_for(world.staff[role], "browser")
