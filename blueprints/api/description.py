"""The API described as OpenAPI 3.1: what APIFlask finds out, and what every call has in common."""

import re
from http import HTTPStatus
from typing import Any, cast

from apiflask import APIFlask
from flask import current_app

from blueprints.access import access_of
from blueprints.api.idempotency import HEADER
from blueprints.api.imports import CSV_TYPES, JSON_LINES_TYPES

DESCRIPTION = """\
Everything that staff do in the browser can be done by programs. Each call carries a token
(`Authorization: Bearer rc_…`) and acts as the staff member whom the token belongs to.
Lists come page by page: go on with the `next_cursor` of the answer until it is null.
Moments are UTC in ISO 8601."""

PROBLEM = {
    "type": "object",
    "description": "What is wrong, as RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people."},
        "errors": {
            "type": "array",
            "description": "Each field that is wrong.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "examples": ["targeting_criteria.events"]},
                    "message": {"type": "string"},
                },
            },
        },
        "reference": {"type": "string", "description": "Leads to the log line of an error."},
    },
}

_LONG_NAME = re.compile(r"^(#/components/schemas/|)[A-Z][A-Za-z]+\.([A-Z][A-Za-z]+)$")

REFUSALS = {
    400: "The request can't be read, for instance because its body is not JSON.",
    401: "The token is missing or not valid.",
    403: "The token does not have the scope, or the staff member's role does not allow it.",
    404: "There is no such thing in this organisation.",
    409: "The state of things does not allow it now, or the key's first request is not over.",
    413: "The body is too large.",
    415: "The body is of another type than those listed.",
    422: "A field is wrong; `errors` names each one.",
}
ALWAYS = (400, 401, 403, 422)

KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same key with the same request gives the same answer; nothing is done "
    "twice. An answer that was given before carries `Idempotent-Replay: true`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}


def register_description(app: APIFlask) -> None:
    """Let the application describe its API in full."""
    app.config.update(
        AUTO_SERVERS=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        SECURITY_SCHEMES={"token": {"type": "http", "scheme": "bearer"}},
    )
    app.description = DESCRIPTION
    app.version = "1"


def api_description(app: APIFlask) -> dict[str, Any]:
    """Return the OpenAPI document, made once for each application."""
    if "api_description" not in app.extensions:
        app.extensions["api_description"] = _complete(cast(dict[str, Any], app.spec))
    return app.extensions["api_description"]


def _complete(spec: dict[str, Any]) -> dict[str, Any]:
    """Add scopes, refusals, keys and files to what APIFlask found out from the views."""
    spec = _with_short_names(spec)
    spec["components"]["schemas"]["Problem"] = PROBLEM
    used = {
        tag for path in spec["paths"].values() for call in path.values() for tag in call["tags"]
    }
    spec["tags"] = [{"name": name} for name in sorted(used)]
    scopes = _scopes()
    for path, calls in spec["paths"].items():
        for method, call in calls.items():
            scope, call["operationId"] = scopes[path, method]
            call["security"] = [{"token": [scope]}]
            call["x-scope"] = scope
            _add_refusals(call, path, method)
            _say_whether_body_is_needed(call, spec["components"]["schemas"])
            if method == "post":
                call["parameters"].append(KEY_PARAMETER)
            for parameter in call["parameters"]:
                if parameter["in"] == "path":
                    _limit_path_parameter(parameter)
    spec["paths"]["/api/v1/people/import"]["post"]["requestBody"] = {
        "required": True,
        "content": {kind: {"schema": {"type": "string"}} for kind in CSV_TYPES + JSON_LINES_TYPES},
    }
    return spec


def _with_short_names(value: Any) -> Any:
    """Return the value with each object "Outer.Inner" called Inner: names are unique here."""
    if isinstance(value, dict):
        return {_short_name(key): _with_short_names(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_short_names(item) for item in value]
    return _short_name(value) if isinstance(value, str) else value


def _short_name(text: str) -> str:
    return _LONG_NAME.sub(r"\1\2", text)


def _scopes() -> dict[tuple[str, str], tuple[str, str]]:
    """Return the scope and the name of each call, by its path as OpenAPI writes it and method."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for rule in current_app.url_map.iter_rules():
        scope = access_of(current_app, rule.endpoint).scope
        if scope is None:
            continue
        path = re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule.rule)
        name = rule.endpoint.removeprefix("api_").replace(".", "_")
        for method in rule.methods or ():
            found[path, method.lower()] = (scope, name)
    return found


def _add_refusals(call: dict[str, Any], path: str, method: str) -> None:
    codes = {*ALWAYS}
    if "{" in path:
        codes.add(404)
    if "requestBody" in call or path.endswith("/import"):
        codes |= {413, 415}
    if path.endswith("/import"):
        codes.add(404)
    if call["x-scope"] != "read" or method == "post":
        codes.add(409)
    for code in sorted(codes):
        call["responses"][str(code)] = {
            "description": f"{HTTPStatus(code).phrase}. {REFUSALS[code]}",
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }


def _say_whether_body_is_needed(call: dict[str, Any], schemas: dict[str, Any]) -> None:
    body = call.get("requestBody")
    if body is not None:
        reference = body["content"]["application/json"]["schema"]["$ref"]
        body["required"] = bool(schemas[reference.rpartition("/")[2]].get("required"))


def _limit_path_parameter(parameter: dict[str, Any]) -> None:
    parameter["required"] = True
    if parameter["schema"]["type"] == "integer":
        parameter["schema"] |= {"minimum": 1, "maximum": 2**31 - 1}
    else:
        parameter["schema"] |= {"minLength": 1, "maxLength": 80, "pattern": "^[a-z0-9-]+$"}
