"""Texts that people type: how they are compared, and the slugs that are made of them."""

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

import regex

from rollcall.errors import InvalidInput

LONGEST_SLUG = 80
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


def make_slug(name: str) -> str:
    """Return a slug for a name: "Art Battle Montréal" becomes "art-battle-montreal".

    A name without any Latin letter or digit gives "", as nothing useful can be derived.
    """
    plain = normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    return "-".join(words)[:LONGEST_SLUG].strip("-")


def free_slug(name: str, otherwise: str, is_taken: Callable[[str], bool]) -> str:
    """Return a slug for a name, with a number at its end where it is taken already.

    `otherwise` serves for a name of which no slug can be made.
    """
    base = make_slug(name) or otherwise
    slug, number = base, 1
    while is_taken(slug):
        number += 1
        end = f"-{number}"
        slug = base[: LONGEST_SLUG - len(end)].rstrip("-") + end
    return slug


def check_slug(slug: str, field: str = "slug") -> str:
    """Return the slug; raises InvalidInput naming `field` when it can't serve as one."""
    if len(slug) > LONGEST_SLUG or not _SLUG.match(slug):
        raise InvalidInput(
            {
                field: "A slug has small letters, digits and single hyphens, at most "
                f"{LONGEST_SLUG} of them, as in art-battle-toronto."
            }
        )
    return slug


# More marks on one letter than any script has are cut off (UAX #15, Stream-Safe Text Format).
_TOO_MANY_MARKS = regex.compile(r"(\p{M}{30})\p{M}+")


def fold(text: str) -> str:
    """Return what the text is compared by: no case, one form of each accent, single spaces."""
    return " ".join(normalize("NFKC", text).casefold().split())


def normalize(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """Return the text in a normal form of Unicode, with at most thirty marks on each letter.

    The standard library sorts the marks of one letter in the square of their number: a cell
    with nothing else in it would take half a minute.
    """
    if text.isascii():
        return text
    return unicodedata.normalize(form, _TOO_MANY_MARKS.sub(r"\1", text))
