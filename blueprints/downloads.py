"""The one way to answer with many lines: as they are read, and never half a file unnoticed."""

import json
import secrets
from collections.abc import Callable, Iterable

import structlog
from flask import Response, current_app, request

from rollcall.spreadsheets import csv_line
from rollcall.streams import Stream

log = structlog.get_logger()

CSV = "text/csv"
JSON_LINES = "application/x-ndjson"


def download(lines: Iterable[str], mimetype: str = CSV, name: str | None = None) -> Response:
    """Answer with the lines as they come, under a file name if one is given.

    The first piece is read before the answer begins, so that what can't be read at all is an
    error like any other. What fails later breaks the connection off without the end that HTTP
    asks for, by which a browser or program sees that the file is not whole; as some proxies
    hide that, a last line says it too. The log tells why, under the reference in that line.
    """
    endpoint = request.endpoint

    def apologise(error: Exception) -> str:
        reference = secrets.token_hex(4)
        log.error("download broken off", reference=reference, endpoint=endpoint, exc_info=error)
        return _APOLOGIES[mimetype](reference)

    stream = Stream(lines, apologise, current_app.app_context)
    response = current_app.response_class(stream, mimetype=mimetype)
    # Werkzeug closes what it iterates over, but not what it leaves alone, as for a HEAD.
    response.call_on_close(stream.close)
    if name is not None:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _apology(reference: str) -> str:
    return (
        "INCOMPLETE: an error broke this file off here. Download it again; if that does not "
        f"help, tell your administrator the reference {reference}."
    )


_APOLOGIES: dict[str, Callable[[str], str]] = {
    CSV: lambda reference: csv_line([_apology(reference)]),
    JSON_LINES: lambda reference: json.dumps({"error": _apology(reference)}) + "\n",
}
