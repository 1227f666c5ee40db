"""Events: who attends, from which source, and how their number grew."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from blueprints.addresses import read_id
from rollcall import clock
from rollcall.campaigns.event_holds import (
    Holding,
    cancel_event,
    edit_event,
    find_holding,
    reopen_event,
)
from rollcall.campaigns.listing import list_campaigns_of_event
from rollcall.charts import Moment, draw_audience_pair
from rollcall.errors import InvalidInput
from rollcall.events.attendance import AttendanceReport, cancel_attendance, record_attendance
from rollcall.events.attendees import list_attendees
from rollcall.events.figures import attendance_curve, count_heads
from rollcall.events.records import EventDraft, create_event, list_events
from rollcall.lookups import find_event
from rollcall.models import Event, Source
from rollcall.people.search import search_people
from rollcall.plans.figures import list_warnings
from rollcall.plans.records import find_plan
from rollcall.walltime import known_timezones

pages = Blueprint("events", __name__, url_prefix="/events")

ATTENDEES_SHOWN = 25
PEOPLE_SHOWN = 10


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """List the events with their head counts, the latest first."""
    cursor = request.args.get("cursor")
    page = list_events(current_actor().organisation_id, cursor)
    next_url = url_for("events.index", cursor=page.next_cursor) if page.next_cursor else None
    return render_template("events/index.html", lines=page.rows, cursor=cursor, next_url=next_url)


@pages.get("/new")
@staff_only
def new() -> ResponseReturnValue:
    """Show the form for a new event."""
    return _form(None, {"timezone": current_staff().organisation.timezone})


@pages.post("/new")
@staff_only
def create() -> ResponseReturnValue:
    """Create an event."""
    try:
        event_id = create_event(current_actor(), _read_draft())
    except InvalidInput as error:
        return _form(None, request.form, error.fields), 422
    slug = find_event(current_actor().organisation_id, event_id).slug
    flash("Created. Now let its people come in: by a file, or one by one.", "success")
    return redirect(url_for("events.show", slug=slug))


@pages.get("/<slug>")
@staff_only
def show(slug: str) -> ResponseReturnValue:
    """Show an event: its head count, how it grew, its campaigns and its people."""
    event = _find(slug)
    plan = find_plan(event.organisation_id, event.id)
    cursor = request.args.get("cursor")
    page = list_attendees(event, cursor, ATTENDEES_SHOWN)
    following = url_for("events.show", slug=slug, cursor=page.next_cursor, _anchor="people")
    return render_template(
        "events/show.html",
        event=event,
        heads=count_heads([event.id])[event.id],
        plan=plan,
        plan_warnings=list_warnings(plan),
        charts=_draw_growth(event),
        campaigns=list_campaigns_of_event(event),
        holding=find_holding(event),
        attendees=page.rows,
        cursor=cursor,
        next_url=following if page.next_cursor else None,
    )


@pages.get("/<slug>/edit")
@staff_only
def edit(slug: str) -> ResponseReturnValue:
    """Show the form with what is known of an event."""
    event = _find(slug)
    return _form(event, _values_of(event))


@pages.post("/<slug>/edit")
@staff_only
def save(slug: str) -> ResponseReturnValue:
    """Change what is known of an event."""
    event = _find(slug)
    try:
        holding = edit_event(current_actor(), event.id, _read_draft())
    except InvalidInput as error:
        return _form(event, request.form, error.fields), 422
    return _changed(slug, "Saved.", holding)


@pages.post("/<slug>/cancel")
@staff_only
def call_off(slug: str) -> ResponseReturnValue:
    """Mark the event as cancelled and hold its campaigns."""
    holding = cancel_event(current_actor(), _find(slug).id)
    return _changed(slug, "The event is marked as cancelled.", holding)


@pages.post("/<slug>/reopen")
@staff_only
def reopen(slug: str) -> ResponseReturnValue:
    """Let a cancelled event take place after all."""
    holding = reopen_event(current_actor(), _find(slug).id)
    return _changed(slug, "The event takes place after all.", holding)


def _changed(slug: str, told: str, holding: Holding) -> ResponseReturnValue:
    said = holding.sentence()
    flash(f"{told} {said}".strip(), "warning" if said else "success")
    return redirect(url_for("events.show", slug=slug))


@pages.get("/<slug>/attendance")
@staff_only
def attendance(slug: str) -> ResponseReturnValue:
    """Search people who are known, or write down somebody new, to record that they attend."""
    return _attendance_page(_find(slug))


@pages.post("/<slug>/attendance")
@staff_only
def record(slug: str) -> ResponseReturnValue:
    """Record that one person attends: somebody known by number, or somebody described."""
    event = _find(slug)
    form = request.form
    try:
        source = _read_source(form.get("source", ""))
        row = _read_person_id(form["person"]) if "person" in form else _described(form)
        report = record_attendance(current_actor(), event.id, [row], source)
        _refuse_rejected(report)
    except InvalidInput as error:
        return _attendance_page(event, form, error.fields), 422
    flash(_say_recorded(report), "success")
    return redirect(url_for("events.show", slug=slug))


@pages.post("/<slug>/attendance/cancel")
@staff_only
def cancel(slug: str) -> ResponseReturnValue:
    """Let one attendance no longer count."""
    event = _find(slug)
    form = request.form
    status = form.get("status", "")
    cancel_attendance(
        current_actor(),
        event.id,
        _read_person_id(form.get("person")),
        status,
        _read_source(form.get("source", "")),
    )
    flash(f"Marked as {status}: it does not count as attendance any more.", "success")
    return redirect(url_for("events.show", slug=slug, _anchor="people"))


def _find(slug: str) -> Event:
    return find_event(current_actor().organisation_id, slug)


def _form(event: Event | None, values: Any, errors: dict[str, str] | None = None) -> str:
    return render_template(
        "events/edit.html",
        event=event,
        holding=find_holding(event) if event else None,
        values=values,
        errors=errors or {},
        timezones=sorted(known_timezones()),
    )


def _read_draft() -> EventDraft:
    form = request.form
    return EventDraft(
        name=form.get("name", ""),
        starts=form.get("starts", ""),
        ends=form.get("ends", ""),
        timezone=form.get("timezone", ""),
        slug=form.get("slug", ""),
        venue=form.get("venue", ""),
        city=form.get("city", ""),
        starts_choice=form.get("starts_choice") or None,
        ends_choice=form.get("ends_choice") or None,
    )


def _values_of(event: Event) -> dict[str, str]:
    zone = ZoneInfo(event.timezone)
    starts, ends = event.starts_at.astimezone(zone), event.ends_at.astimezone(zone)
    return {
        "name": event.name,
        "slug": event.slug,
        "timezone": event.timezone,
        "venue": event.venue,
        "city": event.city,
        "starts": _typed(starts),
        "ends": _typed(ends),
        "starts_choice": _which(starts),
        "ends_choice": _which(ends),
    }


def _typed(local: datetime) -> str:
    """Return the time as a form has it; with its seconds, since to save must move nothing."""
    return f"{local:%Y-%m-%dT%H:%M:%S}".removesuffix(":00")


def _which(local: datetime) -> str:
    """Return which of two equal wall-clock times this is; nothing where there is only one."""
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return ""
    return "later" if local.fold else "earlier"


def _draw_growth(event: Event) -> Any:
    points = [(point.at, point.people) for point in attendance_curve(event.id)]
    if not points:
        return None
    moments = []
    if points[0][0] <= event.starts_at <= clock.now():
        level = max((people for at, people in points if at <= event.starts_at), default=0)
        moments.append(Moment(event.starts_at, "Event starts", level))
    return draw_audience_pair(points, moments, zone=event.timezone)


def _attendance_page(event: Event, values: Any = None, errors: Any = None) -> str:
    text = request.args.get("q", "").strip()
    organisation_id = current_actor().organisation_id
    found = search_people(organisation_id, text, limit=PEOPLE_SHOWN).rows if text else []
    return render_template(
        "events/attendance.html",
        event=event,
        text=text,
        people=found,
        values=values or {"source": Source.REGISTRATION.key},
        errors=errors or {},
    )


def _described(form: Any) -> dict[str, str]:
    names = ("phone", "email", "first_name", "last_name")
    return {name: form.get(name, "") for name in names}


def _read_source(key: str) -> Source:
    try:
        return Source.from_key(key)
    except KeyError:
        raise InvalidInput({"source": "Choose registration or QR scan."}) from None


def _read_person_id(text: str | None) -> int:
    person_id = read_id(text)
    if person_id is None:
        raise InvalidInput({"person": "Choose a person from the list."})
    return person_id


def _refuse_rejected(report: AttendanceReport) -> None:
    if report.rejected:
        raise InvalidInput({"phone": report.rejected[0].reason})


def _say_recorded(report: AttendanceReport) -> str:
    if report.added:
        return "Recorded." + (" They are new here." if report.people_added else "")
    if report.restored:
        return "Recorded: they had cancelled and count again."
    return "They were recorded already; nothing changed."
