"""Imports that staff start in the browser: they run beside the requests and can be watched.

The upload waits under a random name until staff have confirmed its mapping; then a thread
takes it in. What becomes of it stands in the ImportRun, so that any process can show it. A run
that nobody has touched for a while lost its process: it is shown as interrupted and can be
started again, because importing the same rows twice changes nothing.
"""

import threading
from collections.abc import Mapping as Map
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
import structlog
from flask import Flask

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.config import Settings
from rollcall.errors import Conflict, DomainError, InvalidInput
from rollcall.extensions import db, write
from rollcall.lookups import find_event
from rollcall.models import Event, ImportRun, Source
from rollcall.people.importing import runs
from rollcall.people.importing.runs import FAILED, RUNNING, UPLOADED
from rollcall.people.imports import (
    PEOPLE,
    PURCHASES,
    Proposal,
    import_people,
    import_purchases,
    propose_import,
)
from rollcall.people.reading.columns import TARGETS
from rollcall.people.reading.lines import BinaryFile
from rollcall.people.reading.mapping import Mapping
from rollcall.people.uploads import open_upload, remove_upload, store_upload

log = structlog.get_logger()

KINDS = (PEOPLE, PURCHASES)
INTERRUPTED, DISCARDED = "interrupted", "discarded"
# Longer than any batch takes, its wait for the database's write lock included.
SILENT_FOR = timedelta(seconds=60)


@dataclass(frozen=True)
class Upload:
    """What staff say of a file: people or purchases, and whose attendance it is, if anybody's."""

    kind: str = PEOPLE
    event_slug: str = ""
    source: str = Source.REGISTRATION.key


def upload_file(
    actor: Actor, settings: Settings, file: BinaryFile, file_name: str, upload: Upload
) -> int:
    """Keep a file for import and return its run's id; nothing of it is taken in yet.

    Raises InvalidInput naming kind, event, source or file, also for a file that is no table.
    """
    if upload.kind not in KINDS:
        raise InvalidInput({"kind": f"Choose one of {', '.join(KINDS)}."})
    if upload.source not in {source.key for source in Source}:
        raise InvalidInput({"source": "Choose registration or QR scan."})
    event_id = _event_id(actor, upload)
    stored = store_upload(settings.instance_path, file)
    try:
        with open_upload(settings.instance_path, stored.name) as kept:
            propose_import(kept, actor, upload.kind)
        return runs.record_upload(
            actor,
            upload.kind,
            file_name or "upload.csv",
            stored.name,
            stored.size,
            event_id=event_id,
            source=upload.source if event_id else "",
        )
    except BaseException:
        remove_upload(settings.instance_path, stored.name)
        raise


def propose_for_run(actor: Actor, settings: Settings, run: ImportRun) -> Proposal:
    """Return how an uploaded file would be read; raises InvalidInput where it is gone."""
    with open_upload(settings.instance_path, run.stored_as) as file:
        return propose_import(file, actor, run.kind)


def read_mapping(
    kind: str, header: list[str], meanings: Map[int, str], *, day_first: bool
) -> Mapping:
    """Return the mapping for what staff chose, column by column (place -> target, "" for none).

    Raises InvalidInput with "column-<place>" for a column, or "columns" for the whole, wrong.
    """
    labels = {target.key: target.label for target in TARGETS[kind]}
    columns: dict[str, str] = {}
    problems: dict[str, str] = {}
    for place, target in sorted(meanings.items()):
        if not target or place >= len(header):
            continue
        if target not in labels:
            problems[f"column-{place}"] = "Choose one of the meanings in the list."
        elif target in columns:
            problems[f"column-{place}"] = (
                f"“{labels[target]}” is chosen for “{columns[target]}” too: keep one of them."
            )
        columns.setdefault(target, header[place])
    mapping = Mapping(kind, columns, day_first)
    if not problems and (wrong := mapping.errors(header)):
        problems["columns"] = " ".join(
            f"{labels.get(target, target)}: {reason}." for target, reason in wrong.items()
        )
    if problems:
        raise InvalidInput(problems)
    return mapping


def start_import(app: Flask, actor: Actor, run_id: int, mapping: Mapping) -> threading.Thread:
    """Let the uploaded file be taken in beside the requests; returns the thread that does it.

    The run is begun before this returns. Raises Conflict when it was begun already.
    """
    run = runs.find_run(actor.organisation_id, run_id)
    runs.begin_run(
        actor,
        run.kind,
        run.file_name,
        run.bytes_total,
        event_id=run.event_id,
        source=run.source,
        run_id=run_id,
    )
    return _run_beside(app, actor, run_id, mapping)


def restart_import(app: Flask, actor: Actor, run_id: int) -> int:
    """Start an interrupted import again, as a new run over the same file; returns its id.

    The interrupted run keeps its figures. Raises Conflict when it is not interrupted (any
    more), InvalidInput when its file or its mapping is gone.
    """
    old = runs.find_run(actor.organisation_id, run_id)
    settings: Settings = app.extensions["rollcall"]
    open_upload(settings.instance_path, old.stored_as).close()
    if not old.mapping:
        raise InvalidInput({"file": "It stopped before its first row; upload the file again."})
    mapping = Mapping.from_json(old.kind, old.mapping)
    with write():
        _close_interrupted(run_id)
        new = _copy_of(old, actor)
        db.session.add(new)
        db.session.flush()
        new_id = new.id
        record(
            actor,
            "import.restart",
            "import_run",
            run_id,
            after={"run": new_id, "file": old.file_name},
        )
    _run_beside(app, actor, new_id, mapping)
    return new_id


def discard_upload(actor: Actor, settings: Settings, run_id: int) -> None:
    """Delete an uploaded file that nobody wants to import; raises Conflict once it has begun."""
    run = runs.find_run(actor.organisation_id, run_id)
    stored_as = run.stored_as
    with write():
        _change_state(run_id, UPLOADED, DISCARDED, "Discarded before anything was imported.")
        record(actor, "import.discard", "import_run", run_id, after={"file": run.file_name})
    remove_upload(settings.instance_path, stored_as)


def run_state(run: ImportRun) -> str:
    """Return the run's state as staff need it: a run that fell silent is interrupted."""
    silent = run.state == RUNNING and clock.now() - run.touched_at > SILENT_FOR
    return INTERRUPTED if silent else run.state


def _run_beside(app: Flask, actor: Actor, run_id: int, mapping: Mapping) -> threading.Thread:
    # A daemon: a server that is stopped does not wait, and the run is shown as interrupted.
    thread = threading.Thread(
        target=_take_in, args=(app, actor, run_id, mapping), name=f"import-{run_id}", daemon=True
    )
    thread.start()
    return thread


def _take_in(app: Flask, actor: Actor, run_id: int, mapping: Mapping) -> None:
    settings: Settings = app.extensions["rollcall"]
    with app.app_context():
        stored_as = runs.find_run(actor.organisation_id, run_id).stored_as
        try:
            _import_file(actor, settings, run_id, mapping)
        except DomainError as error:
            _fail_if_running(actor, run_id, str(error))
        except Exception:
            log.exception("an import failed", run_id=run_id)
            _fail_if_running(actor, run_id, "Rollcall could not go on with this file.")
        finally:
            remove_upload(settings.instance_path, stored_as)
            db.session.remove()


def _import_file(actor: Actor, settings: Settings, run_id: int, mapping: Mapping) -> None:
    run = runs.find_run(actor.organisation_id, run_id)
    with open_upload(settings.instance_path, run.stored_as) as file:
        if run.kind == PURCHASES:
            import_purchases(file, actor, mapping=mapping, run_id=run_id)
            return
        event = db.session.get(Event, run.event_id) if run.event_id else None
        import_people(
            file,
            actor,
            mapping=mapping,
            run_id=run_id,
            event_slug=event.slug if event else None,
            source=run.source or Source.REGISTRATION.key,
        )


def _fail_if_running(actor: Actor, run_id: int, error: str) -> None:
    db.session.rollback()
    if runs.find_run(actor.organisation_id, run_id).state == RUNNING:
        runs.fail_run(actor, run_id, error)


def _event_id(actor: Actor, upload: Upload) -> int | None:
    if upload.kind != PEOPLE or not upload.event_slug:
        return None
    return find_event(actor.organisation_id, upload.event_slug).id


def _close_interrupted(run_id: int) -> None:
    _change_state(
        run_id,
        RUNNING,
        FAILED,
        "Interrupted, and started again.",
        ImportRun.touched_at < clock.now() - SILENT_FOR,
    )


def _change_state(
    run_id: int, before: str, after: str, error: str, *conditions: sa.ColumnElement[bool]
) -> None:
    now = clock.now()
    changed = db.session.execute(
        sa.update(ImportRun)
        .where(ImportRun.id == run_id, ImportRun.state == before, *conditions)
        .values(state=after, error=error, touched_at=now, completed_at=now)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("Somebody has done something with this import in the meantime; look again.")


def _copy_of(old: ImportRun, actor: Actor) -> ImportRun:
    now = clock.now()
    return ImportRun(
        organisation_id=old.organisation_id,
        kind=old.kind,
        file_name=old.file_name,
        stored_as=old.stored_as,
        event_id=old.event_id,
        source=old.source,
        mapping=old.mapping,
        state=RUNNING,
        bytes_total=old.bytes_total,
        created_at=now,
        created_by_id=actor.staff_id,
        touched_at=now,
    )
