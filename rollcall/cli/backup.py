"""`flask backup`: the whole database in one file."""

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from rollcall.cli.common import LoneCommand, emit, json_option
from rollcall.monitoring.backup import take_backup


@click.command("backup", cls=LoneCommand)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace FILE where it is there already.")
@json_option
@with_appcontext
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Write the whole database to FILE, checked, also while Rollcall is serving and sending."""
    size = take_backup(current_app.extensions["rollcall"], file, replace=force)
    emit(
        {"file": str(file), "bytes": size},
        as_json,
        f"{file} holds the database as it was just now ({size:,} bytes), and is sound.",
    )
