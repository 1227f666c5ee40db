"""`flask people import` stores the phones of difficult exports, in the country of each."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import Person
from tests.factories import make_actor, make_organisation

GOOGLE = (
    "First Name,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\n"
)


@pytest.mark.parametrize(
    ("country", "text", "expected"),
    [
        (
            "DE",
            "Order #,First Name,Email,Attendee #\n"
            "11211912243,Ada,ada@example.com,18441583423\n"
            "11211987213,Bo,bo@example.com,18441700883\n",
            {"ada": None, "bo": None},
        ),
        (
            "DE",
            "EMAIL;SMS\nada@example.com;4915123456789\nbo@example.com;436641234567\n",
            {"ada": "+4915123456789", "bo": "+436641234567"},
        ),
        (
            "CA",
            "id\tfull_name\temail\tphone_number\nl:100\tAda\tada@example.com\tp:+14165550101\n",
            {"ada": "+14165550101"},
        ),
        (
            "CA",
            GOOGLE + "Ada,ada@example.com,Home,416-555-0111,Mobile,416-555-0101\n"
            "Bo,bo@example.com,Mobile,416-555-0102 ::: +1 416 555 0102,,\n",
            {"ada": "+14165550101", "bo": "+14165550102"},
        ),
        (
            "CA",
            "Email,Business Phone,Mobile Phone\nada@example.com,416-555-0111,416-555-0101\n"
            "bo@example.com,416-555-0102,\n",
            {"ada": "+14165550101", "bo": "+14165550102"},
        ),
        (
            "CA",
            "Email,Country Code,Phone Number\nada@example.com,+44,7400123456\n"
            "bo@example.com,49,15123456789\n",
            {"ada": "+447400123456", "bo": "+4915123456789"},
        ),
    ],
    ids=["order numbers", "no plus", "decorated", "labelled", "second columns", "dialling codes"],
)
def test_phones_of_difficult_exports(
    app: Any, tmp_path: Path, country: str, text: str, expected: dict[str, str | None]
) -> None:
    organisation = make_organisation("acme", country=country)
    make_actor(organisation)
    file = tmp_path / "export.csv"
    file.write_text(text, encoding="utf-8")
    for changes in (f"{len(expected)} added", "0 added, 0 updated"):  # twice changes nothing
        result = app.test_cli_runner().invoke(args=["people", "import", str(file)])
        assert result.exit_code == 0, result.output
        assert changes in result.output
    phones = db.session.execute(sa.select(Person.email, Person.phone)).all()
    assert {str(email).split("@")[0]: phone for email, phone in phones} == expected
