"""What a call says, read strictly: every mistake is answered by its field's name and a way out.

Bodies and queries are pydantic models made from `Body` and `Query`. APIFlask describes them in
the OpenAPI document; the adapter at the end of this module reads them in its place.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from apiflask.schema_adapters import registry
from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from rollcall.errors import InvalidInput

LARGEST_ID = 2**31 - 1
LARGEST_JSON = 8 * 1024 * 1024
FIRST_YEAR, LAST_YEAR = 1970, 2200


class Body(BaseModel):
    """What a call's JSON body holds; a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Query(BaseModel):
    """What stands behind the question mark; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Query):
    """Which page of a list: begin without a cursor, go on with the `next_cursor` of the answer."""

    cursor: str | None = Field(None, max_length=2_000)
    limit: int = Field(50, ge=1, le=200)


def _read_moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("Give a moment with its offset from UTC, as 2026-11-29T15:00:00Z.")
    if not FIRST_YEAR < moment.year < LAST_YEAR:
        raise ValueError(f"The year {moment.year} can't be right; check the date.")
    return moment.astimezone(UTC)


Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Moment = Annotated[
    datetime,
    BeforeValidator(_read_moment),
    PlainSerializer(lambda moment: moment.isoformat(), return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "A moment with its offset from UTC.",
            "examples": ["2026-11-29T15:00:00Z"],
        }
    ),
]


@contextmanager
def named_as(names: Mapping[str, str]) -> Iterator[None]:
    """Let errors of the block name fields as the call does: `names` maps ours to the call's."""
    try:
        yield
    except InvalidInput as error:
        fields = {names.get(field, field): text for field, text in error.fields.items()}
        raise InvalidInput(fields) from error


def read_json(request: Request) -> bytes:
    """Return the body once it is known to be JSON without anything the database can't hold.

    A missing body counts as an empty object. Raises 415 for another content type, 413 for one
    that is too large, 400 for what is no JSON and InvalidInput for characters that can't be kept.
    """
    request.max_content_length = LARGEST_JSON
    body = request.get_data()
    if not body.strip():
        return b"{}"
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.") from error
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    check_texts(value)
    return body


def check_texts(value: Any, path: str = "") -> None:
    """Raise InvalidInput naming the first text that no database can hold: NUL, half an emoji."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidInput({path or "body": "Take out the character that is not text (NUL)."})
    elif isinstance(value, dict):
        for key, item in value.items():
            check_texts(key, path)
            check_texts(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_texts(item, f"{path}.{index}" if path else str(index))


def problems_of(error: ValidationError, model: type[BaseModel]) -> dict[str, str]:
    """Return each wrong field's path ("people.0.phone") with what is wrong and how to mend it."""
    problems: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        # "#…" names an alternative of the model, which is no part of the field's name.
        parts = [str(part) for part in detail["loc"]]
        path = ".".join(part for part in parts if not part.startswith("#")) or "body"
        problems.setdefault(path, _say(detail, model))
    return problems


_SENTENCES = {
    "missing": "This is required.",
    "string_type": "Give a text.",
    "int_type": "Give a whole number.",
    "int_parsing": "Give a whole number.",
    "int_from_float": "Give a whole number.",
    "int_parsing_size": "This number is too large.",
    "float_type": "Give a number.",
    "bool_type": "Give true or false.",
    "bool_parsing": "Give true or false.",
    "list_type": "Give a list.",
    "dict_type": "Give an object.",
    "model_type": "Give an object.",
    "model_attributes_type": "Give an object.",
    "literal_error": "Use one of {expected}.",
    "string_too_long": "Use at most {max_length} characters.",
    "string_too_short": "Give at least {min_length} characters.",
    "too_long": "Give at most {max_length}.",
    "too_short": "Give at least {min_length}.",
    "greater_than_equal": "Give {ge} or more.",
    "less_than_equal": "Give {le} or less.",
}


def _say(detail: ErrorDetails, model: type[BaseModel]) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "extra_forbidden":
        if len(detail["loc"]) > 1:
            return "There is no such field here."
        return f"There is no such field; known are {', '.join(model.model_fields)}."
    if detail["type"] == "value_error":
        return str(context["error"])
    sentence = _SENTENCES.get(detail["type"])
    return sentence.format(**context) if sentence else f"{detail['msg']}."


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


class StrictAdapter(PydanticAdapter):
    """Reads bodies and queries for APIFlask, and says what is wrong in words for people."""

    def validate_input(self, request: Request, location: str, **kwargs: Any) -> BaseModel:
        """Return the model's instance; raises InvalidInput and what `read_json` raises."""
        try:
            if location == "json":
                # As JSON and not as Python objects: strict there means JSON's own types.
                return self.model_class.model_validate_json(read_json(request), strict=True)
            values = {name: found[-1] for name, found in request.args.lists()}
            check_texts(values)
            return self.model_class.model_validate(values)
        except ValidationError as error:
            raise InvalidInput(problems_of(error, self.model_class)) from error


registry.register("pydantic", StrictAdapter)
