"""What every command shares: who acts, how results are printed, how errors are said.

A command group is made with `command_group("name")`; a command that acts for an organisation
takes `@acting_options` and calls `acting(org_slug, as_email)`; one that prints takes
`@json_option` and calls `emit(data, as_json, text)`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from rollcall.accounts.invitations import find_invitation
from rollcall.accounts.lookups import (
    find_first_super,
    find_organisation,
    find_staff_by_email,
    list_organisations,
)
from rollcall.actors import Actor, actor_for
from rollcall.audience.criteria.table import TABLE
from rollcall.config import ConfigError
from rollcall.errors import DomainError, InvalidInput, NotAllowed, NotFound
from rollcall.models import Organisation, Role, StaffMember

# What fields of the domain are called as options, where it is not simply their name.
OPTION_OF_FIELD = {
    "audience_mode": "--reprocess",
    "dry_run_address": "--dry-run",
    "force_snapshot": "--force",
    "local_time": "--at",
    "scheduled_local_time": "--at",
    "scheduled_timezone": "--timezone",
    "scopes": "--scope",
    "targeting_criteria": "--criteria",
    **{row.key: row.option.flag for row in TABLE},
}


class GroupedCommand(click.Command):
    """A command whose errors call a field by the option that was typed."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; InvalidInput names its options where it has them, else the fields."""
        try:
            return super().invoke(ctx)
        except InvalidInput as error:
            options = {name for parameter in self.params for name in parameter.opts}
            raise InvalidInput(
                {_option_of(field, options): text for field, text in error.fields.items()}
            ) from error


def _option_of(field: str, options: set[str]) -> str:
    option = OPTION_OF_FIELD.get(field, "--" + field.replace("_", "-"))
    return option if option in options else field


class CommandGroup(AppGroup):
    """A group of commands whose errors come out as one line on stderr and an exit status."""

    command_class = GroupedCommand

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see `errors_in_one_line` for what becomes of its errors."""
        with errors_in_one_line():
            return super().invoke(ctx)


def command_group(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], CommandGroup]:
    """Return a decorator that makes a CommandGroup; its commands run inside the app's context."""
    return click.group(name, cls=CommandGroup, **attributes)


class LoneCommand(click.Command):
    """A command outside any group, with the same manners about its errors."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments; see `errors_in_one_line`."""
        with errors_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see `errors_in_one_line`."""
        with errors_in_one_line():
            return super().invoke(ctx)


class Failure(click.ClickException):
    """It failed: one line on stderr, exit status 1."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class WrongUse(Failure):
    """It was asked for wrongly: one line on stderr, exit status 2."""

    exit_code = 2


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn what a person can mend into a Failure; a mistake in the code keeps its stack trace."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "flask"
        raise WrongUse(f"{error.format_message()} See {path} --help") from error
    except InvalidInput as error:
        raise WrongUse(str(error)) from error
    except (DomainError, ConfigError) as error:
        raise Failure(str(error)) from error
    except DBAPIError as error:
        raise Failure(_say_database_error(error)) from error


def acting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--org SLUG` and `--as EMAIL`, given to the command as `org_slug` and `as_email`."""
    command = click.option(
        "--as",
        "as_email",
        metavar="EMAIL",
        help="Who acts (default: the first super).",
    )(command)
    return click.option(
        "--org", "org_slug", metavar="SLUG", help="The organisation, where there are several."
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`, given to the command as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def page_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--limit` and `--cursor` of a long list of `what`, given as `limit` and `cursor`."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option(
            "--cursor", help="The next_cursor of the page before, as JSON gave it."
        )(command)
        return click.option(
            "--limit", default=50, show_default=True, help=f"How many {what} at most."
        )(command)

    return add


def acting(org_slug: str | None, as_email: str | None) -> Actor:
    """Return who acts: by default the first super of the only organisation.

    Raises InvalidInput when several organisations leave the choice open, NotFound for an
    unknown organisation or staff member, NotAllowed for somebody deactivated or when the
    organisation has no super yet.
    """
    if as_email is not None:
        return actor_for(_find_acting_staff(org_slug, as_email), "cli")
    organisation = choose_organisation(org_slug)
    first_super = find_first_super(organisation.id)
    if first_super is None:
        raise NotAllowed(
            f"{organisation.name} has no active super yet. Create one: "
            f"flask staff create EMAIL --role super --org {organisation.slug}"
        )
    return actor_for(first_super, "cli")


def acting_or_founding(org_slug: str | None, as_email: str | None) -> Actor:
    """Return who acts, or the command line itself for an organisation that has no super yet."""
    if as_email is None:
        organisation = choose_organisation(org_slug)
        if find_first_super(organisation.id) is None:
            return Actor(organisation.id, None, Role.SUPER, "cli")
    return acting(org_slug, as_email)


def choose_organisation(org_slug: str | None) -> Organisation:
    """Return the organisation by slug, or the only one there is."""
    if org_slug is not None:
        return find_organisation(org_slug)
    organisations = list_organisations()
    if not organisations:
        raise NotFound("There is no organisation yet. Create one: flask org create NAME")
    if len(organisations) > 1:
        slugs = ", ".join(organisation.slug for organisation in organisations)
        raise InvalidInput({"--org": f"There are several organisations; choose one of {slugs}."})
    return organisations[0]


def emit(data: Any, as_json: bool, text: str | Iterable[str]) -> None:
    """Print `data` as JSON, or `text` (one text or its lines) for people.

    In JSON, moments are ISO 8601 with Z and Decimals are texts.
    """
    if as_json:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=_to_plain))
        return
    for line in [text] if isinstance(text, str) else text:
        click.echo(line)


def emit_page(
    documents: Iterable[Any],
    next_cursor: str | None,
    as_json: bool,
    lines: Iterable[str],
    empty: str,
) -> None:
    """Print a page of a list, with the cursor of the next one; `empty` is said of no rows."""
    text = list(lines) or [empty]
    if next_cursor:
        text.append(f"There are more: --cursor {next_cursor}")
    emit({"data": list(documents), "next_cursor": next_cursor}, as_json, text)


def _find_acting_staff(org_slug: str | None, email: str) -> StaffMember:
    staff = find_staff_by_email(email)
    if staff is None or (org_slug is not None and staff.organisation.slug != org_slug):
        raise NotFound(f"There is no staff member {email} in this organisation.")
    if not staff.active:
        raise NotAllowed(f"{email} has been deactivated and can't act any more.")
    if find_invitation(staff) is not None:
        raise NotAllowed(f"{email} has not accepted the invitation yet and can't act.")
    return staff


def _say_database_error(error: DBAPIError) -> str:
    reason = (str(error.orig).strip() or "no reason given").splitlines()[0]
    if "no such table" in reason or "UndefinedTable" in type(error.orig).__name__:
        return "The database has no tables yet. Create them: flask db upgrade"
    return f"The database can't do this: {reason}"


def _to_plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
