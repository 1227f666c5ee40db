"""A database that fails at a chosen moment: at each statement in turn, and at the COMMIT."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from rollcall.extensions import db

COMMIT = "COMMIT"


class BrokenStatement(RuntimeError):
    """The database gave up, as a full disk or a lost connection would have it."""


class Breakage:
    """What became of a `failing_at`: which statement it hit, if the work came so far."""

    def __init__(self) -> None:
        self.statements = 0
        self.hit: str | None = None


@contextmanager
def failing_at(n: int) -> Iterator[Breakage]:
    """Let the n-th statement (from 1) of the block fail before it reaches the database.

    Only this thread's statements count. `hit` of the breakage is None where the work needed
    fewer than n: then it has gone through.
    """
    breakage = Breakage()
    here = threading.get_ident()

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if threading.get_ident() != here or breakage.hit is not None:
            return
        breakage.statements += 1
        if breakage.statements == n:
            breakage.hit = statement
            raise BrokenStatement(statement)

    with _listening("before_cursor_execute", fail):
        yield breakage


@contextmanager
def failing_commit() -> Iterator[Breakage]:
    """Let the first COMMIT fail that ends a transaction of this thread in which something is done.

    The commit by which a verb ends what was read before it does no harm and is left alone.
    """
    breakage = Breakage()
    here = threading.get_ident()

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if threading.get_ident() == here and not statement.lstrip().startswith(("SELECT", "BEGIN")):
            breakage.statements += 1

    def fail(_connection: Any) -> None:
        if threading.get_ident() == here and breakage.statements and breakage.hit is None:
            breakage.hit = COMMIT
            raise BrokenStatement(COMMIT)

    with _listening("before_cursor_execute", count), _listening("commit", fail):
        yield breakage


def break_everywhere(work: Callable[[], Any], check: Callable[[str], None]) -> list[str]:
    """Do the work with each statement failing in turn, then the COMMIT, then undisturbed.

    `check` is called after each failure with the statement that failed. Returns those
    statements; the work itself has gone through once at the end.
    """
    failed: list[str] = []
    with failing_commit() as commit:
        _expect_breakage(work)
    assert commit.hit == COMMIT, "the work committed nothing"
    check(COMMIT)
    while True:
        with failing_at(len(failed) + 1) as breakage:
            try:
                work()
            except BrokenStatement:
                assert breakage.hit is not None
        if breakage.hit is None:
            return [*failed, COMMIT]
        failed.append(breakage.hit)
        check(breakage.hit)


def _expect_breakage(work: Callable[[], Any]) -> None:
    try:
        work()
    except BrokenStatement:
        return
    raise AssertionError("nothing failed")


@contextmanager
def _listening(name: str, listener: Callable[..., Any]) -> Iterator[None]:
    engine = db.engine
    event.listen(engine, name, listener)
    try:
        yield
    finally:
        event.remove(engine, name, listener)
