"""Links by which somebody chooses a password, and the page that asks for one.

Opening a link changes nothing, as mail scanners open them too; only its form does.
"""

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from blueprints.access import public
from blueprints.extensions import limiter
from blueprints.sessions import begin_session, end_session
from rollcall.accounts.links import DeadLink, UnknownLink, find_link, sends_mail
from rollcall.accounts.passwords import check_same
from rollcall.accounts.resets import request_reset, set_password_by_link
from rollcall.errors import InvalidInput
from rollcall.models import LinkKind, StaffLink

pages = Blueprint("links", __name__)


@pages.after_request
def keep_secret(response: Response) -> Response:
    """Tell the browser to name no more than this site as where it comes from.

    Not even that would be safer still, but then no form could prove over https that it is ours.
    """
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


def _login_limit() -> str:
    return current_app.config["LOGIN_LIMIT"]


def _reset_limit() -> str:
    return current_app.config["RESET_LIMIT"]


def _asked_email() -> str:
    return request.form.get("email", "").strip().lower()


@pages.get("/forgot")
@public
def forgot() -> ResponseReturnValue:
    """Show the form that asks for a new password, or whom to ask where no mail goes out."""
    return render_template(
        "links/forgot.html", sends_mail=_sends_mail(), sent="sent" in request.args
    )


# Every request counts, for known and unknown addresses alike: nobody's mailbox is filled by it.
@pages.post("/forgot")
@limiter.limit(_login_limit)
@limiter.limit(_reset_limit, key_func=_asked_email)
@public
def ask() -> ResponseReturnValue:
    """Send a link where the address logs in; the answer is the same where it does not."""
    if not _asked_email():
        errors = {"email": "Write the e-mail address with which you log in."}
        return render_template("links/forgot.html", sends_mail=_sends_mail(), errors=errors), 422
    if _sends_mail():
        request_reset(_asked_email(), request.remote_addr)
    return redirect(url_for("links.forgot", sent=1))


@pages.get("/link/<secret>")
@public
def show(secret: str) -> ResponseReturnValue:
    """Show the form in which a password is chosen."""
    try:
        return _form(find_link(secret))
    except DeadLink as error:
        return _dead(error)


@pages.post("/link/<secret>")
@public
def choose(secret: str) -> ResponseReturnValue:
    """Set the password; whoever was invited is logged in, everybody else logs in with it."""
    form = request.form
    try:
        link = find_link(secret)
        invited = link.kind == LinkKind.INVITATION
        check_same(form.get("password", ""), form.get("repeated", ""))
        staff = set_password_by_link(secret, form.get("password", ""), request.remote_addr)
    except DeadLink as error:
        return _dead(error)
    except InvalidInput as error:
        return _form(find_link(secret), error.fields), 422
    if invited:
        begin_session(staff, keep=False)
        flash(f"Welcome to {staff.organisation.name}. From now on you log in with your password.")
        return redirect(url_for("home.index"))
    end_session()
    flash("Your new password is set, and every browser is logged out. Log in with it.", "success")
    return redirect(url_for("auth.log_in"))


def _form(link: StaffLink, errors: dict[str, str] | None = None) -> str:
    invited = link.kind == LinkKind.INVITATION
    return render_template(
        "links/choose.html", staff=link.staff, invited=invited, link=link, errors=errors or {}
    )


def _dead(error: DeadLink) -> ResponseReturnValue:
    page = render_template("links/dead.html", reason=str(error), sends_mail=_sends_mail())
    return page, 404 if isinstance(error, UnknownLink) else 410


def _sends_mail() -> bool:
    return sends_mail(current_app.extensions["rollcall"])
