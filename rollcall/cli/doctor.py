"""`flask doctor`: what is wrong with this installation, and how to mend it."""

import click
from flask import current_app
from flask.cli import with_appcontext

from rollcall.cli.common import LoneCommand, emit, json_option
from rollcall.monitoring.doctor import examine


@click.command("doctor", cls=LoneCommand)
@json_option
@with_appcontext
def doctor(as_json: bool) -> None:
    """Look for what is wrong; the exit status is 1 where something must be mended."""
    found = examine(current_app.extensions["rollcall"])
    emit(
        {"healthy": found.healthy, "lines": [line.to_json() for line in found.lines]},
        as_json,
        map(str, found.lines),
    )
    if not found.healthy:
        raise click.exceptions.Exit(1)
