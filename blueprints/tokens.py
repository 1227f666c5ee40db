"""API tokens: made, shown once, revoked."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import allow, current_actor
from blueprints.addresses import read_id
from rollcall.accounts.lookups import list_staff
from rollcall.accounts.tokens import SCOPES, create_token, list_tokens, revoke_token
from rollcall.errors import InvalidInput
from rollcall.models import Role, StaffMember

pages = Blueprint("tokens", __name__, url_prefix="/tokens")


@pages.get("")
@allow(Role.ADMIN)
def index() -> ResponseReturnValue:
    """List the tokens."""
    return render_template("tokens/index.html", tokens=list_tokens(_organisation_id()))


@pages.get("/new")
@allow(Role.ADMIN)
def new() -> ResponseReturnValue:
    """Show the form for a new token."""
    return _form_page({"staff": str(current_actor().staff_id)}, list(SCOPES))


@pages.post("/new")
@allow(Role.ADMIN)
def create() -> ResponseReturnValue:
    """Make a token and show it, this once: no redirect, as nothing keeps it to show later."""
    form = request.form
    scopes = form.getlist("scopes")
    try:
        token = create_token(current_actor(), form.get("name", ""), _read_staff_id(), scopes)
    except InvalidInput as error:
        return _form_page(form, scopes, error.fields), 422
    return render_template("tokens/created.html", token=token, name=form["name"])


@pages.post("/<int:token_id>/revoke")
@allow(Role.ADMIN)
def revoke(token_id: int) -> ResponseReturnValue:
    """Make a token useless."""
    revoke_token(current_actor(), token_id)
    flash("The token is revoked. A program that still uses it is refused.", "success")
    return redirect(url_for("tokens.index"))


def _form_page(
    values: dict[str, str], scopes: list[str], errors: dict[str, str] | None = None
) -> str:
    return render_template(
        "tokens/new.html",
        values=values,
        chosen=scopes,
        errors=errors or {},
        members=_choosable_staff(),
        scopes=SCOPES,
    )


def _choosable_staff() -> list[StaffMember]:
    role = current_actor().role
    members = list_staff(_organisation_id())
    return [member for member in members if member.active and role.at_least(member.rank)]


def _read_staff_id() -> int:
    staff_id = read_id(request.form.get("staff"))
    if staff_id is None:
        raise InvalidInput({"staff": "Choose for whom the program acts."})
    return staff_id


def _organisation_id() -> int:
    return current_actor().organisation_id
