"""`flask people import` and `flask purchases import`."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result

from rollcall.extensions import db
from rollcall.models import Attendance, Person, Purchase
from tests.factories import make_actor, make_event, make_organisation

FILES = Path(__file__).parents[1] / "people" / "files"


@pytest.fixture
def acme(app: Any) -> Any:
    organisation = make_organisation("acme")
    make_actor(organisation)
    make_event(organisation, "gala")
    return organisation


@pytest.fixture
def run(app: Any, acme: Any) -> Any:
    def run(*arguments: str | Path) -> Result:
        return app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])

    return run


def test_import_says_what_went_in_and_what_did_not(run: Any) -> None:
    result = run("people", "import", FILES / "eventbrite_attendees.csv", "--event", "gala")
    assert result.exit_code == 0
    assert "6 rows of eventbrite_attendees.csv: 5 added, 0 updated, 0 unchanged, 1 rejected" in (
        result.output
    )
    assert "phone from “Cell Phone”" in result.output
    assert "line 7: “555-0190” is not a phone number in CA" in result.output
    assert db.session.scalar(sa.select(sa.func.count(Person.id))) == 5
    counting = sa.select(sa.func.count(Attendance.id)).where(Attendance.cancelled.is_(False))
    assert db.session.scalar(counting) == 4  # three registrations and one scan


def test_json_has_the_rejected_rows(run: Any) -> None:
    result = run("people", "import", FILES / "excel_mangled.csv", "--json")
    report = json.loads(result.stdout)
    assert (report["added"], report["rejected"], report["state"]) == (3, 2, "completed")
    assert [row["line"] for row in report["rejected_rows"]] == [2, 3]
    assert report["rejected_rows"][0]["reason"].startswith("Excel turned this phone into")


def test_rejected_rows_can_be_mended_and_imported(run: Any, tmp_path: Path) -> None:
    file, rejected = tmp_path / "list.csv", tmp_path / "rejected.csv"
    file.write_text("phone,email\n+1416555,=cmd@x.co\n4165550123,\n")
    run("people", "import", file, "--rejected", rejected)
    with rejected.open(newline="", encoding="utf-8-sig") as written:
        header, row = csv.reader(written)
    assert header == ["Line", "Reason", "phone", "email"]
    assert (row[0], row[2:]) == ("2", ["'+1416555", "'=cmd@x.co"])
    mended = rejected.read_text(encoding="utf-8-sig").replace("+1416555,", "+14165550199,")
    rejected.write_text(mended.replace("'=cmd", "cmd"))
    assert "1 added" in run("people", "import", rejected).output


def test_a_column_can_be_named_and_is_remembered(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Main,Second\n4165550123,4165550199\n")
    assert run("people", "import", file, "--map", "phone=Second").exit_code == 0
    assert db.session.scalar(sa.select(Person.phone)) == "+14165550199"
    assert "1 unchanged" in run("people", "import", file).output


def test_purchases(run: Any) -> None:
    run("people", "import", FILES / "eventbrite_attendees.csv")
    result = run("purchases", "import", FILES / "eventbrite_attendees.csv")
    assert "3 added, 0 updated, 2 unchanged, 1 rejected" in result.output  # two came to nothing
    assert db.session.scalar(sa.select(sa.func.count(Purchase.id))) == 3


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["people", "import", "nowhere.csv"], 2, "does not exist"),
        (["people", "import", "FILE", "--source", "post"], 2, "--source"),
        (["people", "import", "FILE", "--map", "phone"], 2, 'Write it as phone="Cell Phone"'),
        (["people", "import", "FILE", "--map", "phone=Cell"], 2, "has no column “Cell”"),
        (["people", "import", "FILE", "--event", "nope"], 1, "There is no event"),
        (["people", "import", "FILE", "--org", "nope"], 1, "nope"),
    ],
)
def test_errors_are_one_line_on_stderr(
    run: Any, arguments: list[str], status: int, said: str
) -> None:
    file = str(FILES / "phones_header.csv")
    result = run(*(file if argument == "FILE" else argument for argument in arguments))
    assert result.exit_code == status
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert db.session.scalar(sa.select(sa.func.count(Person.id))) == 0
