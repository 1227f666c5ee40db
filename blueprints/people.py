"""People: found, added, edited, blocked, opted out, and explained."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from rollcall.audience.rfm import compute_rfm
from rollcall.errors import Conflict, InvalidInput
from rollcall.explanations.explain import explain_campaign, list_past, list_planned
from rollcall.models import Channel
from rollcall.people.consent import opt_in_person, opt_out_person
from rollcall.people.details import PERSON_FIELDS, PersonDraft
from rollcall.people.profile import person_profile
from rollcall.people.records import (
    add_person,
    block_person,
    edit_person,
    find_person,
    unblock_person,
)
from rollcall.people.search import search_people
from rollcall.walltime import known_timezones

pages = Blueprint("people", __name__, url_prefix="/people")

CHANNEL_WORDS = {Channel.SMS: "texts", Channel.EMAIL: "e-mails"}


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """Search people by the beginning of a name, a phone or an e-mail address."""
    text = request.args.get("q", "").strip()
    cursor = request.args.get("cursor")
    page = search_people(current_actor().organisation_id, text, cursor)
    following = url_for("people.index", q=text or None, cursor=page.next_cursor)
    return render_template(
        "people/index.html",
        people=page.rows,
        text=text,
        first_url=url_for("people.index", q=text or None) if cursor else None,
        next_url=following if page.next_cursor else None,
    )


@pages.get("/new")
@staff_only
def new() -> ResponseReturnValue:
    """Show the form for a new person."""
    return _form()


@pages.post("/new")
@staff_only
def create() -> ResponseReturnValue:
    """Add a person."""
    try:
        person_id = add_person(current_actor(), _read_draft())
    except InvalidInput as error:
        return _form(errors=error.fields), 422
    except Conflict as error:
        return _form(conflict=str(error)), 409
    flash("Added.", "success")
    return redirect(url_for("people.show", person_id=person_id))


@pages.get("/<int:person_id>")
@staff_only
def show(person_id: int) -> ResponseReturnValue:
    """Show everything known of a person, and whether they would get a campaign."""
    return _profile_page(person_id)


@pages.get("/<int:person_id>/edit")
@staff_only
def edit(person_id: int) -> ResponseReturnValue:
    """Show the form with what is known of a person."""
    return _form(person_id)


@pages.post("/<int:person_id>/edit")
@staff_only
def save(person_id: int) -> ResponseReturnValue:
    """Change what is known of a person."""
    try:
        edit_person(current_actor(), person_id, _read_draft())
    except InvalidInput as error:
        return _form(person_id, error.fields), 422
    flash("Saved.", "success")
    return redirect(url_for("people.show", person_id=person_id))


@pages.post("/<int:person_id>/block")
@staff_only
def block(person_id: int) -> ResponseReturnValue:
    """Let nothing be sent to a person any more."""
    try:
        block_person(current_actor(), person_id, request.form.get("reason", ""))
    except InvalidInput as error:
        return _profile_page(person_id, error.fields), 422
    flash("Blocked: no campaign reaches them until somebody unblocks them.", "success")
    return redirect(url_for("people.show", person_id=person_id))


@pages.post("/<int:person_id>/unblock")
@staff_only
def unblock(person_id: int) -> ResponseReturnValue:
    """Let messages go to a person again."""
    unblock_person(current_actor(), person_id)
    flash("Unblocked. Where they opted out, that stays.", "success")
    return redirect(url_for("people.show", person_id=person_id))


@pages.post("/<int:person_id>/opt-out")
@staff_only
def opt_out(person_id: int) -> ResponseReturnValue:
    """Opt a person's address out of a channel."""
    channel = _read_channel()
    changed = opt_out_person(current_actor(), person_id, channel, "staff")
    flash(_say_changed(changed, f"opted out of {CHANNEL_WORDS[channel]}"), "success")
    return redirect(url_for("people.show", person_id=person_id))


@pages.post("/<int:person_id>/opt-in")
@staff_only
def opt_in(person_id: int) -> ResponseReturnValue:
    """Opt a person's address in to a channel again, because they asked for it."""
    channel = _read_channel()
    if request.form.get("asked") != "1":
        wrong = {f"asked_{channel}": "Tick this only if they asked for messages again."}
        return _profile_page(person_id, wrong), 422
    changed = opt_in_person(current_actor(), person_id, channel, "staff")
    flash(_say_changed(changed, f"opted in to {CHANNEL_WORDS[channel]} again"), "success")
    return redirect(url_for("people.show", person_id=person_id))


@pages.get("/scores")
@staff_only
def scores() -> ResponseReturnValue:
    """Explain the RFM scores and offer to compute them."""
    return render_template("people/scores.html")


@pages.post("/scores")
@staff_only
def compute_scores() -> ResponseReturnValue:
    """Compute everybody's RFM scores from their purchases."""
    scored = compute_rfm(current_actor())
    flash(f"Computed the scores of {scored:,} {'person' if scored == 1 else 'people'}.", "success")
    return redirect(url_for("people.scores"))


def _profile_page(person_id: int, errors: dict[str, str] | None = None) -> str:
    organisation_id = current_actor().organisation_id
    profile = person_profile(organisation_id, person_id)
    asked = read_id(request.args.get("campaign"))
    return render_template(
        "people/show.html",
        profile=profile,
        person=profile.person,
        facts=profile.facts,
        planned=list_planned(organisation_id),
        past=list_past(organisation_id, person_id),
        asked=asked,
        explanation=explain_campaign(organisation_id, asked, person_id) if asked else None,
        errors=errors or {},
    )


def _form(
    person_id: int | None = None,
    errors: dict[str, str] | None = None,
    conflict: str | None = None,
) -> str:
    person = find_person(current_actor().organisation_id, person_id) if person_id else None
    values: Any = request.form if request.method == "POST" else person
    return render_template(
        "people/edit.html",
        person=person,
        values={name: _value(values, name) for name in PERSON_FIELDS},
        errors=errors or {},
        conflict=conflict,
        timezones=sorted(known_timezones()),
    )


def _value(values: Any, name: str) -> str:
    found = values.get(name) if hasattr(values, "get") else getattr(values, name, "")
    return found or ""


def _read_draft() -> PersonDraft:
    return PersonDraft(**{name: request.form.get(name, "") for name in PERSON_FIELDS})


def _read_channel() -> Channel:
    try:
        return Channel(request.form.get("channel", ""))
    except ValueError:
        raise InvalidInput({"channel": "Choose sms or email."}) from None


def _say_changed(people: int, what: str) -> str:
    if people == 0:
        return f"They were {what} already."
    others = f", with {people - 1:,} more who share the address" if people > 1 else ""
    return f"Now {what}{others}."
