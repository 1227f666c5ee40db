"""What Rollcall has told the one who is logged in, until they have read it."""

from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import current_actor, current_staff, staff_only
from rollcall.accounts.notices import choose_mail_notices, find_notice, list_notices, read_notices
from rollcall.wording import say_count

pages = Blueprint("notices", __name__, url_prefix="/notices")


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """Show what has not been read, and below it what has, the newest first."""
    actor = current_actor()
    unread_cursor, cursor = request.args.get("unread"), request.args.get("cursor")
    unread = list_notices(actor, unread_cursor, unread=True)
    others = list_notices(actor, cursor, unread=False)
    return render_template(
        "notices/index.html",
        unread=unread.rows,
        others=others.rows,
        by_mail=current_staff().mail_notices,
        more_unread_url=_page_url("unread", unread.next_cursor),
        next_url=_page_url("cursor", others.next_cursor),
        first_url=url_for("notices.index") if unread_cursor or cursor else None,
    )


@pages.post("/read")
@staff_only
def read_all() -> ResponseReturnValue:
    """Mark all of them as read."""
    read = read_notices(current_actor())
    flash(f"{say_count(read, 'notice')} marked as read.", "success")
    return redirect(url_for("notices.index"))


@pages.post("/<int:notice_id>/read")
@staff_only
def read(notice_id: int) -> ResponseReturnValue:
    """Mark one of them as read."""
    read_notices(current_actor(), notice_id)
    return redirect(url_for("notices.index"))


@pages.post("/<int:notice_id>/open")
@staff_only
def follow(notice_id: int) -> ResponseReturnValue:
    """Mark one of them as read, and lead to what it is about."""
    actor = current_actor()
    notice = find_notice(actor, notice_id)
    path = notice.path or url_for("notices.index")
    read_notices(actor, notice_id)
    return redirect(path)


@pages.post("/mail")
@staff_only
def mail() -> ResponseReturnValue:
    """Choose whether they come by e-mail as well."""
    wanted = request.form.get("mail_notices") == "1"
    choose_mail_notices(current_actor(), wanted)
    said = "also by e-mail" if wanted else "on your page of notices only"
    flash(f"From now on you are told {said}.", "success")
    return redirect(url_for("profile.edit", _anchor="notices"))


def _page_url(name: str, cursor: str | None) -> str | None:
    return f"{url_for('notices.index')}?{urlencode({name: cursor})}" if cursor else None
