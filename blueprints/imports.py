"""Imports: a file is uploaded, its columns confirmed, and it runs while one watches."""

from itertools import chain
from typing import Any

from flask import (
    Blueprint,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from blueprints.downloads import download
from rollcall.config import Settings
from rollcall.errors import InvalidInput
from rollcall.events.records import list_events
from rollcall.lookups import find_event
from rollcall.models import Event, ImportRun, Source
from rollcall.people.import_jobs import (
    INTERRUPTED,
    Upload,
    discard_upload,
    propose_for_run,
    read_mapping,
    restart_import,
    run_state,
    start_import,
    upload_file,
)
from rollcall.people.importing.runs import (
    PAGE,
    RUNNING,
    UPLOADED,
    find_run,
    list_rejected,
    list_runs,
    rejected_table,
)
from rollcall.people.imports import PEOPLE, Proposal
from rollcall.people.reading.columns import TARGETS
from rollcall.spreadsheets import BYTE_ORDER_MARK, csv_line

pages = Blueprint("imports", __name__, url_prefix="/imports")

EVENTS_OFFERED = 200
EXAMPLES = 3
REJECTED_SHOWN = 20


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """List the earlier imports, the newest first."""
    before = read_id(request.args.get("before"))
    runs = list_runs(current_actor().organisation_id, before)
    return render_template(
        "imports/index.html",
        runs=runs,
        run_state=run_state,
        before=before,
        next_url=url_for("imports.index", before=runs[-1].id) if len(runs) == PAGE else None,
    )


@pages.get("/new")
@staff_only
def new() -> ResponseReturnValue:
    """Ask for a file and what it is."""
    slug = request.args.get("event", "")
    values = {"kind": PEOPLE, "source": Source.REGISTRATION.key, "event": slug}
    return _upload_form(values)


@pages.post("/new")
@staff_only
def upload() -> ResponseReturnValue:
    """Keep the uploaded file and go on to its columns."""
    form, file = request.form, request.files.get("file")
    try:
        if file is None or not file.filename:
            raise InvalidInput({"file": "Choose the CSV file that was exported."})
        what = Upload(form.get("kind", ""), form.get("event", ""), form.get("source", ""))
        run_id = upload_file(current_actor(), _settings(), file.stream, file.filename, what)
    except InvalidInput as error:
        return _upload_form(form, error.fields), 422
    return redirect(url_for("imports.show", run_id=run_id))


@pages.get("/<int:run_id>")
@staff_only
def show(run_id: int) -> ResponseReturnValue:
    """Show an import: its columns to confirm, its progress, or its report."""
    run = _find(run_id)
    return _columns_page(run) if run.state == UPLOADED else _run_page(run, "imports/show.html")


@pages.get("/<int:run_id>/progress")
@staff_only
def progress(run_id: int) -> ResponseReturnValue:
    """Show the part of the page that moves while the import runs."""
    return _run_page(_find(run_id), "imports/_run.html")


@pages.post("/<int:run_id>")
@staff_only
def start(run_id: int) -> ResponseReturnValue:
    """Take the file in, with the columns as staff confirmed them."""
    run = _find(run_id)
    form = request.form
    try:
        proposal = propose_for_run(current_actor(), _settings(), run)
        meanings = {place: form.get(f"column-{place}", "") for place in range(len(proposal.header))}
        day_first = form.get("day_first") == "1"
        mapping = read_mapping(run.kind, proposal.header, meanings, day_first=day_first)
    except InvalidInput as error:
        return _columns_page(run, form, error.fields), 422
    start_import(_app(), current_actor(), run_id, mapping)
    return redirect(url_for("imports.show", run_id=run_id))


@pages.post("/<int:run_id>/again")
@staff_only
def again(run_id: int) -> ResponseReturnValue:
    """Start an interrupted import again."""
    new_id = restart_import(_app(), current_actor(), run_id)
    return redirect(url_for("imports.show", run_id=new_id))


@pages.post("/<int:run_id>/discard")
@staff_only
def discard(run_id: int) -> ResponseReturnValue:
    """Delete an uploaded file before anything of it was imported."""
    discard_upload(current_actor(), _settings(), run_id)
    flash("The file is deleted; nothing of it was imported.", "success")
    return redirect(url_for("imports.index"))


@pages.get("/<int:run_id>/rejected.csv")
@staff_only
def rejected(run_id: int) -> ResponseReturnValue:
    """Download the rejected rows, to be mended and imported again."""
    run = _find(run_id)
    name = f"rejected-rows-of-import-{run.id}.csv"
    lines = chain((BYTE_ORDER_MARK,), (csv_line(row) for row in rejected_table(run)))
    return download(lines, name=name)


def _upload_form(values: Any, errors: dict[str, str] | None = None) -> str:
    return render_template(
        "imports/new.html",
        values=values,
        events=_events_offered(values.get("event", "")),
        errors=errors or {},
    )


def _events_offered(slug: str) -> list[Event]:
    """Return the latest events, and the one that is asked for whatever its age."""
    organisation_id = current_actor().organisation_id
    events = [line.event for line in list_events(organisation_id, limit=EVENTS_OFFERED).rows]
    if slug and slug not in {event.slug for event in events}:
        events.append(find_event(organisation_id, slug))
    return events


def _columns_page(run: ImportRun, chosen: Any = None, errors: dict[str, str] | None = None) -> str:
    try:
        proposal = propose_for_run(current_actor(), _settings(), run)
    except InvalidInput as error:
        return render_template("imports/gone.html", run=run, reason=error.fields["file"])
    return render_template(
        "imports/columns.html",
        run=run,
        event=_event_of(run),
        proposal=proposal,
        columns=_describe_columns(proposal, chosen),
        targets=[("", "Leave out"), *((t.key, t.label) for t in TARGETS[run.kind])],
        day_first=chosen.get("day_first") == "1" if chosen else proposal.mapping.day_first,
        errors=errors or {},
    )


def _describe_columns(proposal: Proposal, chosen: Any) -> list[dict[str, Any]]:
    meaning_of = {label: target for target, label in proposal.mapping.columns.items()}
    return [
        {
            "name": f"column-{place}",
            "label": label,
            "examples": _examples(proposal.sample, place),
            "meaning": chosen.get(f"column-{place}", "") if chosen else meaning_of.get(label, ""),
        }
        for place, label in enumerate(proposal.header)
    ]


def _examples(sample: list[list[str]], place: int) -> list[str]:
    cells = (row[place].strip() for row in sample if place < len(row))
    return list(dict.fromkeys(cell[:60] for cell in cells if cell))[:EXAMPLES]


def _run_page(run: ImportRun, template: str) -> str:
    state = run_state(run)
    return render_template(
        template,
        run=run,
        state=state,
        is_running=state == RUNNING,
        is_interrupted=state == INTERRUPTED,
        event=_event_of(run),
        rejected_rows=list_rejected(run, limit=REJECTED_SHOWN) if run.rejected else [],
    )


def _event_of(run: ImportRun) -> Event | None:
    return find_event(run.organisation_id, run.event_id) if run.event_id else None


def _find(run_id: int) -> ImportRun:
    return find_run(current_actor().organisation_id, run_id)


def _app() -> Any:
    # The thread outlives the request, so that it needs the application itself, not its proxy.
    return current_app._get_current_object()  # type: ignore[attr-defined]


def _settings() -> Settings:
    return current_app.extensions["rollcall"]
