"""The ids that an SMSC gave to the messages of this process."""

import threading
from collections import OrderedDict

from rollcall.providers.smpp.text import normalise_id, other_forms

_REMEMBERED = 50_000


class SentIds:
    """What the service calls the messages of this process, to know them again in receipts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def add(self, reference: str, message_id: str) -> None:
        """Remember the id that the service gave the message with our reference."""
        plain = normalise_id(message_id)
        if not plain:
            return
        with self._lock:
            for form in other_forms(plain):
                self._known.setdefault(form, (plain, reference))
            self._known[plain] = (plain, reference)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def find(self, message_id: str) -> tuple[str, str] | None:
        """Return the id as it was given and our reference, None for one that is not known."""
        with self._lock:
            return self._known.get(normalise_id(message_id))
