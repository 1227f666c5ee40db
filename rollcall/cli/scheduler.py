"""`flask scheduler`: only the scheduler, without the web server."""

import signal

import click
from flask import current_app
from flask.app import Flask

from rollcall.cli.common import command_group
from rollcall.extensions import db
from rollcall.scheduler import start


@command_group("scheduler")
def scheduler_commands() -> None:
    """Run what is due."""


@scheduler_commands.command("run")
def run() -> None:
    """Look for due campaigns in the foreground until told to stop (SIGINT, SIGTERM).

    Told a second time, it ends at once, without waiting for what is on the wire.
    """
    asked = {signal.SIGINT, signal.SIGTERM}
    # Held back from all threads and waited for: a handler that sets an event may come while the
    # waiting thread holds the event's own lock, and then neither goes on.
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    db.session.remove()
    scheduler = start(app)
    click.echo("Looking for due campaigns; Ctrl-C to stop.")
    signal.sigwait(asked)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, asked)
    scheduler.stop()
