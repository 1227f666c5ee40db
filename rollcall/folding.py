"""How texts that people type are compared: names, cities, what is searched for."""

import unicodedata
from typing import Literal

import regex

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
