"""Logging in and out."""

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import public, staff_only
from blueprints.addresses import is_own_address
from blueprints.extensions import limiter
from blueprints.sessions import begin_session, end_session, session_staff
from rollcall.accounts.lookups import list_organisations
from rollcall.accounts.passwords import authenticate

pages = Blueprint("auth", __name__)


def _failed(response: Response) -> bool:
    return response.status_code != 302


def _tried_email() -> str:
    return request.form.get("email", "").strip().lower()


def _limit() -> str:
    return current_app.config["LOGIN_LIMIT"]


@pages.get("/login")
@public
def log_in() -> ResponseReturnValue:
    """Show the log-in form, or lead on who is logged in already."""
    if session_staff() is not None:
        return redirect(_wanted_address())
    return render_template(
        "auth/log_in.html",
        next=request.args.get("next", ""),
        nobody_yet=not list_organisations(),
    )


# Tries that fail are limited by network address and by e-mail address: guessing one account's
# password from many places is stopped as well as guessing many accounts' from one.
@pages.post("/login")
@limiter.limit(_limit, deduct_when=_failed)
@limiter.limit(_limit, key_func=_tried_email, deduct_when=_failed)
@public
def begin() -> ResponseReturnValue:
    """Log in with e-mail address and password."""
    email = request.form.get("email", "")
    password = request.form.get("password", "")
    staff = authenticate(email, password, request.remote_addr)
    if staff is None:
        page = render_template(
            "auth/log_in.html", email=email, next=request.form.get("next", ""), failed=True
        )
        return page, 422
    begin_session(staff, keep="keep" in request.form)
    return redirect(_wanted_address())


@pages.post("/logout")
@staff_only
def log_out() -> ResponseReturnValue:
    """End this browser's session."""
    end_session()
    return redirect(url_for("auth.log_in"))


def _wanted_address() -> str:
    wanted = request.values.get("next", "")
    return wanted if is_own_address(wanted) else url_for("home.index")
