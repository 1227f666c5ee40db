"""Texts for SMPP: cut into parts where no letter is torn, put together again, and receipts read."""

import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field

import regex

from rollcall.messages.parts import GSM_BASIC, GSM_EXTENSION, ROOM, count_parts
from rollcall.providers.smpp.pdu import (
    MESSAGE_STATE,
    RECEIPTED_MESSAGE_ID,
    SAR_NUMBER,
    SAR_REFERENCE,
    SAR_TOTAL,
    UDH_PRESENT,
    Delivery,
)

GSM = 0
LATIN = 3
UCS2 = 8

# The places of the extension table, 3GPP TS 23.038, section 6.2.1.1, after an escape.
_ESCAPE = 0x1B
_EXTENSION_PLACES = dict(
    zip("\f^{}\\[~]|€", (10, 20, 40, 41, 47, 60, 61, 62, 64, 101), strict=True)
)
assert set(_EXTENSION_PLACES) == set(GSM_EXTENSION)
_ENCODED = {
    character: bytes((place + (place >= _ESCAPE),)) for place, character in enumerate(GSM_BASIC)
} | {character: bytes((_ESCAPE, place)) for character, place in _EXTENSION_PLACES.items()}
_BASIC = {octets[0]: character for character, octets in _ENCODED.items() if len(octets) == 1}
_EXTENDED = {place: character for character, place in _EXTENSION_PLACES.items()}
_CLUSTER = regex.compile(r"\X")

_JOINED_8 = 0x00
_JOINED_16 = 0x08
_RECEIPT_FIELD = re.compile(r"\b(id|stat|err):\s*([^\s:]+)", re.IGNORECASE)
_STATES = {1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV"} | {
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}

_WAIT_FOR_PARTS = 600.0
_MOST_UNFINISHED = 1000


@dataclass(frozen=True, slots=True)
class Parts:
    """A text ready for the wire: its coding, and the content of each part, with its header."""

    data_coding: int
    contents: list[bytes]


def cut_text(text: str, reference: int) -> Parts:
    """Return the text in as many parts as `count_parts` counts; ValueError for more than 255.

    `reference`, 0 to 255, is what tells a telephone which parts belong together.
    """
    encoding = count_parts(text).encoding
    if encoding == "GSM-7":
        coding, unit = GSM, 1
        pieces = [_ENCODED[character] for character in text]
    else:
        coding, unit = UCS2, 2
        pieces = _ucs2_pieces(text)
    room = ROOM[encoding]
    if sum(map(len, pieces)) <= room.alone * unit:
        return Parts(coding, [b"".join(pieces)])
    contents = _pack(pieces, room.joined * unit)
    if len(contents) > 255:
        raise ValueError("more than 255 parts")
    return Parts(
        coding,
        [
            bytes((5, _JOINED_8, 3, reference, len(contents), number)) + content
            for number, content in enumerate(contents, 1)
        ],
    )


def _ucs2_pieces(text: str) -> list[bytes]:
    longest = ROOM["UCS-2"].joined * 2
    pieces: list[bytes] = []
    for cluster in _CLUSTER.findall(text):
        encoded = cluster.encode("utf-16-be", "replace")
        if len(encoded) <= longest:
            pieces.append(encoded)
        else:
            pieces += [character.encode("utf-16-be", "replace") for character in cluster]
    return pieces


def _pack(pieces: list[bytes], limit: int) -> list[bytes]:
    contents: list[bytes] = []
    content = bytearray()
    for piece in pieces:
        if len(content) + len(piece) > limit:
            contents.append(bytes(content))
            content = bytearray()
        content += piece
    return [*contents, bytes(content)]


def decode_text(data_coding: int, octets: bytes) -> str:
    """Return the text of a message that came in; what can't be read becomes a question mark."""
    if data_coding == UCS2:
        return octets.decode("utf-16-be", "replace")
    if data_coding != GSM:
        return octets.decode("latin-1")
    characters: list[str] = []
    escaped = False
    for octet in octets:
        if escaped:
            characters.append(_EXTENDED.get(octet) or _BASIC.get(octet, "?"))
        elif octet != _ESCAPE:
            characters.append(_BASIC.get(octet, "?"))
        escaped = octet == _ESCAPE and not escaped
    return "".join(characters)


@dataclass(frozen=True, slots=True)
class ReceiptFields:
    """What a receipt says: the service's id, its word for the state, its error number."""

    message_id: str
    state: str
    error: str


def read_receipt(delivery: Delivery) -> ReceiptFields | None:
    """Return what a receipt says, None where the delivery is no receipt or names no message."""
    # The fourth bit field: a delivery receipt, or a notice on the way there.
    if delivery.esm_class & 0x3C not in (0x04, 0x20):
        return None
    text = delivery.content.decode("latin-1")
    fields = {name.lower(): value for name, value in reversed(_RECEIPT_FIELD.findall(text))}
    named = delivery.extras.get(RECEIPTED_MESSAGE_ID, b"").rstrip(b"\0").decode("latin-1")
    state = _STATES.get(int.from_bytes(delivery.extras.get(MESSAGE_STATE, b""), "big"), "")
    message_id = named or fields.get("id", "")
    state = state or fields.get("stat", "").upper()
    if not message_id or not state:
        return None
    return ReceiptFields(message_id, state, fields.get("err", ""))


def normalise_id(message_id: str) -> str:
    """Return an id without what services write differently: spaces, case, leading zeros."""
    plain = message_id.strip().lower()
    return plain.lstrip("0") or plain


def other_forms(message_id: str) -> list[str]:
    """Return what the same id is in the other notation.

    Many services answer in hexadecimal and write the receipt in decimal, or the reverse.
    """
    forms = []
    for base, notation in ((10, "x"), (16, "d")):
        try:
            forms.append(format(int(message_id, base), notation))
        except ValueError:
            continue
    return [form for form in forms if form != message_id]


@dataclass(slots=True)
class _Unfinished:
    total: int
    since: float
    parts: dict[int, str] = field(default_factory=dict)


class PartJoiner:
    """Puts long messages that come in together again, whatever the order of their parts."""

    def __init__(self) -> None:
        self._unfinished: OrderedDict[tuple[str, str, int, int], _Unfinished] = OrderedDict()

    def add(self, delivery: Delivery) -> str | None:
        """Return the whole text once all of it is here, None before.

        Until `done` is called for it, the last part can come again and gives the text again.
        """
        place, content = _place(delivery)
        text = decode_text(delivery.data_coding, content)
        if place is None:
            return text
        reference, total, number = place
        key = self._key(delivery, reference, total)
        waiting = self._unfinished.setdefault(key, _Unfinished(total, time.monotonic()))
        waiting.parts[number] = text
        while len(self._unfinished) > _MOST_UNFINISHED:
            self._unfinished.popitem(last=False)
        if len(waiting.parts) < total:
            return None
        return "".join(waiting.parts[number] for number in sorted(waiting.parts))

    def done(self, delivery: Delivery) -> None:
        """Forget the parts of a message that was handed on."""
        place, _ = _place(delivery)
        if place is not None:
            self._unfinished.pop(self._key(delivery, *place[:2]), None)

    def take_stale(self) -> list[tuple[str, str, str]]:
        """Return what has waited ten minutes for a part, as (from, to, text), and forget it."""
        limit = time.monotonic() - _WAIT_FOR_PARTS
        stale = [key for key, waiting in self._unfinished.items() if waiting.since < limit]
        return [
            (key[0], key[1], " ".join(text for _, text in sorted(waiting.parts.items())))
            for key in stale
            if (waiting := self._unfinished.pop(key))
        ]

    @staticmethod
    def _key(delivery: Delivery, reference: int, total: int) -> tuple[str, str, int, int]:
        return (delivery.source.value, delivery.destination.value, reference, total)


def _place(delivery: Delivery) -> tuple[tuple[int, int, int] | None, bytes]:
    """Return (reference, total, number), None for a message of one part; and the bare content."""
    content = delivery.content
    place = None
    if delivery.esm_class & UDH_PRESENT and content:
        length = content[0] + 1
        place = _place_in_header(content[1:length])
        content = content[length:]
    sar = [
        int.from_bytes(delivery.extras[tag], "big")
        for tag in (SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER)
        if tag in delivery.extras
    ]
    if place is None and len(sar) == 3:
        place = (sar[0], sar[1], sar[2])
    return (place if place and 1 <= place[2] <= place[1] and place[1] > 1 else None), content


def _place_in_header(header: bytes) -> tuple[int, int, int] | None:
    while len(header) >= 2:
        kind, length = header[0], header[1]
        value = header[2 : 2 + length]
        if kind == _JOINED_8 and len(value) == 3:
            return value[0], value[1], value[2]
        if kind == _JOINED_16 and len(value) == 4:
            return int.from_bytes(value[:2], "big"), value[2], value[3]
        header = header[2 + length :]
    return None
