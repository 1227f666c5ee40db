"""`flask serve`: the application, with its scheduler, as it is meant to be run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from wsgiref.types import WSGIApplication

import click
from flask import Flask, current_app, has_app_context
from flask.cli import with_appcontext
from waitress.server import BaseWSGIServer, MultiSocketServer, create_server

from rollcall import scheduler
from rollcall.accounts.lookups import list_organisations
from rollcall.cli.common import Failure, LoneCommand
from rollcall.config import ConfigError, Settings
from rollcall.extensions import db

MOST_UNFETCHED = 1024**3  # bytes of a download
NOBODY_YET = """There is no organisation yet. In another terminal, in this folder:
  . .venv/bin/activate
  flask org create "My Organisation" --country CA --timezone America/Toronto
  flask staff create you@example.org --role super"""


@click.command("serve", cls=LoneCommand)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 256))
@with_appcontext
def serve(host: str, port: int, threads: int) -> None:
    """Serve pages and API until SIGTERM or Ctrl+C, and send what is due."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    greeting = "" if list_organisations() else NOBODY_YET
    serve_app(app, host, port, threads, greeting)


def serve_app(app: Flask, host: str, port: int, threads: int, greeting: str = "") -> None:
    """Serve until told to stop, with the scheduler where the settings say so.

    Ends the session, then prints the address and `greeting`. Raises ConfigError without
    SECRET_KEY, Failure where the port is taken.
    """
    settings: Settings = app.extensions["rollcall"]
    if not (settings.secret_key or settings.demo):
        raise ConfigError("SECRET_KEY is not set: set it to a long random text, and keep it")
    signal.signal(signal.SIGTERM, _stop_serving)
    if has_app_context():
        db.session.remove()  # what was read for the greeting must not stay open for months
    try:
        server = make_server(app, host, port, threads)
    except OSError as error:
        reason = error.strerror or error
        raise Failure(f"Can't listen at {host}:{port}: {reason}. Try another --port.") from error
    # A host name with several addresses has several sockets, all at the port that was asked for.
    actual_port = getattr(server, "effective_port", port)
    with _scheduler_running(app, settings):
        click.echo(f"Rollcall runs at http://{host}:{actual_port}/ (Ctrl+C stops it)")
        if greeting:
            click.echo(greeting)
        server.run()
    click.echo("Rollcall has stopped.")


def make_server(
    app: WSGIApplication, host: str, port: int, threads: int
) -> BaseWSGIServer | MultiSocketServer:
    """Return the web server, which lets no view wait for a slow reader with a transaction open.

    A download is taken from the database as fast as that gives it, and what the reader has not
    fetched yet is kept in a temporary file: else waitress makes the view wait after 16 MB.
    """
    return create_server(
        app,
        host=host,
        port=port,
        threads=threads,
        ident=None,
        outbuf_high_watermark=MOST_UNFETCHED,
    )


@contextmanager
def _scheduler_running(app: Flask, settings: Settings) -> Iterator[None]:
    """Look for due campaigns meanwhile, where the settings say so."""
    if not settings.scheduler:
        yield
        return
    running = scheduler.start(app)
    try:
        yield
    finally:
        running.stop()


def _stop_serving(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
