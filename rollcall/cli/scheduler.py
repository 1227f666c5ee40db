"""`flask scheduler`: only the scheduler, without the web server."""

import signal
import threading

import click
from flask import current_app
from flask.app import Flask

from rollcall.cli.common import command_group
from rollcall.scheduler import start


@command_group("scheduler")
def scheduler_commands() -> None:
    """Run what is due."""


@scheduler_commands.command("run")
def run() -> None:
    """Look for due campaigns in the foreground until told to stop (SIGINT, SIGTERM)."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    scheduler = start(app)
    click.echo("Looking for due campaigns; Ctrl-C to stop.")
    stop.wait()
    scheduler.stop()
