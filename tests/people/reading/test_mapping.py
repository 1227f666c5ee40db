"""The proposed mapping reads the tools' files as they are, and staff can correct it."""

from pathlib import Path

import pytest

from rollcall.people.reading.mapping import Mapping, propose_mapping
from rollcall.people.reading.table import Table

FILES = Path(__file__).parents[1] / "files"


def proposal(name: str, kind: str = "people") -> Mapping:
    with (FILES / name).open("rb") as file:
        table = Table(file)
        return propose_mapping(table.header, table.sample, kind, "CA")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "eventbrite_attendees.csv",
            {
                "phone": "Cell Phone",
                "other_phone": "Home Phone",
                "email": "Email",
                "first_name": "First Name",
                "last_name": "Last Name",
                "city": "Home City",
                "country": "Home Country",
                "status": "Attendee Status",
                "registered_at": "Order Date",
            },
        ),
        (
            "pretix_order_positions.csv",
            {
                "email": "Attendee email",
                "buyer_email": "Email",
                "buyer_phone": "Phone number",
                "name": "Attendee name",
                "first_name": "Attendee name: Given name",
                "last_name": "Attendee name: Family name",
                "city": "City",
                "country": "Country",
                "status": "Status",
                "registered_at": "Order date",
                "registered_clock": "Order time",
            },
        ),
        (
            "luma_guests.csv",
            {
                "phone": "phone_number",
                "email": "email",
                "first_name": "first_name",
                "last_name": "last_name",
                "name": "name",
                "status": "approval_status",
                "registered_at": "created_at",
                "checked_in": "checked_in_at",
            },
        ),
        (
            "mailchimp_unsubscribed.csv",
            {
                "phone": "Phone Number",
                "email": "Email Address",
                "first_name": "First Name",
                "last_name": "Last Name",
                "country": "CC",
                "timezone": "TIMEZONE",
                "registered_at": "OPTIN_TIME",
                "email_opted_out": "UNSUB_TIME",
            },
        ),
        (
            "semicolons_windows1252.csv",
            {
                "phone": "Handynummer",
                "email": "E-Mail",
                "first_name": "Vorname",
                "last_name": "Name",
                "city": "Ort",
                "country": "Land",
            },
        ),
        ("phones_bom.csv", {"phone": "Column 1"}),
    ],
)
def test_proposal_for_each_tool(name: str, expected: dict[str, str]) -> None:
    assert proposal(name).columns == expected


def test_purchases_are_found_in_an_attendee_report_too() -> None:
    columns = proposal("eventbrite_attendees.csv", "purchases").columns
    assert columns["amount"] == "Total Paid"
    assert columns["currency"] == "Currency"
    assert columns["purchased_at"] == "Order Date"
    assert (columns["reference"], columns["position"]) == ("Order #", "Attendee #")


def test_headings_nobody_knows_are_recognised_by_what_stands_below() -> None:
    header = ["Foo", "Bar", "Baz"]
    sample = [["1001", "(416) 555-0123", "ann@example.com"], ["1002", "647-555-0188", ""]]
    columns = propose_mapping(header, sample, "people", "CA").columns
    assert columns == {"phone": "Bar", "email": "Baz"}


def test_a_status_column_with_other_words_is_left_alone() -> None:
    header, sample = ["email", "status"], [["a@example.com", "Gold"], ["b@example.com", "Silver"]]
    assert "status" not in propose_mapping(header, sample, "people", "CA").columns


def test_a_correction_moves_a_column_to_its_new_meaning() -> None:
    corrected = proposal("eventbrite_attendees.csv").corrected({"phone": "Home Phone", "city": ""})
    assert corrected.columns["phone"] == "Home Phone"
    assert "other_phone" not in corrected.columns
    assert "city" not in corrected.columns


def test_what_is_wrong_with_a_mapping_is_said_by_target() -> None:
    header = ["Email", "Cell"]
    assert Mapping(columns={"email": "Email"}).errors(header) == {}
    assert "no column “Mobile”" in Mapping(columns={"phone": "Mobile"}).errors(header)["phone"]
    assert "is not one of phone" in Mapping(columns={"shoe": "Cell"}).errors(header)["shoe"]
    assert "phone or the e-mail" in Mapping(columns={"city": "Cell"}).errors(header)["phone"]
    purchases = Mapping("purchases", {"email": "Email"})
    assert set(purchases.errors(header)) == {"amount", "purchased_at"}


def test_a_mapping_is_remembered_whole() -> None:
    mapping = Mapping("people", {"phone": "Cell"}, day_first=True)
    assert Mapping.from_json("people", mapping.to_json()) == mapping
