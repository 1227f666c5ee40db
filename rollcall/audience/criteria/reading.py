"""Values of criteria as JSON, forms and commands give them: read, or refused in words."""

from typing import Any

from rollcall.audience.criteria.values import MAX_EXCLUSIONS


def read_words(value: Any, what: str) -> tuple[str, ...]:
    """Return a list of texts, each once; raises ValueError."""
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise ValueError(f"Give a list of {what}.")
    if not all(isinstance(word, str) and word.strip() for word in value):
        raise ValueError(f"Each of the {what} must be a text.")
    return tuple(dict.fromkeys(word.strip() for word in value))


def at_most(choices: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what is left out; raises ValueError where that is too much."""
    if len(choices) > MAX_EXCLUSIONS:
        raise ValueError(f"At most {MAX_EXCLUSIONS} can be left out.")
    return choices


def is_id(value: Any) -> bool:
    """Return whether it is a number that a row of the database can have."""
    return type(value) is int and 1 <= value < 2**31


def whole_number(text: str) -> Any:
    """Return the number, or the text itself, which the criterion then refuses."""
    stripped = text.strip()
    return int(stripped) if stripped.isdecimal() and len(stripped) < 10 else stripped


def is_number(text: str) -> bool:
    """Return whether a text is a whole number of at most nine figures."""
    return text.isascii() and text.isdecimal() and len(text) < 10
