"""Files of people, as CSV or JSON lines, straight from the body of the call."""

from io import BytesIO
from typing import Any, Literal

from flask import Response, request
from pydantic import Field
from werkzeug.exceptions import UnsupportedMediaType

from blueprints.access import api_scope, current_actor
from blueprints.api import documents
from blueprints.api.answering import answer
from blueprints.api.ground import api_blueprint
from blueprints.api.idempotency import HEADER
from blueprints.api.json_lines import MAPPING, JsonLinesFile
from blueprints.api.reading import Query
from rollcall.people.importing.runs import find_run, list_rejected
from rollcall.people.imports import import_people

api = api_blueprint("imports", "People")

CSV_TYPES = ("text/csv", "application/csv")
JSON_LINES_TYPES = ("application/jsonl", "application/x-ndjson", "application/json-lines")
MOST_REJECTED_SHOWN = 1_000


class ImportQuery(Query):
    """Which event the people of the file attend, if any, and from which source."""

    event: str | None = Field(None, max_length=80, description="The event's slug.")
    source: Literal["registration", "qr_scan"] = "registration"
    file_name: str = Field("", max_length=255, description="How the import is called in lists.")


@api.post("/people/import")
@api_scope("write")
@api.input(ImportQuery, location="query")
@api.output(documents.ImportReport)
def people(query_data: ImportQuery) -> Response:
    """Import people

    The body is a CSV file as any ticketing tool writes it, or JSON lines, one person a line.
    Good rows go in; the first 1,000 rejected ones are in the answer with line and reason.
    Importing the same file again changes nothing.
    """
    kind = request.mimetype
    if kind in CSV_TYPES:
        return answer(_import(_body(), query_data))
    if kind in JSON_LINES_TYPES:
        return answer(_import_json_lines(query_data))
    raise UnsupportedMediaType("Send text/csv, or application/jsonl with one object a line.")


def _body() -> Any:
    # With a key the body was read already, to tell this request from another with that key.
    return BytesIO(request.get_data()) if HEADER in request.headers else request.stream


def _import(file: Any, query: ImportQuery, **options: Any) -> dict[str, Any]:
    actor = current_actor()
    report = import_people(
        file,
        actor,
        event_slug=query.event,
        source=query.source,
        file_name=query.file_name or "(by API)",
        bytes_total=request.content_length or 0,
        **options,
    )
    rejected = list_rejected(
        find_run(actor.organisation_id, report["id"]), limit=MOST_REJECTED_SHOWN
    )
    rows = [{"line": row.line, "reason": row.reason} for row in rejected]
    return {**report, "rejected_rows": rows}


def _import_json_lines(query: ImportQuery) -> dict[str, Any]:
    file = JsonLinesFile(_body())
    report = _import(file, query, mapping=MAPPING)
    # The importer saw a header before the first line, and nothing of the bad ones.
    rows = [{**row, "line": row["line"] - 1} for row in report["rejected_rows"]]
    rows += [bad._asdict() for bad in file.bad_lines]
    return {
        **report,
        "rows": report["rows"] + file.bad,
        "rejected": report["rejected"] + file.bad,
        "rejected_rows": sorted(rows, key=lambda row: row["line"])[:MOST_REJECTED_SHOWN],
    }
