"""The flask commands: each calls the verb that the browser and the API call too."""

from flask import Flask

from rollcall.cli.audience import audience_commands
from rollcall.cli.campaign import campaign_commands
from rollcall.cli.message import message_commands
from rollcall.cli.scheduler import scheduler_commands

GROUPS = (audience_commands, campaign_commands, message_commands, scheduler_commands)


def register(app: Flask) -> None:
    """Add every command group to the application."""
    for group in GROUPS:
        app.cli.add_command(group)
