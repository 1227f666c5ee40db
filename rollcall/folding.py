"""How texts that people type are compared: names, cities, what is searched for."""

import unicodedata


def fold(text: str) -> str:
    """Return what the text is compared by: no case, one form of each accent, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
