"""The file that describes a gateway (TOML): its tables, checked whole when Rollcall starts."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import regex
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from rollcall.providers.http.filling import check_fields, check_template, escape
from rollcall.providers.http.pointers import check_pointer
from rollcall.providers.http_line import read_address

_MOST_SAID = 3  # mistakes at once
_SHORTEST_SECRET = 4  # shorter ones stand in ordinary words
_STATUS = re.compile(r"[1-5](xx|[0-9]{2})")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Texts in these are templates; an environment variable put there is taken as it is.
_TEMPLATES = (("send", "fields"), ("send", "headers"))

OUTCOMES = ("accepted", "refused", "opted_out", "later", "too_many", "account", "doubt")


def _check_url(url: str) -> str:
    if read_address(url) is None:
        raise ValueError("must be a web address that begins with http:// or https://")
    return url


def _check_status(text: str) -> str:
    if not _STATUS.fullmatch(text):
        raise ValueError('must be a status such as "202", or all of a kind such as "2xx"')
    return text


def _check_header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("must be the name of a header")
    return name


def _check_pattern(pattern: str) -> str:
    try:
        regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"is no pattern: {error}") from error
    return pattern


Url = Annotated[str, AfterValidator(_check_url)]
Pointer = Annotated[str, AfterValidator(check_pointer)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]
HeaderName = Annotated[str, AfterValidator(_check_header)]
HeaderText = Annotated[str, AfterValidator(lambda text: check_template(text, ("reference", "to")))]
StatusText = Annotated[str, AfterValidator(_check_status)]
Filled = Annotated[str, Field(min_length=1)]
OneIsAList = BeforeValidator(lambda value: value if isinstance(value, (list, tuple)) else [value])
Words = Annotated[tuple[str, ...], OneIsAList]
Statuses = Annotated[tuple[StatusText, ...], OneIsAList]


class FileTable(BaseModel):
    """A table of the file; a name that it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Proof(FileTable):
    """How a request proves from whom it is, ours or the gateway's.

    "basic": user name and password. "bearer": a token. "header": a value in a header of its own.
    "hmac": a digest over what `over` lists, with a secret, in a header.
    """

    kind: Literal["basic", "bearer", "header", "hmac"]
    username: str = ""
    password: str = ""
    token: str = ""
    header: HeaderName = "Authorization"
    value: str = ""
    secret: str = ""
    digest: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    over: tuple[str, ...] = ("body",)

    @model_validator(mode="after")
    def _is_whole(self) -> "Proof":
        needed = {"basic": "username", "bearer": "token", "header": "value", "hmac": "secret"}
        if not getattr(self, needed[self.kind]):
            raise ValueError(f"{needed[self.kind]} is missing, which {self.kind} needs")
        for part in self.over:
            if part not in ("body", "url") and not part.startswith("header:"):
                raise ValueError('over lists "body", "url" and "header:NAME"')
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of it nobody may read."""
        return tuple(filter(None, (self.password, self.token, self.value, self.secret)))


class Send(FileTable):
    """How a message is handed over."""

    url: Url
    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    body: Literal["json", "form", "query"] = "json"
    headers: dict[HeaderName, HeaderText] = Field(default_factory=dict)
    auth: Proof | None = None
    fields: dict[str, Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_written(self) -> "Send":
        check_fields(self.fields, flat=self.body != "json")
        if self.method == "GET" and self.body != "query":
            raise ValueError('a GET has no body: body must be "query"')
        return self


class Condition(FileTable):
    """What must hold: of a value, that it is one of some, or that a pattern is found in it."""

    field: Pointer | None = None
    equals: Words = ()
    matches: Pattern | None = None


class AnswerRule(Condition):
    """Which answers have which outcome: all that it names must hold."""

    outcome: Literal["accepted", "refused", "opted_out", "later", "too_many", "account", "doubt"]
    status: Statuses = ()

    @model_validator(mode="after")
    def _asks_for_something(self) -> "AnswerRule":
        if not (self.status or self.equals or self.matches):
            raise ValueError("names neither status, nor equals, nor matches")
        if self.equals and self.field is None:
            raise ValueError("equals needs field, the place whose value it is")
        return self


class AnswerTable(FileTable):
    """What the answer to a message means; the first rule that fits decides."""

    id: Pointer | None = None
    code: Pointer | None = None
    text: Pointer | None = None
    rules: tuple[AnswerRule, ...] = Field(min_length=1)
    codes: dict[str, Filled] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something_is_accepted(self) -> "AnswerTable":
        if not any(rule.outcome == "accepted" for rule in self.rules):
            raise ValueError('rules has none with outcome = "accepted"')
        return self


class When(Condition):
    """Of which requests a table speaks, where one address gets several kinds."""

    @model_validator(mode="after")
    def _names_a_value(self) -> "When":
        if self.field is None or not self.equals:
            raise ValueError("names a field, and what its value equals")
        return self


class States(FileTable):
    """The gateway's words for what became of a message."""

    sent: Words = ()
    delivered: Words = ()
    failed: Words = ()
    ignored: Words = ()

    @model_validator(mode="after")
    def _each_means_one_thing(self) -> "States":
        words = [*self.sent, *self.delivered, *self.failed, *self.ignored]
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} can mean one thing only")
        if not (self.delivered or self.failed):
            raise ValueError("names no word for delivered and none for failed")
        return self


class ReceiptTable(FileTable):
    """What the gateway reports later."""

    when: When | None = None
    each: Pointer = ""
    reference: Pointer | None = None
    id: Pointer | None = None
    status: Pointer
    code: Pointer | None = None
    text: Pointer | None = None
    states: States
    codes: dict[str, Filled] = Field(default_factory=dict)
    opted_out: Words = ()


class InboundTable(FileTable):
    """What people write to our numbers."""

    when: When | None = None
    each: Pointer = ""
    id: Annotated[tuple[Pointer, ...], OneIsAList, Field(min_length=1)]
    sender: Pointer
    to: Pointer | None = None
    text: Pointer
    reply: Literal["none", "body"] = "none"


class CheckTable(FileTable):
    """What is asked to see whether the gateway is there and lets us in; sends nothing."""

    url: Url
    status: Statuses = ("2xx",)


class Gateway(FileTable):
    """A gateway as its file describes it."""

    label: Filled = "HTTP gateway"
    rate: float | None = Field(default=None, gt=0, lt=1_000_000)
    send: Send
    answer: AnswerTable
    receipts: ReceiptTable | None = None
    inbound: InboundTable | None = None
    proof: Proof | None = None
    check_with: CheckTable | None = Field(default=None, alias="check")

    @model_validator(mode="after")
    def _receipts_can_be_told(self) -> "Gateway":
        table = self.receipts
        if table and not (table.reference or table.id or self.sends_receipt_url):
            raise ValueError(
                "receipts must say where reference or id stands, or send.fields must hold "
                "{receipt_url}"
            )
        return self

    @property
    def sends_receipt_url(self) -> bool:
        """Whether each message carries an address for its receipts."""
        return "{receipt_url}" in json.dumps(self.send.fields)


@dataclass(frozen=True)
class Described:
    """A gateway, and what of its file nobody may read in an error or a log.

    Two are alike when all that stands in them is, variables of the environment included.
    """

    document: str = field(repr=False)
    gateway: Gateway = field(compare=False, repr=False)
    secrets: tuple[str, ...] = field(compare=False, repr=False)


def read_gateway(path: str, environ: Mapping[str, str]) -> Described | None:
    """Return the gateway that the file describes, None for no path.

    `{ env = "NAME" }` in the place of a text stands for that variable. Raises ValueError, in words
    that go on after the setting's name, for a file that can't be read or used.
    """
    if not path:
        return None
    try:
        text = Path(path).read_text("utf-8")
        found: list[str] = []
        tables = _put_in(tomllib.loads(text), environ, (), found)
        gateway = Gateway.model_validate(tables)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {os.strerror(error.errno or 0)}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} is no TOML file in UTF-8: {error}.") from error
    except ValidationError as error:
        raise ValueError(f"{path}: {_say_mistakes(error)}") from None
    except _NotThere as error:
        raise ValueError(f"{path}: {error}") from error
    proofs = (gateway.send.auth, gateway.proof)
    said = (*found, *(secret for proof in proofs if proof for secret in proof.secrets))
    secrets = {secret for secret in said if len(secret) >= _SHORTEST_SECRET}
    return Described(json.dumps(tables, sort_keys=True, default=str), gateway, tuple(secrets))


class _NotThere(Exception):
    """The environment has no such variable."""


def _put_in(
    value: Any, environ: Mapping[str, str], place: tuple[str, ...], found: list[str]
) -> Any:
    """Return the value with every `{ env = "NAME" }` replaced; what was put in goes to `found`."""
    if isinstance(value, list):
        return [_put_in(one, environ, place, found) for one in value]
    if not isinstance(value, dict):
        return value
    name = value.get("env")
    if len(value) != 1 or not isinstance(name, str):
        return {key: _put_in(one, environ, (*place, key), found) for key, one in value.items()}
    text = environ.get(name, "")
    if not text:
        raise _NotThere(f"{'.'.join(place)}: the environment has no {name}.")
    found.append(text)
    return escape(text) if place[:2] in _TEMPLATES else text


def _say_mistakes(error: ValidationError) -> str:
    """Return the first mistakes, each with the field's name; a value is never shown."""
    mistakes = []
    for one in error.errors(include_url=False, include_input=False):
        place = ".".join(str(step) for step in one["loc"])
        said = one["msg"].removeprefix("Value error, ")
        said = "is no name that is known here" if one["type"] == "extra_forbidden" else said
        mistakes.append(f"{place}: {said}." if place else f"{said}.")
    return " ".join(mistakes[:_MOST_SAID])
