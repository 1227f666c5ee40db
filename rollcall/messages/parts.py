"""How many SMS parts a text takes, and which characters make it expensive (requirement C3).

The alphabet and its extension table are those of 3GPP TS 23.038, section 6.2.1; the room in a
part follows from its 140 octets, of which a long message spends six on the header that joins
the parts again (3GPP TS 23.040, section 9.2.3.24.1).
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import regex

from rollcall.text import normalize

Encoding = Literal["GSM-7", "UCS-2"]

GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "^{}\\[~]|€\f"

_BASIC = f"[{regex.escape(GSM_BASIC, special_only=False)}]"
_EXTENSION = f"[{regex.escape(GSM_EXTENSION, special_only=False)}]"
_GSM_TEXT = regex.compile(f"(?:{_BASIC}|{_EXTENSION})*")
_GSM_EXTENSION = regex.compile(_EXTENSION)
_NOT_GSM = regex.compile(f"(?!{_BASIC}|{_EXTENSION})(?s:.)")
_CLUSTER = regex.compile(r"\X")

# Signs that word processors put in by themselves, each with the plain sign that reads the same.
# Letters are left alone: to write "a" for "á" is a change of spelling, which is for staff to make.
_SAME_IN_GSM = (
    dict.fromkeys("‘’‚‛′´`ʼ", "'")
    | dict.fromkeys("“”„‟″«»", '"')
    | dict.fromkeys("‹", "<")
    | dict.fromkeys("›", ">")
    | dict.fromkeys("‐‑‒–—―−•", "-")
    | dict.fromkeys("\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006", " ")
    | dict.fromkeys("\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " ")
    | dict.fromkeys("\u0085\u2028\u2029\v", "\n")
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufe0e\ufe0f\ufeff", "")
    | {"…": "...", "‥": "..", "·": ".", "×": "x", "⁄": "/", "ﬁ": "fi", "ﬂ": "fl"}
    # Greek capitals that look like Latin ones: the alphabet has a place for the Latin ones only.
    | dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True))
)


class Room(NamedTuple):
    """How many units fit: into a message of one part, and into each part of a longer one."""

    alone: int
    joined: int


ROOM: dict[Encoding, Room] = {"GSM-7": Room(160, 153), "UCS-2": Room(70, 67)}


class ForcingCharacter(NamedTuple):
    """A character, as a reader sees it, that the GSM alphabet lacks.

    `position` counts code points from 0. `suggestion` reads the same and fits the alphabet: the
    empty string means that it can be left out, None that nothing equal is known.
    """

    position: int
    character: str
    name: str
    suggestion: str | None


@dataclass(frozen=True, slots=True)
class MessageParts:
    """What one text takes on the wire.

    `units` are septets in GSM-7 and 16-bit units in UCS-2; `units_left` is the room in the last
    part. `characters` counts what is never torn apart: GSM characters, or grapheme clusters.
    """

    encoding: Encoding
    parts: int
    characters: int
    units: int
    units_left: int
    forces_ucs2: tuple[ForcingCharacter, ...]


def count_parts(text: str) -> MessageParts:
    """Say how many SMS parts a text takes and what forces it out of the GSM alphabet.

    An empty text takes one part, as a network would bill it.
    """
    if _GSM_TEXT.fullmatch(text):
        sizes = [1] * len(text)
        for extended in _GSM_EXTENSION.finditer(text):
            sizes[extended.start()] = 2
        return _measure("GSM-7", sizes, len(text), ())
    clusters = _CLUSTER.findall(text)
    return _measure("UCS-2", list(_ucs2_sizes(clusters)), len(clusters), tuple(_forcing(clusters)))


def _measure(
    encoding: Encoding, sizes: list[int], characters: int, forcing: tuple[ForcingCharacter, ...]
) -> MessageParts:
    room = ROOM[encoding]
    units = sum(sizes)
    if units <= room.alone:
        return MessageParts(encoding, 1, characters, units, room.alone - units, forcing)
    parts, used = _pack(sizes, room.joined)
    return MessageParts(encoding, parts, characters, units, room.joined - used, forcing)


def _pack(sizes: Iterable[int], limit: int) -> tuple[int, int]:
    """Fill parts in order without tearing a piece; give how many, and the units in the last."""
    parts, used = 1, 0
    for size in sizes:
        if used + size > limit:
            parts, used = parts + 1, 0
        used += size
    return parts, used


def _ucs2_sizes(clusters: Iterable[str]) -> Iterator[int]:
    for cluster in clusters:
        sizes = [2 if ord(character) > 0xFFFF else 1 for character in cluster]
        # A cluster may carry any number of combining marks. One that no part can hold is torn
        # between code points, which keeps surrogate pairs whole.
        if sum(sizes) <= ROOM["UCS-2"].joined:
            yield sum(sizes)
        else:
            yield from sizes


def _forcing(clusters: Iterable[str]) -> Iterator[ForcingCharacter]:
    position = 0
    for cluster in clusters:
        description = _describe_foreign(cluster)
        if description:
            yield ForcingCharacter(position, cluster, *description)
        position += len(cluster)


@lru_cache(maxsize=4096)
def _describe_foreign(cluster: str) -> tuple[str, str | None] | None:
    """Give the name and the suggestion, or None where the cluster is in the GSM alphabet.

    Remembered, because a text in Cyrillic asks for the same few dozen letters again and again.
    """
    foreign = _NOT_GSM.findall(cluster)
    return (_name(foreign), _suggest(cluster)) if foreign else None


def _name(foreign: list[str]) -> str:
    """Name the first foreign character as Unicode does, and count what is joined to it."""
    first = "TAB" if foreign[0] == "\t" else unicodedata.name(foreign[0], "")
    name = first or f"CHARACTER U+{ord(foreign[0]):04X}"
    return name if len(foreign) == 1 else f"{name} and {len(foreign) - 1} more"


def _suggest(cluster: str) -> str | None:
    composed = normalize("NFC", cluster)
    plain = "".join(_SAME_IN_GSM.get(character, character) for character in composed)
    return plain if _GSM_TEXT.fullmatch(plain) else None
