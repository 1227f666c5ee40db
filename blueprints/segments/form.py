"""The segment form: who belongs to it is chosen as in the campaign form, by the same fields."""

from dataclasses import dataclass, replace
from typing import Any

from flask import render_template
from werkzeug.datastructures import FileStorage, MultiDict

from blueprints.access import current_staff
from blueprints.campaigns.form import criteria_values, draft_of, read_values
from blueprints.campaigns.form_page import (
    FIELD_IDS,
    event_context,
    exclusion_context,
    in_page_order,
    people_context,
)
from blueprints.campaigns.form_values import FormValues
from rollcall.audience.criteria import Criteria
from rollcall.audience.criteria.criterion import Way
from rollcall.audience.resolved import resolve
from rollcall.campaigns.draft_preview import AUDIENCE_FIELDS
from rollcall.campaigns.segment_usage import count_scheduled
from rollcall.errors import InvalidInput
from rollcall.models import Organisation, Segment, SegmentKind
from rollcall.segments.members import count_people
from rollcall.segments.records import SegmentDraft, current_draft

READ_FIELDS = AUDIENCE_FIELDS | {"pasted", "people_file"}


@dataclass(frozen=True)
class SegmentForm:
    """Every field as the page shows it; texts stay as they were typed."""

    values: FormValues
    slug: str = ""

    @property
    def by_list(self) -> bool:
        """Return whether the people are picked, and not given by rules."""
        return self.values.mode == "people"


@dataclass(frozen=True)
class FormPreview:
    """Who would belong to it now: None while that is not chosen or can't be read."""

    people: int | None
    sentence: str
    problems: dict[str, str]


def form_of(segment: Segment) -> SegmentForm:
    """Return the form of a segment; a damaged definition has to be chosen again."""
    try:
        draft = current_draft(segment)
    except InvalidInput:
        draft = SegmentDraft(segment.name, Criteria())
    criteria = draft.criteria or Criteria(people=draft.people)
    chosen = criteria_values(criteria)
    return SegmentForm(FormValues(name=segment.name, version=segment.version, **chosen))


def read_form(
    form: MultiDict[str, str],
    organisation: Organisation,
    segment: Segment | None = None,
    file: FileStorage | None = None,
) -> SegmentForm:
    """Return the form as it was sent, with `file` as the CSV of people that came with it."""
    values = read_values(form, organisation, file)
    by_list = values.mode == "people"
    if segment is not None:
        by_list = segment.kind == SegmentKind.STATIC
    # A segment is built on no other one.
    mode: Way = "people" if by_list else "events"
    values = replace(values.with_chosen(exclude_segments=()), mode=mode)
    return SegmentForm(values, form.get("slug", "").replace("\0", ""))


def segment_draft(form: SegmentForm) -> SegmentDraft:
    """Return the draft that the form means; what can't be read is named in its problems."""
    read = draft_of(form.values)
    problems = {name: text for name, text in read.problems.items() if name in READ_FIELDS}
    if form.by_list:
        people = form.values["people"]
        return SegmentDraft(form.values.name, people=people, slug=form.slug, problems=problems)
    # Each campaign has an anti-spam window of its own.
    criteria = replace(read.criteria, window_hours=0)
    return SegmentDraft(form.values.name, criteria, slug=form.slug, problems=problems)


def preview_form(form: SegmentForm) -> FormPreview:
    """Return who would belong to the segment now; nothing is stored."""
    organisation_id = current_staff().organisation_id
    draft = segment_draft(form)
    if draft.people is not None:
        people = len(draft.people) or None
        return FormPreview(people, "A list of people, picked by hand", dict(draft.problems))
    criteria = draft.criteria or Criteria()
    if draft.problems:
        return FormPreview(None, "", dict(draft.problems))
    known = resolve(organisation_id, criteria)
    try:
        people = count_people(organisation_id, criteria, known)
    except InvalidInput as error:
        return FormPreview(None, "", error.fields)
    return FormPreview(people, known.say(criteria), {})


def preview_context(form: SegmentForm) -> dict[str, Any]:
    """Return what the preview beside the form is rendered with."""
    preview = preview_form(form)
    # Nothing chosen yet is no mistake.
    nothing = {name for name in ("events", "people") if not form.values[name]}
    unfinished = {name: text for name, text in preview.problems.items() if name not in nothing}
    return {"values": form.values, "preview": preview, "unfinished": in_page_order(unfinished)}


def exclusions_of(form: SegmentForm) -> dict[str, Any]:
    """Return whom the form offers to leave out: everything but segments."""
    context = exclusion_context(form.values)
    return {**context, "exclusions": replace(context["exclusions"], segments=[])}


def render_form(
    form: SegmentForm,
    segment: Segment | None = None,
    *,
    errors: dict[str, str] | None = None,
    problem: str | None = None,
) -> str:
    """Return the whole page; `problem` is a sentence about the segment as a whole."""
    context = event_context(form.values) | people_context(form.values) | exclusions_of(form)
    return render_template(
        "segments/edit.html",
        segment=segment,
        form=form,
        errors=in_page_order(errors or {}),
        problem=problem,
        field_ids=FIELD_IDS,
        scheduled=count_scheduled([segment.id])[segment.id] if segment else 0,
        **context | preview_context(form),
    )
