"""SMPP 3.4 on the wire: the few requests that are needed, written and read.

Strings of any length are written, since many services give out passwords longer than the eight
characters of the standard; and what a service sends is read with patience: values without their
closing zero, parameters that nobody knows, texts in `message_payload`.
"""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

BIND_TRANSCEIVER = 0x00000009
SUBMIT_SM = 0x00000004
DELIVER_SM = 0x00000005
UNBIND = 0x00000006
ENQUIRE_LINK = 0x00000015
GENERIC_NACK = 0x80000000
RESPONSE = 0x80000000

UDH_PRESENT = 0x40
_VERSION = 0x34
_LONGEST = 65536
_HEADER = struct.Struct(">LLLL")

USER_MESSAGE_REFERENCE = 0x0204
SAR_REFERENCE = 0x020C
SAR_TOTAL = 0x020E
SAR_NUMBER = 0x020F
MESSAGE_PAYLOAD = 0x0424
RECEIPTED_MESSAGE_ID = 0x001E
MESSAGE_STATE = 0x0427


class Pdu(NamedTuple):
    """One request or response: the command's number, its status, its sequence number, the rest."""

    command: int
    status: int
    sequence: int
    body: bytes


class Address(NamedTuple):
    """A number or name with its type and plan, as SMPP has them (ton, npi)."""

    ton: int
    npi: int
    value: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a deliver_sm holds; `extras` are its optional parameters by their numbers."""

    source: Address
    destination: Address
    esm_class: int
    data_coding: int
    content: bytes
    extras: dict[int, bytes] = field(default_factory=dict)


class PduBuffer:
    """Cuts what came over a line into requests and responses."""

    def __init__(self) -> None:
        self._octets = b""

    def add(self, octets: bytes) -> None:
        """Take in what was just received."""
        self._octets += octets

    def take(self) -> Pdu | None:
        """Return the next whole one, None while it has not all come; ValueError for nonsense."""
        if len(self._octets) < _HEADER.size:
            return None
        length, command, status, sequence = _HEADER.unpack_from(self._octets)
        if not _HEADER.size <= length <= _LONGEST:
            raise ValueError(f"a PDU of {length} octets")
        if len(self._octets) < length:
            return None
        body = self._octets[_HEADER.size : length]
        self._octets = self._octets[length:]
        return Pdu(command, status, sequence, body)


def write_pdu(pdu: Pdu) -> bytes:
    """Return the request or response as it goes over the wire."""
    length = _HEADER.size + len(pdu.body)
    return _HEADER.pack(length, pdu.command, pdu.status, pdu.sequence) + pdu.body


def write_bind(system_id: str, password: str) -> bytes:
    """Return the body of a bind_transceiver; UnicodeError where a value is not plain ASCII."""
    return _string(system_id) + _string(password) + _string("") + bytes((_VERSION, 0, 0, 0))


def write_submit(
    source: Address,
    destination: Address,
    content: bytes,
    *,
    data_coding: int,
    joined: bool,
    receipt: bool,
    reference: int,
) -> bytes:
    """Return the body of a submit_sm; `content` begins with a header where it is `joined`."""
    extra = struct.pack(">HHH", USER_MESSAGE_REFERENCE, 2, reference)
    return b"".join(
        (
            b"\0",  # the usual service
            _address(source),
            _address(destination),
            bytes((UDH_PRESENT if joined else 0, 0, 0)),
            b"\0\0",  # at once, and valid for as long as the service has it
            bytes((1 if receipt else 0, 0, data_coding, 0, len(content))),
            content,
            extra,
        )
    )


def read_message_id(body: bytes) -> str:
    """Return the id in a submit_sm_resp, empty where there is none."""
    return body.partition(b"\0")[0].decode("latin-1")


def read_delivery(body: bytes) -> Delivery:
    """Return what a deliver_sm holds; ValueError where it can't be read."""
    try:
        _, rest = _cut_string(body)
        source, rest = _cut_address(rest)
        destination, rest = _cut_address(rest)
        esm_class, rest = rest[0], rest[3:]
        _, rest = _cut_string(rest)
        _, rest = _cut_string(rest)
        _receipt, _replace, data_coding, _canned, length = struct.unpack_from("5B", rest)
    except (IndexError, struct.error) as error:
        raise ValueError("a deliver_sm that ends too early") from error
    content, rest = rest[5 : 5 + length], rest[5 + length :]
    extras = _read_extras(rest)
    content = content or extras.get(MESSAGE_PAYLOAD, b"")
    return Delivery(source, destination, esm_class, data_coding, content, extras)


def _read_extras(octets: bytes) -> dict[int, bytes]:
    extras: dict[int, bytes] = {}
    while len(octets) >= 4:
        tag, length = struct.unpack_from(">HH", octets)
        extras[tag] = octets[4 : 4 + length]
        octets = octets[4 + length :]
    return extras


def _string(text: str) -> bytes:
    return text.encode("ascii") + b"\0"


def _address(address: Address) -> bytes:
    return bytes((address.ton, address.npi)) + _string(address.value)


def _cut_string(octets: bytes) -> tuple[bytes, bytes]:
    text, zero, rest = octets.partition(b"\0")
    if not zero:
        raise ValueError("a string without an end")
    return text, rest


def _cut_address(octets: bytes) -> tuple[Address, bytes]:
    value, rest = _cut_string(octets[2:])
    return Address(octets[0], octets[1], value.decode("latin-1")), rest
