"""`flask demo`: the demo organisation, and the story that plays while somebody watches."""

import os
import threading
from datetime import timedelta
from pathlib import Path

import click
import sqlalchemy as sa
from flask import Flask, current_app

from rollcall import clock
from rollcall.cli.common import Failure, command_group
from rollcall.cli.serve import serve_app
from rollcall.config import Settings
from rollcall.demo.arrivals import start_arrivals
from rollcall.demo.story import EMAIL, PASSWORD, Story, find_story, load_story
from rollcall.extensions import db
from rollcall.models import Campaign, CampaignState, Organisation

SECONDS_UNTIL_SENDING = 60.0
THE_STORY = timedelta(hours=1)  # what is scheduled later is there to be looked at


@command_group("demo")
def demo_commands() -> None:
    """Show Rollcall with invented people."""


@demo_commands.command("run")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535))
def run(host: str, port: int) -> None:
    """Load the demo where it is not loaded yet, let people arrive, and serve it."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    seconds = SECONDS_UNTIL_SENDING / _speed()
    _refuse_beside_real_data()
    story = find_story()
    if story is None:
        click.echo("Loading the demo organisation …")
        story = load_story(seconds)
    stop = threading.Event()
    if _still_to_come(story):
        start_arrivals(app, story, seconds * 0.85, stop)
        told = f"In about {seconds:.0f} seconds two campaigns go out by themselves."
    else:
        told = "The two campaigns have gone out; `make demo-reset` starts the story over."
    try:
        serve_app(app, host, port, 8, greeting=f"Log in as {EMAIL} with {PASSWORD}\n{told}")
    finally:
        stop.set()


@demo_commands.command("reset")
def reset() -> None:
    """Delete the demo's database and outbox, so that the story can start over."""
    _refuse_beside_real_data()
    settings: Settings = current_app.extensions["rollcall"]
    if not settings.database_url.startswith("sqlite:///"):
        raise Failure("Only the embedded database is reset; drop and create yours by hand.")
    db.session.remove()
    db.engine.dispose()
    database = Path(settings.database_url.removeprefix("sqlite:///"))
    for path in (database, settings.outbox_path):
        for left in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            left.unlink(missing_ok=True)
    click.echo("The demo is gone; `make demo` loads it again.")


def _refuse_beside_real_data() -> None:
    # Whoever has begun real work must not find invented people in it, or lose it.
    if not sa.inspect(db.engine).has_table("organisation"):
        return
    real = db.session.scalar(sa.select(Organisation.name).where(Organisation.is_demo.is_(False)))
    if real is not None:
        raise Failure(
            f"This database holds {real}, which is not the demo. "
            "Set DATABASE_URL to another database for the demo."
        )


def _still_to_come(story: Story) -> bool:
    return bool(
        db.session.scalar(
            sa.select(sa.func.count(Campaign.id)).where(
                Campaign.organisation_id == story.actor.organisation_id,
                Campaign.state == CampaignState.SCHEDULED,
                Campaign.scheduled_at < clock.now() + THE_STORY,
            )
        )
    )


def _speed() -> float:
    text = os.environ.get("DEMO_SPEED") or "1"
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= 100:
        raise Failure(f"DEMO_SPEED must be a number from 0.1 to 100, not {text!r}.")
    return speed
