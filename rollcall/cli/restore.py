"""`flask restore`: after a backup was put back, whether messages may go out again."""

from flask import current_app

from rollcall.cli.common import acting, acting_options, command_group, emit, json_option
from rollcall.sending.installation import (
    confirm_restored,
    installation_document,
    may_send,
)


@command_group("restore")
def restore_commands() -> None:
    """After a backup was put back: see what is held, let messages go out again."""


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
