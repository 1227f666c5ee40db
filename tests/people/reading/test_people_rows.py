"""Each tool's export becomes people, with every refused row at its line and for a reason."""

import io
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcall.people.reading.contacts import Contact, split_name
from rollcall.people.reading.errors import UnreadableFile
from rollcall.people.reading.mapping import propose_mapping
from rollcall.people.reading.people import PersonRow, Rejection, read_people_rows
from rollcall.people.reading.statuses import AttendanceStatus
from rollcall.people.reading.table import Table

FILES = Path(__file__).parents[1] / "files"
TORONTO = ZoneInfo("America/Toronto")


def read(data: bytes, country: str = "CA") -> list[PersonRow | Rejection]:
    table = Table(io.BytesIO(data))
    mapping = propose_mapping(table.header, table.sample, "people", country)
    return list(read_people_rows(table, mapping, country, TORONTO))


def people(data: bytes) -> list[PersonRow]:
    return [row for row in read(data) if isinstance(row, PersonRow)]


def rejections(data: bytes) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in read(data) if isinstance(row, Rejection)]


def test_eventbrite() -> None:
    data = (FILES / "eventbrite_attendees.csv").read_bytes()
    sarah, noah, amira, zoe, gone = people(data)
    assert sarah.contact == Contact("+14165550123", "sarah.lee@example.com", "Sarah", "Lee")
    assert (sarah.city, sarah.country) == ("Toronto", "CA")
    assert sarah.registered_at == datetime(2026, 10, 2, 13, 14, 3, tzinfo=UTC)
    assert noah.checked_in
    assert noah.checked_in_at is None
    assert amira.standing is AttendanceStatus.CANCELLED
    assert amira.contact.first_name == ""  # "Info Requested" is nobody's name
    assert zoe.contact.phone == "+15145550162"  # from the home phone, as there is no cell phone
    assert gone.standing is AttendanceStatus.CANCELLED
    ((line, reason),) = rejections(data)
    assert line == 7
    assert "“555-0190” is not a phone number in CA" in reason


def test_eventbrite_newer_report_and_british_wording() -> None:
    maya, leo, ines = people((FILES / "eventbrite_attendees_new.csv").read_bytes())
    assert leo.contact.email == "leo@example.com"
    assert maya.registered_at == datetime(2026, 10, 12, 16, 30, tzinfo=UTC)
    assert ines.standing is AttendanceStatus.CANCELLED
    harriet, tom = people((FILES / "eventbrite_attendees_uk.csv").read_bytes())
    assert harriet.contact.phone == "+447400123456"  # by her country, not the organisation's
    assert tom.registered_at == datetime(2026, 11, 2, 13, 30, tzinfo=UTC)


def test_pretix_does_not_mix_the_buyer_into_guests() -> None:
    jonas, greta, karl, lena, otto = people((FILES / "pretix_order_positions.csv").read_bytes())
    assert jonas.contact == Contact("+4930901820", "buyer@example.de", "Jonas", "Weber")
    assert greta.contact == Contact(None, "greta@example.de", "Greta", "Weber")
    assert karl.contact == Contact("+4915123456789", "karl@example.de", "Karl", "Braun")
    assert jonas.city == "Berlin"  # the attendee's, not that of the invoice
    assert greta.line == 4  # the order comment before it has a line break
    assert [row.standing for row in (jonas, karl, lena, otto)] == [
        AttendanceStatus.ATTENDING,
        AttendanceStatus.CANCELLED,
        AttendanceStatus.NONE,
        AttendanceStatus.CANCELLED,
    ]


def test_luma() -> None:
    sarah, kofi, ana, ben, invited, waiting = people((FILES / "luma_guests.csv").read_bytes())
    assert sarah.checked_in_at == datetime(2026, 11, 28, 23, 41, 7, tzinfo=UTC)
    assert not kofi.checked_in
    assert ana.contact == Contact(None, "ana@example.com", "Ana", "")
    assert ben.standing is AttendanceStatus.CANCELLED
    assert {ana.standing, invited.standing, waiting.standing} == {AttendanceStatus.NONE}


def test_mailchimp() -> None:
    sarah, paul = people((FILES / "mailchimp_subscribed.csv").read_bytes())
    (left,) = people((FILES / "mailchimp_unsubscribed.csv").read_bytes())
    (bounced,) = people((FILES / "mailchimp_cleaned.csv").read_bytes())
    assert (sarah.timezone, sarah.opted_out) == ("America/Toronto", frozenset())
    assert paul.contact.email == "paul@example.com"
    assert left.opted_out == {"email"}
    assert bounced.email_bounced
    assert not left.email_bounced


def test_plain_lists_of_phones() -> None:
    data = (FILES / "phones_bom.csv").read_bytes()
    assert [row.contact.phone for row in people(data)] == [
        "+14165550123",
        "+16475550188",
        "+14165550170",
    ]
    assert [line for line, _ in rejections(data)] == [5]


def test_semicolons_and_windows_1252() -> None:
    juergen, zoe = people((FILES / "semicolons_windows1252.csv").read_bytes())
    assert juergen.contact == Contact("+4915123456789", "juergen@example.de", "Jürgen", "Groß")
    assert (zoe.city, zoe.country) == ("Orléans", "FR")


def test_phones_that_excel_has_mangled_are_refused_and_say_why() -> None:
    data = (FILES / "excel_mangled.csv").read_bytes()
    assert [line for line, _ in rejections(data)] == [2, 3]
    assert all("Excel turned this phone into the number 4" in r for _, r in rejections(data))
    assert [row.contact.phone for row in people(data)] == [
        "+14165550123",
        "+16475550188",
        "+14165550170",
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Ann,,", "neither a phone nor an e-mail address"),
        ("Ann,n/a,-", "neither a phone nor an e-mail address"),
        ("Ann,12,ann@example.com", "too short for a phone number"),
        ("Ann,4165550123,ann@", "is not an e-mail address"),
        ("A" * 201 + " B,4165550123,", "longer than 200 characters"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(row: str, reason: str) -> None:
    ((line, said),) = rejections(f"name,phone,email\n{row}\n".encode())
    assert line == 2
    assert reason in said


def test_an_opt_out_column_counts_unless_it_says_no() -> None:
    data = b"email,opted_out,sms opt-out\na@x.co,yes,\nb@x.co,no,2026-01-05\nc@x.co,0,false\n"
    everything, texts, nothing = people(data)
    assert everything.opted_out == {"sms", "email"}
    assert texts.opted_out == {"sms"}
    assert nothing.opted_out == frozenset()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Sarah Lee", ("Sarah", "Lee")),
        ("Lee, Sarah", ("Sarah", "Lee")),
        ("Ludwig van Beethoven", ("Ludwig", "van Beethoven")),
        ("Cher", ("Cher", "")),
        ("", ("", "")),
    ],
)
def test_a_full_name_is_split(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


CELLS = st.sampled_from(
    [
        *("Ann", "4165550123", "4.1E+09", "a@example.com", "x@", "yes", "Refunded", "Canada", ""),
        *("2026-11-21", '"', ",", "\n", "é", "\0"),
    ]
)


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from(["name", "phone", "email", "status", "checked in", "order date"])),
    st.lists(st.lists(CELLS, max_size=7).map(",".join), max_size=6),
)
def test_any_file_gives_people_or_reasons(header: list[str], rows: list[str]) -> None:
    try:
        found = read("\n".join([",".join(header), *rows]).encode())
    except UnreadableFile:
        return
    for row in found:
        if isinstance(row, Rejection):
            assert row.reason
        else:
            assert row.contact.phone or row.contact.email
