"""An e-mail as it goes over the wire, laid out once for a sender and filled in for each person.

The standard library's message class takes two milliseconds for a mail, which is most of a
second for each minute of a fast server. Here only what differs from person to person is
written: two headers that name them, their text in its two forms, and the footer that the law
asks for (sender, postal address, one-click unsubscribe as RFC 8058 has it).

Everything comes out in seven bits and in short lines, whatever is put in: bodies as
quoted-printable, headers as RFC 2047 words. So no text can end a header, the mail or a line.
"""

import binascii
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from html import escape
from pathlib import Path
from urllib.parse import quote

# "=_" can't come up in quoted-printable, where "=" stands before a hexadecimal digit or a line end.
_BOUNDARY = "=_rollcall"
_LONGEST_LINE = 76
_WORD_OCTETS = 39  # so that even the first line of a header keeps to 76 characters

_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_IN_REFERENCE = re.compile(r"[^A-Za-z0-9.-]+")
_LINE_END = re.compile("\r\n|\r")
_WEB_ADDRESS = re.compile(r"""\bhttps?://[^\s<>"]*[^\s<>"'.,;:!?)\]*_]""", re.IGNORECASE)
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_PIECE = re.compile(r"^\[([a-z ]+)\]\n", re.MULTILINE)


def _read_pieces() -> dict[str, list[str]]:
    source = Path(__file__).with_name("mail.html").read_text(encoding="utf-8")
    _, *parts = _PIECE.split(source)
    return {name: text.split("{}") for name, text in zip(parts[::2], parts[1::2], strict=True)}


_PIECES = _read_pieces()


@dataclass(frozen=True, slots=True)
class MailLayout:
    """What all mails of one sender have in common, ready for the wire.

    `sender` is the bare address for the envelope, `domain` the part of it after the @.
    """

    sender: str
    domain: str
    head: bytes
    before_text: bytes
    before_html: bytes
    foot_text: bytes
    foot_html: bytes
    end: bytes

    def message_id(self, reference: str) -> str:
        """Return the Message-ID of the attempt with this reference, the same each time."""
        return f"<{_NOT_IN_REFERENCE.sub('-', reference)}@{self.domain}>"

    def fill_in(
        self,
        *,
        address: str,
        subject: str,
        text: str,
        reference: str,
        unsubscribe_url: str,
        at: datetime,
    ) -> bytes:
        """Return the whole mail to one person, with CRLF line ends and the last line ended.

        `address` must be fit for the wire already; any text will do for the rest. Lines that
        begin with a dot are not doubled yet.
        """
        plain = _LINE_END.sub("\n", text)
        link = web_address(unsubscribe_url)
        headers = (
            f"To: <{address}>\r\nSubject: {encode_header(subject, len('Subject: '))}\r\n"
            f"Date: {_say_date(at.replace(microsecond=0))}\r\n"
            f"Message-ID: {self.message_id(reference)}\r\n"
        )
        if link:
            headers += (
                f"List-Unsubscribe: <{link}>\r\n"
                "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
            )
        return b"".join(
            (
                self.head,
                headers.encode("utf-8", "replace"),
                self.before_text,
                _encode_body(f"{plain}\n"),
                self.foot_text,
                _encode_body(f"Unsubscribe from these e-mails: {link}\n") if link else b"",
                self.before_html,
                _encode_body(write_html(plain)),
                self.foot_html,
                _encode_body(escape(link).join(_PIECES["unsubscribe"])) if link else b"",
                self.end,
            )
        )


@lru_cache(maxsize=256)
def lay_out_mail(sender: str, sender_name: str, postal_address: str) -> MailLayout:
    """Return the layout for what this sender's mails have in common.

    `sender` is "news@example.org" or "Name <news@example.org>"; `sender_name` takes the place of
    its name. Raises ValueError where there is no usable address in it.
    """
    name, given = parseaddr(sender)
    address = wire_address(given)
    shown = _encode_name(sender_name.strip() or name)
    head = (
        f"From: {shown}<{address}>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n'
    )
    who = [_LINE_END.sub("\n", part).strip() for part in (sender_name or name, postal_address)]
    lines = [line for part in who for line in part.split("\n") if line.strip()]
    before, after = _PIECES["foot line"]
    return MailLayout(
        sender=address,
        domain=address.rpartition("@")[2],
        head=head.encode("utf-8"),
        before_text=f"\r\n{_part_head('text/plain')}".encode(),
        before_html=f"\r\n{_part_head('text/html')}".encode() + _encode_body(_PIECES["head"][0]),
        foot_text=_encode_body("\n-- \n" + "".join(f"{line}\n" for line in lines)),
        foot_html=_encode_body(
            _PIECES["foot"][0] + "".join(f"{before}{escape(line)}{after}" for line in lines)
        ),
        end=_encode_body(_PIECES["end"][0]) + f"\r\n--{_BOUNDARY}--\r\n".encode(),
    )


def wire_address(address: str) -> str:
    """Return the address as a mail server takes it, the domain in its ASCII form.

    Raises ValueError where it can't be one. The part before the @ keeps its letters: with any
    that are not ASCII only a server that offers SMTPUTF8 takes it.
    """
    local, _, domain = address.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
        octets = len(f"{local}@{ascii_domain}".encode())
    except UnicodeError as error:
        raise ValueError(address) from error
    if (
        octets > 254
        or not re.fullmatch(r"""[^\s<>()\[\],;:\\"@\x00-\x20\x7f-\xa0]+""", local)
        or not re.fullmatch(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", ascii_domain)
    ):
        raise ValueError(address)
    return f"{local}@{ascii_domain}"


def web_address(url: str) -> str:
    """Return the address with every character that could end a header or a link escaped."""
    return quote(url.strip(), safe="!#$%&'()*+,-./0123456789:;=?@[]_~", errors="replace")


def encode_header(text: str, used: int) -> str:
    """Return a header's value in lines of at most 76 characters, `used` of the first taken.

    Control characters, line ends among them, become spaces: a header is one line of text.
    """
    text = _CONTROL.sub(" ", text)
    if _PLAIN.fullmatch(text) and "=?" not in text:
        folded = _fold(text, used)
        if folded is not None:
            return folded
    return "\r\n ".join(_encoded_words(text))


def _fold(text: str, used: int) -> str | None:
    """Break plain words into lines; None where a word is too long for one."""
    if used + len(text) <= _LONGEST_LINE:
        return text
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if len(word) >= _LONGEST_LINE - used:
            return None
        if line and used + len(line) + 1 + len(word) > _LONGEST_LINE:
            lines.append(line)
            line, used = word, 1
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join([*lines, line])


def _encoded_words(text: str) -> list[str]:
    words: list[bytes] = []
    octets = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(octets) + len(encoded) > _WORD_OCTETS:
            words.append(octets)
            octets = b""
        octets += encoded
    return [f"=?utf-8?b?{b64encode(word).decode()}?=" for word in [*words, octets] if word]


def _encode_name(name: str) -> str:
    name = _CONTROL.sub(" ", name).strip()
    if not name:
        return ""
    if _PLAIN.fullmatch(name) and "=?" not in name and len(name) <= 60:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" '
    return "\r\n ".join(_encoded_words(name)) + "\r\n "


def _part_head(kind: str) -> str:
    return (
        f"--{_BOUNDARY}\r\nContent-Type: {kind}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )


def _encode_body(text: str) -> bytes:
    # A text that ends its last line can be encoded by itself and put before another.
    octets = text.encode("utf-8", "replace").replace(b"\n", b"\r\n")
    return binascii.b2a_qp(octets, quotetabs=False, istext=True, header=False)


def write_html(text: str) -> str:
    """Return a plain text as HTML: escaped, its paragraphs and lines kept, web addresses linked."""
    before, after = _PIECES["paragraph"]
    line_break = _PIECES["line break"][0]
    return "".join(
        f"{before}{paragraph.replace(chr(10), line_break)}{after}"
        for paragraph in _PARAGRAPH.split(_link(text.strip()))
        if paragraph
    )


def _link(text: str) -> str:
    if "://" not in text:
        return escape(text)
    before, between, after = _PIECES["link"]
    # The piece ends its line in the file; in the middle of a sentence that would be a space.
    after = after.rstrip("\n")
    pieces: list[str] = []
    end = 0
    for found in _WEB_ADDRESS.finditer(text):
        label = escape(found[0])
        pieces += (escape(text[end : found.start()]), before, label, between, label, after)
        end = found.end()
    return "".join([*pieces, escape(text[end:])])


@lru_cache(maxsize=8)
def _say_date(at: datetime) -> str:
    return format_datetime(at)
