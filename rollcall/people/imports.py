"""The verbs that take a file of people or purchases in (A1).

An import is many short transactions on purpose: each stores a batch, its rejected rows and the
run's progress together, so that nobody waits for a long one and a stop loses nothing that was
counted. Importing the same file again goes over what is there and changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Map
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from rollcall.actors import Actor
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.lookups import find_event
from rollcall.models import Organisation, Source
from rollcall.people.importing import runs
from rollcall.people.importing.intake import BATCH_ROWS, PeopleIntake
from rollcall.people.importing.purchases import PurchaseIntake
from rollcall.people.importing.runs import RowCounts
from rollcall.people.importing.statistics import FreshStatistics
from rollcall.people.reading.errors import UnreadableFile, as_sentence
from rollcall.people.reading.lines import BinaryFile
from rollcall.people.reading.mapping import Mapping, propose_mapping
from rollcall.people.reading.people import Rejection, read_people_rows
from rollcall.people.reading.purchases import read_purchase_rows
from rollcall.people.reading.table import Table

PEOPLE, PURCHASES = "people", "purchases"
Progress = Callable[[int], None]
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A file opened for staff to look at: its columns, first rows, and what each column may be."""

    header: list[str]
    sample: list[list[str]]
    mapping: Mapping
    remembered: bool
    encoding: str
    delimiter: str
    has_header: bool


def propose_import(file: BinaryFile, actor: Actor, kind: str = PEOPLE) -> Proposal:
    """Return how the file would be read, without storing anything; raises InvalidInput."""
    table = _open(file)
    remembered = runs.remembered_mapping(actor.organisation_id, table, kind)
    return Proposal(
        header=table.header,
        sample=table.sample,
        mapping=remembered or _propose(table, actor, kind),
        remembered=remembered is not None,
        encoding=table.encoding,
        delimiter=table.delimiter,
        has_header=table.has_header,
    )


def import_people(
    file: BinaryFile,
    actor: Actor,
    *,
    event_slug: str | None = None,
    source: str = Source.REGISTRATION.key,
    corrections: Map[str, str] | None = None,
    mapping: Mapping | None = None,
    file_name: str = "",
    bytes_total: int = 0,
    on_progress: Progress | None = None,
    run_id: int | None = None,
) -> dict[str, Any]:
    """Take a file of people in and return what became of it, as `describe_run` gives it.

    `mapping` says which column is what; without it the remembered or proposed one is used,
    with `corrections` (target -> column label) applied. With an event, rows are its
    registrations or scans. `on_progress` is called with the bytes read so far. `run_id` is a
    run that `begin_run` has begun already. Raises InvalidInput for the file, the mapping or
    the source, and NotFound for the event.
    """
    event = find_event(actor.organisation_id, event_slug) if event_slug else None
    attendance = _source(source)
    organisation = db.session.get_one(Organisation, actor.organisation_id)
    zone = ZoneInfo(event.timezone if event else organisation.timezone)
    table = _open(file)
    mapping = _decide(table, actor, PEOPLE, mapping, corrections)
    rows = read_people_rows(table, mapping, organisation.country, zone)
    intake = PeopleIntake(actor.organisation_id, event, attendance, "checked_in" in mapping.columns)
    if run_id is None:
        run_id = runs.begin_run(
            actor,
            PEOPLE,
            file_name,
            bytes_total,
            event_id=event.id if event else None,
            source=source if event else "",
        )
    with _closing(actor, run_id):
        runs.keep_mapping(actor, run_id, table, mapping)
        _store_batches(run_id, table, rows, intake.take_in, on_progress)
        for rows_once_more in intake.contested():
            with write():
                runs.count_batch(run_id, intake.take_in(rows_once_more), table.bytes_read)
        for batch in intake.withdrawals():
            with write():
                runs.move_to_updated(run_id, intake.withdraw(batch))
    return runs.describe_run(runs.find_run(actor.organisation_id, run_id))


def import_purchases(
    file: BinaryFile,
    actor: Actor,
    *,
    corrections: Map[str, str] | None = None,
    mapping: Mapping | None = None,
    file_name: str = "",
    bytes_total: int = 0,
    on_progress: Progress | None = None,
    run_id: int | None = None,
) -> dict[str, Any]:
    """Take a file of purchases in and return what became of it; see `import_people`.

    Rows about people who are not known are rejected. Scores follow at the next computation.
    """
    organisation = db.session.get_one(Organisation, actor.organisation_id)
    table = _open(file)
    mapping = _decide(table, actor, PURCHASES, mapping, corrections)
    rows = read_purchase_rows(
        table, mapping, organisation.country, ZoneInfo(organisation.timezone), organisation.currency
    )
    intake = PurchaseIntake(actor.organisation_id)
    if run_id is None:
        run_id = runs.begin_run(actor, PURCHASES, file_name, bytes_total)
    with _closing(actor, run_id):
        runs.keep_mapping(actor, run_id, table, mapping)
        _store_batches(run_id, table, rows, intake.take_in, on_progress)
    return runs.describe_run(runs.find_run(actor.organisation_id, run_id))


def _open(file: BinaryFile) -> Table:
    try:
        return Table(file)
    except UnreadableFile as error:
        raise InvalidInput({"file": as_sentence(str(error))}) from error


def _propose(table: Table, actor: Actor, kind: str) -> Mapping:
    country = db.session.get_one(Organisation, actor.organisation_id).country
    return propose_mapping(table.header, table.sample, kind, country)


def _decide(
    table: Table,
    actor: Actor,
    kind: str,
    mapping: Mapping | None,
    corrections: Map[str, str] | None,
) -> Mapping:
    """Return the mapping to read by; raises InvalidInput naming each target that is wrong."""
    if mapping is None:
        remembered = runs.remembered_mapping(actor.organisation_id, table, kind)
        mapping = remembered or _propose(table, actor, kind)
    mapping = mapping.corrected(corrections or {})
    if wrong := mapping.errors(table.header):
        raise InvalidInput({target: as_sentence(reason) for target, reason in wrong.items()})
    return mapping


def _source(key: str) -> Source:
    try:
        return Source.from_key(key)
    except KeyError:
        choices = " or ".join(source.key for source in Source)
        raise InvalidInput({"source": f"Say {choices}, not {key!r}."}) from None


@contextmanager
def _closing(actor: Actor, run_id: int) -> Iterator[None]:
    """Close the run at the end of the block, as failed where the block could not go on."""
    try:
        yield
    except BaseException:
        runs.fail_run(
            actor,
            run_id,
            "The import stopped before the end of the file. Import it again: rows that are in "
            "already stay as they are.",
        )
        raise
    runs.complete_run(actor, run_id)


def _store_batches(
    run_id: int,
    table: Table,
    rows: Iterable[Row | Rejection],
    take_in: Callable[[list[Row]], RowCounts],
    on_progress: Progress | None,
) -> None:
    """Store the rows batch by batch; each is read before its transaction and stored within."""
    rows, statistics = iter(rows), FreshStatistics()
    while batch := list(islice(rows, BATCH_ROWS)):
        rejected = [row for row in batch if isinstance(row, Rejection)]
        with write():
            tally = take_in([row for row in batch if not isinstance(row, Rejection)])
            tally.rejected = sorted([*rejected, *tally.rejected], key=lambda row: row.line)
            runs.count_batch(run_id, tally, table.bytes_read)
            statistics.count(tally.added)
        if on_progress:
            on_progress(table.bytes_read)
