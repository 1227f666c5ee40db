"""The flask commands: each calls the verb that the browser and the API call too."""

import click
from flask import Flask

from rollcall.cli import (
    campaign_trial,  # noqa: F401 (adds its commands to flask campaign)
    doubts,  # noqa: F401 (adds its command to flask campaign)
    event_changes,  # noqa: F401 (adds its commands to flask event)
    explain,  # noqa: F401 (adds its commands to flask campaign)
    rehearsals,  # noqa: F401 (adds its commands to flask campaign)
    segment_compare,  # noqa: F401 (adds its command to flask segment)
    staff_access,  # noqa: F401 (adds its commands to flask staff)
)
from rollcall.cli.alert import alert_commands
from rollcall.cli.audience import audience_commands
from rollcall.cli.audit import audit_commands
from rollcall.cli.backup import backup
from rollcall.cli.campaign import campaign_commands
from rollcall.cli.demo import demo_commands
from rollcall.cli.doctor import doctor
from rollcall.cli.event import event_commands
from rollcall.cli.inbox import inbox_commands
from rollcall.cli.message import message_commands
from rollcall.cli.notices import notices_commands
from rollcall.cli.org import org_commands
from rollcall.cli.people import people_commands, purchases_commands
from rollcall.cli.plan import plan_commands
from rollcall.cli.provider import provider_commands
from rollcall.cli.reference import write_reference
from rollcall.cli.restore import restore_commands
from rollcall.cli.rfm import rfm_commands
from rollcall.cli.scheduler import scheduler_commands
from rollcall.cli.segment import segment_commands
from rollcall.cli.serve import serve
from rollcall.cli.staff import staff_commands
from rollcall.cli.token import token_commands

COMMANDS = (
    alert_commands,
    audience_commands,
    audit_commands,
    backup,
    campaign_commands,
    demo_commands,
    doctor,
    event_commands,
    inbox_commands,
    message_commands,
    notices_commands,
    org_commands,
    people_commands,
    plan_commands,
    provider_commands,
    purchases_commands,
    restore_commands,
    rfm_commands,
    scheduler_commands,
    segment_commands,
    serve,
    staff_commands,
    token_commands,
)


@click.command("reference")
def reference() -> None:
    """Print the reference of all commands, as in docs/cli.md."""
    click.echo(write_reference(COMMANDS), nl=False)


def register(app: Flask) -> None:
    """Add every command to the application."""
    for command in COMMANDS:
        app.cli.add_command(command)
    app.cli.add_command(reference)
