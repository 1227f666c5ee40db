"""`flask restore`: put a backup back, and afterwards let messages go out again."""

from dataclasses import asdict
from pathlib import Path

import click
from flask import current_app

from rollcall.cli.common import CommandGroup, acting, acting_options, emit, json_option
from rollcall.monitoring.backup import restore_backup
from rollcall.sending.installation import (
    confirm_restored,
    installation_document,
    may_send,
)


class RestoreGroup(CommandGroup):
    """Takes what is no command of its own as the file to restore: `flask restore FILE`."""

    unnamed = "file"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command's name before the file."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [self.unnamed, *args]
        return super().parse_args(ctx, args)


@click.group("restore", cls=RestoreGroup, subcommand_metavar="FILE | COMMAND [ARGS]...")
def restore_commands() -> None:
    """Put a backup back; afterwards see what is held, and let messages go out again."""


@restore_commands.command("file")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def restore_file(file: Path, as_json: bool) -> None:
    """Put the backup FILE in the place of the database, and hold all messages.

    Rollcall must be stopped. The backup is checked and its tables are brought up to date first;
    the database until now is kept. A file called `status` or `confirm` is `./status`.
    """
    restored = restore_backup(current_app.extensions["rollcall"], file)
    kept = f"The database until now is kept as {restored.previous}." if restored.previous else ""
    updated = f"Its tables were brought up to date, from {restored.revision}."
    lines = [
        f"{file} was restored.",
        *([kept] if kept else []),
        *([updated] if restored.revision != restored.updated_to else []),
        restored.reason,
        "Start Rollcall, look at what was stopped, then: flask restore confirm",
    ]
    emit({"file": str(file), **asdict(restored)}, as_json, lines)


@restore_commands.command("status")
@json_option
def status(as_json: bool) -> None:
    """Say whether messages may go out, and else why not."""
    # A look of its own, so that nobody is told "yes" before the scheduler has looked.
    may_send(current_app.extensions["rollcall"])
    _say(as_json)


@restore_commands.command("confirm")
@acting_options
@json_option
def confirm(org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Let messages go out again (a super only); campaigns that were stopped stay stopped."""
    settings = current_app.extensions["rollcall"]
    actor = acting(org_slug, as_email)
    may_send(settings)
    confirm_restored(actor, settings)
    _say(as_json)


def _say(as_json: bool) -> None:
    document = installation_document()
    lines = ["Messages may go out."]
    if document["held_at"]:
        lines = [document["held_reason"], "Confirm with: flask restore confirm"]
    emit(document, as_json, lines)
