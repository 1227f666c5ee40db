"""What can go wrong in the words of the domain; nothing here knows HTTP.

`blueprints/errors.py` turns each into a page, a fragment or a problem document;
the command line turns each into one line on stderr.
"""

from collections.abc import Mapping


class DomainError(Exception):
    """Something that a person can understand and mend; `str()` is the sentence to show."""


class NotFound(DomainError):
    """There is no such thing in this organisation."""


class InvalidInput(DomainError):
    """What was given can't be used; `fields` maps each field's name to what is wrong with it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__("; ".join(f"{name}: {text}" for name, text in self.fields.items()))


class NotAllowed(DomainError):
    """The acting staff member's role does not allow this."""


class Conflict(DomainError):
    """The thing has changed, or is in a state, that does not allow this now."""


class Busy(DomainError):
    """This can't be stored at the moment; asking again later may work."""


class TooOften(DomainError):
    """This was asked for too many times within a short while."""
