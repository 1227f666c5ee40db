"""Who carries the messages: how each provider does, a check, and a test message."""

from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.access import allow, current_actor, current_staff, staff_only
from blueprints.extensions import limiter
from rollcall.config import Settings
from rollcall.errors import InvalidInput
from rollcall.models import Channel, Role
from rollcall.sending.providers import addresses_to_enter, check_provider, list_providers
from rollcall.sending.trial import describe_answer, send_trial

pages = Blueprint("providers", __name__, url_prefix="/providers")


def _limit() -> str:
    # Each press is a request to somebody else's server, with our log-in.
    return current_app.config["LOGIN_LIMIT"]


@pages.get("")
@staff_only
def index() -> ResponseReturnValue:
    """Show for each channel its provider and how that does."""
    return _page()


@pages.post("/check")
@limiter.limit(_limit)
@allow(Role.ADMIN)
def check() -> ResponseReturnValue:
    """Ask a provider whether it can be reached, and show what was found."""
    channel = _read_channel()
    findings = check_provider(current_actor(), _settings(), channel)
    return _page(checked=channel, findings=findings)


@pages.post("/test")
@limiter.limit(_limit)
@allow(Role.ADMIN)
def test() -> ResponseReturnValue:
    """Send one test message to whoever asks for it, and show what the provider answered."""
    channel = _read_channel()
    phone = request.form.get("address", "")
    try:
        outcome = send_trial(current_actor(), _settings(), channel, phone)
    except InvalidInput as error:
        return _page(tested=channel, phone=phone, errors=error.fields), 422
    taken = outcome.error is None
    flash(describe_answer(_settings(), channel, outcome), "success" if taken else "error")
    return redirect(url_for("providers.index"))


def _page(**shown: Any) -> str:
    staff = current_staff()
    may_act = staff.rank.at_least(Role.ADMIN)
    providers = list_providers(_settings(), staff.organisation.timezone)
    return render_template(
        "providers/index.html",
        providers=providers,
        may_act=may_act,
        addresses=(
            {one.channel: addresses_to_enter(_settings(), one.channel) for one in providers}
            if may_act
            else {}
        ),
        own_email=staff.email,
        **{"errors": {}, "phone": "", "checked": None, "tested": None, **shown},
    )


def _read_channel() -> Channel:
    word = request.form.get("channel", "")
    if word not in list(Channel):
        raise InvalidInput({"channel": f"Choose one of {', '.join(Channel)}."})
    return Channel(word)


def _settings() -> Settings:
    return current_app.extensions["rollcall"]
