"""Uploaded files are kept safely, and no longer than needed."""

import io
import os
import time
from pathlib import Path

import pytest

from rollcall.errors import InvalidInput
from rollcall.people.uploads import (
    CHUNK_BYTES,
    FORGOTTEN_AFTER_SECONDS,
    open_upload,
    remove_upload,
    store_upload,
)


def test_a_file_is_kept_whole_under_a_name_nobody_guesses(tmp_path: Path):
    data = b"Phone\n" + b"4165550123\n" * CHUNK_BYTES
    stored = store_upload(tmp_path, io.BytesIO(data))
    assert stored.size == len(data)
    assert len(stored.name) >= 32
    assert store_upload(tmp_path, io.BytesIO(data)).name != stored.name
    with open_upload(tmp_path, stored.name) as file:
        assert file.read() == data


def test_only_this_account_may_read_what_is_kept(tmp_path: Path):
    stored = store_upload(tmp_path, io.BytesIO(b"Phone\n"))
    folder = tmp_path / "uploads"
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / stored.name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", "", "nothing.csv"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str):
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(InvalidInput):
        open_upload(tmp_path, name)


def test_removing_leaves_other_files_alone(tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    stored = store_upload(tmp_path, io.BytesIO(b"Phone\n"))
    for name in ("../secret", "", stored.name, stored.name):
        remove_upload(tmp_path, name)
    assert (tmp_path / "secret").exists()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_what_nobody_imported_for_a_week_goes_with_the_next_upload(tmp_path: Path):
    forgotten = store_upload(tmp_path, io.BytesIO(b"Phone\n"))
    recent = store_upload(tmp_path, io.BytesIO(b"Phone\n"))
    long_ago = time.time() - FORGOTTEN_AFTER_SECONDS - 60
    os.utime(tmp_path / "uploads" / forgotten.name, (long_ago, long_ago))
    newest = store_upload(tmp_path, io.BytesIO(b"Phone\n"))
    names = {path.name for path in (tmp_path / "uploads").iterdir()}
    assert names == {recent.name, newest.name}


@pytest.mark.parametrize(
    "data",
    [
        "Téléphone;Nom\n".encode(),
        "Téléphone;Nom\n".encode("cp1252"),
        "\ufeffPhone\n".encode(),
        "Phone\tName\n4165550123\tZoë\n".encode("utf-16"),
        b"Phone\r\n4165550123\r\n\x1a",
    ],
)
def test_text_in_any_encoding_is_taken(tmp_path: Path, data: bytes):
    assert store_upload(tmp_path, io.BytesIO(data)).size == len(data)
