"""The one place where errors become answers: a page, a fragment for htmx, a problem document.

Programs (paths under /api/ and /webhooks/) get RFC 9457 problem details; nobody ever gets a
stack trace. What was not expected is logged with a reference that the answer names.
"""

import secrets
from http import HTTPStatus
from typing import Any

import structlog
from apiflask import HTTPError
from flask import Flask, Response, current_app, json, render_template, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from blueprints.extensions import limiter
from rollcall import clock
from rollcall.errors import (
    Busy,
    Conflict,
    DomainError,
    InvalidInput,
    NotAllowed,
    NotFound,
    TooOften,
)

log = structlog.get_logger()

PROGRAM_PATHS = ("/api/", "/webhooks/")
PAGES = (400, 403, 404, 409, 410, 413, 429, 500)
UNPROCESSABLE = 422


def register_error_handlers(app: Flask) -> None:
    """Answer every error through this module."""
    app.register_error_handler(DomainError, answer_domain_error)
    app.register_error_handler(HTTPError, answer_api_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected)


def answer_domain_error(error: DomainError) -> Response:
    """Answer what a person can understand and mend, in the error's own words."""
    if isinstance(error, InvalidInput):
        return _answer(UNPROCESSABLE, fields=error.fields)
    status = {NotFound: 404, NotAllowed: 403, Conflict: 409, TooOften: 429, Busy: 503}
    code = next((code for kind, code in status.items() if isinstance(error, kind)), 400)
    return _answer(code, str(error))


def answer_api_error(error: HTTPError) -> Response:
    """Answer input that does not fit the API's description, with every field named."""
    return _answer(error.status_code, error.message, fields=_flatten(error.detail))


def answer_http_error(error: HTTPException) -> Response:
    """Answer what Flask and its extensions refuse."""
    code = error.code or 500
    if error.response is not None or code < 400:
        return current_app.make_response(error.get_response())
    # Pages say it in words of their own, which help more than the protocol's.
    message = error.description if _for_program() else None
    wait = _seconds_to_wait() if isinstance(error, RateLimitExceeded) else None
    response = _answer(code, message, retry_after=wait)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "www-authenticate"):
            response.headers[name] = value
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def answer_unexpected(error: Exception) -> Response:
    """Answer a mistake of ours; the reference leads to its log line. Tests see the error itself."""
    if current_app.testing or current_app.debug:
        raise error
    reference = secrets.token_hex(4)
    log.error(
        "unexpected error",
        reference=reference,
        endpoint=request.endpoint,
        method=request.method,
        exc_info=error,
    )
    return _answer(500, reference=reference)


def _answer(code: int, message: str | None = None, **details: Any) -> Response:
    if _for_program():
        return _problem(code, message, **details)
    fragment = "HX-Request" in request.headers
    # For htmx a 422 is a form that comes back and takes its place in the page; this is none.
    shown = 400 if code == UNPROCESSABLE else code
    page = shown if shown in PAGES else 500 if shown >= 500 else 400
    html = render_template(f"errors/{page}.html", fragment=fragment, message=message, **details)
    response = current_app.make_response((html, shown))
    response.vary.add("HX-Request")
    return response


def _problem(
    code: int, message: str | None, fields: dict[str, str] | None = None, **details: Any
) -> Response:
    """Return RFC 9457 problem details; `errors` names each wrong field and what is wrong."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(code).phrase,
        "status": code,
        "detail": message or _say_what_is_wrong(code, fields),
        **{name: value for name, value in details.items() if value},
    }
    if fields:
        document["errors"] = [{"field": name, "message": text} for name, text in fields.items()]
    return current_app.response_class(
        json.dumps(document) + "\n", status=code, mimetype="application/problem+json"
    )


def _say_what_is_wrong(code: int, fields: dict[str, str] | None) -> str:
    if fields:
        return "; ".join(f"{name}: {text}" for name, text in fields.items())
    return HTTPStatus(code).description or HTTPStatus(code).phrase


def _for_program() -> bool:
    return request.path.startswith(PROGRAM_PATHS)


def _seconds_to_wait() -> int | None:
    limit = limiter.current_limit
    return max(1, limit.reset_at - int(clock.now().timestamp())) if limit else None


def _flatten(detail: Any, path: str = "") -> dict[str, str]:
    """Return {"people.0.phone": "sentence"} for nested details as validation gives them."""
    if isinstance(detail, dict):
        pairs = [(str(key), value) for key, value in detail.items()]
    elif isinstance(detail, list) and not all(isinstance(item, str) for item in detail):
        pairs = [(str(index), value) for index, value in enumerate(detail)]
    else:
        text = " ".join(detail) if isinstance(detail, list) else str(detail)
        return {path or "body": text}
    fields: dict[str, str] = {}
    for key, value in pairs:
        # Where the input came from (body or query) is no part of the field's name.
        own = key if path or key not in ("json", "query", "form", "files", "headers") else ""
        fields |= _flatten(value, ".".join(part for part in (path, own) if part))
    return fields
