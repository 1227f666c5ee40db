"""What an address may carry: numbers that fit the database, ways back that stay on this site."""

from typing import Any

from werkzeug.routing import IntegerConverter, Map

# PostgreSQL refuses to compare an INTEGER column with a larger number.
LARGEST_ID = 2**31 - 1


class IdConverter(IntegerConverter):
    """A whole number that the database can compare with an id; a larger one is not found."""

    def __init__(self, url_map: Map, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max", LARGEST_ID)
        super().__init__(url_map, *args, **kwargs)


def read_id(text: str | None) -> int | None:
    """Return the id that a parameter or form field carries, or None when it is none."""
    if not text or not text.isascii() or not text.isdecimal():
        return None
    number = int(text[:20])
    return number if number <= LARGEST_ID else None


def is_own_address(address: str) -> bool:
    """Return whether this is a path on this site, and so may be gone to after logging in.

    Two slashes begin another host's address. Browsers read a backslash as a slash and drop
    control characters, so that neither may be in it.
    """
    return (
        address.startswith("/")
        and not address.startswith("//")
        and "\\" not in address
        and address.isprintable()
    )
