"""An event's plan in the browser: written, locked, put into production, amended, completed."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, staff_only
from blueprints.addresses import read_id
from blueprints.plan_form import (
    Rows,
    errors_by_id,
    rows_of_form,
    rows_of_plan,
    summary_of,
    with_new_row,
)
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.plans.amendments import amend_plan, list_amendments
from rollcall.plans.changes import Change, ItemAddition, ItemRemoval, NumbersChange, read_kind
from rollcall.plans.figures import compare_supplies, list_warnings
from rollcall.plans.items import ItemKind, number_text, say_quantity
from rollcall.plans.reading import fields_of, read_items
from rollcall.plans.records import (
    Plan,
    complete_plan,
    find_plan,
    lock_plan,
    set_plan,
    start_production,
    unlock_plan,
)
from rollcall.plans.side_by_side import items_beside
from rollcall.plans.states import is_plan_action_allowed, require_action
from rollcall.plans.words import FIELD_LABELS, say_amendment

pages = Blueprint("plans", __name__, url_prefix="/events/<slug>/plan")

AMENDMENTS_SHOWN = 20


@pages.get("")
@staff_only
def show(slug: str) -> ResponseReturnValue:
    """Show a plan: what is to be made, whether it is enough, what was amended, what comes next."""
    plan = _find(slug)
    supplies = compare_supplies(plan)
    cursor = request.args.get("cursor")
    page = list_amendments(plan.event.organisation_id, slug, cursor, AMENDMENTS_SHOWN)
    following = url_for("plans.show", slug=slug, cursor=page.next_cursor, _anchor="amendments")
    return render_template(
        "plans/show.html",
        plan=plan,
        kinds=list(ItemKind),
        beside={kind.value: items_beside(plan.planned, plan.items, kind) for kind in ItemKind},
        recipe_names={recipe.slug: recipe.name for recipe in plan.items.recipes},
        supplies=supplies,
        sentences={supply.good.slug: supply.sentence for supply in supplies},
        warnings=list_warnings(plan),
        amendments=[(row, say_amendment(plan, row)) for row in page.rows],
        cursor=cursor,
        next_url=following if page.next_cursor else None,
        quantity=say_quantity,
    )


@pages.get("/edit")
@staff_only
def edit(slug: str) -> ResponseReturnValue:
    """Show the form with what a draft holds."""
    plan = _find(slug)
    refusal = _refuse("edit", plan)
    return refusal or _form(plan, rows_of_plan(plan.items), plan.version)


@pages.post("/edit")
@staff_only
def save(slug: str) -> ResponseReturnValue:
    """Store what was typed, or give the form back with a row more or less."""
    plan = _find(slug)
    rows, version = rows_of_form(request.form), read_id(request.form.get("version"))
    if "add_row" in request.form or "remove_row" in request.form:
        added = request.form.get("add_row", "")
        shortened = request.form.get("remove_row", "").rpartition("-")[0]
        return _form(plan, with_new_row(rows, added), version, added=added, shortened=shortened)
    try:
        set_plan(current_actor(), plan.event.id, read_items(rows, typed=True), version)
    except InvalidInput as error:
        return _form(plan, rows, version, errors_by_id(error.fields)), 422
    except Conflict as conflict:
        # What was typed stays, and whoever has read the notice may save it over the other's.
        return _form(plan, rows, _find(slug).version, problem=str(conflict)), 409
    flash("Saved.", "success")
    return redirect(url_for("plans.show", slug=slug))


@pages.post("/lock")
@staff_only
def lock(slug: str) -> ResponseReturnValue:
    """Let nobody change a draft any more."""
    return _act(lock_plan, slug, "Locked. Nobody can edit it until it is unlocked.")


@pages.post("/unlock")
@staff_only
def unlock(slug: str) -> ResponseReturnValue:
    """Make a locked plan a draft again."""
    return _act(unlock_plan, slug, "Unlocked: it is a draft again and can be edited.")


@pages.post("/start")
@staff_only
def start(slug: str) -> ResponseReturnValue:
    """Take the snapshot of a locked plan and start production."""
    said = "Production has started. The plan as it stood is kept; changes are amendments now."
    return _act(start_production, slug, said)


@pages.post("/complete")
@staff_only
def complete(slug: str) -> ResponseReturnValue:
    """Close a plan in production."""
    return _act(complete_plan, slug, "Completed: nothing in it can be amended any more.")


@pages.get("/amend")
@staff_only
def amend(slug: str) -> ResponseReturnValue:
    """Show the form that amends one item, or adds one of a kind."""
    plan = _find(slug)
    refusal = _refuse("amend", plan)
    if refusal or "kind" not in request.args:
        return refusal or redirect(url_for("plans.show", slug=slug))
    kind, item_slug = read_kind(request.args["kind"]), request.args.get("item", "")
    item = plan.items.find(kind, item_slug) if item_slug else None
    if item_slug and item is None:
        raise NotFound(f"There is no {kind.label} {item_slug!r} in this plan now.")
    values = {name: number_text(getattr(item, name)) for name in kind.numbers} if item else {}
    return _amendment_form(plan, kind, item, values)


@pages.post("/amend")
@staff_only
def store_amendment(slug: str) -> ResponseReturnValue:
    """Store one amendment with its reason."""
    plan = _find(slug)
    form = request.form
    kind = read_kind(form.get("kind", ""))
    item = plan.items.find(kind, form.get("item", ""))
    version = read_id(form.get("version"))
    try:
        change = _read_change(kind, form)
        amend_plan(current_actor(), plan.event.id, change, form.get("reason", ""), version)
    except InvalidInput as error:
        return _amendment_form(plan, kind, item, form, errors=error.fields), 422
    except Conflict as conflict:
        return _amendment_form(plan, kind, item, form, problem=str(conflict)), 409
    flash("Amended. The plan as it was when production started stays as it is.", "success")
    return redirect(url_for("plans.show", slug=slug))


def _find(slug: str) -> Plan:
    return find_plan(current_actor().organisation_id, slug)


def _refuse(action: str, plan: Plan) -> ResponseReturnValue | None:
    """Lead back to the plan, saying why, where its state does not allow the action."""
    try:
        require_action(action, plan.state)
    except Conflict as conflict:
        flash(str(conflict), "warning")
        return redirect(url_for("plans.show", slug=plan.event.slug))
    return None


def _act(verb: Callable[..., None], slug: str, said: str) -> ResponseReturnValue:
    verb(current_actor(), slug, read_id(request.form.get("version")))
    flash(said, "success")
    return redirect(url_for("plans.show", slug=slug))


def _form(
    plan: Plan,
    rows: Rows,
    version: int | None,
    errors: Mapping[str, str] | None = None,
    problem: str | None = None,
    added: str = "",
    shortened: str = "",
) -> str:
    return render_template(
        "plans/edit.html",
        plan=plan,
        kinds=list(ItemKind),
        rows=rows,
        version=version,
        errors=errors or {},
        summary=summary_of(errors or {}),
        problem=problem,
        may_save=is_plan_action_allowed("edit", plan.state),
        added=added,
        shortened=shortened,
    )


def _amendment_form(
    plan: Plan,
    kind: ItemKind,
    item: Any,
    values: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
    problem: str | None = None,
) -> str:
    return render_template(
        "plans/amend.html",
        plan=plan,
        kind=kind,
        item=item,
        values=values,
        errors=errors or {},
        problem=problem,
        labels=FIELD_LABELS,
        quantity=say_quantity,
    )


def _read_change(kind: ItemKind, form: Mapping[str, str]) -> Change:
    action, item_slug = form.get("action", ""), form.get("item", "")
    if action == "take_out":
        return ItemRemoval(kind, item_slug)
    if action == "change":
        numbers = {name: form[name] for name in kind.numbers if name in form}
        return NumbersChange(kind, item_slug, numbers, typed=True)
    if action == "add":
        item = {name: form[name] for name in fields_of(kind) if name in form}
        return ItemAddition(kind, item, typed=True)
    raise InvalidInput({"action": "Choose to change, to add, or to take out."})
