"""What a provider is, and what it declares of itself: all that the rest of the house asks for."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rollcall.providers.base import Connection, Finding, Outcome, OutgoingMessage, Sink
from rollcall.providers.webhooks import EnteredAddress, Route


@dataclass(frozen=True)
class Declaration:
    """What a provider says of itself, for staff, documents, the runner and the webhooks.

    `settings` is the frozen dataclass that declares its settings, `make` makes the provider of
    such settings and the instance folder, and never fails: what is missing in the settings is
    what each send and `check` says.

    `proves_refusal` and `leaves_doubt` list, in words, which answers prove that nothing was
    accepted and which leave a message in doubt. `rate` is its limit in messages a second where
    it has one of its own. `receipts` is "webhook", "session" or "none".

    `real`: what it carries reaches people. `lookup`: it can be asked what became of a message
    (`find`). `listening`: receipts and replies come over its own session (`listen`).
    `ids_in_receipts`: a receipt may name a message by the provider's id alone.

    `routes` are its webhooks; the one that is called "receipt", if it ends with `<reference>`, is
    the address that travels with each message. `inbound` and `reports` are the addresses that
    staff enter at the provider, for what people write and for receipts.
    """

    name: str
    label: str
    channels: tuple[str, ...]
    settings: type
    make: Callable[[Any, Path], "Provider"]
    proves_refusal: tuple[str, ...]
    leaves_doubt: tuple[str, ...]
    receipts: str
    rate: float | None = None
    real: bool = True
    lookup: bool = False
    listening: bool = False
    ids_in_receipts: bool = False
    routes: tuple[Route, ...] = ()
    inbound: EnteredAddress | None = None
    reports: EnteredAddress | None = None

    def route(self, name: str) -> Route | None:
        """Return the route of that name, None where the provider has no such."""
        return next((route for route in self.routes if route.name == name), None)


class Provider(ABC):
    """Carries messages over one channel or several. Knows no models, no database, no Flask.

    `together` is how many messages a connection is best handed at once.
    """

    declaration: Declaration
    together: int = 1

    @property
    def name(self) -> str:
        """What the provider is called in settings and in the database."""
        return self.declaration.name

    @property
    def host(self) -> str | None:
        """The machine that it is reached at; None where there is none, or none is set."""
        return None

    @abstractmethod
    def connect(self, timeout: float) -> Connection:
        """Return a line that is opened when first used; no answer is waited for longer."""

    @abstractmethod
    def check(self) -> list[Finding]:
        """Look whether the settings are complete and the provider can be reached and logged in to.

        Sends nothing to anybody and takes at most a few seconds.
        """

    def missing(self) -> list[str]:
        """Return which settings are missing or unusable, one sentence each; asks nobody."""
        return []

    def reports_to(self, _public_url: str) -> bool:
        """Return whether a message may carry an address for receipts that begins like this."""
        return True

    def find(self, message: OutgoingMessage, since: datetime) -> Outcome | None:
        """Return what the provider knows of the message, None where it knows nothing.

        Raises ProviderError where it can't be asked. Only one that declares `lookup` can be.
        """
        raise NotImplementedError

    def listen(self, sink: Sink) -> Callable[[], None]:
        """Keep a session open and hand all that comes over it to `sink`; returns how to stop.

        What comes over any session of this process goes to the sink, those that send included.
        Only for one that declares `listening`.
        """
        raise NotImplementedError
