"""What follows the form while it is filled in. Nothing here stores anything."""

from flask import current_app, render_template, request
from flask.typing import ResponseReturnValue

from blueprints.access import current_staff, staff_only
from blueprints.campaigns.form import read_values
from blueprints.campaigns.form_page import event_context, people_context, preview_context
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


@pages.post("/form/people")
@staff_only
def find_people() -> ResponseReturnValue:
    """Return the people picked so far and those that the search finds."""
    values = read_values(request.form, current_staff().organisation)
    page = render_template(
        "campaigns/_people.html",
        errors={},
        picking=request.form.get("action") == "pick",
        **people_context(values),
    )
    return current_app.make_response((page, AUDIENCE_CHANGED))
