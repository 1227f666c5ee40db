"""The API's description: as OpenAPI for programs, and as a page to read."""

from typing import Any, NamedTuple

from apiflask import APIFlask
from flask import Blueprint, Response, current_app, render_template

from blueprints.access import public
from blueprints.api.answering import answer
from blueprints.api.description import DESCRIPTION, KEY_PARAMETER, REFUSALS, api_description

pages = Blueprint("api_reference", __name__)

_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
}


class FieldLine(NamedTuple):
    """One field or parameter: `schema` is the name of the object it holds, if any."""

    name: str
    kind: str
    schema: str | None
    required: bool
    text: str


class Call(NamedTuple):
    """One call of the API as the page shows it."""

    anchor: str
    method: str
    path: str
    title: str
    text: str
    scope: str
    parameters: list[FieldLine]
    body: str | None
    body_types: list[str]
    answer_status: str
    answer: str | None


class ObjectLine(NamedTuple):
    """One object that calls or answers hold."""

    name: str
    text: str
    fields: list[FieldLine]


@pages.get("/api/v1/openapi.json")
@public
def openapi() -> Response:
    """Return the OpenAPI document."""
    return answer(api_description(_app()))


@pages.get("/api/docs")
@public
def docs() -> str:
    """Show the API's calls and objects."""
    spec = api_description(_app())
    return render_template(
        "api/docs.html",
        introduction=DESCRIPTION.replace("`", ""),
        subjects=_calls_by_subject(spec),
        objects=[_object(name, schema) for name, schema in _objects(spec)],
        refusals=REFUSALS,
        idempotency=KEY_PARAMETER["description"].replace("`", ""),
    )


def _app() -> APIFlask:
    return current_app._get_current_object()  # type: ignore[attr-defined]


def _objects(spec: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(
        (name, schema)
        for name, schema in spec["components"]["schemas"].items()
        if schema.get("type") == "object"
    )


def _calls_by_subject(spec: dict[str, Any]) -> dict[str, list[Call]]:
    subjects: dict[str, list[Call]] = {tag["name"]: [] for tag in spec["tags"]}
    for path, calls in sorted(spec["paths"].items()):
        for method, call in calls.items():
            subjects[call["tags"][0]].append(_call(path, method, call))
    return subjects


def _call(path: str, method: str, call: dict[str, Any]) -> Call:
    body = call.get("requestBody", {}).get("content", {})
    status = min(call["responses"])
    content = call["responses"][status]["content"]["application/json"]["schema"]
    return Call(
        anchor=call["operationId"],
        method=method.upper(),
        path=path,
        title=call["summary"],
        text=call.get("description", "").replace("`", ""),
        scope=call["x-scope"],
        parameters=[
            _field(
                parameter["name"],
                parameter["schema"],
                parameter["required"],
                parameter.get("description"),
            )
            for parameter in call["parameters"]
            if parameter["in"] != "header"
        ],
        body=_schema_name(body.get("application/json", {}).get("schema", {})),
        body_types=[] if "application/json" in body else list(body),
        answer_status=status,
        answer=_schema_name(content),
    )


def _object(name: str, schema: dict[str, Any]) -> ObjectLine:
    required = schema.get("required", ())
    return ObjectLine(
        name=name,
        text=schema.get("description", "").replace("`", ""),
        fields=[
            _field(field, described, field in required)
            for field, described in schema.get("properties", {}).items()
        ],
    )


def _field(name: str, schema: dict[str, Any], required: bool, text: str | None = None) -> FieldLine:
    examples = schema.get("examples")
    sentences = [text or schema.get("description", "")]
    if examples:
        sentences.append(f"Example: {examples[0]}")
    return FieldLine(
        name=name,
        kind=_kind(schema),
        schema=_schema_name(schema),
        required=required,
        text=" ".join(filter(None, sentences)).replace("`", ""),
    )


def _kind(schema: dict[str, Any]) -> str:
    """Return what a value is, in words: "list of whole numbers", "sms or email", "text or null"."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_kind(choice) for choice in schema[key]))
    if "$ref" in schema:
        return _short(schema["$ref"])
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if schema.get("format") == "date-time":
        return "moment"
    return _WORDS.get(schema.get("type", ""), "anything")


def _schema_name(schema: dict[str, Any]) -> str | None:
    """Return the name of the object that a value is or holds, to be linked to."""
    if "$ref" in schema:
        return _short(schema["$ref"])
    inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if isinstance(schema.get("items"), dict):
        inner.append(schema["items"])
    return next(filter(None, map(_schema_name, inner)), None)


def _short(reference: str) -> str:
    return reference.rpartition("/")[2]
