"""The record of an import: how far it is, what was rejected, which mapping to remember."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import Conflict, NotFound
from rollcall.extensions import db, write
from rollcall.models import ColumnMapping, ImportRun, RejectedRow
from rollcall.people.reading.errors import as_sentence
from rollcall.people.reading.mapping import Mapping
from rollcall.people.reading.people import Rejection
from rollcall.people.reading.table import Table, header_signature

UPLOADED, RUNNING, COMPLETED, FAILED = "uploaded", "running", "completed", "failed"
PAGE = 50
LONGEST_FILE_NAME = 255
_REJECTED_AT_ONCE = 1_000


@dataclass(slots=True)
class RowCounts:
    """What became of rows; each row counts once."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[Rejection] = field(default_factory=list)


def record_upload(
    actor: Actor,
    kind: str,
    file_name: str,
    stored_as: str,
    bytes_total: int,
    *,
    event_id: int | None = None,
    source: str = "",
) -> int:
    """Note a file that waits for its mapping to be confirmed; returns the run's id."""
    with write():
        run = _new_run(actor, kind, file_name, UPLOADED, bytes_total)
        run.stored_as, run.event_id, run.source = stored_as, event_id, source
        db.session.add(run)
        db.session.flush()
        return run.id


def begin_run(
    actor: Actor,
    kind: str,
    file_name: str,
    bytes_total: int,
    *,
    event_id: int | None = None,
    source: str = "",
    run_id: int | None = None,
) -> int:
    """Start a new run, or the uploaded one of `run_id`; returns its id.

    Raises Conflict when the uploaded one was started already: two clicks import once.
    """
    with write():
        if run_id is None:
            run = _new_run(actor, kind, file_name, RUNNING, bytes_total)
            run.event_id, run.source = event_id, source
            db.session.add(run)
            db.session.flush()
            _record_beginning(actor, run.id, kind, file_name)
            return run.id
        started = db.session.execute(
            sa.update(ImportRun)
            .where(
                ImportRun.id == run_id,
                ImportRun.organisation_id == actor.organisation_id,
                ImportRun.state == UPLOADED,
            )
            .values(state=RUNNING, event_id=event_id, source=source, touched_at=clock.now())
            .returning(ImportRun.id)
            .execution_options(synchronize_session=False)
        ).all()
        if not started:
            raise Conflict("This file is being imported already, or has been.")
        _record_beginning(actor, run_id, kind, file_name)
        return run_id


def _record_beginning(actor: Actor, run_id: int, kind: str, file_name: str) -> None:
    # At its start too: a process that is killed has changed data and writes no end.
    record(actor, f"{kind}.import_begin", "import_run", run_id, after={"file": file_name})


def keep_mapping(actor: Actor, run_id: int, table: Table, mapping: Mapping) -> None:
    """Store how the run reads its file and remember it for the next file with this header.

    A file without a header has nothing to be recognised by, so that nothing is remembered.
    """
    with write():
        _update_run(run_id, mapping={**mapping.to_json(), "header": table.header})
        if not table.has_header:
            return
        signature = header_signature(table.header)
        known = _remembered(actor.organisation_id, mapping.kind, signature)
        if known is None:
            known = ColumnMapping(
                organisation_id=actor.organisation_id,
                kind=mapping.kind,
                header_signature=signature,
            )
            db.session.add(known)
        known.mapping, known.updated_at = mapping.to_json(), clock.now()


def remembered_mapping(organisation_id: int, table: Table, kind: str) -> Mapping | None:
    """Return how staff last read a file with this header, or None."""
    if not table.has_header:
        return None
    known = _remembered(organisation_id, kind, header_signature(table.header))
    return Mapping.from_json(kind, known.mapping) if known else None


def count_batch(run_id: int, tally: RowCounts, bytes_done: int) -> None:
    """Add a batch's rows to the run, inside the transaction that stores them."""
    total = tally.added + tally.updated + tally.unchanged + len(tally.rejected)
    _update_run(
        run_id,
        rows=ImportRun.rows + total,
        added=ImportRun.added + tally.added,
        updated=ImportRun.updated + tally.updated,
        unchanged=ImportRun.unchanged + tally.unchanged,
        rejected=ImportRun.rejected + len(tally.rejected),
        bytes_done=bytes_done,
    )
    if tally.rejected:
        db.session.execute(
            sa.insert(RejectedRow),
            [
                {
                    "import_run_id": run_id,
                    "line": row.line,
                    "reason": as_sentence(row.reason),
                    "raw": row.raw,
                }
                for row in tally.rejected
            ],
        )


def move_to_updated(run_id: int, rows: int) -> None:
    """Count rows as updated that were counted as unchanged before their effect was known."""
    _update_run(run_id, updated=ImportRun.updated + rows, unchanged=ImportRun.unchanged - rows)


def complete_run(actor: Actor, run_id: int) -> None:
    """Close the run and write it into the audit trail, as one transaction."""
    with write():
        _update_run(run_id, state=COMPLETED, completed_at=clock.now())
        run = db.session.get_one(ImportRun, run_id, populate_existing=True)
        record(actor, f"{run.kind}.import", "import_run", run_id, after=describe_run(run))


def fail_run(actor: Actor, run_id: int, error: str) -> None:
    """Close a run that could not go on; what it stored before stays, and can be imported again."""
    with write():
        _update_run(run_id, state=FAILED, error=error, completed_at=clock.now())
        run = db.session.get_one(ImportRun, run_id, populate_existing=True)
        record(actor, f"{run.kind}.import", "import_run", run_id, after=describe_run(run))


def describe_run(run: ImportRun) -> dict[str, Any]:
    """Return the run as plain data, for JSON and the audit trail; without any person's data."""
    return {
        "id": run.id,
        "kind": run.kind,
        "file": run.file_name,
        "state": run.state,
        "error": run.error or None,
        "rows": run.rows,
        "added": run.added,
        "updated": run.updated,
        "unchanged": run.unchanged,
        "rejected": run.rejected,
        "mapping": (run.mapping or {}).get("columns"),
    }


def find_run(organisation_id: int, run_id: int) -> ImportRun:
    """Return the import; raises NotFound."""
    run = db.session.scalar(
        sa.select(ImportRun)
        .filter_by(id=run_id, organisation_id=organisation_id)
        .execution_options(populate_existing=True)
    )
    if run is None:
        raise NotFound("There is no such import.")
    return run


def list_runs(organisation_id: int, before_id: int | None = None) -> list[ImportRun]:
    """Return up to PAGE imports, newest first; `before_id` is the last one of the page before."""
    query = sa.select(ImportRun).filter_by(organisation_id=organisation_id)
    if before_id is not None:
        query = query.where(ImportRun.id < before_id)
    return list(db.session.scalars(query.order_by(ImportRun.id.desc()).limit(PAGE)))


def list_rejected(run: ImportRun, after_line: int = 0, limit: int = PAGE) -> list[RejectedRow]:
    """Return rejected rows of an import in the order of the file, from after `after_line` on."""
    query = (
        sa.select(RejectedRow)
        .where(RejectedRow.import_run_id == run.id, RejectedRow.line > after_line)
        .order_by(RejectedRow.line)
    )
    return list(db.session.scalars(query.limit(limit)))


def rejected_table(run: ImportRun) -> Iterator[list[str]]:
    """Yield the rejected rows as a table to be mended and imported again: header, then rows.

    Two columns come before the file's own: the line and the reason. Nothing in it is run by
    a spreadsheet as a formula; the reader takes the apostrophe off again.
    """
    yield ["Line", "Reason", *(run.mapping or {}).get("header", [])]
    last = 0
    while rows := list_rejected(run, last, _REJECTED_AT_ONCE):
        last = rows[-1].line
        for row in rows:
            db.session.expunge(row)
            yield [str(row.line), row.reason, *(_harmless(cell) for cell in row.raw)]


def _harmless(cell: str) -> str:
    # OWASP, "CSV Injection": these characters begin a formula in a spreadsheet.
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _new_run(actor: Actor, kind: str, file_name: str, state: str, bytes_total: int) -> ImportRun:
    now = clock.now()
    return ImportRun(
        organisation_id=actor.organisation_id,
        kind=kind,
        file_name=file_name[-LONGEST_FILE_NAME:],
        state=state,
        bytes_total=bytes_total,
        created_at=now,
        created_by_id=actor.staff_id,
        touched_at=now,
    )


def _update_run(run_id: int, **values: Any) -> None:
    db.session.execute(
        sa.update(ImportRun)
        .where(ImportRun.id == run_id)
        .values(touched_at=clock.now(), **values)
        .execution_options(synchronize_session=False)
    )


def _remembered(organisation_id: int, kind: str, signature: str) -> ColumnMapping | None:
    return db.session.scalar(
        sa.select(ColumnMapping).filter_by(
            organisation_id=organisation_id, kind=kind, header_signature=signature
        )
    )
