"""A file opens as a table whatever its encoding, delimiter or header."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcall.people.reading.errors import UnreadableFile
from rollcall.people.reading.records import BrokenRecord, Record
from rollcall.people.reading.table import Table, header_signature

FILES = Path(__file__).parents[1] / "files"


def table_of(data: bytes | str) -> Table:
    return Table(io.BytesIO(data.encode() if isinstance(data, str) else data))


@pytest.mark.parametrize(
    ("name", "encoding", "delimiter", "has_header"),
    [
        ("luma_guests.csv", "UTF-8", ",", True),
        ("semicolons_windows1252.csv", "Windows-1252", ";", True),
        ("utf16_tabs.csv", "UTF-16", "\t", True),
        ("phones_bom.csv", "UTF-8", ",", False),
        ("phones_header.csv", "UTF-8", ",", True),
    ],
)
def test_form_of_a_file_is_found_out(
    name: str, encoding: str, delimiter: str, has_header: bool
) -> None:
    with (FILES / name).open("rb") as file:
        table = Table(file)
        list(table.rows())
        assert (table.encoding, table.delimiter, table.has_header) == (
            encoding,
            delimiter,
            has_header,
        )
        assert table.bytes_read == (FILES / name).stat().st_size


def test_windows_1252_is_noticed_however_late_it_comes() -> None:
    data = b"name;phone\n" + b"Ann;4165550123\n" * 20_000 + "Zoë;6475550188\n".encode("cp1252")
    last = list(table_of(data).rows())[-1]
    assert last == Record(20_002, ["Zoë", "6475550188"])


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark(codec: str) -> None:
    table = table_of("name,phone\nZoë,4165550123\n".encode(codec))
    assert [r.cells for r in table.rows() if isinstance(r, Record)] == [["Zoë", "4165550123"]]


def test_nul_bytes_and_lone_carriage_returns() -> None:
    table = table_of(b"na\0me,phone\rAnn,416\x005550123\r")
    assert table.header == ["name", "phone"]
    assert list(table.rows()) == [Record(2, ["Ann", "4165550123"])]


def test_excels_declaration_of_the_delimiter() -> None:
    table = table_of("sep=|\r\nname|phone\r\nAnn|4165550123\r\n")
    assert list(table.rows()) == [Record(3, ["Ann", "4165550123"])]


def test_headings_that_repeat_or_are_empty_get_labels_of_their_own() -> None:
    table = table_of("Email,City,,City,City\na@example.com,Ulm,x,Bonn,Kiel\n")
    assert table.header == ["Email", "City", "Column 3", "City (2)", "City (3)"]


def test_a_list_without_a_header_keeps_its_first_row() -> None:
    table = table_of("Ann,+14165550123\nBo,+16475550188,VIP\n")
    assert table.header == ["Column 1", "Column 2", "Column 3"]
    assert [r.line for r in table.rows()] == [1, 2]


def test_rows_that_do_not_fit_the_header_are_reported() -> None:
    table = table_of("name,phone\nAnn,4165550123,\nSmith, Bo,6475550188\nCy\n")
    fine, long, short = table.rows()
    assert fine == Record(2, ["Ann", "4165550123"])
    assert isinstance(long, BrokenRecord)
    assert long.reason == (
        "the row has 3 values, the header 2; a value with the delimiter in it needs quotes"
    )
    assert isinstance(short, BrokenRecord)
    assert short.reason == "the row has 1 value, the header 2; the last ones are missing"
    assert (long.line, short.line) == (3, 4)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_says_so(data: bytes) -> None:
    with pytest.raises(UnreadableFile, match="the file is empty"):
        table_of(data)


def test_signature_depends_on_columns_and_their_order_only() -> None:
    assert header_signature(["Email", "First  Name"]) == header_signature(["email", "first name"])
    assert header_signature(["a", "b"]) != header_signature(["b", "a"])


@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=600),
        st.text(st.sampled_from('ab@.+1234567890,;\t"\n\r\0é'), max_size=400).map(str.encode),
    )
)
def test_any_bytes_give_rows_or_reasons(data: bytes) -> None:
    try:
        table = table_of(data)
    except UnreadableFile:
        return
    for row in table.rows():
        assert row.line >= 1
        assert isinstance(row, BrokenRecord) or len(row.cells) == len(table.header)
