"""flask org, staff and token, and what all commands share: who acts, JSON, errors in one line."""

import dataclasses
import json

import click
import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from click.testing import Result

from app import create_app
from rollcall.accounts.passwords import authenticate
from rollcall.accounts.tokens import find_token
from rollcall.extensions import db
from rollcall.models import AuditEntry, Role, StaffMember
from tests.factories import make_organisation, make_staff


@pytest.fixture
def run(app: APIFlask):
    def invoke(*arguments: str, stdin: str = "") -> Result:
        db.session.rollback()
        return app.test_cli_runner().invoke(args=list(arguments), input=stdin)

    return invoke


def one_line(result: Result) -> str:
    """The error, which is all that stands on stderr, in one line."""
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_from_nothing_to_a_log_in_and_a_token(run):
    assert run("org", "create", "Acme Events", "--country", "US").exit_code == 0
    created = run(
        "staff", "create", "sue@x.org", "--role", "super", "--password-stdin", stdin="s3cret pass\n"
    )
    assert created.exit_code == 0
    assert "s3cret" not in created.output
    assert authenticate("sue@x.org", "s3cret pass").organisation.country == "US"
    token = run("token", "create", "Importer", "--staff", "sue@x.org")
    assert find_token(token.output.strip()).staff.email == "sue@x.org"


def test_a_password_that_is_made_is_shown_once_and_lets_in(run):
    make_organisation()
    made = json.loads(run("staff", "create", "sue@x.org", "--role", "super", "--json").output)
    assert authenticate("sue@x.org", made["password"]) is not None
    assert "password" not in json.loads(run("staff", "list", "--json").output)[0]
    renewed = json.loads(run("staff", "set-password", "sue@x.org", "--json").output)
    assert authenticate("sue@x.org", made["password"]) is None
    assert authenticate("sue@x.org", renewed["password"]) is not None


def test_an_organisation_is_changed_by_its_slug(run):
    make_organisation("other")
    make_organisation("acme")
    result = run("org", "set", "acme", "--quiet-hours", "09:00-20:00", "--json")
    assert json.loads(result.output)["quiet_hours"] == "09:00-20:00"
    assert db.session.scalars(sa.select(AuditEntry)).one().origin == "cli"
    listed = json.loads(run("org", "list", "--json").output)
    assert [(one["slug"], one["quiet_hours"]) for one in listed] == [
        ("acme", "09:00-20:00"),
        ("other", "off"),
    ]


def test_the_first_super_acts_unless_somebody_is_named(run):
    organisation = make_organisation("acme")
    make_staff(Role.ADMIN, organisation, email="admin@x.org")
    make_staff(Role.SUPER, organisation, email="gone@x.org", active=False)
    boss = make_staff(Role.SUPER, organisation, email="boss@x.org")
    run("org", "set", "acme", "--country", "US")
    assert db.session.scalars(sa.select(AuditEntry)).one().staff_id == boss.id
    refused = run("org", "set", "acme", "--quiet-hours", "off", "--as", "ADMIN@x.org")
    assert refused.exit_code == 0  # they are off already
    refused = run("org", "set", "acme", "--quiet-hours", "09:00-20:00", "--as", "ADMIN@x.org")
    assert refused.exit_code == 1
    assert "Your role (admin)" in one_line(refused)
    gone = run("org", "set", "acme", "--as", "gone@x.org")
    assert "deactivated" in one_line(gone)


def test_several_organisations_have_to_be_told_apart(run):
    for slug in ("acme", "other"):
        make_staff(Role.SUPER, make_organisation(slug), email=f"boss@{slug}.org")
    result = run("staff", "list")
    assert result.exit_code == 2
    assert "choose one of acme, other" in one_line(result)
    assert "boss@other.org" in run("staff", "list", "--org", "other").output
    assert "boss@other.org" in run("staff", "list", "--as", "boss@other.org").output
    stranger = run("staff", "list", "--org", "acme", "--as", "boss@other.org")
    assert stranger.exit_code == 1
    assert "no staff member boss@other.org" in one_line(stranger)
    token = run("token", "create", "Importer", "--staff", "boss@other.org")
    assert token.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["staff", "list"], 1, "flask org create NAME"),
        (["org", "set", "acme"], 1, "no organisation with the slug 'acme'"),
        (["org", "create"], 2, "Missing argument 'NAME'"),
        (["org", "create", "Acme", "--country", "Canada"], 2, "country: Write the country"),
        (["staff", "create", "sue@x.org", "--role", "emperor"], 2, "'emperor' is not one of"),
        (["staff", "create", "sue@x.org"], 2, "Missing option '--role'"),
        (["org", "burn"], 2, "No such command 'burn'"),
        (["serve", "--port", "99999999"], 2, "--port"),
    ],
)
def test_what_went_wrong_is_one_line_and_an_exit_status(run, arguments, exit_code, words):
    result = run(*arguments)
    assert result.exit_code == exit_code
    assert words in one_line(result)


def test_without_a_super_the_line_says_how_to_make_one(run):
    make_organisation("acme")
    result = run("token", "list")
    assert result.exit_code == 1
    assert "flask staff create EMAIL --role super --org acme" in one_line(result)


def test_without_tables_the_line_says_how_to_make_them(settings, tmp_path):
    if settings.database_url.startswith("sqlite"):
        empty = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    else:
        # A schema that does not exist has no tables, and the others stay as they are.
        empty = f"{settings.database_url}&options=-csearch_path%3Dnowhere"
    app = create_app(dataclasses.replace(settings, database_url=empty))
    result = app.test_cli_runner().invoke(args=["org", "list"])
    assert result.exit_code == 1
    assert "flask db upgrade" in one_line(result)


def test_a_token_can_be_revoked_by_its_number(run):
    make_staff(Role.SUPER, make_organisation(), email="boss@x.org")
    token = json.loads(run("token", "create", "A", "--staff", "boss@x.org", "--json").output)
    assert run("token", "revoke", str(token["id"])).exit_code == 0
    assert find_token(token["token"]) is None
    assert "revoked" in run("token", "list").output
    assert run("token", "revoke", "99").exit_code == 1


def test_somebody_deactivated_can_not_log_in(run):
    organisation = make_organisation()
    make_staff(Role.SUPER, organisation)
    make_staff(Role.STAFF, organisation, email="jo@x.org")
    assert run("staff", "deactivate", "jo@x.org").exit_code == 0
    db.session.expire_all()
    assert not db.session.scalar(sa.select(StaffMember.active).filter_by(email="jo@x.org"))


def test_serving_needs_a_secret_key(settings):
    with click.Context(click.Command("flask")).scope():
        app = create_app(dataclasses.replace(settings, secret_key=None))
    result = app.test_cli_runner().invoke(args=["serve"])
    assert result.exit_code == 1
    assert "SECRET_KEY is not set" in one_line(result)
