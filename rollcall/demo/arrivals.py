"""People arrive at the door by QR scan, a few at a time, while somebody watches."""

import threading
from collections.abc import Sequence

import sqlalchemy as sa
import structlog
from flask import Flask

from rollcall.demo.story import REGISTERED, SCANNED_UNTIL, Story
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.extensions import db, pause
from rollcall.models import Attendance, Channel, Source
from rollcall.people.consent import opt_out_person
from rollcall.people.records import block_person

log = structlog.get_logger()

STEP_SECONDS = 0.5


def start_arrivals(app: Flask, story: Story, seconds: float, stop: threading.Event) -> None:
    """Let everybody who has not come yet arrive within so many seconds, in the background."""
    threading.Thread(
        target=_arrive, args=(app, story, seconds, stop), name="arrivals", daemon=True
    ).start()


def _arrive(app: Flask, story: Story, seconds: float, stop: threading.Event) -> None:
    with app.app_context():
        try:
            _change_minds(story)
            waiting = _not_yet_there(story)
            steps = max(1, int(seconds / STEP_SECONDS))
            size = -(-len(waiting) // steps)
            while waiting and not stop.is_set():
                pause(STEP_SECONDS)
                arriving, waiting = waiting[:size], waiting[size:]
                record_attendance(story.actor, story.event_id, arriving, Source.QR_SCAN)
        except Exception:
            log.exception("arrivals stopped")
        finally:
            db.session.remove()


def _change_minds(story: Story) -> None:
    """Four of those who registered will not get the announcement, each for a reason."""
    first, second, third, fourth = story.people[10:14]
    for person_id in (first, second):
        opt_out_person(story.actor, person_id, Channel.SMS, "stop word")
    block_person(story.actor, third, "asked not to be contacted")
    cancel_attendance(story.actor, story.event_id, fourth, "cancelled")


def _not_yet_there(story: Story) -> Sequence[int]:
    there = set(
        db.session.scalars(
            sa.select(Attendance.person_id).where(
                Attendance.event_id == story.event_id, Attendance.source == Source.QR_SCAN
            )
        )
    )
    expected = [*story.people[40:60], *story.people[REGISTERED:SCANNED_UNTIL]]
    return [person_id for person_id in expected if person_id not in there]
