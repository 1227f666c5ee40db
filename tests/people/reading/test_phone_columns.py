"""Which column is taken for phones, which phone of a row, and in whose country it is."""

import io
from zoneinfo import ZoneInfo

import pytest

from rollcall.people.reading.mapping import propose_mapping
from rollcall.people.reading.people import PersonRow, Rejection, read_people_rows
from rollcall.people.reading.purchases import read_purchase_rows
from rollcall.people.reading.table import Table


def read(text: str, country: str = "CA") -> list[PersonRow | Rejection]:
    table = Table(io.BytesIO(text.encode()))
    mapping = propose_mapping(table.header, table.sample, "people", country)
    return list(read_people_rows(table, mapping, country, ZoneInfo("UTC")))


def phones(text: str, country: str = "CA") -> list[str | None]:
    """The phone of each row, and of a rejected one its reason."""
    rows = read(text, country)
    return [row.reason if isinstance(row, Rejection) else row.contact.phone for row in rows]


@pytest.mark.parametrize("country", ["CA", "US", "DE", "AT", "GB", "IN", "DK", "IT"])
@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("Attendee #", ["18441583423", "18441700883"]),
        ("Record ID", ["2046150123", "2046150124"]),
        ("Order no", ["4165550123", "4165550188"]),
        ("Ticket", ["0151234567", "0151234568"]),
        ("Barcode", ["4006381333931", "4006381333948"]),
        ("Transaction", ["32123456", "32123457"]),
        ("Buchungsnummer", ["01512345678", "01512345679"]),
        ("Attendee #", ["+14165550123", "+16475550188"]),
        ("Foo", ["4165550123", "6475550188"]),  # nothing says phone but ten digits
        ("Foo", ["32123456", "32123457"]),
        ("Visited", ["2026-11-28", "2026-11-29"]),
        ("Paid", ["1500.00", "2500.00"]),
        ("Postal", ["12345-6789", "98765-4321"]),
        ("Emergency contact", ["+14165550123", "+14165550188"]),
        ("Emergency phone", ["416-555-0123", "416-555-0188"]),
    ],
)
def test_no_column_of_other_numbers_is_taken_for_phones(
    heading: str, values: list[str], country: str
) -> None:
    rows = "".join(f"a{n}@example.com,{value}\n" for n, value in enumerate(values))
    assert phones(f"Email,{heading}\n{rows}", country) == [None, None]


@pytest.mark.parametrize(
    ("heading", "values", "country"),
    [
        ("Kontakt", ["+4915123456789", "+436641234567"], "DE"),
        ("Foo", ["(416) 555-0123", "647-555-0188"], "CA"),
        ("Erreichbar", ["0151 23456789", "01761234567"], "DE"),
        ("What is your phone number?", ["4165550123", "6475550188"], "CA"),
        ("Phone (with country code)", ["14165550123", "+1 647 555 0188"], "CA"),
    ],
)
def test_what_can_only_be_phones_is_found_by_content(
    heading: str, values: list[str], country: str
) -> None:
    rows = "".join(f"a{n}@example.com,{value}\n" for n, value in enumerate(values))
    found = phones(f"Email,{heading}\n{rows}", country)
    assert all(phone and phone.startswith("+") for phone in found)


def test_a_bare_list_is_one_of_phones_unless_it_counts_up() -> None:
    assert phones("4165550123\n6475550188\n9055550123\n") == [
        "+14165550123",
        "+16475550188",
        "+19055550123",
    ]
    table = Table(io.BytesIO(b"4165550123\n4165550124\n4165550125\n"))
    assert "phone" not in propose_mapping(table.header, table.sample, "people", "CA").columns


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("Business Phone,Mobile Phone", "416-555-0111,416-555-0101", "+14165550101"),
        ("Business Phone,Mobile Phone", "416-555-0102,", "+14165550102"),
        ("MobilePhone,Phone", "416-555-0101,", "+14165550101"),
        ("MobilePhone,Phone", ",416-555-0101", "+14165550101"),
        ("Phone Number,Mobile Phone Number", ",416-555-0101", "+14165550101"),
        ("Home Phone,Work Phone,Mobile", "416-555-0111,416-555-0112,", "+14165550111"),
        ("Work Phone,Other Phone,Home Phone", "416-555-0111,,", "+14165550111"),
        ("Phone,Phone", ",416-555-0101", "+14165550101"),
        ("SMS,Phone", "yes,416-555-0101", "+14165550101"),
        ("Telefon,Handynummer", "416-555-0111,416-555-0101", "+14165550101"),
        ("Telefoonnummer,Mobiel", "416-555-0111,416-555-0101", "+14165550101"),
        ("Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value",
         "Home,416-555-0111,Mobile,416-555-0101", "+14165550101"),
        ("Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value",
         "Work Fax,416-555-0111,Work,416-555-0101", "+14165550101"),
        ("Phone 1 - Type,Phone 1 - Value,Phone 2 - Type,Phone 2 - Value",
         "Mobile,416-555-0101,Home,416-555-0111", "+14165550101"),
    ],
)  # fmt: skip
def test_the_mobile_comes_first_and_empty_phones_are_passed_over(
    header: str, cells: str, expected: str
) -> None:
    assert phones(f"Email,{header}\na@example.com,{cells}\n") == [expected]


def test_a_guest_never_gets_the_phone_of_who_ordered() -> None:
    text = (
        "Ticket Email,Ticket Phone Number,Email,Phone\n"
        "guest@example.com,,buyer@example.com,416-555-0102\n"
        ",,buyer@example.com,416-555-0102\n"
    )
    assert phones(text) == [None, "+14165550102"]


@pytest.mark.parametrize(
    ("heading", "beside", "phone", "expected"),
    [
        ("Country Code", "+44", "7400123456", "+447400123456"),
        ("Country Code", "49", "15123456789", "+4915123456789"),
        ("Dial code", "+1", "4165550123", "+14165550123"),
        ("Phone Country", "DE", "15123456789", "+4915123456789"),
        ("Country", "The Netherlands", "0612345678", "+31612345678"),
        ("Country", "NLD", "612345678", "+31612345678"),
        ("Country", "AUS", "0412 345 678", "+61412345678"),
        ("Country", "U.K.", "07400 123456", "+447400123456"),
        ("Country", "Viet Nam", "0912 345 678", "+84912345678"),
        ("Country", "Russian Federation", "8 912 345-67-89", "+79123456789"),
        ("Country", "Republic of Ireland", "085 012 3456", "+353850123456"),
        ("Land", "Niemcy", "0151 23456789", "+4915123456789"),
        ("Country", "Atlantis", "+1 416 555 0123", "+14165550123"),
    ],
)
def test_the_country_beside_the_phone_is_understood(
    heading: str, beside: str, phone: str, expected: str
) -> None:
    text = f"Email,{heading},Phone Number\na@example.com,{beside},{phone}\n"
    assert phones(text) == [expected]


def test_a_country_that_is_not_known_is_named_and_the_phone_not_blamed() -> None:
    (reason,) = phones("Email,Country,Phone\na@example.com,Atlantis,4165550123\n")
    assert reason is not None
    assert "the country “Atlantis” is not known" in reason


def test_a_dialling_code_is_the_phones_own_and_no_hint() -> None:
    (reason,) = phones("Email,Dial code,Phone\na@example.com,+44,4165550123\n")
    assert reason is not None
    assert "not a phone number in GB" in reason


def test_dialling_code_and_home_may_stand_in_one_file() -> None:
    text = "Email,Country,Country Code,Phone\na@example.com,Canada,+49,15123456789\n"
    (row,) = read(text)
    assert isinstance(row, PersonRow)
    assert (row.contact.phone, row.country) == ("+4915123456789", "CA")


def test_an_export_that_lost_every_plus_is_read_by_its_neighbours() -> None:
    text = "EMAIL;SMS\nada@example.com;4915123456789\nbo@example.com;436641234567\n"
    assert phones(text, "DE") == ["+4915123456789", "+436641234567"]


def test_the_country_counts_for_purchases_too() -> None:
    text = "Email,Phone,Country,Amount,Date\na@example.com,15123456789,Germany,5.00,2026-11-28\n"
    table = Table(io.BytesIO(text.encode()))
    mapping = propose_mapping(table.header, table.sample, "purchases", "CA")
    (row,) = read_purchase_rows(table, mapping, "CA", ZoneInfo("UTC"), "CAD")
    assert not isinstance(row, Rejection)
    assert row.contact.phone == "+4915123456789"
