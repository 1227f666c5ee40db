"""Writing a segment: the form, and what follows it while it is filled in."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from blueprints.campaigns.form_picking import add_missing
from blueprints.campaigns.form_values import FormValues
from blueprints.segments.form import (
    SegmentForm,
    exclusions_of,
    form_of,
    preview_context,
    read_form,
    render_form,
    segment_draft,
)
from blueprints.segments.pages import pages
from rollcall.errors import Conflict, InvalidInput
from rollcall.models import Segment
from rollcall.segments.records import create_segment, edit_segment, find_segment


@pages.get("/new")
@staff_only
def new() -> ResponseReturnValue:
    """Show an empty form."""
    return render_form(SegmentForm(FormValues()))


@pages.post("/new")
@staff_only
def create() -> ResponseReturnValue:
    """Store a new segment, or show the form again with its preview."""
    return _submit(None)


@pages.get("/<segment_key>/edit")
@staff_only
def edit(segment_key: str) -> ResponseReturnValue:
    """Show the form with what the live version says."""
    segment = find_segment(current_actor().organisation_id, segment_key)
    return render_form(form_of(segment), segment)


@pages.post("/<segment_key>/edit")
@staff_only
def save(segment_key: str) -> ResponseReturnValue:
    """Store what was changed, as a new version where others belong to it."""
    return _submit(find_segment(current_actor().organisation_id, segment_key))


@pages.post("/preview")
@staff_only
def preview() -> ResponseReturnValue:
    """Return who would belong to the segment as the form stands."""
    form = read_form(request.form, current_staff().organisation)
    return render_template("segments/_preview.html", **preview_context(form))


@pages.post("/form/exclusions")
@staff_only
def find_exclusions() -> ResponseReturnValue:
    """Return whom to leave out: what is chosen and what the search finds."""
    form = read_form(request.form, current_staff().organisation)
    return render_template("campaigns/_exclusions.html", errors={}, **exclusions_of(form))


def _submit(segment: Segment | None) -> ResponseReturnValue:
    file = request.files.get("people_file")
    form = read_form(request.form, current_staff().organisation, segment, file)
    action = request.form.get("action", "save")
    if action == "add":
        form = SegmentForm(add_missing(form.values, current_actor()), form.slug)
    if action != "save":
        return render_form(form, segment, errors=preview_context(form)["unfinished"])
    try:
        slug = _store(form, segment)
    except InvalidInput as error:
        return render_form(form, segment, errors=error.fields), 422
    except Conflict as conflict:
        return render_form(form, segment, problem=str(conflict)), 409
    return redirect(url_for("segments.show", segment_key=slug))


def _store(form: SegmentForm, segment: Segment | None) -> str:
    """Store the segment and return its slug."""
    actor, draft = current_actor(), segment_draft(form)
    if segment is None:
        segment_id = create_segment(actor, draft)
        flash("Created. It is ready for campaigns; a snapshot keeps who is in it.", "success")
        return find_segment(actor.organisation_id, segment_id).slug
    slug, before = segment.slug, segment.version
    version = edit_segment(actor, segment.id, draft, form.values.version)
    said = "Saved." if version == before else f"Saved as version {version}."
    flash(f"{said} Scheduled campaigns keep their lists until you decide.", "success")
    return slug
