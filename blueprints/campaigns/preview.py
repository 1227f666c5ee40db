"""What follows the form while it is filled in. Nothing here stores anything of the campaign."""

from flask import current_app, render_template, request
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from blueprints.campaigns.form import read_values
from blueprints.campaigns.form_page import (
    event_context,
    exclusion_context,
    people_context,
    preview_context,
    segment_context,
)
from blueprints.campaigns.form_picking import add_missing
from blueprints.campaigns.form_values import FormValues
from blueprints.campaigns.pages import pages

AUDIENCE_CHANGED = {"HX-Trigger-After-Swap": "audience-changed"}


@pages.post("/preview")
@staff_only
def preview() -> ResponseReturnValue:
    """Return the preview of the form as it stands, also where that is wrong or unfinished."""
    values = read_values(request.form, current_staff().organisation)
    return render_template("campaigns/_live.html", **preview_context(values))


@pages.post("/form/events")
@staff_only
def find_events() -> ResponseReturnValue:
    """Return the events to choose from: the chosen ones and those that the search finds."""
    values = read_values(request.form, current_staff().organisation)
    return render_template("campaigns/_events.html", errors={}, **event_context(values))


@pages.post("/form/segments")
@staff_only
def find_segments() -> ResponseReturnValue:
    """Return the segments to choose from: the chosen one and those that the search finds."""
    values = read_values(request.form, current_staff().organisation)
    return render_template("campaigns/_segments.html", errors={}, **segment_context(values))


@pages.post("/form/exclusions")
@staff_only
def find_exclusions() -> ResponseReturnValue:
    """Return whom to leave out: what is chosen and what the search finds."""
    values = read_values(request.form, current_staff().organisation)
    return render_template("campaigns/_exclusions.html", errors={}, **exclusion_context(values))


@pages.post("/form/people")
@staff_only
def find_people() -> ResponseReturnValue:
    """Return the people picked so far and those that the search finds."""
    picking = request.form.get("action") == "pick"
    file = request.files.get("people_file") if picking else None
    values = read_values(request.form, current_staff().organisation, file)
    return _answer_people(values, picking)


@pages.post("/form/people/add")
@staff_only
def add_people() -> ResponseReturnValue:
    """Add those of the pasted list as people whose address is valid, and return who is picked."""
    values = read_values(request.form, current_staff().organisation)
    return _answer_people(add_missing(values, current_actor()), picking=True)


def _answer_people(values: FormValues, picking: bool) -> ResponseReturnValue:
    page = render_template(
        "campaigns/_people.html",
        errors={"people_file": values.file_problem} if values.file_problem else {},
        picking=picking,
        **people_context(values),
    )
    return current_app.make_response((page, AUDIENCE_CHANGED))
