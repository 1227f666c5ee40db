"""Uploaded files: kept under random names until their import has ended."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rollcall import clock
from rollcall.errors import InvalidInput
from rollcall.people.reading.lines import BinaryFile

CHUNK_BYTES = 256 * 1024
FORGOTTEN_AFTER_SECONDS = 7 * 24 * 3600

_SIGNATURES = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x1f\x8b", "a compressed file"),
    (b"SQLite format 3", "a database"),
)
# What no text has: control characters other than tab, line breaks, form feed and Ctrl-Z.
_CONTROLS = bytes(set(range(1, 32)) - {9, 10, 12, 13, 26})
_FEW_CONTROLS = 0.005


@dataclass(frozen=True)
class StoredFile:
    """Where an upload was put, below the folder of uploads, and how long it is in bytes."""

    name: str
    size: int


def uploads_folder(instance_path: Path) -> Path:
    """Return the folder for uploads, which only this account may read."""
    folder = instance_path / "uploads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def store_upload(instance_path: Path, file: BinaryFile) -> StoredFile:
    """Keep a file under a random name; raises InvalidInput for `file` if it can't be a table.

    What nobody imported within a week is removed on this occasion.
    """
    first = file.read(CHUNK_BYTES)
    _check_is_text(first)
    folder = uploads_folder(instance_path)
    _remove_forgotten(folder)
    name, size = f"{secrets.token_hex(16)}.csv", 0
    with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to:
        while first:
            size += to.write(first)
            first = file.read(CHUNK_BYTES)
    now = clock.now().timestamp()
    os.utime(folder / name, (now, now))  # its age is told by one clock, not by the file system's
    return StoredFile(name, size)


def open_upload(instance_path: Path, name: str) -> BinaryIO:
    """Open a kept file; raises InvalidInput for `file` where it is no longer kept."""
    # Path(...).name: a name that came to lead elsewhere is looked for in this folder only.
    path = uploads_folder(instance_path) / Path(name or "-").name
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInput({"file": "This file is no longer kept; upload it again."}) from error


def remove_upload(instance_path: Path, name: str) -> None:
    """Delete a kept file; one that is gone already is fine."""
    if name:
        (uploads_folder(instance_path) / Path(name).name).unlink(missing_ok=True)


def _check_is_text(first: bytes) -> None:
    if not first.strip(b"\0 \t\r\n"):
        raise InvalidInput({"file": "This file is empty. Choose the CSV file that was exported."})
    found = next((what for start, what in _SIGNATURES if first.startswith(start)), None)
    if found is None and len(first) - len(first.translate(None, _CONTROLS)) > _FEW_CONTROLS * len(
        first
    ):
        found = "not a text file"
    if found:
        raise InvalidInput(
            {"file": f"This is {found}, not a CSV file. In the tool or spreadsheet that it comes "
             "from, choose “Export as CSV” and upload that."}
        )  # fmt: skip


def _remove_forgotten(folder: Path) -> None:
    limit = clock.now().timestamp() - FORGOTTEN_AFTER_SECONDS
    for path in folder.glob("*.csv"):
        if path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
