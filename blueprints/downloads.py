"""The one way to answer with many lines: as they are read, and never half a file unnoticed.

The lines are read after the view is over, by whoever serves. They keep the view's session until
the last one, or until the client goes away; between two pieces no transaction is open.
"""

import json
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator

import structlog
from flask import Response, current_app, request

from rollcall.extensions import KeptSession
from rollcall.spreadsheets import csv_line

log = structlog.get_logger()

CSV = "text/csv"
JSON_LINES = "application/x-ndjson"
# A piece that is handed to the server has at least so many characters; only the last has fewer.
PIECE = 16 * 1024


def download(lines: Iterable[str], mimetype: str = CSV, name: str | None = None) -> Response:
    """Answer with the lines as they come, under a file name if one is given.

    The first piece is read before the answer begins, so that what can't be read at all is an
    error like any other. What fails later breaks the connection off without the end that HTTP
    asks for, by which a browser or program sees that the file is not whole; as some proxies
    hide that, a last line says it too. The log tells why, under the reference in that line.
    """
    pieces = _Pieces(_joined(lines), _APOLOGIES[mimetype])
    response = current_app.response_class(pieces, mimetype=mimetype)
    # Werkzeug closes what it iterates over, but not what it leaves alone, as for a HEAD.
    response.call_on_close(pieces.close)
    if name is not None:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


class _Pieces:
    """Pieces of a text, each read with the session of the view that asked for them."""

    def __init__(self, pieces: Generator[str, None, None], apologise: Callable[[str], str]) -> None:
        self._pieces = pieces
        self._apologise = apologise
        self._endpoint = request.endpoint
        self._first = next(pieces, None)
        self._session = KeptSession()
        self._failed: Exception | None = None
        self._closed = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._failed is not None:
            raise self._failed
        piece, self._first = self._first, None
        try:
            if piece is None:
                with self._session.in_use():
                    piece = next(self._pieces, None)
        except Exception as error:
            self._failed = error
            return self._apologise(self._log(error))
        if piece is None:
            raise StopIteration
        return piece

    def _log(self, error: Exception) -> str:
        reference = secrets.token_hex(4)
        endpoint = self._endpoint
        log.error("download broken off", reference=reference, endpoint=endpoint, exc_info=error)
        return reference

    def close(self) -> None:
        """End the reading wherever it is, and give back what it holds of the database."""
        if self._closed:
            return
        self._closed = True
        try:
            with self._session.in_use():
                self._pieces.close()
        finally:
            self._session.close()


def _joined(lines: Iterable[str]) -> Generator[str, None, None]:
    """Yield the lines in pieces that are worth a network packet each."""
    held: list[str] = []
    length = 0
    for line in lines:
        held.append(line)
        length += len(line)
        if length >= PIECE:
            yield "".join(held)
            held, length = [], 0
    if held:
        yield "".join(held)


def _apology(reference: str) -> str:
    return (
        "INCOMPLETE: an error broke this file off here. Download it again; if that does not "
        f"help, tell your administrator the reference {reference}."
    )


_APOLOGIES: dict[str, Callable[[str], str]] = {
    CSV: lambda reference: csv_line([_apology(reference)]),
    JSON_LINES: lambda reference: json.dumps({"error": _apology(reference)}) + "\n",
}
