"""Lines and rows come out of any bytes, at their line numbers, whatever is broken."""

import csv
import io
import tracemalloc
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from rollcall.people.reading import lines, records
from rollcall.people.reading.lines import LineSource, LineTooLong, split_lines
from rollcall.people.reading.records import BrokenRecord, Record, read_records


def rows_of(text: str, delimiter: str = ",") -> list[Record | BrokenRecord]:
    return list(read_records(text.splitlines(keepends=True), delimiter))


def test_line_numbers_are_those_of_the_file() -> None:
    rows = rows_of('a,b\n\n"x\ny",2\n,,\n3,4\n')
    assert [(r.line, r.cells) for r in rows if isinstance(r, Record)] == [
        (1, ["a", "b"]),
        (3, ["x\ny", "2"]),
        (6, ["3", "4"]),
    ]


def test_a_quote_that_is_never_closed_costs_one_row_only() -> None:
    rows = rows_of('a,b\n1,"oops\n2,fine\n3,fine\n')
    assert [r.line for r in rows] == [1, 2, 3, 4]
    broken = rows[1]
    assert isinstance(broken, BrokenRecord)
    assert broken.reason == "a quotation mark opens in this line and is never closed"
    assert broken.text == '1,"oops'


def test_an_open_quote_in_a_long_file_costs_one_row_only() -> None:
    rest = records.LONGEST_RECORD_LINES * 2
    rows = rows_of('1,"oops\n' + "2,fine\n" * rest)
    assert isinstance(rows[0], BrokenRecord)
    assert len(rows) == rest + 1
    assert rows[-1] == Record(rest + 1, ["2", "fine"])


def test_a_quote_inside_a_cell_is_just_a_quote() -> None:
    assert rows_of('5" nail,x\n6,y\n') == [Record(1, ['5" nail', "x"]), Record(2, ["6", "y"])]


def test_a_line_without_end_is_reported_and_not_kept() -> None:
    class Endless(io.RawIOBase):
        left = 30

        def read(self, size: int = -1, /) -> bytes:
            self.left -= 1
            if self.left == 29:
                return b"ok,1\n"
            if self.left > 1:
                return b"x" * lines.CHUNK_BYTES * 4
            return b"\nok,2\n" if self.left == 1 else b""

    tracemalloc.start()
    rows = list(read_records(LineSource(Endless()), ","))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(type(r).__name__, r.line) for r in rows] == [
        ("Record", 1),
        ("BrokenRecord", 2),
        ("Record", 3),
    ]
    assert peak < 6 * lines.LONGEST_LINE_BYTES


@given(st.binary(max_size=300), st.integers(1, 20))
def test_lines_do_not_depend_on_how_the_file_is_cut(data: bytes, size: int) -> None:
    cut = [data[i : i + size] for i in range(0, len(data), size)]
    assert list(split_lines(iter(cut))) == data.splitlines(keepends=True)


TABLES = st.lists(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=2
    ),
    max_size=8,
)


@given(TABLES, st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]))
def test_what_the_csv_module_writes_is_read_back(
    table: list[list[str]], delimiter: str, end: str
) -> None:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        table
    )
    lines_of_file = split_lines(iter([file.getvalue().encode()]))
    rows = list(read_records(decoded(lines_of_file), delimiter))
    assert [r.cells for r in rows if isinstance(r, Record)] == [
        row for row in table if any(cell.strip() for cell in row)
    ]


def decoded(found: Iterator[bytes | LineTooLong]) -> Iterator[str]:
    for line in found:
        assert isinstance(line, bytes)
        yield line.decode()


@given(st.text(st.sampled_from('a",;\n\r'), max_size=120))
def test_every_line_with_text_is_in_a_row_or_reported(text: str) -> None:
    seen = [row.line for row in read_records(text.splitlines(keepends=True), ",")]
    assert seen == sorted(set(seen))
