"""The chain of seals over the audit trail: unbroken whoever records, broken by any change."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.exc import DBAPIError

from rollcall.accounts.audit_chain import KeptSeal, read_kept_seal, verify_chain
from rollcall.actors import Actor, record
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import AuditEntry, AuditHead, Organisation
from tests.factories import make_actor, make_organisation

pytestmark = pytest.mark.usefixtures("app")

TRIGGERS = ("audit_entry_unchanged", "audit_entry_kept")


def note(actor: Actor, *actions: str, **values: Any) -> None:
    """Record these in one transaction."""
    with write():
        for action in actions:
            record(actor, action, "thing", 1, **values)


def break_off(actor: Actor) -> None:
    """Begin to record, and fail before the transaction ends."""

    def fail() -> None:
        with write():
            record(actor, "never", "thing", 1)
            db.session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def entries(organisation_id: int) -> list[AuditEntry]:
    db.session.rollback()
    query = sa.select(AuditEntry).filter_by(organisation_id=organisation_id)
    return list(db.session.scalars(query.order_by(AuditEntry.number)))


def tamper(*statements: str) -> None:
    """Change rows as somebody can who owns the database: the triggers are no hindrance to them."""
    db.session.rollback()
    on = "" if db.engine.dialect.name == "sqlite" else " ON audit_entry"
    with db.engine.begin() as connection:
        for name in TRIGGERS:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}{on}")
        for statement in statements:
            connection.exec_driver_sql(statement)
        if on:
            for name, moment in zip(TRIGGERS, ("UPDATE", "DELETE"), strict=True):
                when = "WHEN (OLD.seal IS NOT NULL) " if moment == "UPDATE" else ""
                connection.exec_driver_sql(
                    f"CREATE TRIGGER {name} BEFORE {moment} ON audit_entry FOR EACH ROW {when}"
                    "EXECUTE FUNCTION refuse_audit_change()"
                )


@pytest.fixture
def actor() -> Actor:
    return make_actor()


@pytest.fixture
def trail(actor: Actor) -> Actor:
    """Ten entries with the ids and the numbers 1 to 10."""
    for number in range(5):
        note(actor, f"first.{number}", f"second.{number}", after={"name": f"Thing {number}"})
    assert [(one.id, one.number) for one in entries(actor.organisation_id)] == [
        (number, number) for number in range(1, 11)
    ]
    return actor


def test_each_entry_is_numbered_and_sealed_with_its_transaction(actor: Actor):
    note(actor, "one")
    note(actor, "two", "three")
    found = entries(actor.organisation_id)
    assert [(one.number, one.action) for one in found] == [(1, "one"), (2, "two"), (3, "three")]
    assert len({one.seal for one in found}) == 3
    head = db.session.get_one(AuditHead, actor.organisation_id)
    assert (head.number, head.seal) == (3, found[-1].seal)
    report = verify_chain(actor.organisation_id)
    assert report.unbroken
    assert report.sentence == "3 entries, chain unbroken."


def test_what_is_rolled_back_leaves_no_gap(actor: Actor):
    note(actor, "one")
    break_off(actor)
    note(actor, "two")
    assert [(one.number, one.action) for one in entries(actor.organisation_id)] == [
        (1, "one"),
        (2, "two"),
    ]
    assert verify_chain(actor.organisation_id).unbroken


def test_an_entry_that_its_session_forgot_is_sealed_all_the_same(actor: Actor):
    with write():
        record(actor, "import", "import_run", 1)
        db.session.flush()
        db.session.expunge_all()
    assert [one.number for one in entries(actor.organisation_id)] == [1]


def test_what_is_committed_without_write_is_sealed(actor: Actor):
    db.session.rollback()
    record(actor, "plain", "thing", 1)
    db.session.commit()
    assert verify_chain(actor.organisation_id).last == KeptSeal(
        1, entries(actor.organisation_id)[0].seal or ""
    )


def test_what_a_savepoint_took_back_is_not_sealed(actor: Actor):
    with write():
        record(actor, "kept", "thing", 1)
        savepoint = db.session.begin_nested()
        record(actor, "taken back", "thing", 1)
        db.session.flush()
        savepoint.rollback()
        with db.session.begin_nested():
            record(actor, "kept too", "thing", 1)
    assert [one.action for one in entries(actor.organisation_id)] == ["kept", "kept too"]
    assert verify_chain(actor.organisation_id).unbroken


def test_each_organisation_has_a_chain_of_its_own(actor: Actor):
    other = make_actor()
    with write():
        for who in (other, actor, other):
            record(who, "thing.do", "thing", 1)
    assert [one.number for one in entries(actor.organisation_id)] == [1]
    assert [one.number for one in entries(other.organisation_id)] == [1, 2]
    assert verify_chain(actor.organisation_id).unbroken
    assert verify_chain(other.organisation_id).unbroken


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "a": {"d": [1, 2, None, True], "c": "é ✓ 😀 \\ \" '"}},
        {"number": 1e16, "small": 0.1, "minus": -0.0, "large": 2**60, "tiny": 1e-7},
        {"pair": (1, 2), 3: "a number as a name"},
        {},
        None,
    ],
)
def test_a_seal_fits_whatever_the_database_makes_of_a_value(actor: Actor, value: Any):
    note(actor, "one", before=value, after=value)
    assert verify_chain(actor.organisation_id).unbroken


def test_a_seal_can_be_computed_by_others_from_what_is_documented(actor: Actor):
    """The recipe of the operations guide, written out once more."""
    import hashlib

    def digest(value: Any) -> str:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    note(actor, "one", before={"b": 1, "a": "é"}, after={"b": 2})
    entry = entries(actor.organisation_id)[0]
    assert entry.seal == digest(
        {
            "id": entry.id,
            "organisation_id": actor.organisation_id,
            "at": entry.at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00"),
            "staff_id": actor.staff_id,
            "origin": "browser",
            "address": None,
            "action": "one",
            "object_type": "thing",
            "object_id": "1",
            "before": digest({"a": "é", "b": 1}),
            "after": digest({"b": 2}),
            "number": 1,
            "previous": "",
        }
    )


def test_what_was_recorded_before_there_were_seals_is_sealed_with_the_first_change(actor: Actor):
    note(actor, *(f"old.{number}" for number in range(1_100)))
    tamper("UPDATE audit_entry SET number = NULL, seal = NULL", "DELETE FROM audit_head")
    report = verify_chain(actor.organisation_id)
    assert report.unbroken
    assert report.sentence == "1,100 entries, not sealed yet: the next change seals them."
    note(actor, "new")
    found = entries(actor.organisation_id)
    assert [one.number for one in found] == list(range(1, 1_102))
    assert (found[0].action, found[-1].action) == ("old.0", "new")
    assert verify_chain(actor.organisation_id).unbroken


def test_an_organisation_without_entries(actor: Actor):
    report = verify_chain(actor.organisation_id)
    assert (report.sentence, report.last) == ("No entry yet.", None)


@pytest.mark.parametrize("change", ["action = 'x'", "seal = NULL", "organisation_id = 1"])
def test_the_database_refuses_to_change_an_entry(trail: Actor, change: str):
    update = f"UPDATE audit_entry SET {change} WHERE id = 3"  # noqa: S608 (our own words)
    for statement in (update, "DELETE FROM audit_entry WHERE id = 3"):
        with pytest.raises(DBAPIError, match="audit trail can not be changed"), write():
            db.session.execute(sa.text(statement))
    assert verify_chain(trail.organisation_id).unbroken


RENUMBER = "UPDATE audit_entry SET number = {} WHERE id = {}"
INSERT = (
    "INSERT INTO audit_entry (id, organisation_id, at, origin, action, object_type, object_id) "
    "VALUES (1000, {0}, '2026-11-27 12:00:00.000000', 'cli', 'x', 'x', '1')"
)
CHANGES: list[tuple[str, tuple[str, ...], str, int | None, str]] = [
    ("action", ("UPDATE audit_entry SET action = 'x' WHERE id = 4",), "altered", 4, "Entry 4 (x"),
    ("staff", ("UPDATE audit_entry SET staff_id = NULL WHERE id = 4",), "altered", 4, "Entry 4"),
    ("who", ("UPDATE audit_entry SET origin = 'api' WHERE id = 4",), "altered", 4, "Entry 4"),
    ("where", ("UPDATE audit_entry SET address = '::1' WHERE id = 4",), "altered", 4, "Entry 4"),
    ("after", ("UPDATE audit_entry SET after = '{}' WHERE id = 4",), "altered", 4, "Entry 4"),
    ("before", ("UPDATE audit_entry SET before = '{}' WHERE id = 4",), "altered", 4, "Entry 4"),
    (
        "when",
        ("UPDATE audit_entry SET at = '2020-01-01 00:00:00.000000' WHERE id = 4",),
        "altered",
        4,
        "Entry 4",
    ),
    ("removed", ("DELETE FROM audit_entry WHERE id = 4",), "removed", 4, "Entry 4 is not there"),
    (
        "several removed",
        ("DELETE FROM audit_entry WHERE id BETWEEN 4 AND 6",),
        "removed",
        4,
        "Entries 4 to 6 are not there",
    ),
    ("first removed", ("DELETE FROM audit_entry WHERE id = 1",), "removed", 1, "Entry 1 is not"),
    (
        "removed and closed up",
        (
            "DELETE FROM audit_entry WHERE id = 4",
            *(RENUMBER.format(n - 1, n) for n in range(5, 11)),
            "UPDATE audit_head SET number = 9",
        ),
        "altered",
        4,
        "Entry 4",
    ),
    (
        "swapped",
        (
            "UPDATE audit_entry SET number = 99 WHERE id = 4",
            "UPDATE audit_entry SET number = 4 WHERE id = 7",
            "UPDATE audit_entry SET number = 7 WHERE id = 4",
        ),
        "altered",
        4,
        "Entry 4",
    ),
    ("end cut off", ("DELETE FROM audit_entry WHERE id > 8",), "cut", 9, "Entries 9 to 10"),
    ("all gone", ("DELETE FROM audit_entry",), "cut", 1, "Entries 1 to 10"),
    ("put in without a seal", ("INSERT",), "inserted", None, "id 1000 has no seal"),
    (
        "put in with a number",
        ("INSERT", "UPDATE audit_entry SET number = 11, seal = 'x' WHERE id = 1000"),
        "inserted",
        11,
        "Entry 11 was put in",
    ),
    (
        "put in between",
        (
            *(RENUMBER.format(n + 1, n) for n in range(10, 3, -1)),
            "INSERT",
            "UPDATE audit_entry SET number = 4, seal = 'x' WHERE id = 1000",
            "UPDATE audit_head SET number = 11",
        ),
        "altered",
        4,
        "Entry 4",
    ),
]


@pytest.mark.parametrize(
    ("statements", "kind", "number", "text"),
    [case[1:] for case in CHANGES],
    ids=[case[0] for case in CHANGES],
)
def test_a_change_underneath_is_named(
    trail: Actor, statements: tuple[str, ...], kind: str, number: int | None, text: str
):
    here = INSERT.format(trail.organisation_id)
    tamper(*(here if one == "INSERT" else one for one in statements))
    report = verify_chain(trail.organisation_id)
    assert report.fault is not None
    assert (report.fault.kind, report.fault.number) == (kind, number)
    assert text in report.sentence
    assert not report.to_json()["unbroken"]


def test_what_was_put_in_is_never_sealed_by_a_later_change(trail: Actor):
    tamper(INSERT.format(trail.organisation_id))
    note(trail, "later")
    report = verify_chain(trail.organisation_id)
    assert report.fault is not None
    assert (report.fault.kind, report.fault.entry_id) == ("inserted", 1000)


def rebuild(actor: Actor) -> None:
    """Let Rollcall's own code seal the whole trail anew, as somebody who knows it can."""
    tamper("UPDATE audit_entry SET number = NULL, seal = NULL", "DELETE FROM audit_head")
    note(actor, "harmless")


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE audit_entry SET action = 'x' WHERE id = 4", "rebuilt"),
        ("DELETE FROM audit_entry WHERE id > 7", "cut"),
        ("DELETE FROM audit_entry WHERE id = 2", "rebuilt"),
    ],
)
def test_a_trail_that_was_sealed_anew_is_known_by_a_seal_kept_elsewhere(
    trail: Actor, statement: str, kind: str
):
    kept = verify_chain(trail.organisation_id).last
    assert kept is not None
    tamper(statement)
    rebuild(trail)
    assert verify_chain(trail.organisation_id).unbroken, "nothing in the database tells"
    report = verify_chain(trail.organisation_id, expect=read_kept_seal(str(kept)))
    assert report.fault is not None
    assert report.fault.kind == kind


def test_a_kept_seal_still_fits_when_more_was_recorded(trail: Actor):
    kept = verify_chain(trail.organisation_id).last
    note(trail, "later")
    assert verify_chain(trail.organisation_id, expect=kept).unbroken


def test_a_head_that_was_changed_is_known(trail: Actor):
    tamper("UPDATE audit_head SET seal = 'x'")
    report = verify_chain(trail.organisation_id)
    assert report.fault is not None
    assert (report.fault.kind, report.fault.number) == ("rebuilt", 10)


def test_only_the_end_can_be_looked_at(trail: Actor):
    report = verify_chain(trail.organisation_id, last=3)
    assert (report.looked_at, report.entries) == (3, 10)
    assert report.sentence == "10 entries, chain unbroken (the last 3 looked at)."
    tamper("UPDATE audit_entry SET action = 'x' WHERE id = 4")
    assert verify_chain(trail.organisation_id, last=3).unbroken
    assert not verify_chain(trail.organisation_id, last=7).unbroken
    assert not verify_chain(trail.organisation_id, last=100).unbroken


@pytest.mark.parametrize("text", ["", "12", "x:y", "0:" + "a" * 64, "1:" + "g" * 64, "9" * 11])
def test_a_kept_seal_that_is_none(text: str):
    with pytest.raises(InvalidInput, match="number, a colon and 64"):
        read_kept_seal(text)


def in_threads(app: APIFlask, work: Callable[[int], None], threads: int = 8) -> None:
    """Do the work in so many threads, each with a connection of its own, all at once."""
    ready = threading.Barrier(threads)

    def run(number: int) -> None:
        with app.app_context():
            try:
                ready.wait(30)
                work(number)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(run, number) for number in range(threads)]:
            done.result(120)


def test_many_that_record_at_once_give_an_unbroken_chain(app: APIFlask):
    """Some give up half-way, some record for two organisations in one transaction."""
    actors = [make_actor(organisation) for organisation in _two_organisations()]
    db.session.rollback()

    def work(thread: int) -> None:
        for turn in range(15):
            first = actors[(thread + turn) % 2]
            if turn % 5 == 4:
                break_off(first)
                continue
            with write():
                record(first, "thing.do", "thing", thread)
                if turn % 3 == 0:
                    record(actors[(thread + turn + 1) % 2], "thing.do", "thing", thread)

    in_threads(app, work)
    recorded = 0
    for actor in actors:
        found = entries(actor.organisation_id)
        recorded += len(found)
        assert [one.number for one in found] == list(range(1, len(found) + 1))
        report = verify_chain(actor.organisation_id)
        assert report.unbroken, report.sentence
    assert recorded == 8 * (12 + 4)


def test_a_campaigns_changes_at_once_wait_for_nobody_who_waits_for_them(app: APIFlask):
    """Each holds a row of its own choosing, in no order, and takes the trail's head at the end."""
    organisation = make_organisation()
    actor = make_actor(organisation)
    organisation_id = organisation.id
    db.session.rollback()

    def work(thread: int) -> None:
        for turn in range(10):
            with write():
                if (thread + turn) % 2:
                    db.session.get_one(Organisation, organisation_id, with_for_update=True)
                record(actor, "thing.do", "thing", thread, after={"cost": str(Decimal(turn))})

    in_threads(app, work)
    assert [one.number for one in entries(organisation_id)] == list(range(1, 81))
    assert verify_chain(organisation_id).unbroken


def test_a_check_beside_somebody_who_records_finds_nothing(app: APIFlask, trail: Actor):
    stop = threading.Event()

    def work(thread: int) -> None:
        if thread:
            for _ in range(100):
                note(trail, "thing.do")
            stop.set()
            return
        while not stop.is_set():
            report = verify_chain(trail.organisation_id)
            assert report.unbroken, report.sentence
            db.session.rollback()

    db.session.rollback()
    in_threads(app, work, threads=2)
    assert verify_chain(trail.organisation_id).entries == 110


def _two_organisations() -> list[Organisation]:
    return [make_organisation(), make_organisation()]
