"""What gateways bring over HTTP, as values: a request, what it tells, and what to answer.

A route is a pure function from a request to events. It is proof against everybody: it is called
either with a request whose address holds this installation's own secret (`<secret>` in the path),
or with any request at all, and then it has to find the proof itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from rollcall.providers.base import Inbound, Receipt

SECRET = "<secret>"
REFERENCE = "<reference>"
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1_000


class NotGenuine(Exception):
    """Nothing proves that the request is from the provider; the message says what is missing."""


class Unreadable(Exception):
    """The request is genuine and can't be understood; the message says what is wrong with it."""


@dataclass(frozen=True)
class WebhookRequest:
    """A request as it came in.

    `url` is the whole address as the outside wrote it, with its query; `path` holds the parts of
    the route's path that vary, `headers` have names in lower case, and `settings` are those of the
    provider that declares the route.
    """

    method: str
    url: str
    path: Mapping[str, str]
    query: bytes
    headers: Mapping[str, str]
    body: bytes
    settings: Any

    @property
    def content_type(self) -> str:
        """The body's media type, without parameters and in lower case; empty for none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def read_query(self) -> dict[str, str]:
        """Return the query's fields, of each the first; raises Unreadable for too many."""
        return first_of_each(_parse(self.query.decode("latin-1")))

    def read_form(self) -> list[tuple[str, str]]:
        """Return all fields of the body, in their order; raises Unreadable where it is no form."""
        if self.content_type not in ("", _FORM):
            raise Unreadable(f"Send the fields as {_FORM}.")
        return _parse(self.body.decode("utf-8", "replace"))


@dataclass(frozen=True)
class WebhookAnswer:
    """What to answer with."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def say_nothing(_replies: Sequence[str]) -> WebhookAnswer:
    """Answer that all is well, and no more."""
    return WebhookAnswer()


@dataclass(frozen=True)
class Events:
    """What a request tells: receipts, messages that people wrote, both, or nothing yet.

    `answer` makes the answer of the texts that are due to the inbound messages, one for each and
    empty for none. `unread` says what could not be understood, for the log.
    """

    receipts: Sequence[Receipt] = ()
    inbound: Sequence[Inbound] = ()
    answer: Callable[[Sequence[str]], WebhookAnswer] = say_nothing
    unread: str = ""


@dataclass(frozen=True)
class Route:
    """An address at which a provider is listened to.

    `path` follows /webhooks/ and the provider's name, with `<names>` for the parts that vary.
    `read` raises NotGenuine or Unreadable for a request that tells nothing.
    """

    name: str
    path: str
    methods: tuple[str, ...]
    read: Callable[[WebhookRequest], Events]


@dataclass(frozen=True)
class EnteredAddress:
    """An address that staff enter at the provider: the route's, with the query that it asks for.

    `label` says where it is entered. One whose route holds the secret is shown to admins only.
    """

    route: str
    label: str
    query: str = ""


def first_of_each(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the fields by name, of several with one name the first."""
    return dict(reversed(fields))


def _parse(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Unreadable(f"These are more than {_MOST_FIELDS} fields.") from error
