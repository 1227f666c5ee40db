"""Text lines out of any binary file, with bounded memory whatever the file holds."""

import codecs
from collections.abc import Iterator
from typing import Protocol

CHUNK_BYTES = 64 * 1024
LONGEST_LINE_BYTES = 1024 * 1024

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class BinaryFile(Protocol):
    """What is asked of a file: only `read`, so that an upload or a pipe will do."""

    def read(self, size: int, /) -> bytes: ...


class LineTooLong(ValueError):
    """A line is longer than any row can be; its text was skipped, not kept."""


class LineSource:
    """The lines of a file, each with its line break, decoded; their encoding is found out.

    UTF-8 with or without a byte order mark, UTF-16, else Windows-1252. The choice between
    UTF-8 and Windows-1252 is made for each line: the first special character may come a
    gigabyte into the file, and a list pasted together from two tools has both.
    `bytes_read` counts what was taken from the file; `encoding` is a name for people.
    """

    def __init__(self, file: BinaryFile) -> None:
        self._file = file
        self._first = file.read(CHUNK_BYTES)
        self.bytes_read = len(self._first)
        self._codec = _codec_of(self._first)
        self.encoding = "UTF-16" if self._codec.startswith("utf-16") else "UTF-8"

    def __iter__(self) -> Iterator[str | LineTooLong]:
        for line in split_lines(self._chunks()):
            yield line if isinstance(line, LineTooLong) else self._decode(line)

    def _chunks(self) -> Iterator[bytes]:
        """Yield the file as UTF-8 or Windows-1252 bytes, so that one splitter serves all."""
        recode = None
        chunk, self._first = self._first, b""
        if self._codec == "utf-8":
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        elif self._codec.startswith("utf-16"):
            recode = codecs.getincrementaldecoder(self._codec)(errors="replace")
        while chunk:
            yield recode.decode(chunk).encode("utf-8", "replace") if recode else chunk
            chunk = self._file.read(CHUNK_BYTES)
            self.bytes_read += len(chunk)

    def _decode(self, line: bytes) -> str:
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            self.encoding = "Windows-1252"
            text = line.decode("cp1252", errors="replace")
        return text.replace("\0", "") if "\0" in text else text


def split_lines(chunks: Iterator[bytes]) -> Iterator[bytes | LineTooLong]:
    """Yield lines ending in LF, CRLF or CR, whatever the chunks' borders are.

    A line over LONGEST_LINE_BYTES gives a LineTooLong in its place and is never kept whole.
    """
    pending, skipping = b"", False
    for chunk in chunks:
        pieces = (pending + chunk).splitlines(keepends=True)
        # A final CR may be half of a CRLF, and a line without an end may go on.
        pending = pieces.pop() if pieces and not pieces[-1].endswith(b"\n") else b""
        for piece in pieces:
            yield LineTooLong() if skipping else piece
            skipping = False
        if len(pending) > LONGEST_LINE_BYTES:
            pending, skipping = b"", True
    if pending or skipping:
        yield LineTooLong() if skipping else pending


def _codec_of(first: bytes) -> str:
    for bom, codec in _BOMS:
        if first.startswith(bom):
            return codec
    sample = first[:4096]
    # UTF-16 without its mark: every second byte of Western text is zero.
    if len(sample) >= 4 and sample[1::2].count(0) > len(sample) // 4:
        return "utf-16-le"
    if len(sample) >= 4 and sample[0::2].count(0) > len(sample) // 4:
        return "utf-16-be"
    return "utf-8"
