"""Placeholders in messages (requirement C2): %%FIRST_NAME%% and its four companions, and no more.

Nothing is evaluated. A text is cut once at its placeholders, and each person's values are laid
between the pieces in a single pass, so that a value which looks like a placeholder stays text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from rollcall.errors import InvalidInput


class PersonFields(NamedTuple):
    """What a message may say of a person; a missing value becomes the empty string."""

    first_name: str | None
    last_name: str | None
    hash: str | None


class UnknownPlaceholder(NamedTuple):
    """A placeholder that does not exist, as it was written, and the known one nearest to it."""

    written: str
    suggestion: str | None


SAMPLE_PERSON = PersonFields("Sarah", "Miller", "7f3k9q2m")
SAMPLE_LINK = "https://example.org/%%HASH%%"

_Value = Callable[[PersonFields, str], str]


def _link(person: PersonFields, link_template: str) -> str:
    return quote(person.hash or "", safe="").join(_cut_link(link_template))


_VALUES: dict[str, _Value] = {
    "FIRST_NAME": lambda person, _: person.first_name or "",
    "LAST_NAME": lambda person, _: person.last_name or "",
    "NAME": lambda person, _: f"{person.first_name or ''} {person.last_name or ''}".strip(),
    "HASH": lambda person, _: person.hash or "",
    "LINK": _link,
}
KNOWN_PLACEHOLDERS = tuple(_VALUES)

# Names from other tools, where the nearest spelling would be the wrong advice.
_USUALLY_MEANT = {
    "FNAME": "FIRST_NAME",
    "LNAME": "LAST_NAME",
    "SURNAME": "LAST_NAME",
    "FULL_NAME": "NAME",
    "URL": "LINK",
}

# A name begins with a letter and stands tight between its signs, so that "100%% sure, 50%% off"
# is text. Spaces, dots and hyphens inside ("%%FIRST NAME%%") and a known name with space around
# it are surely meant as a placeholder, and are caught here to be refused rather than sent to
# people as they stand.
_PLACEHOLDER = re.compile(
    rf"%%([^\W\d_](?:[\w .-]{{0,38}}\w)?|\s+(?:{'|'.join(_VALUES)})\s+)%%", re.IGNORECASE
)
# What is nearest takes a while to find, and nobody reads the twenty-first explanation.
_MOST_EXPLAINED = 20
_HASH_IN_LINK = re.compile(r"%%HASH%%", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Template:
    """A text cut at its placeholders, ready to be filled in for any number of people."""

    pieces: tuple[str | _Value, ...]
    placeholders: frozenset[str]

    def render(self, person: PersonFields, link_template: str = "") -> str:
        """Give the text for one person.

        `link_template` is the campaign's link; %%HASH%% in it, in any letter case, becomes the
        person's hash, quoted for a URL.
        """
        return "".join(
            [
                piece if isinstance(piece, str) else piece(person, link_template)
                for piece in self.pieces
            ]
        )

    def sample(self, link_template: str = SAMPLE_LINK) -> str:
        """Give the text for an invented person, for a preview without an audience."""
        return self.render(SAMPLE_PERSON, link_template)


def find_unknown_placeholders(text: str) -> list[UnknownPlaceholder]:
    """List the placeholders that do not exist, each once, in the order of the text.

    Only the first twenty come with what is probably meant.
    """
    written = dict.fromkeys(
        found[0] for found in _PLACEHOLDER.finditer(text) if found[1].upper() not in _VALUES
    )
    return [
        UnknownPlaceholder(one, _nearest(one) if place < _MOST_EXPLAINED else None)
        for place, one in enumerate(written)
    ]


def compile_template(text: str, field: str = "message") -> Template:
    """Cut a text at its placeholders, once for a whole campaign.

    Raises InvalidInput under `field`, naming the unknown placeholders (the first of many) and
    for each the one probably meant.
    """
    unknown = find_unknown_placeholders(text)
    if unknown:
        said = [_explain(placeholder) for placeholder in unknown[:_MOST_EXPLAINED]]
        if len(unknown) > _MOST_EXPLAINED:
            said.append(f"{len(unknown) - _MOST_EXPLAINED:,} more do not exist either.")
        raise InvalidInput({field: " ".join(said)})
    literals_and_names = _PLACEHOLDER.split(text)
    names = [name.upper() for name in literals_and_names[1::2]]
    pieces: list[str | _Value] = list(literals_and_names)
    pieces[1::2] = [_VALUES[name] for name in names]
    return Template(tuple(piece for piece in pieces if piece), frozenset(names))


def _nearest(written: str) -> str | None:
    name = re.sub(r"\W+", "_", written.strip("%").strip().upper())
    nearest = get_close_matches(name, KNOWN_PLACEHOLDERS, n=1)
    meant = _USUALLY_MEANT.get(name) or (nearest[0] if nearest else None)
    return f"%%{meant}%%" if meant else None


def _explain(unknown: UnknownPlaceholder) -> str:
    if unknown.suggestion:
        return f"There is no placeholder {unknown.written}. Did you mean {unknown.suggestion}?"
    known = ", ".join(f"%%{name}%%" for name in KNOWN_PLACEHOLDERS)
    return f"There is no placeholder {unknown.written}. Those that exist are {known}."


@lru_cache(maxsize=256)
def _cut_link(link_template: str) -> tuple[str, ...]:
    return tuple(_HASH_IN_LINK.split(link_template))
